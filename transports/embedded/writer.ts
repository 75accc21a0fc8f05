/**
 * The one writer of the log: takes every call that waits, makes one synced batch of them, tells readers, then callers.
 * While a batch is on its way to the disk, the next gathers.
 *
 * Not its job: what a call puts into a batch (`Member.prepare`), and opening the database (`storage.ts`).
 *
 * Invariants:
 * 1. One batch at a time; offsets follow from it and are given to nobody before it is durable.
 * 2. A batch that is not durable changes nothing: no end, no checkpoint, no reader is told.
 * 3. Append time never falls.
 * 4. What is read back at open gives exactly the ends that were published (`recovery.ts`), so a bounds row is written
 *    before the ring forgets the batches since the last one.
 */
import { StreamsError } from '../../streams/index.ts'
import type { Catalog, PartitionState } from './catalog.ts'
import type { DiskMeter } from './disk-meter.ts'
import { BatchDraft, type DraftRows, notesOf } from './draft.ts'
import { boundsKey } from './keys.ts'
import { RowEncoder } from './log-row.ts'
import { type BatchEvent, closedError, type EmbeddedLogHooks, type EmbeddedLogLimits } from './options.ts'
import { type Bounds, encodeBounds, sealed } from './small-rows.ts'
import type { Storage } from './storage.ts'
import type { TailCache } from './tail-cache.ts'

/** A bounds row after this many batches at the latest, so that few notes have to be read at open. */
const BOUNDS_EVERY_BATCHES = 512
/** Milliseconds between tries to open a database that failed. */
const REOPEN_EVERY_MS = 200

/** A call that waits for its batch. */
export interface Member {
  readonly kind: 'append' | 'commit' | 'upkeep'
  /** Counted against the batch's size, roughly. */
  readonly bytes: number
  /** Puts the call into the batch. When it throws, it has put nothing, and the call is rejected alone. */
  prepare(draft: BatchDraft): void
  resolve(): void
  reject(error: unknown): void
}

export interface WriterOptions {
  readonly storage: Storage
  readonly catalog: Catalog
  readonly tail: TailCache
  readonly limits: EmbeddedLogLimits
  readonly hooks: EmbeddedLogHooks
  readonly disk: DiskMeter
  readonly now: () => number
  readonly appendTime: number
}

/** A batch on its way to the disk. */
interface Batch {
  readonly draft: BatchDraft
  readonly members: readonly Member[]
  readonly encoded: readonly DraftRows[]
  readonly startedAt: number
  readonly withBounds: boolean
}

export class Writer {
  readonly #options: WriterOptions
  readonly #encoder: RowEncoder
  #waiting: Member[] = []
  #running: Promise<void> | undefined
  #appendTime: number
  #bytesSinceBounds = 0
  /** The first batch after opening has the bounds. */
  #batchesSinceBounds = BOUNDS_EVERY_BATCHES
  #closing = false
  /** A batch whose outcome only a reopened database can tell. */
  #unsettled: Batch | undefined
  #lastTryAt = Number.NEGATIVE_INFINITY
  #lastBatchMs = 0

  constructor(options: WriterOptions) {
    this.#options = options
    this.#encoder = new RowEncoder(options.catalog)
    this.#appendTime = options.appendTime
  }

