/**
 * The tasks of one topology that run in this process: opened from their checkpoints, closed, and opened again after a
 * failure that asks for it. Nothing here runs a task or commits.
 */
import { type StateBackend, TaskState } from '../state/index.ts'
import type { Clock } from './clock.ts'
import { reactionOf } from './errors.ts'
import type { SubTopology, Topology } from './graph.ts'
import type { StreamsHooks } from './hooks.ts'
import type { Assignment, Checkpoint, Log } from './log.ts'
import { restoreState } from './restore.ts'
import { Task } from './task.ts'
import { type TaskId, taskName } from './task-id.ts'
import { WallClock } from './wall-clock.ts'

/** Milliseconds before a task that lost its batch is opened again. */
const REOPEN_AFTER_MS = 200

export const NO_CHECKPOINT: Checkpoint = Object.freeze({
  positions: [],
  times: { streamTime: -1, wallTime: -1, lastRecordAt: -1 },
  sequence: 0,
})

export interface TaskSetOptions {
  readonly application: string
  readonly topology: Topology
  readonly log: Log
  readonly clock: Clock
  readonly hooks: StreamsHooks
  /** Decoded committed values that a task keeps at hand, in entries. */
  readonly cacheEntries: number
  /** A task's own database; only for logs that keep no state. */
  readonly openState: ((task: TaskId) => Promise<StateBackend>) | undefined
  readonly onReadable: () => void
}

interface OpenTask {
  readonly task: Task
  readonly backend: StateBackend | undefined
  /** Monotonic time from which a failed task may be opened again; absent: it stays failed. */
  reopenAt: number | undefined
}

export class TaskSet {
  readonly #options: TaskSetOptions
  readonly #open = new Map<string, OpenTask>()
  #tasks: readonly Task[] = []
  #groups: readonly (readonly Task[])[] = []
  #epoch = 0
  #wall: WallClock | undefined

  constructor(options: TaskSetOptions) {
    this.#options = options
  }

  get tasks(): readonly Task[] {
    return this.#tasks
  }

  /** The tasks by sub-topology. */
  get groups(): readonly (readonly Task[])[] {
    return this.#groups
  }

  get wallClock(): WallClock | undefined {
    return this.#wall
  }

  backendOf(task: Task): StateBackend | undefined {
    return this.#open.get(task.name)?.backend
  }

  /** Closes what is not assigned any more and opens what is new; the rest goes on. */
  async assign(assignment: Assignment): Promise<void> {
    this.#epoch = assignment.epoch
    const wanted = new Set(assignment.tasks.map(taskName))
    for (const [name, { task }] of this.#open) {
      if (wanted.has(name)) task.adopt(assignment.epoch)
      else await this.#close(name)
    }
    const fresh = assignment.tasks.filter((id) => !this.#open.has(taskName(id)))
    const checkpoints = await Promise.all(fresh.map((id) => this.#checkpoint(id)))
    const lastWall = Math.max(0, ...checkpoints.map((checkpoint) => checkpoint.times.wallTime))
    const { clock, hooks, topology } = this.#options
    this.#wall ??= new WallClock(clock, lastWall, (incident) => hooks.onClock(topology.name, incident))
    for (const [index, id] of fresh.entries()) await this.#openTask(id, checkpoints[index] as Checkpoint)
  }

  /** A failed task whose error says `restore` will be opened again; any other stays failed. */
  failed(task: Task, error: unknown): void {
    const open = this.#open.get(task.name)
    if (open !== undefined && reactionOf(error) === 'restore') {
      open.reopenAt ??= this.#options.clock.monotonic() + REOPEN_AFTER_MS
    }
  }

  /** Milliseconds until a failed task may be opened again; `Infinity` when none may. */
  untilReopen(): number {
    const now = this.#options.clock.monotonic()
    return Math.min(
      ...[...this.#open.values()].map(({ reopenAt = Number.POSITIVE_INFINITY }) => reopenAt - now),
    )
  }

  /**
   * Opens failed tasks whose time has come, from their last commit; answers those that run again. Call only while no
   * commit is under way. A task that cannot be opened stays in the set, failed, and is tried again.
   */
  async reopenFailed(): Promise<readonly Task[]> {
    const reopened: Task[] = []
    const now = this.#options.clock.monotonic()
    for (const open of this.#open.values()) {
      if (open.reopenAt === undefined || open.reopenAt > now) continue
      try {
        const checkpoint = await this.#checkpoint(open.task.task)
        open.task.close()
        await open.backend?.close()
        reopened.push(await this.#openTask(open.task.task, checkpoint))
      } catch (error) {
        if (reactionOf(error) === 'stop') throw error
        open.reopenAt = now + REOPEN_AFTER_MS
      }
    }
    return reopened
  }

  /** Closes every task. Idempotent. */
  async closeAll(): Promise<void> {
    for (const name of this.#open.keys()) await this.#close(name)
  }

  async #checkpoint(id: TaskId): Promise<Checkpoint> {
    return (await this.#options.log.committed(id)) ?? NO_CHECKPOINT
  }

  async #openTask(id: TaskId, checkpoint: Checkpoint): Promise<Task> {
    const { log, openState } = this.#options
    const backend = log.stateHome === 'task' ? await openState?.(id) : undefined
    try {
      const task = await this.#startTask(id, checkpoint, backend)
      this.#open.set(task.name, { task, backend, reopenAt: undefined })
      this.#changed()
      return task
    } catch (error) {
      await backend?.close()
      throw error
    }
  }

  async #startTask(id: TaskId, checkpoint: Checkpoint, backend: StateBackend | undefined): Promise<Task> {
    const { log, topology, hooks, clock, cacheEntries, application, onReadable } = this.#options
    const subTopology = topology.subTopologies[id.subTopology] as SubTopology
    const reader = backend ?? (await log.taskState(id))
    const withChanges = log.stateHome === 'task'
    const state = new TaskState({ reader, specs: subTopology.stores, withChanges, cacheEntries })
    const wall = this.#wall as WallClock
    const task = new Task({
      id,
      epoch: this.#epoch,
      subTopology,
      log,
      state,
      checkpoint,
      hooks,
      wallTime: () => wall.now(),
      expiriesFrozen: () => wall.frozen,
      monotonic: () => clock.monotonic(),
      onReadable,
    })
    task.lifecycle.to('restoring')
    try {
      if (backend !== undefined)
        await restoreState({ log, application, task: id, subTopology, state, backend })
    } catch (error) {
      task.close()
      throw error
    }
    task.lifecycle.to('running')
    // A filter that never learns all keys only answers nothing: the task is right without it.
    state.learnKeys().catch(() => hooks.onDropped(id, 'FilterIncomplete'))
    return task
  }

  async #close(name: string): Promise<void> {
    const open = this.#open.get(name)
    if (open === undefined) return
    open.task.close()
    await open.backend?.close()
    this.#open.delete(name)
    this.#changed()
  }

  #changed(): void {
    this.#tasks = [...this.#open.values()].map((open) => open.task)
    this.#groups = [...Map.groupBy(this.#tasks, (task) => task.task.subTopology).values()]
  }
}
