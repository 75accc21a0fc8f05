/**
 * Runs the tasks of one topology in this process: joins its group, gives each task its turn, commits.
 *
 * Its job: turns, when to commit, who reacts to a failure. Not its job: what a task does with a record (`task.ts`),
 * what a commit does (`commit.ts`), how tasks are opened (`task-set.ts`).
 *
 * Invariants:
 * 1. At most one commit is under way; the next seals after it has ended.
 * 2. A task is closed or reopened only while no commit is under way.
 * 3. Turns are short (`TURN_LIMIT_MS`), so that HTTP and the log's writer get theirs.
 */
import type { StateBackend } from '../state/index.ts'
import type { Clock } from './clock.ts'
import { type CommitResult, commitSealed, sealTasks } from './commit.ts'
import { reactionOf, StreamsError } from './errors.ts'
import { findStore, type Topology } from './graph.ts'
import type { StreamsHooks } from './hooks.ts'
import { type Lifecycle, runnerLifecycle, type RunnerState } from './lifecycle.ts'
import type { Assignment, GroupListener, Log, Membership, TaskCommit } from './log.ts'
import { Progress } from './progress.ts'
import type { Task } from './task.ts'
import type { TaskId } from './task-id.ts'
import { TaskSet } from './task-set.ts'
import type { WallClock } from './wall-clock.ts'

/** Records that a task processes before the next task has its turn. */
const TURN_RECORDS = 64
/** Milliseconds of turns before everything else in the process has its own. */
const TURN_LIMIT_MS = 4
/** Uncommitted bytes of all tasks at which a commit begins: what is sealed at once holds up everything else. */
const COMMIT_BYTES = 1 * 1024 * 1024
/** Milliseconds between looks when nothing wakes the runner. */
const IDLE_LIMIT_MS = 1_000
/** Milliseconds before a commit that the log could not take is offered again. */
const RETRY_MS = 200

export interface RunnerOptions {
  readonly application: string
  readonly topology: Topology
  readonly log: Log
  readonly clock: Clock
  readonly hooks: StreamsHooks
  /** Milliseconds between commits while work waits, fewer and larger ones being cheaper; without, at once. */
  readonly commitIntervalMs: number
  /** Decoded committed values that a task keeps at hand, in entries. */
  readonly cacheEntries: number
  /** A task's own database; only for logs that keep no state. */
  readonly openState: ((task: TaskId) => Promise<StateBackend>) | undefined
}

export class TopologyRunner implements GroupListener {
  readonly topology: Topology
  readonly progress: Progress
  readonly #options: RunnerOptions
  readonly #lifecycle: Lifecycle<RunnerState>
  readonly #set: TaskSet
  /** Whose turn is first, among the sub-topologies. */
  #first = 0
  #membership: Membership | undefined
  #commit: Promise<void> | undefined
  #stepping: Promise<boolean> | undefined
  #lastCommitAt = 0
  #failure: Error | undefined
  #wake: (() => void) | undefined
  #awake = false
  #loop: Promise<void> | undefined
  #stopping: Promise<void> | undefined

  constructor(options: RunnerOptions) {
    const { topology, clock, hooks } = options
    this.#options = options
    this.topology = topology
    this.progress = new Progress(clock)
    this.#set = new TaskSet({ ...options, onReadable: () => this.wake() })
    this.#lifecycle = runnerLifecycle(topology.name, (from, to) =>
      hooks.onRunnerState(topology.name, from, to, this.#failure),
    )
  }

