/**
 * Applies to a task's database what its changelogs have and it lacks: what a restore and a standby share.
 *
 * Data flow: changelog partitions, all at once → overlay → one batch with the positions → database, in slices.
 *
 * Not its job: how long to go on, when to give up (`restore.ts`, `standby-set.ts`).
 *
 * Invariants:
 * 1. Rows and positions are in one batch: whoever opens the database next goes on where this one ended.
 * 2. Positions are written with changes, or when told to (`notePositions`). A task that never committed has no changes
 *    and no position of its own, only what it tried: there, a position would be the sign of a loss.
 * 3. Never mixed: a database of another life of a changelog, or of one that lost what the database lacks, is refused
 *    (`RESET_REQUIRED`); one that is behind for longer than deletions are kept is damaged for all purposes
 *    (`STATE_CORRUPT`).
 */
import { StateError, type StateBackend, type TaskState } from '../state/index.ts'
import {
  type LoggedStore,
  loggedStores,
  positionsRow,
  type StoredPosition,
  storedPositions,
  TOMBSTONE_RETENTION_MS,
  versionOf,
} from './changelogs.ts'
import type { Clock } from './clock.ts'
import { StreamsError } from './errors.ts'
import type { SubTopology } from './graph.ts'
import type { Log, PartitionReader } from './log.ts'
import { unlessAborted } from './places.ts'
import { type TaskId, taskName } from './task-id.ts'

/** Changes applied per database batch: a standby leaves more of the process to the tasks that run in it. */
const SLICE_RECORDS = { now: 2_000, ever: 500 } as const
const HOUR_MS = 3_600_000
/**
 * Offsets by which a database that lacks nothing may be behind: a commit's rows are stored with the position before the
 * mark that ends its transaction. A transaction that it lacks is a change and a mark at least.
 */
const END_MARKS: Readonly<Record<Log['guarantee'], number>> = { 'exactly-once': 1, 'at-least-once': 0 }

export interface ReplayOptions {
  readonly log: Log
  readonly clock: Clock
  readonly application: string
  readonly task: TaskId
  readonly subTopology: SubTopology
  readonly state: TaskState
  readonly backend: StateBackend
  /** Ends an `open`, and a wait for changes. */
  readonly signal: AbortSignal
  /**
   * `now`: up to the high watermarks found at the start, for what a commit wrote is there, whether or not its end has
   * become visible by then. `ever`: to the end, and on with what comes.
   */
  readonly until: 'now' | 'ever'
}

interface Changelog extends LoggedStore {
  readonly from: number
  /** High watermark at the start. */
  readonly mark: number
}

interface OpenChangelog extends Changelog {
  readonly reader: PartitionReader
}

export class ChangelogReplay {
  /** The database had a batch before. */
  readonly hadState: boolean
  readonly #options: ReplayOptions
  readonly #changelogs: readonly OpenChangelog[]
  readonly #onAbort = (): void => this.#readable()
  /** When the rows were last known to be those at the end; until then, when reading began. */
  #asOf: number
  #awake: Promise<void> = Promise.resolve()
  #readable = (): void => {}

