/**
 * One connection's life: takes the lock, publishes what waits, batch by batch, until the connection or the reader ends.
 *
 * | step | what | a crash after it |
 * | --- | --- | --- |
 * | 1 | rows that are not published are read, by id | nothing has happened |
 * | 2 | the log takes those that are records of their topics | they are read again, and appended again with the same eventIds and ids of their own: receivers count them once |
 * | 3 | the rows are marked, those that do not fit with the reason | – |
 */
import type { Topic } from '../../schemas/index.ts'
import { type AppendRecord, type Clock, type Log, reactionOf } from '../../streams/index.ts'
import { asError } from '../frame/failures.ts'
import type { ConnectorHooks } from '../frame/hooks.ts'
import { backoffMs } from '../frame/policy.ts'
import { rest } from '../frame/waiting.ts'
import { type OutboxRow, recordOf, RowRefused, type RowRules } from './row.ts'
import type { OutboxTable } from './table.ts'

export const OUTBOX = 'outbox'
/** Between the retries of what may get better. */
export const BACKOFF = { backoffMs: 200, maxBackoffMs: 30_000 }

const PURGE_EVERY_MS = 60_000
/** Between two counts of what waits: a scrape wants no newer ones. */
const COUNT_EVERY_MS = 5_000
/** More are not counted. */
const COUNTED_ROWS = 100_000
/** JSON of a record may be longer than its Avro. */
const TEXT_FACTOR = 4
/** Payloads of one batch as text, but for the last: with that far less than a log takes in one call. */
const BATCH_BYTES = 4 * 1024 * 1024

export interface OutboxSettings {
  readonly application: string
  /** The table, with its schema where it needs one: letters, digits, underscores. */
  readonly table: string
  /** Between two looks where no notice comes. */
  readonly pollMs: number
  readonly batchRecords: number
  /** How long published rows stay; `Infinity`: for ever. */
  readonly keepMs: number
  /** Those that take rows. */
  // oxlint-disable-next-line typescript/no-explicit-any -- topics of differing records in one list
  readonly topics: readonly Topic<any>[]
  readonly currency: string
  readonly log: Pick<Log, 'append' | 'maxRecordBytes'>
  /** How long the pipeline wants a topic's records to wait; absent: it takes them now. */
  readonly waitMs: (topic: string) => number | undefined
  readonly clock: Clock
  /** Between 0 and 1, for the spread of retries. */
  readonly random: () => number
  readonly hooks: Pick<ConnectorHooks, 'onDelivered' | 'onFailure' | 'onRejected' | 'onBreaker'>
}

export interface SessionParts {
  readonly settings: OutboxSettings
  readonly table: OutboxTable
  /** The reader is to end, or the connection has ended. */
  readonly signal: AbortSignal
  readonly isPaused: () => boolean
  /** The database did what it was asked. */
  readonly onProgress: () => void
}

export class OutboxSession {
  readonly #parts: SessionParts
  readonly #rules: RowRules
  #isNoticed = false
  #wake = (): void => {}
  #holdsLock = false
  #waitingRows: number | undefined
  #countAt = 0