  get state(): RunnerState {
    return this.#lifecycle.state
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  get tasks(): readonly Task[] {
    return this.#set.tasks
  }

  get wallClock(): WallClock | undefined {
    return this.#set.wallClock
  }

  /** Joins the group and opens the assigned tasks. Throws what the log throws. */
  async start(): Promise<void> {
    this.#lifecycle.to('joining')
    const { application, topology, log } = this.#options
    const subTopologies = topology.subTopologies.map((sub) => ({
      id: sub.id,
      inputs: sub.sources.map((source) => source.topic.name),
      stores: sub.stores.map((spec) => spec.name),
    }))
    try {
      this.#membership = await log.join({ application, topology: topology.name, subTopologies }, this)
    } catch (error) {
      this.#fail(error)
      throw error
    }
  }

  /** Runs until `stop`. */
  run(): void {
    this.#loop ??= this.#runLoop()
  }

  async #runLoop(): Promise<void> {
    while (this.state === 'running' || this.state === 'joining') {
      const busy = this.state === 'running' && (await (this.#stepping = this.step()))
      if (this.#commitDue(busy)) void this.#beginCommit()
      if (busy || this.#awake) {
        this.#awake = false
        await this.#options.clock.yield()
      } else await this.#sleep()
    }
  }

  /**
   * Gives the tasks their turns; answers whether any had records. Within a sub-topology the task whose next record is
   * oldest comes first, so that a backlog does not drive partitions apart in event time; the sub-topologies take turns.
   */
  async step(): Promise<boolean> {
    if (this.#commit === undefined) await this.#reopenFailed()
    const { clock } = this.#options
    const end = clock.monotonic() + TURN_LIMIT_MS
    const { groups } = this.#set
    const first = this.#first++
    let busy = false
    for (let i = 0; i < groups.length; i++) {
      const group = groups[(first + i) % groups.length] as readonly Task[]
      for (const task of group) if (task.nextTimestamp() === undefined) await this.#turn(task)
      for (let task = oldest(group); task !== undefined; task = oldest(group)) {
        if (await this.#turn(task)) busy = true
        if (clock.monotonic() > end) return busy
      }
    }
    return busy
  }

  async #turn(task: Task): Promise<boolean> {
    const { clock, hooks } = this.#options
    const start = clock.monotonic()
    const records = await task.run(TURN_RECORDS)
    if (records > 0) hooks.onProcessed(task.task, records, clock.monotonic() - start)
    task.dropEmptyBatch()
    if (task.failure !== undefined) this.#onTaskFailed(task, task.failure)
    return records > 0
  }

  // --- commits

  #commitDue(busy: boolean): boolean {
    if (this.state !== 'running' || this.#commit !== undefined || !this.tasks.some(committable)) return false
    if (!busy) return true
    const { clock, commitIntervalMs } = this.#options
    if (clock.monotonic() - this.#lastCommitAt >= commitIntervalMs) return true
    return sumOf(this.tasks, (task) => task.uncommittedBytes) >= COMMIT_BYTES
  }

  /** Commits what is there now and waits for it; answers whether there was anything. */
  async commitNow(): Promise<boolean> {
    await this.#commit
    if (!this.tasks.some(committable)) return false
    await this.#beginCommit()
    return true
  }

  #beginCommit(): Promise<void> {
    const commit = this.#runCommit().finally(() => {
      this.#commit = undefined
      this.wake()
    })
    this.#commit = commit
    return commit
  }

  async #runCommit(): Promise<void> {
    const { hooks, clock } = this.#options
    const begin = (this.#lastCommitAt = clock.monotonic())
    // The promise exists before anything can fail: see `#beginCommit`.
    await Promise.resolve()
    const { tasks, commits } = sealTasks(this.tasks.filter(committable), (task, error) =>
      this.#fault(task, error),
    )
    if (tasks.length === 0) return
    try {
      const result = await this.#commitWithRetry(tasks, commits)
      for (const commit of commits) {
        this.progress.advance(commit.checkpoint.positions)
        countOutputs(commit, hooks)
      }
      hooks.onCommitted(
        this.topology.name,
        tasks.length,
        result.records,
        result.outputs,
        clock.monotonic() - begin,
      )
    } catch (error) {
      for (const task of tasks) this.#fault(task, error)
    }
  }

  /** The log may say that it cannot take the commit now: the sealed batches wait and are offered again. */
  async #commitWithRetry(tasks: readonly Task[], commits: readonly TaskCommit[]): Promise<CommitResult> {
    for (;;) {
      try {
        return await commitSealed(this.#options.log, tasks, commits, (task) => this.#set.backendOf(task))
      } catch (error) {
        if (reactionOf(error) !== 'retry' || this.state === 'stopping') throw error
        await new Promise<void>((resolve) => this.#options.clock.after(RETRY_MS, resolve))
      }
    }
  }

  // --- group

  async assigned(assignment: Assignment): Promise<void> {
    if (this.state === 'running') this.#lifecycle.to('joining')
    // From here on no turn and no commit begins; what is under way ends first.
    await this.#stepping
    await this.#commit
    const kept = new Set(this.tasks)
    await this.#set.assign(assignment)
    // A task that goes on may have run ahead of its last commit; one just opened stands at it.
    for (const task of this.tasks) if (!kept.has(task)) this.progress.advance(task.positions())
    if (this.state === 'joining') this.#lifecycle.to('running')
    this.wake()
  }

  lost(cause: Error): void {
    this.#fail(cause)
  }

  // --- failures

  #fault(task: Task, error: unknown): void {
    task.fail(error)
    this.#onTaskFailed(task, error)
  }

  #onTaskFailed(task: Task, error: unknown): void {
    if (reactionOf(error) === 'stop') this.#fail(error)
    else this.#set.failed(task, error)
  }

  async #reopenFailed(): Promise<void> {
    try {
      for (const task of await this.#set.reopenFailed()) this.progress.advance(task.positions())
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    if (this.state === 'failed' || this.state === 'stopping' || this.state === 'stopped') return
    this.#failure = error instanceof Error ? error : new Error(String(error))
    this.#lifecycle.to('failed')
    this.wake()
  }

  // --- end and idleness

  /** Commits what is complete, leaves the group, closes everything. Idempotent. */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop())
  }

