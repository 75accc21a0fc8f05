/**
 * Brings a task's own database up to its changelogs, for logs that keep no state.
 *
 * Data flow: changelog partitions, all at once → overlay → one batch with the positions → database, in slices. The
 * positions are stored with the rows, so a restore that is interrupted goes on where it was, and after a crash only the
 * delta is read. It ends at the high watermark found at its start: what a commit wrote is there, whether or not its end
 * had become visible by then.
 *
 * Never mixed: a database of another life of a changelog, or of one that lost what the database lacks, is refused
 * (`RESET_REQUIRED`); one that is older than tombstones are kept is damaged for all purposes (`STATE_CORRUPT`).
 */
import { crc32 } from 'node:zlib'
import { StateError, type StateBackend, type TaskState, type WriteOp } from '../state/index.ts'
import type { Clock } from './clock.ts'
import { StreamsError } from './errors.ts'
import type { SubTopology } from './graph.ts'
import type { Log, PartitionReader } from './log.ts'
import type { Position } from './record.ts'
import { type TaskId, taskName } from './task-id.ts'

/** Changes applied per database batch. */
const SLICE_RECORDS = 2_000
/** Milliseconds without any change or position after which a restore counts as stuck. */
const STALL_LIMIT_MS = 30_000
/** Milliseconds that changelogs keep deletions (`delete.retention.ms`): an older database may miss some. */
export const TOMBSTONE_RETENTION_MS = 7 * 24 * 3_600_000
/** Store name under which a task's timers are logged. */
const TIMERS = 'timers'
/** Where the positions lie in the task's database; no store's name begins like this. */
const POSITIONS_KEY = Buffer.from('\x00changelog-positions')
const CRC_BYTES = 4

/** How far the rows of a task's database are, per changelog. */
export interface StoredPositions {
  readonly changelogs: readonly StoredPosition[]
  /** When this was written, epoch milliseconds. */
  readonly at: number
}

export interface StoredPosition extends Position {
  /** Which life of the changelog the offset belongs to. */
  readonly topicId: string
}

export interface RestoreOptions {
  readonly log: Log
  readonly clock: Clock
  readonly application: string
  readonly task: TaskId
  readonly subTopology: SubTopology
  readonly state: TaskState
  readonly backend: StateBackend
  /** The task has committed before: its changelogs may hold something. */
  readonly hasCheckpoint: boolean
  /** Stops the restore between two slices; it rejects with the signal's reason. */
  readonly signal: AbortSignal
  /** Called after each slice. */
  readonly onProgress: (records: number, remaining: number) => void
}

/** Changelog of a store, named as Kafka Streams names it; timers have one per sub-topology. */
export function changelogTopic(application: string, task: TaskId, store: string): string {
  const name =
    store === TIMERS ? `${task.topology}-${task.subTopology}-${TIMERS}` : `${task.topology}-${store}`
  return `${application}-${name}-changelog`
}

/** Whether a topic is named as the changelogs of this application are. */
export function isChangelog(application: string, topic: string): boolean {
  return topic.startsWith(`${application}-`) && topic.endsWith('-changelog')
}

/** Every changelog that a task writes. */
export function changelogTopics(application: string, task: TaskId, subTopology: SubTopology): string[] {
  return [...subTopology.stores.map((spec) => spec.name), TIMERS].map((store) =>
    changelogTopic(application, task, store),
  )
}

/** The row that keeps the changelog positions beside the data they belong to: CRC-32 ∣ JSON. */
export function positionsRow(
  log: Log,
  backend: StateBackend,
  positions: readonly Position[],
  at: number,
): WriteOp {
  const key = Buffer.concat([backend.prefix, POSITIONS_KEY])
  const changelogs = positions.map(({ topic, partition, offset }) => {
    return { topic, partition, offset, topicId: log.topicId(topic) }
  })
  const stored: StoredPositions = { changelogs, at }
  const text = Buffer.from(JSON.stringify(stored))
  const value = Buffer.allocUnsafe(CRC_BYTES + text.length)
  value.writeUInt32BE(crc32(text), 0)
  text.copy(value, CRC_BYTES)
  return { type: 'put', key, value }
}

/** Nothing for a database that never had a batch. Throws `STATE_CORRUPT`. */
export function storedPositions(backend: StateBackend): StoredPositions | undefined {
  const value = backend.get(Buffer.concat([backend.prefix, POSITIONS_KEY]))
  if (value === undefined) return undefined
  const text = value.subarray(CRC_BYTES)
  if (value.length < CRC_BYTES || value.readUInt32BE(0) !== crc32(text))
    throw new StateError('STATE_CORRUPT', 'the row of the changelog positions')
  return JSON.parse(text.toString()) as StoredPositions
}

/**
 * Applies every change that the database lacks; answers how many there were. Throws `RESET_REQUIRED`,
 * `RESTORE_STALLED`, `STATE_CORRUPT`, what the readers' faults are, and the signal's reason; `COMMIT_UNKNOWN` where
 * another process committed since the positions were asked for.
 */
