/**
 * Publishes the rows of an outbox: a table of a shop's own database, into which its transactions write what the log is to
 * have. So the shop writes one place only.
 *
 * One connection reads, listens and marks. It holds an advisory lock, so of all processes one publishes; the others wait
 * for the lock.
 *
 * | step | what | a crash after it |
 * | --- | --- | --- |
 * | 1 | rows that are not published are read, by id | nothing has happened |
 * | 2 | the log takes those that are records of their topics | they are read again, and appended again with the same eventIds and ids of their own: receivers count them once |
 * | 3 | the rows are marked, those that do not fit with the reason | – |
 *
 * Invariants: a row is marked only once the log has its record, or will never have it; records of one key are appended
 * in the order of their rows' ids, of all that are committed by then; a row that is not committed is never seen.
 */
import type pg from 'pg'
import type { Topic } from '../../schemas/index.ts'
import { type AppendRecord, type Clock, isStreamsError, type Log, reactionOf } from '../../streams/index.ts'
import type { ConnectorHooks, FailureKind } from '../frame/hooks.ts'
import { asError } from '../frame/failures.ts'
import { backoffMs } from '../frame/policy.ts'
import { pause } from '../frame/waiting.ts'
import { clientConfig, type PostgresAddress } from '../postgres/client-config.ts'
import { type OutboxRow, recordOf, RowRefused, type RowRules } from './row.ts'
import { OutboxTable } from './table.ts'

export const OUTBOX = 'outbox'

const BACKOFF = { backoffMs: 200, maxBackoffMs: 30_000 }
const PURGE_EVERY_MS = 60_000
/** JSON of a record may be longer than its Avro. */
const TEXT_FACTOR = 4
/** Payloads of one batch as text, but for the last: with that far less than a log takes in one call. */
const BATCH_BYTES = 4 * 1024 * 1024

export interface OutboxOptions extends PostgresAddress {
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
  readonly hooks: Pick<ConnectorHooks, 'onDelivered' | 'onFailure' | 'onRejected'>
}

export class OutboxReader {
  readonly #options: OutboxOptions
  readonly #rules: RowRules
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined
  #isNoticed = false
  #wake = (): void => {}

  constructor(options: OutboxOptions) {
    const { application, table, topics, currency, log } = options
    this.#options = options
    this.#rules = {
      source: `${application}|${table}`,
      topics: new Map(topics.map((topic) => [topic.name, topic])),
      currency,
      maxRecordBytes: log.maxRecordBytes,
    }
  }

  /** Goes on until it is closed, whatever the database or the log say meanwhile. */
  start(): void {
    this.#running ??= this.#sessions()
  }

  /** What is under way is appended and marked. Idempotent. */
  async close(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #sessions(): Promise<void> {
    const { signal } = this.#stopping
    const { clock, random, hooks } = this.#options
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        await this.#session(() => (failures = 0))
      } catch (error) {
        if (signal.aborted) return
        hooks.onFailure(OUTBOX, kindOf(error), asError(error), false)
        await pause(clock, backoffMs(BACKOFF, Math.max(1, failures), random()), signal)
      }
    }
  }

  /** One connection's life. Throws what ended it. */
  async #session(onProgress: () => void): Promise<void> {
    const { default: driver } = await import('pg')
    const client = new driver.Client(await clientConfig(this.#options))
    const gone = new AbortController()
    client.on('error', (error) => gone.abort(error))
    client.on('end', () => gone.abort(new Error('the connection ended')))
    try {
      await client.connect()
      const signal = AbortSignal.any([this.#stopping.signal, gone.signal])
      await this.#publish(client, signal, onProgress)
      if (!this.#stopping.signal.aborted) throw asError(gone.signal.reason)
    } finally {
      // The lock goes with the connection.
      await client.end().catch(() => undefined)
    }
  }

  async #publish(client: pg.Client, signal: AbortSignal, onProgress: () => void): Promise<void> {
    const { pollMs, clock } = this.#options
    const table = new OutboxTable(client, this.#options.table)
    while (!(await table.lock())) {
      onProgress()
      await pause(clock, pollMs, signal)
      if (signal.aborted) return
    }
    await table.listen(() => this.#notice())
    let purgeAt = clock.monotonic()
    while (!signal.aborted) {
      this.#isNoticed = false
      const count = await this.#batch(table, signal)
      onProgress()
      if (count > 0) continue
      if (clock.monotonic() >= purgeAt && !(await this.#purge(table)))
        purgeAt = clock.monotonic() + PURGE_EVERY_MS
      await this.#noticed(signal)
    }
  }

  /** Answers how many rows were read. */
  async #batch(table: OutboxTable, signal: AbortSignal): Promise<number> {
    const { log, batchRecords, clock, hooks } = this.#options
    const payloadBytes = TEXT_FACTOR * log.maxRecordBytes
    const rows = await table.waiting({ rows: batchRecords, bytes: BATCH_BYTES, payloadBytes })
    if (rows.length === 0) return 0
    const { fitting, refused } = await this.#sorted(rows)
    if (fitting.length > 0) {
      const begin = clock.monotonic()
      if (
        !(await this.#append(
          fitting.map(({ record }) => record),
          signal,
        ))
      )
        return 0
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

  /** Offers them until the log takes them; false where the reader is to stop before. Throws what waiting does not mend. */
  async #append(records: readonly AppendRecord[], signal: AbortSignal): Promise<boolean> {
    const { log, clock, waitMs, random, hooks } = this.#options
    const topics = new Set(records.map(({ topic }) => topic))
    for (let failures = 1; !signal.aborted; ) {
      const wait = Math.max(0, ...[...topics].map((topic) => waitMs(topic) ?? 0))
      if (wait > 0) {
        await pause(clock, wait, signal)
        continue
      }
      try {
        await log.append(records)
        return true
      } catch (error) {
        if (reactionOf(error) !== 'retry') throw error
        hooks.onFailure(OUTBOX, 'log', asError(error), false)
        await pause(clock, backoffMs(BACKOFF, failures++, random()), signal)
      }
    }
    return false
  }

  /** Answers whether there may be more. */
  async #purge(table: OutboxTable): Promise<boolean> {
    const { keepMs } = this.#options
    return Number.isFinite(keepMs) && (await table.purge(keepMs))
  }

  #notice(): void {
    this.#isNoticed = true
    this.#wake()
  }

  /** Ends with a notice, also one that came since the last look, or when it is time to look anyway. */
  async #noticed(signal: AbortSignal): Promise<void> {
    if (this.#isNoticed) return
    const noticed = new AbortController()
    this.#wake = () => noticed.abort()
    await pause(this.#options.clock, this.#options.pollMs, AbortSignal.any([signal, noticed.signal]))
  }
}

/** SQLSTATE classes that waiting does not mend: the table is another one than the reader was told. */
const WRONG = /^(22|23|42)[0-9A-Z]{3}$/

function kindOf(error: unknown): FailureKind {
  if (isStreamsError(error)) return 'log'
  const { code } = error as { readonly code?: unknown }
  const isWrong = error instanceof RangeError || error instanceof TypeError
  return isWrong || (typeof code === 'string' && WRONG.test(code)) ? 'failed' : 'unavailable'
}
