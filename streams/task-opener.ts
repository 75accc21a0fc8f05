/**
 * Opens a task: its database, its last commit, its state up to date; what comes out stands at its checkpoint and runs.
 *
 * Not its job: which tasks are opened, when, and what happens when that fails (`task-set.ts`).
 *
 * Invariant: an opening that fails, or is not wanted any more, leaves nothing open.
 */
import { type CacheBudget, type StateBackend, TaskState } from '../state/index.ts'
import type { Clock } from './clock.ts'
import type { ExclusiveDatabases, OpenDatabase } from './exclusive-databases.ts'
import type { SubTopology, Topology } from './graph.ts'
import type { StreamsHooks } from './hooks.ts'
import type { Checkpoint, Log } from './log.ts'
import type { BreakerPolicy } from './policies.ts'
import { unlessAborted } from './places.ts'
import { restoreState } from './restore.ts'
import type { StoreWatches } from './store-watches.ts'
import { Task } from './task.ts'
import type { TaskId } from './task-id.ts'
import type { WallClock } from './wall-clock.ts'

/** What framing adds to a row in its changelog at most, in bytes. */
const CHANGE_FRAME_BYTES = 64

export const NO_CHECKPOINT: Checkpoint = Object.freeze({
  positions: [],
  times: { streamTime: -1, wallTime: -1, lastRecordAt: -1 },
  sequence: 0,
})

export interface TaskOpenerOptions {
  readonly application: string
  readonly topology: Topology
  readonly log: Log
  readonly clock: Clock
  readonly hooks: StreamsHooks
  readonly breaker: BreakerPolicy | 'off'
  /** Decoded committed values that a task keeps at hand, in entries. */
  readonly cacheEntries: number
  /** What all tasks of the process keep at hand together. */
  readonly cacheBudget: CacheBudget
  /** Only for logs that keep no state. */
  readonly databases: ExclusiveDatabases | undefined
  readonly onReadable: () => void
  readonly watches: StoreWatches
}

export interface Opening {
  readonly id: TaskId
  readonly epoch: number
  readonly wall: WallClock
  /** It is not wanted any more. */
  readonly signal: AbortSignal
  /** Why it ran no longer, if it did. */
  readonly failure: Error | undefined
}

export interface OpenTask {
  readonly task: Task
  readonly database: OpenDatabase | undefined
}

export class TaskOpener {
  readonly #options: TaskOpenerOptions

  constructor(options: TaskOpenerOptions) {
    this.#options = options
  }

  /** Throws what the log, the database and `restoreState` throw, and the signal's reason. */
  async open(opening: Opening): Promise<OpenTask> {
    const { id, signal } = opening
    const checkpoint = await unlessAborted(signal, this.#options.log.committed(id))
    const database = await this.#openDatabase(opening)
    try {
      return { task: await this.#start(opening, checkpoint, database?.backend), database }
    } catch (error) {
      await database?.close()
      throw error
    }
  }

  async #openDatabase({ id, signal, failure }: Opening): Promise<OpenDatabase | undefined> {
    const { log, databases } = this.#options
    if (log.stateHome === 'log') return undefined
    if (databases === undefined) throw new TypeError('a log that keeps no state needs a state directory')
    return databases.open(id, signal, failure)
  }

  async #start(
    opening: Opening,
    checkpoint: Checkpoint | undefined,
    backend: StateBackend | undefined,
  ): Promise<Task> {
    const { id, epoch, wall, signal } = opening
    const { log, hooks, breaker, clock, cacheEntries, cacheBudget, onReadable, watches } = this.#options
    const subTopology = this.#subTopologyOf(id)
    const reader = backend ?? (await log.taskState(id))
    const { from, bootstrapTo } = await unlessAborted(signal, this.#bounds(id, checkpoint ?? NO_CHECKPOINT))
    const withChanges = log.stateHome === 'task'
    const maxRowBytes = withChanges ? log.maxRecordBytes - CHANGE_FRAME_BYTES : undefined
    const specs = subTopology.stores
    const state = new TaskState({ reader, specs, withChanges, cacheEntries, cacheBudget, maxRowBytes })
    const task = new Task({
      id,
      epoch,
      subTopology,
      log,
      state,
      checkpoint: from,
      bootstrapTo,
      hooks,
      breaker,
      wallTime: () => wall.now(),
      expiriesFrozen: () => wall.frozen,
      monotonic: () => clock.monotonic(),
      onReadable,
      watches,
    })
    try {
      task.lifecycle.to('restoring')
      if (backend !== undefined) await this.#restore(opening, state, backend, checkpoint !== undefined)
      signal.throwIfAborted()
    } catch (error) {
      task.close()
      throw error
    }
    task.lifecycle.to('running')
    // A filter that never learns all keys only answers nothing: the task is right without it.
    state.learnKeys().catch(() => hooks.onDropped(id, 'FilterIncomplete'))
    return task
  }

  /**
   * An input that was never read begins where its log does. What is to be read first ends at the high watermark: where
   * readers are shown less, the rest may be an answer that is being committed.
   */
  async #bounds(id: TaskId, checkpoint: Checkpoint) {
    const positions = [...checkpoint.positions]
    const known = new Set(positions.map(({ topic }) => topic))
    const bootstrapTo = new Map<string, number>()
    const { partition } = id
    const ask = async (topic: string, bootstrap: boolean): Promise<void> => {
      if (known.has(topic) && !bootstrap) return
      const { start, highWatermark } = await this.#options.log.bounds({ topic, partition })
      if (!known.has(topic)) positions.push({ topic, partition, offset: start })
      if (bootstrap) bootstrapTo.set(topic, highWatermark)
    }
    const { sources } = this.#subTopologyOf(id)
    await Promise.all(sources.map(({ topic, bootstrap }) => ask(topic.name, bootstrap)))
    return { from: { ...checkpoint, positions }, bootstrapTo }
  }

  async #restore(
    { id, signal }: Opening,
    state: TaskState,
    backend: StateBackend,
    hasCheckpoint: boolean,
  ): Promise<void> {
    const { log, clock, application, hooks } = this.#options
    const start = clock.monotonic()
    const records = await restoreState({
      log,
      clock,
      application,
      task: id,
      subTopology: this.#subTopologyOf(id),
      state,
      backend,
      hasCheckpoint,
      signal,
      onProgress: (count, remaining) => hooks.onRestoreProgress(id, count, remaining),
    })
    hooks.onRestored(id, records, clock.monotonic() - start)
  }

  #subTopologyOf({ subTopology }: TaskId): SubTopology {
    return this.#options.topology.subTopologies[subTopology] as SubTopology
  }
}
