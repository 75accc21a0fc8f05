/**
 * The tasks of one topology that this process was assigned: opened from their checkpoints beside the others that go on,
 * closed, and opened again after a failure that asks for it. Nothing here runs a task or commits.
 *
 * Invariants:
 * 1. `tasks` holds open tasks only: one that is being opened joins them once its state is restored.
 * 2. A task's database is open once at most: an opening waits for the closing before it.
 * 3. An opening that is not wanted any more leaves nothing open.
 */
import { isStateError, type StateBackend, TaskState } from '../state/index.ts'
import type { Clock } from './clock.ts'
import { reactionOf, StreamsError } from './errors.ts'
import type { SubTopology, Topology } from './graph.ts'
import type { StreamsHooks } from './hooks.ts'
import type { Assignment, Checkpoint, Log } from './log.ts'
import { restoreState } from './restore.ts'
import type { StateDirectory } from './state-directory.ts'
import { Task } from './task.ts'
import { type TaskId, taskName } from './task-id.ts'
import { WallClock } from './wall-clock.ts'

/** Milliseconds before a task that lost its batch, or could not be opened, is opened again. */
const REOPEN_AFTER_MS = 200
/** What framing adds to a row in its changelog at most, in bytes. */
const CHANGE_FRAME_BYTES = 64
/** Tasks that are restored at a time; the others wait for their turn. */
const OPENING_LIMIT = 4

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
  /** The tasks' own databases; only for logs that keep no state. */
  readonly stateDirectory: StateDirectory | undefined
  readonly onReadable: () => void
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
  backend: StateBackend | undefined
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
  readonly #slots = new Map<string, Slot>()
  /** Databases that are being closed, by task. */
  readonly #closing = new Map<string, Promise<void>>()
  /** Openings that wait for their turn. */
  readonly #waiting = new Set<() => void>()
  #openings = 0
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

  /** Assigned tasks that do not run: they are being restored, or failed. */
  get notRunning(): readonly TaskId[] {
    const slots = [...this.#slots.values()]
    return slots.filter(({ task }) => task?.lifecycle.state !== 'running').map(({ id }) => id)
  }

  backendOf(task: Task): StateBackend | undefined {
    return this.#slots.get(task.name)?.backend
  }

  /**
   * Drops what is not assigned any more and begins to open what is new; the rest goes on. Tasks that left are out of
   * `tasks` when this returns, and their databases closed when its promise resolves.
   */
  assign(assignment: Assignment): Promise<void> {
    this.#epoch = assignment.epoch
    const wanted = new Set(assignment.tasks.map(taskName))
    const left = [...this.#slots.values()].filter(({ name }) => !wanted.has(name))
    const closed = left.map((slot) => this.#drop(slot))
    for (const { task } of this.#slots.values()) task?.adopt(assignment.epoch)
    const fresh = assignment.tasks.filter((id) => !this.#slots.has(taskName(id))).map(newSlot)
    for (const slot of fresh) this.#slots.set(slot.name, slot)
    this.#changed()
    const begun = this.#beginWallClock(fresh)
    for (const slot of fresh) this.#open(slot, begun)
    return Promise.all(closed).then(() => undefined)
  }

  /** Drops every task. Idempotent. */
  async closeAll(): Promise<void> {
    await Promise.all([...this.#slots.values()].map((slot) => this.#drop(slot)))
    await Promise.all(this.#closing.values())
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
      this.#open(slot, Promise.resolve())
    }
  }

  // --- opening

  /** The topology's wall time begins at the last one committed by any of its first tasks. */
  async #beginWallClock(first: readonly Slot[]): Promise<void> {
    if (this.#wall !== undefined) return
    const { clock, hooks, topology } = this.#options
    const checkpoints = await Promise.allSettled(first.map(({ id }) => this.#checkpoint(id)))
    const times = checkpoints.map((result) =>
      result.status === 'fulfilled' ? (result.value ?? NO_CHECKPOINT).times.wallTime : 0,
    )
    this.#wall ??= new WallClock(clock, Math.max(0, ...times), (incident) =>
      hooks.onClock(topology.name, incident),
    )
  }

  /** Never rejects: what goes wrong is the slot's failure. */
  #open(slot: Slot, after: Promise<void>): void {
    slot.opening = orDropped(slot, after)
      .then(() => this.#turnToOpen(slot))
      .catch((error: unknown) => {
        if (!slot.dropped.signal.aborted) this.#slotFailed(slot, error)
      })
      .finally(() => {
        slot.opening = undefined
      })
  }

  async #turnToOpen(slot: Slot): Promise<void> {
    while (this.#openings >= OPENING_LIMIT) await this.#turn(slot)
    this.#openings++
    try {
      // Once it is dropped, it is its own closing that would be waited for.
      slot.dropped.signal.throwIfAborted()
      await this.#closing.get(slot.name)
      const checkpoint = await orDropped(slot, this.#checkpoint(slot.id))
      await this.#openTask(slot, checkpoint)
    } finally {
      this.#openings--
      this.#nextTurn()
    }
  }

  /** Resolves when there may be room. */
  async #turn(slot: Slot): Promise<void> {
    let resume = (): void => {}
    const room = new Promise<void>((resolve) => this.#waiting.add((resume = resolve)))
    try {
      await orDropped(slot, room)
    } catch (error) {
      // It may have been its turn.
      if (!this.#waiting.delete(resume)) this.#nextTurn()
      throw error
    }
  }

  #nextTurn(): void {
    const [resume] = this.#waiting
    if (resume === undefined) return
    this.#waiting.delete(resume)
    resume()
  }

  #checkpoint(id: TaskId): Promise<Checkpoint | undefined> {
    return this.#options.log.committed(id)
  }

  async #openTask(slot: Slot, checkpoint: Checkpoint | undefined): Promise<void> {
    const backend = await this.#openBackend(slot)
    try {
      const task = await this.#startTask(slot, checkpoint, backend)
      slot.task = task
      slot.backend = backend
      slot.failure = undefined
      this.#changed()
      this.#options.onOpened(task)
    } catch (error) {
      await backend?.close()
      throw error
    }
  }

  /** A database that is damaged is put aside; everything in it comes again from the changelogs. */
  async #openBackend({ id, failure }: Slot): Promise<StateBackend | undefined> {
    const { log, stateDirectory } = this.#options
    if (log.stateHome === 'log') return undefined
    if (stateDirectory === undefined) throw new TypeError('a log that keeps no state needs a state directory')
    if (isDamage(failure)) await stateDirectory.setAside(id, failure.message)
    try {
      return await stateDirectory.open(id)
    } catch (error) {
      if (!isDamage(error)) throw error
      await stateDirectory.setAside(id, error.message)
      return await stateDirectory.open(id)
    }
  }

  async #startTask(
    slot: Slot,
    checkpoint: Checkpoint | undefined,
    backend: StateBackend | undefined,
  ): Promise<Task> {
    const { id } = slot
    const { log, topology, hooks, clock, cacheEntries, onReadable } = this.#options
    const subTopology = topology.subTopologies[id.subTopology] as SubTopology
    const reader = backend ?? (await log.taskState(id))
    const from = await orDropped(slot, this.#withStarts(id, subTopology, checkpoint ?? NO_CHECKPOINT))
    const withChanges = log.stateHome === 'task'
    const maxRowBytes = withChanges ? log.maxRecordBytes - CHANGE_FRAME_BYTES : undefined
    const specs = subTopology.stores
    const state = new TaskState({ reader, specs, withChanges, cacheEntries, maxRowBytes })
    const wall = this.#wall as WallClock
    const task = new Task({
      id,
      epoch: this.#epoch,
      subTopology,
      log,
      state,
      checkpoint: from,
      hooks,
      wallTime: () => wall.now(),
      expiriesFrozen: () => wall.frozen,
      monotonic: () => clock.monotonic(),
      onReadable,
    })
    try {
      task.lifecycle.to('restoring')
      if (backend !== undefined) await this.#restore(slot, task, backend, checkpoint !== undefined)
      slot.dropped.signal.throwIfAborted()
    } catch (error) {
      task.close()
      throw error
    }
    // A new assignment may have come meanwhile that keeps the task.
    task.adopt(this.#epoch)
    task.lifecycle.to('running')
    // A filter that never learns all keys only answers nothing: the task is right without it.
    state.learnKeys().catch(() => hooks.onDropped(id, 'FilterIncomplete'))
    return task
  }

  /** An input that was never read begins where its log does. */
  async #withStarts(
    { partition }: TaskId,
    { sources }: SubTopology,
    checkpoint: Checkpoint,
  ): Promise<Checkpoint> {
    const known = new Set(checkpoint.positions.map(({ topic }) => topic))
    const fresh = sources.map((source) => source.topic.name).filter((topic) => !known.has(topic))
    const starts = await Promise.all(
      fresh.map(async (topic) => {
        const { start } = await this.#options.log.bounds({ topic, partition })
        return { topic, partition, offset: start }
      }),
    )
    return starts.length === 0
      ? checkpoint
      : { ...checkpoint, positions: [...checkpoint.positions, ...starts] }
  }

  async #restore(slot: Slot, task: Task, backend: StateBackend, hasCheckpoint: boolean): Promise<void> {
    const { log, clock, application, topology, hooks } = this.#options
    const { id } = slot
    const start = clock.monotonic()
    const records = await restoreState({
      log,
      clock,
      application,
      task: id,
      subTopology: topology.subTopologies[id.subTopology] as SubTopology,
      state: task.state,
      backend,
      hasCheckpoint,
      signal: slot.dropped.signal,
      onProgress: (count, remaining) => hooks.onRestoreProgress(id, count, remaining),
    })
    hooks.onRestored(id, records, clock.monotonic() - start)
  }

  // --- failures and closing

  #slotFailed(slot: Slot, error: unknown): void {
    const failure = asError(error)
    slot.failure = failure
    const reaction = reactionOf(error)
    if (reaction === 'stop') this.#options.onFatal(failure)
    // Damage heals where the changelogs have everything.
    const heals = this.#options.stateDirectory !== undefined && isDamage(failure)
    if (reaction === 'restore' || reaction === 'retry' || heals)
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
  #close(slot: Slot): Promise<void> {
    const { task, backend, name, opening } = slot
    slot.task = undefined
    slot.backend = undefined
    task?.close()
    this.#changed()
    const closed: Promise<void> = Promise.all([this.#closing.get(name), opening, backend?.close()])
      .then(() => undefined)
      .finally(() => {
        if (this.#closing.get(name) === closed) this.#closing.delete(name)
      })
    this.#closing.set(name, closed)
    return closed
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
    backend: undefined,
    opening: undefined,
    dropped: new AbortController(),
    failure: undefined,
    reopenAt: undefined,
  }
}

/**
 * What is waited for, unless the slot is dropped before: a membership waits for what it drops, so it must not wait for
 * a log that takes its time.
 */
function orDropped<T>({ dropped: { signal } }: Slot, awaited: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const drop = (): void => reject(signal.reason as Error)
    if (signal.aborted) drop()
    signal.addEventListener('abort', drop, { once: true })
    awaited.then(resolve, reject).finally(() => signal.removeEventListener('abort', drop))
  })
}

/** The database itself is no good any more. */
function isDamage(error: unknown): error is Error {
  return isStateError(error, 'STATE_CORRUPT') || isStateError(error, 'STATE_MISSING')
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
