/**
 * The tasks of one topology that this process was assigned: opened from their checkpoints beside the others that go on,
 * closed, and opened again after a failure that asks for it. Nothing here runs a task or commits.
 *
 * Invariants:
 * 1. `tasks` holds open tasks only: one that is being opened joins them once its state is restored.
 * 2. An opening that is not wanted any more leaves nothing open.
 */
import type { CacheBudget, StateBackend } from '../state/index.ts'
import type { Clock } from './clock.ts'
import { asError, reactionOf, StreamsError } from './errors.ts'
import { type ExclusiveDatabases, mayReopen, type OpenDatabase } from './exclusive-databases.ts'
import type { Topology } from './graph.ts'
import type { StreamsHooks } from './hooks.ts'
import type { Log } from './log.ts'
import { Places, unlessAborted } from './places.ts'
import type { BreakerPolicy } from './policies.ts'
import type { Task } from './task.ts'
import { type TaskId, taskName } from './task-id.ts'
import type { StoreWatches } from './store-watches.ts'
import { NO_CHECKPOINT, TaskOpener } from './task-opener.ts'
import { WallClock } from './wall-clock.ts'

/** Milliseconds before a task that lost its batch, or could not be opened, is opened again. */
const REOPEN_AFTER_MS = 200
/** Tasks that are restored at a time; the others wait for their turn. */
const OPENING_LIMIT = 4

export interface TaskSetOptions {
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
  /** A task stands at its checkpoint and may run. */
  readonly onOpened: (task: Task) => void
  /** A task cannot be opened, and its error says that the process cannot go on. */
  readonly onFatal: (error: Error) => void
}

/** An assigned task, open or not. */
interface Slot {
  readonly id: TaskId
  readonly name: string
  task: Task | undefined
  database: OpenDatabase | undefined
  /** Under way: becomes `task`, or `failure`. */
  opening: Promise<void> | undefined
  /** Not wanted any more. */
  readonly dropped: AbortController
  /** Why it does not run. */
  failure: Error | undefined
  /** Monotonic time from which it may be opened again; absent: it stays failed. */
  reopenAt: number | undefined
}

export class TaskSet {
  readonly #options: TaskSetOptions
  readonly #opener: TaskOpener
  readonly #openings = new Places(OPENING_LIMIT)
  readonly #slots = new Map<string, Slot>()
  #tasks: readonly Task[] = []
  #groups: readonly (readonly Task[])[] = []
  #epoch = 0
  #wall: WallClock | undefined