  private constructor(
    options: ReplayOptions,
    changelogs: readonly Changelog[],
    hadState: boolean,
    asOf: number,
  ) {
    const { log, task, signal } = options
    this.#options = options
    this.hadState = hadState
    this.#asOf = asOf
    this.#changelogs = changelogs.map((changelog) => {
      const at = { topic: changelog.topic, partition: task.partition }
      return { ...changelog, reader: log.openReader(at, changelog.from, () => this.#readable()) }
    })
    signal.addEventListener('abort', this.#onAbort)
  }

  /** Throws `RESET_REQUIRED` and `STATE_CORRUPT`, as invariant 3 says, and the signal's reason. */
  static async open(options: ReplayOptions): Promise<ChangelogReplay> {
    const { application, task, subTopology, backend, clock, log, signal } = options
    const stored = storedPositions(backend)
    const ranges = loggedStores(application, task, subTopology).map(async (logged) => {
      const position = stored?.changelogs.find(({ topic }) => topic === logged.topic)
      return { ...logged, ...(await rangeOf(options, logged.topic, position)) }
    })
    // Whoever waits for the database must not wait for a log that takes its time.
    const changelogs = await unlessAborted(signal, Promise.all(ranges))
    const isBehind = changelogs.some(({ from, mark }) => mark - from > END_MARKS[log.guarantee])
    const asOf = stored !== undefined && isBehind ? stored.at : clock.now()
    checkAge(task, clock.now() - asOf)
    return new ChangelogReplay(options, changelogs, stored !== undefined, asOf)
  }

  /** Offsets that are still to be read, as far as known, holes included. */
  get remaining(): number {
    let left = 0
    for (const changelog of this.#changelogs) left += this.#missing(changelog)
    return left
  }

  get #position(): number {
    let sum = 0
    for (const { reader } of this.#changelogs) sum += reader.position
    return sum
  }

  /** Changelogs that are still to be read, and how far they are; for people. */
  get behind(): string {
    const some = this.#changelogs.filter((changelog) => this.#missing(changelog) > 0)
    return some.map(({ topic, reader, mark }) => `${topic} at ${reader.position} of ${mark}`).join(', ')
  }

  /** A reader's end may lie before the high watermark, or not be known yet. */
  #missing({ reader, mark }: OpenChangelog): number {
    const end = this.#options.until === 'now' ? mark : Math.max(mark, reader.end)
    return Math.max(0, end - reader.position)
  }

  /** Resolves when there may be more than the last slice found, or when the signal says that nobody waits any more. */
  get awake(): Promise<void> {
    return this.#awake
  }

  /**
   * Brings what is at hand into the database, a bounded number of changes; answers how many. Throws what the readers'
   * faults are, what the database throws, and `STATE_CORRUPT` as invariant 3 says.
   */
  async applySlice(): Promise<number> {
    const { clock, task } = this.#options
    this.#awake = new Promise((resolve) => (this.#readable = resolve))
    const before = this.#position
    const records = this.#takeSlice()
    // Also where nothing came: what was to come may have been forgotten.
    if (records > 0 || this.remaining > 0) checkAge(task, clock.now() - this.#asOf)
    // A reader that did not move may not have been able to.
    if (this.remaining === 0 && this.#position !== before) this.#asOf = clock.now()
    if (records > 0) await this.#write()
    return records
  }

  /**
   * Asks the log whether the rows are still those at the ends: that no change came says nothing of a log that cannot be
   * reached. A log that does not answer leaves it open.
   */
  async confirm(): Promise<void> {
    const { log, task, clock } = this.#options
    const ends = this.#changelogs.map(async ({ topic, reader }) => {
      const { highWatermark } = await log.bounds({ topic, partition: task.partition })
      return highWatermark <= reader.position
    })
    const areEnds = await Promise.all(ends).catch(() => [false])
    if (areEnds.every(Boolean)) this.#asOf = clock.now()
  }

  /** Keeps positions that moved past marks without a record, so that nobody reads those again. */
  async notePositions(): Promise<void> {
    if (this.#changelogs.some(({ from, reader }) => reader.position > from)) await this.#write()
  }

  /** Idempotent. */
  close(): void {
    this.#options.signal.removeEventListener('abort', this.#onAbort)
    for (const { reader } of this.#changelogs) reader.close()
  }

  #takeSlice(): number {
    const { state, until } = this.#options
    const limit = SLICE_RECORDS[until]
    let left: number = limit
    for (const { reader, mark, store } of this.#changelogs) {
      if (left === 0 || (until === 'now' && reader.position >= mark)) continue
      const records = reader.take(left)
      if (reader.fault !== undefined) throw reader.fault
      for (const { key, value, headers } of records)
        if (key !== null) state.applyChange(store, key, value, versionOf(headers))
      left -= records.length
    }
    return limit - left
  }

  async #write(): Promise<void> {
    const { state, backend, log, task } = this.#options
    const positions = this.#changelogs.map(({ topic, reader }) => {
      return { topic, partition: task.partition, offset: reader.position }
    })
    const { ops } = state.seal()
    await backend.write([...ops, positionsRow(log, backend, positions, this.#asOf)])
    state.committed()
  }
}

function checkAge(task: TaskId, ageMs: number): void {
  if (ageMs <= TOMBSTONE_RETENTION_MS) return
  const hours = Math.floor(ageMs / HOUR_MS)
  throw new StateError('STATE_CORRUPT', `${taskName(task)} is ${hours} h old: its changelog forgot deletions`)
}

/** Where to begin and what is there, or why the changelog does not fit. */
async function rangeOf(
  { log, task }: ReplayOptions,
  topic: string,
  stored: StoredPosition | undefined,
): Promise<{ readonly from: number; readonly mark: number }> {
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
  return { from: stored?.offset ?? start, mark: highWatermark }
}