  constructor(parts: SessionParts) {
    const { application, table, topics, currency, log } = parts.settings
    this.#parts = parts
    this.#rules = {
      source: `${application}|${table}`,
      topics: new Map(topics.map((topic) => [topic.name, topic])),
      currency,
      maxRecordBytes: log.maxRecordBytes,
    }
  }

  /** Whether it is the one that publishes. */
  get holdsLock(): boolean {
    return this.#holdsLock
  }

  /** Rows that nobody has published or refused, at the last look; nothing where this is not the one that looks. */
  get waitingRows(): number | undefined {
    return this.#waitingRows
  }

  /** Ends with the signal. Throws what the database says, and what the log says that waiting does not mend. */
  async run(): Promise<void> {
    const { table, signal, settings, isPaused, onProgress } = this.#parts
    const { clock, pollMs } = settings
    while (!(await table.lock())) {
      onProgress()
      await rest(clock, pollMs, signal)
      if (signal.aborted) return
    }
    this.#holdsLock = true
    await table.listen(() => this.notice())
    let purgeAt = clock.monotonic()
    while (!signal.aborted) {
      this.#isNoticed = false
      await this.#count()
      const count = isPaused() ? 0 : await this.#batch()
      onProgress()
      if (count > 0) continue
      if (clock.monotonic() >= purgeAt && !(await this.#purge())) purgeAt = clock.monotonic() + PURGE_EVERY_MS
      await this.#noticed()
    }
  }

  /** There may be something to do. */
  notice(): void {
    this.#isNoticed = true
    this.#wake()
  }

  /** Now and then. */
  async #count(): Promise<void> {
    const { table, settings } = this.#parts
    const now = settings.clock.monotonic()
    if (this.#waitingRows !== undefined && now < this.#countAt) return
    this.#waitingRows = await table.countWaiting(COUNTED_ROWS)
    this.#countAt = now + COUNT_EVERY_MS
  }

  /** Answers how many rows were read. */
  async #batch(): Promise<number> {
    const { table, settings } = this.#parts
    const { log, batchRecords, clock, hooks } = settings
    const payloadBytes = TEXT_FACTOR * log.maxRecordBytes
    const rows = await table.waiting({ rows: batchRecords, bytes: BATCH_BYTES, payloadBytes })
    if (rows.length === 0) {
      this.#waitingRows = 0
      return 0
    }
    const { fitting, refused } = await this.#sorted(rows)
    if (fitting.length > 0) {
      const begin = clock.monotonic()
      if (!(await this.#append(fitting.map(({ record }) => record)))) return 0
      await table.published(fitting.map(({ id }) => id))
      hooks.onDelivered(OUTBOX, fitting.length, clock.monotonic() - begin)
    }
    await table.refused(refused)
    for (const { topic } of refused)
      hooks.onRejected(OUTBOX, this.#rules.topics.has(topic) ? topic : 'unknown', 'RowRefused')
    return rows.length
  }

  async #sorted(rows: readonly OutboxRow[]) {
    const fitting: { readonly id: string; readonly record: AppendRecord }[] = []
    const refused: { readonly id: string; readonly topic: string; readonly reason: string }[] = []
    for (const row of rows) {
      const { id, topic } = row
      try {
        fitting.push({ id, record: await this.#recordOf(row) })
      } catch (error) {
        if (!(error instanceof RowRefused)) throw error
        refused.push({ id, topic, reason: error.message })
      }
    }
    return { fitting, refused }
  }

  /** Waits for a registry that has yet to say what bytes are. */
  async #recordOf(row: OutboxRow): Promise<AppendRecord> {
    try {
      return recordOf(row, this.#rules)
    } catch (error) {
      const { ready } = error as { readonly ready?: unknown }
      if (!(ready instanceof Promise)) throw error
      await ready
      return recordOf(row, this.#rules)
    }
  }

  /** Offers them until the log takes them; false where it is to stop, or to pause, before. Throws what waiting does not mend. */
  async #append(records: readonly AppendRecord[]): Promise<boolean> {
    const { settings, signal, isPaused } = this.#parts
    const { log, clock, waitMs, random, hooks } = settings
    const topics = new Set(records.map(({ topic }) => topic))
    for (let failures = 1; !signal.aborted && !isPaused(); ) {
      await this.#count()
      const wait = Math.max(0, ...[...topics].map((topic) => waitMs(topic) ?? 0))
      if (wait > 0) {
        await rest(clock, wait, signal)
        continue
      }
      try {
        await log.append(records)
        return true
      } catch (error) {
        if (reactionOf(error) !== 'retry') throw error
        hooks.onFailure(OUTBOX, 'log', asError(error), false)
        await rest(clock, backoffMs(BACKOFF, failures++, random()), signal)
      }
    }
    return false
  }

  /** Answers whether there may be more. */
  async #purge(): Promise<boolean> {
    const { table, settings } = this.#parts
    const { keepMs } = settings
    return Number.isFinite(keepMs) && (await table.purge(keepMs))
  }

  /** Ends with a notice, also one that came since the last look, or when it is time to look anyway. */
  async #noticed(): Promise<void> {
    const { settings, signal } = this.#parts
    if (this.#isNoticed) return
    const noticed = new AbortController()
    this.#wake = () => noticed.abort()
    await rest(settings.clock, settings.pollMs, AbortSignal.any([signal, noticed.signal]))
  }
}