  constructor(options: TaskSetOptions) {
    this.#options = options
    this.#opener = new TaskOpener(options)
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

  /** Assigned tasks that do not run: they are being restored, or failed. */
  get notRunning(): readonly TaskId[] {
    const slots = [...this.#slots.values()]
    return slots.filter(({ task }) => task?.lifecycle.state !== 'running').map(({ id }) => id)
  }

  backendOf(task: Task): StateBackend | undefined {
    return this.#slots.get(task.name)?.database?.backend
  }

  /**
   * Drops what is not assigned any more and begins to open what is new; the rest goes on. Tasks that left are out of
   * `tasks` when this returns, and their databases closed when its promise resolves.
   */
  assign(epoch: number, tasks: readonly TaskId[]): Promise<void> {
    this.#epoch = epoch
    const wanted = new Set(tasks.map(taskName))
    const left = [...this.#slots.values()].filter(({ name }) => !wanted.has(name))
    const closed = left.map((slot) => this.#drop(slot))
    for (const { task } of this.#slots.values()) task?.adopt(epoch)
    const fresh = tasks.filter((id) => !this.#slots.has(taskName(id))).map(newSlot)
    for (const slot of fresh) this.#slots.set(slot.name, slot)
    this.#changed()
    const wall = this.#beginWallClock(fresh)
    for (const slot of fresh) this.#open(slot, wall)
    return Promise.all(closed).then(() => undefined)
  }

  /** Drops every task. Idempotent. */
  async closeAll(): Promise<void> {
    await Promise.all([...this.#slots.values()].map((slot) => this.#drop(slot)))
  }

  /** Resolves once every assigned task runs. Rejects with the first error of one that could not be opened. */
  async opened(): Promise<void> {
    for (;;) {
      const opening = [...this.#slots.values()].flatMap((slot) => slot.opening ?? [])
      if (opening.length === 0) break
      await Promise.all(opening)
    }
    for (const { failure } of this.#slots.values()) if (failure !== undefined) throw failure
  }

  /** A task failed: one whose error says so is opened again later, any other stays failed. */
  failed(task: Task, error: unknown): void {
    const slot = this.#slots.get(task.name)
    if (slot !== undefined) this.#slotFailed(slot, error)
  }

  /** Milliseconds until a failed task may be opened again; `Infinity` when none may. */
  untilReopen(): number {
    const now = this.#options.clock.monotonic()
    let least = Number.POSITIVE_INFINITY
    for (const { reopenAt = Number.POSITIVE_INFINITY } of this.#slots.values())
      least = Math.min(least, reopenAt - now)
    return least
  }

  /**
   * Begins to open failed tasks whose time has come, from their last commit. Call only while no commit is under way.
   */
  reopenDue(): void {
    const now = this.#options.clock.monotonic()
    for (const slot of this.#slots.values()) {
      if (slot.reopenAt === undefined || slot.reopenAt > now) continue
      slot.reopenAt = undefined
      void this.#close(slot)
      this.#open(slot, this.#beginWallClock([]))
    }
  }

  // --- opening

  /** The topology's wall time begins at the last one committed by any of its first tasks. */
  async #beginWallClock(first: readonly Slot[]): Promise<WallClock> {
    if (this.#wall !== undefined) return this.#wall
    const { log, clock, hooks, topology } = this.#options
    const checkpoints = await Promise.allSettled(first.map(({ id }) => log.committed(id)))
    const times = checkpoints.map((result) =>
      result.status === 'fulfilled' ? (result.value ?? NO_CHECKPOINT).times.wallTime : 0,
    )
    return (this.#wall ??= new WallClock(clock, Math.max(0, ...times), (incident) =>
      hooks.onClock(topology.name, incident),
    ))
  }

  /** Never rejects: what goes wrong is the slot's failure. */
  #open(slot: Slot, wall: Promise<WallClock>): void {
    const { signal } = slot.dropped
    slot.opening = unlessAborted(signal, wall)
      .then((clock) => this.#openings.take(signal, () => this.#openTask(slot, clock)))
      .catch((error: unknown) => {
        if (!signal.aborted) this.#slotFailed(slot, error)
      })
      .finally(() => {
        slot.opening = undefined
      })
  }

  async #openTask(slot: Slot, wall: WallClock): Promise<void> {
    const { id, dropped, failure } = slot
    const { signal } = dropped
    const { task, database } = await this.#opener.open({ id, epoch: this.#epoch, wall, signal, failure })
    if (signal.aborted) {
      task.close()
      return database?.close()
    }
    // A new assignment may have come meanwhile that keeps the task.
    task.adopt(this.#epoch)
    slot.task = task
    slot.database = database
    slot.failure = undefined
    this.#changed()
    this.#options.onOpened(task)
  }

  // --- failures and closing

  #slotFailed(slot: Slot, error: unknown): void {
    const failure = asError(error)
    slot.failure = failure
    if (reactionOf(error) === 'stop') this.#options.onFatal(failure)
    if (mayReopen(failure, this.#options.databases !== undefined))
      slot.reopenAt ??= this.#options.clock.monotonic() + REOPEN_AFTER_MS
    else if (slot.task === undefined) this.#options.hooks.onTaskRefused(slot.id, failure)
    this.#options.onReadable()
  }

  /** Out of the set at once; resolves when its database is closed. */
  #drop(slot: Slot): Promise<void> {
    slot.dropped.abort(new StreamsError('COMMIT_FENCED', `${slot.name} is not assigned any more`))
    this.#slots.delete(slot.name)
    return this.#close(slot)
  }

  /** The task stops at once; its database, also one that is being opened, is closed when the promise resolves. */
  async #close(slot: Slot): Promise<void> {
    const { task, database, opening } = slot
    slot.task = undefined
    slot.database = undefined
    task?.close()
    this.#changed()
    await Promise.all([opening, database?.close()])
  }

  #changed(): void {
    this.#tasks = [...this.#slots.values()].flatMap(({ task }) => task ?? [])
    this.#groups = [...Map.groupBy(this.#tasks, (task) => task.task.subTopology).values()]
  }
}

function newSlot(id: TaskId): Slot {
  return {
    id,
    name: taskName(id),
    task: undefined,
    database: undefined,
    opening: undefined,
    dropped: new AbortController(),
    failure: undefined,
    reopenAt: undefined,
  }
}