  async #stop(): Promise<void> {
    const clean = this.state === 'running'
    this.#lifecycle.to('stopping')
    this.wake()
    await this.#loop
    await this.#commit
    if (clean) await this.commitNow()
    this.progress.close()
    await this.#membership?.leave()
    await this.#set.closeAll()
    this.#lifecycle.to('stopped')
  }

  /** Something may have changed: records arrived, a commit ended, the operator thawed the clock. */
  wake(): void {
    this.#awake = true
    this.#wake?.()
  }

  async #sleep(): Promise<void> {
    const wall = this.wallClock?.now() ?? 0
    const tasks = this.tasks.map((task) => task.nextWallWork() - wall)
    const next = Math.min(...tasks, this.#set.untilReopen(), IDLE_LIMIT_MS)
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(Math.max(1, next), resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
      if (this.#awake) this.#wake()
    })
    this.#wake = undefined
    this.#awake = false
  }

  /** Where a store's rows are: the tasks here that have it, and over how many partitions. Throws `UNKNOWN_STORE`. */
  storeTasks(store: string): { readonly tasks: readonly Task[]; readonly partitions: number } {
    const found = findStore(this.topology, store)
    if (found === undefined) throw new StreamsError('UNKNOWN_STORE', `${store} in ${this.topology.name}`)
    const { id, sources } = found.subTopology
    const tasks = this.tasks.filter((task) => task.task.subTopology === id)
    const partitions = Math.max(...sources.map((source) => this.#options.log.partitions(source.topic.name)))
    return { tasks, partitions }
  }
}

/** The task whose next record is oldest; nothing when none has one at hand. */
function oldest(tasks: readonly Task[]): Task | undefined {
  let best: Task | undefined
  let bestTimestamp = Number.POSITIVE_INFINITY
  for (const task of tasks) {
    const timestamp = task.nextTimestamp()
    if (timestamp !== undefined && timestamp < bestTimestamp) {
      best = task
      bestTimestamp = timestamp
    }
  }
  return best
}

/** Whole records are in the batch and none is under way. */
function committable(task: Task): boolean {
  return task.dirty && !task.committing && task.lifecycle.state === 'running'
}

function sumOf<T>(items: readonly T[], amount: (item: T) => number): number {
  let sum = 0
  for (const item of items) sum += amount(item)
  return sum
}

function countOutputs(commit: TaskCommit, hooks: StreamsHooks): void {
  const counts = new Map<string, number>()
  for (const { topic } of commit.outputs) counts.set(topic, (counts.get(topic) ?? 0) + 1)
  for (const [topic, count] of counts) hooks.onEmitted(commit.task, topic, count)
}