export async function restoreState(options: RestoreOptions): Promise<number> {
  const { application, task, subTopology, backend, clock } = options
  const stored = storedPositions(backend)
  if (stored !== undefined && clock.now() - stored.at > TOMBSTONE_RETENTION_MS) {
    const hours = Math.floor((clock.now() - stored.at) / 3_600_000)
    throw new StateError(
      'STATE_CORRUPT',
      `${taskName(task)} is ${hours} h old: its changelog forgot deletions`,
    )
  }
  const versions = [
    ...subTopology.stores.map((spec) => [spec.name, spec.version] as const),
    [TIMERS, 1] as const,
  ]
  const changelogs = await Promise.all(
    versions.map(async ([store, version]) => {
      const topic = changelogTopic(application, task, store)
      const position = stored?.changelogs.find((candidate) => candidate.topic === topic)
      return { store, version, topic, ...(await startOf(options, topic, position)) }
    }),
  )
  const restored = await new Restore(options, changelogs).run()
  const isLost = !options.hasCheckpoint && (restored > 0 || stored !== undefined)
  if (isLost && options.log.guarantee === 'exactly-once') {
    // Asked for before another process had the task, and committed for the first time; this one may be out by now.
    if ((await options.log.committed(task)) !== undefined)
      throw new StreamsError(
        'COMMIT_UNKNOWN',
        `${taskName(task)} was committed elsewhere while it was opened`,
      )
    throw new StreamsError(
      'RESET_REQUIRED',
      `${taskName(task)} has state but no committed position: its inputs were recreated, or the group's offsets deleted`,
    )
  }
  return restored
}

/** Where to begin and where to end, or why the changelog does not fit. */
async function startOf(
  { log, task }: RestoreOptions,
  topic: string,
  stored: StoredPosition | undefined,
): Promise<{ readonly from: number; readonly to: number }> {
  const { partition } = task
  const name = `${topic}-${partition}`
  const { start, highWatermark } = await log.bounds({ topic, partition })
  if (stored !== undefined && stored.topicId !== log.topicId(topic))
    throw new StreamsError('RESET_REQUIRED', `${name} was deleted and made again`)
  if ((stored?.offset ?? 0) < start)
    throw new StreamsError('RESET_REQUIRED', `${name} begins at ${start}: older changes were deleted`)
  if (stored !== undefined && stored.offset > highWatermark) {
    throw new StreamsError('RESET_REQUIRED', `${name} ends at ${highWatermark}, stored is ${stored.offset}`)
  }
  return { from: stored?.offset ?? start, to: highWatermark }
}

interface ChangelogRange {
  readonly store: string
  readonly version: number
  readonly topic: string
  readonly from: number
  readonly to: number
}

/** One run over all changelogs of a task. */
class Restore {
  readonly #options: RestoreOptions
  readonly #changelogs: readonly (ChangelogRange & { readonly reader: PartitionReader })[]
  #readable = (): void => {}

  constructor(options: RestoreOptions, ranges: readonly ChangelogRange[]) {
    this.#options = options
    const { log, task } = options
    this.#changelogs = ranges.map((range) => {
      const at = { topic: range.topic, partition: task.partition }
      return { ...range, reader: log.openReader(at, range.from, () => this.#readable()) }
    })
  }

  async run(): Promise<number> {
    const { signal, onProgress } = this.#options
    const onAbort = (): void => this.#readable()
    signal.addEventListener('abort', onAbort)
    let restored = 0
    try {
      while (this.#remaining() > 0) {
        const before = this.#remaining()
        const awake = new Promise<void>((resolve) => (this.#readable = resolve))
        const records = this.#takeSlice()
        if (records > 0) await this.#write()
        signal.throwIfAborted()
        restored += records
        if (this.#remaining() === before) await this.#orStalled(awake)
        else onProgress(records, this.#remaining())
        signal.throwIfAborted()
      }
      // Positions may have moved past marks without a record: kept, so that the next start does not read them again. A
      // task that never committed has none of its own, only what it tried: then a position would be the sign of a loss.
      const moved = this.#changelogs.some(({ from, reader }) => reader.position > from)
      if (moved && this.#options.hasCheckpoint) await this.#write()
      return restored
    } finally {
      signal.removeEventListener('abort', onAbort)
      for (const { reader } of this.#changelogs) reader.close()
    }
  }

  /** Offsets that are still to be read, holes included. */
  #remaining(): number {
    let left = 0
    for (const { reader, to } of this.#changelogs) left += Math.max(0, to - reader.position)
    return left
  }

  /** Applies what is at hand to the overlay; answers how many changes. */
  #takeSlice(): number {
    const { state } = this.#options
    let left = SLICE_RECORDS
    for (const { reader, to, store, version } of this.#changelogs) {
      if (left === 0 || reader.position >= to) continue
      const records = reader.take(left)
      if (reader.fault !== undefined) throw reader.fault
      for (const { key, value } of records) if (key !== null) state.applyChange(store, key, value, version)
      left -= records.length
    }
    return SLICE_RECORDS - left
  }

  async #write(): Promise<void> {
    const { state, backend, log, clock, task } = this.#options
    const positions = this.#changelogs.map(({ topic, reader }) => {
      return { topic, partition: task.partition, offset: reader.position }
    })
    const { ops } = state.seal()
    await backend.write([...ops, positionsRow(log, backend, positions, clock.now())])
    state.committed()
  }

  async #orStalled(awake: Promise<void>): Promise<void> {
    let cancel = (): void => {}
    const stalled = new Promise<boolean>((resolve) => {
      cancel = this.#options.clock.after(STALL_LIMIT_MS, () => resolve(true))
    })
    const isStalled = await Promise.race([awake.then(() => false), stalled])
    cancel()
    if (!isStalled) return
    const behind = this.#changelogs.filter(({ reader, to }) => reader.position < to)
    const where = behind.map(({ topic, reader, to }) => `${topic} at ${reader.position} of ${to}`).join(', ')
    throw new StreamsError('RESTORE_STALLED', where)
  }
}