  get lastBatchMs(): number {
    return this.#lastBatchMs
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Settles the member in the next batch. After `close`, the member is rejected with `LOG_CLOSED`. */
  submit(member: Member): void {
    if (this.#closing) {
      member.reject(closedError())
      return
    }
    this.#waiting.push(member)
    this.#running ??= this.#run()
  }

  /** Writes what waits, then nothing any more. */
  async close(): Promise<void> {
    this.#closing = true
    await this.#running
  }

  async #run(): Promise<void> {
    // Calls made in the same turn of the event loop share the first batch.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      if (this.#options.storage.usable || (await this.#tryReopen())) await this.#runBatch(this.#gather())
      else this.#rejectWaiting()
    }
    this.#running = undefined
  }

  /** All that waits, up to the size of a batch; at least one. */
  #gather(): Member[] {
    const { maxBatchBytes } = this.#options.limits
    let bytes = 0
    let count = 0
    for (const member of this.#waiting) {
      bytes += member.bytes
      if (count > 0 && bytes > maxBatchBytes) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  async #runBatch(gathered: readonly Member[]): Promise<void> {
    const batch = this.#encode(gathered)
    const { draft, encoded } = batch
    let bytes = 0
    try {
      const note = { appendTime: draft.appendTime, rows: notesOf(encoded) }
      if (draft.ops.length > 0) bytes = await this.#options.storage.write(draft.ops, note)
      this.#options.disk.wrote(bytes)
    } catch (error) {
      this.#report(error)
      await this.#settleFailed(batch, error)
      return
    }
    this.#publish(batch, bytes)
  }

  #encode(gathered: readonly Member[]): Batch {
    const startedAt = performance.now()
    const { catalog, now } = this.#options
    this.#appendTime = Math.max(this.#appendTime, Math.floor(now()))
    const draft = new BatchDraft(this.#appendTime)
    const members = gathered.filter((member) => prepared(member, draft))
    const encoded = draft.encode(
      this.#encoder,
      ({ topic }) => catalog.topic(topic).spec.timestamps === 'LogAppendTime',
    )
    const withBounds = draft.ops.length > 0 && this.#boundsDue(draft)
    if (withBounds) draft.ops.push(this.#boundsRow(draft, encoded))
    return { draft, members, encoded, startedAt, withBounds }
  }

  // --- after the write

  /** The batch is durable: state first, then readers, then callers. */
  #publish({ draft, members, encoded, startedAt, withBounds }: Batch, bytes: number): void {
    for (const { partition, rows } of encoded) {
      for (const { key, value, lastOffset } of rows) {
        this.#options.tail.push(partition.tail, partition, key, value)
        partition.end = lastOffset + 1
        partition.bytes += key.length + value.length
      }
    }
    for (const [partition, { start, bytes: lost }] of draft.trims) {
      partition.start = start
      partition.bytes -= lost
    }
    for (const apply of draft.applied) apply()
    this.#bytesSinceBounds = withBounds ? 0 : this.#bytesSinceBounds + bytes
    this.#batchesSinceBounds = withBounds ? 0 : this.#batchesSinceBounds + 1
    for (const { partition } of encoded) for (const reader of partition.readers) reader.wake()
    for (const member of members) member.resolve()
    this.#lastBatchMs = performance.now() - startedAt
    if (bytes > 0) this.#tell(this.#eventOf(members, draft.records, bytes))
  }

  /** On its own stack, as in `#report`: what a hook throws must not stop the writer. */
  #tell(event: BatchEvent): void {
    const { hooks } = this.#options
    if (hooks.onBatch !== undefined) queueMicrotask(() => hooks.onBatch?.(event))
  }

  #report(error: unknown): void {
    const { hooks } = this.#options
    if (hooks.onFault !== undefined) queueMicrotask(() => hooks.onFault?.(error as Error))
  }

  #eventOf(members: readonly Member[], records: number, bytes: number): BatchEvent {
    const count = (kind: Member['kind']) => members.filter((member) => member.kind === kind).length
    return { records, bytes, ms: this.#lastBatchMs, appends: count('append'), commits: count('commit') }
  }

  /** The write failed: the reopened database says whether the batch is there all the same. */
  async #settleFailed(batch: Batch, cause: unknown): Promise<void> {
    this.#lastTryAt = performance.now()
    const { outcome, cause: openError } = await this.#options.storage.reopen()
    if (outcome === 'written') {
      this.#publish(batch, 0)
      return
    }
    if (outcome === 'unknown') {
      this.#unsettled = batch
      this.#report(openError)
    }
    for (const member of batch.members) member.reject(writeFailed(member, outcome, cause))
  }

  /** Whether the database is open again; settles what became of the batch that failed. */
  async #tryReopen(): Promise<boolean> {
    if (performance.now() - this.#lastTryAt < REOPEN_EVERY_MS) return false
    this.#lastTryAt = performance.now()
    const { outcome, cause } = await this.#options.storage.reopen()
    if (outcome === 'unknown') {
      this.#report(cause)
      return false
    }
    // Its callers were told that the outcome was unknown; readers see it from now on.
    if (outcome === 'written' && this.#unsettled !== undefined) {
      this.#publish({ ...this.#unsettled, members: [] }, 0)
    }
    this.#unsettled = undefined
    return true
  }

  #rejectWaiting(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const member of waiting) {
      member.reject(new StreamsError('LOG_WRITE_FAILED', 'its database could not be opened again yet'))
    }
  }

  // --- bounds

  #boundsDue(draft: BatchDraft): boolean {
    return (
      draft.trims.size > 0 ||
      this.#batchesSinceBounds + 1 >= BOUNDS_EVERY_BATCHES ||
      this.#bytesSinceBounds >= this.#options.limits.writeBufferBytes / 2
    )
  }

  #boundsRow(draft: BatchDraft, encoded: readonly DraftRows[]) {
    const written = new Map(encoded.map(({ partition, rows }) => [partition, rows]))
    const partitions = this.#options.catalog.partitions.map((state: PartitionState) => {
      const rows = written.get(state) ?? []
      const trim = draft.trims.get(state)
      let bytes = state.bytes - (trim?.bytes ?? 0)
      for (const { key, value } of rows) bytes += key.length + value.length
      const end = (rows.at(-1)?.lastOffset ?? state.end - 1) + 1
      const { topicNumber: topic, partition } = state
      return { topic, partition, start: trim?.start ?? state.start, end, bytes }
    })
    const { appendTime } = draft
    const bounds: Bounds = { sequence: this.#options.storage.sequence + 1, appendTime, partitions }
    return { type: 'put', key: boundsKey, value: sealed(boundsKey, encodeBounds(bounds)) } as const
  }
}

function prepared(member: Member, draft: BatchDraft): boolean {
  try {
    member.prepare(draft)
    return true
  } catch (error) {
    member.reject(error)
    return false
  }
}

function writeFailed(member: Member, outcome: 'not written' | 'unknown', cause: unknown): StreamsError {
  if (outcome === 'not written') return new StreamsError('LOG_WRITE_FAILED', 'nothing was written', { cause })
  const code = member.kind === 'commit' ? 'COMMIT_UNKNOWN' : 'APPEND_UNKNOWN'
  return new StreamsError(code, 'the write failed, and the database could not be opened again', { cause })
}
