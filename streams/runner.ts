/**
 * Runs the tasks of one topology in this process: joins its group, gives each task its turn, commits.
 *
 * Its job: turns, when to commit, who reacts to a failure. Not its job: what a task does with a record (`task.ts`),
 * what a commit does (`commit.ts`), how tasks are opened (`task-set.ts`).
 *
 * Invariants:
 * 1. At most one commit is under way; the next seals after it has ended.
 * 2. A task is closed or reopened only while no commit and no turn is under way.
 * 3. No commit begins between `rebalancing` and `assigned`; turns go on.
 * 4. Turns are short (`TURN_LIMIT_MS`), so that HTTP and the log's writer get theirs.
 */
import type { Clock } from './clock.ts'
import { type Backends, type CommitResult, commitSealed, sealTasks } from './commit.ts'
import { leavesStateReadable, reactionOf, StreamsError, TaskNotHere } from './errors.ts'
import { findStore, type SubTopology, type Topology } from './graph.ts'
import type { StreamsHooks } from './hooks.ts'
import { type Lifecycle, runnerLifecycle, type RunnerState } from './lifecycle.ts'
import type { Assignment, GroupListener, Log, Membership, TaskCommit } from './log.ts'
import { Progress } from './progress.ts'
import type { StateDirectory } from './state-directory.ts'
import type { Task } from './task.ts'
import { type TaskId, taskName } from './task-id.ts'
import { TaskSet } from './task-set.ts'
import type { WallClock } from './wall-clock.ts'

/** Records that a task processes before the next task has its turn. */
const TURN_RECORDS = 64
/** Milliseconds of turns before everything else in the process has its own. */
const TURN_LIMIT_MS = 4
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
  /** Milliseconds between commits while work waits, fewer and larger ones being cheaper. */
  readonly commitIntervalMs: number
  /** Uncommitted bytes of all tasks at which a commit begins: what is sealed at once holds up everything else. */
  readonly commitBytes: number
  /** Without waiting work, a commit begins at once; else it waits for its interval as well. */
  readonly commitWhenIdle: boolean
  /** Decoded committed values that a task keeps at hand, in entries. */
  readonly cacheEntries: number
  /** The tasks' own databases; only for logs that keep no state. */
  readonly stateDirectory: StateDirectory | undefined
}

export class TopologyRunner implements GroupListener {
  readonly topology: Topology
  readonly progress: Progress
  readonly #options: RunnerOptions
  readonly #lifecycle: Lifecycle<RunnerState>
  readonly #set: TaskSet
  /** Whose turn is first, among the sub-topologies. */
  #first = 0
  readonly #backends: Backends
  #membership: Membership | undefined
  #commit: Promise<void> | undefined
  #stepping: Promise<boolean> | undefined
  /** An assignment is on its way: no commit begins. */
  #rebalancing = false
  /** Tasks are being closed: no turn and no commit begins. */
  #holding = false
  /** Query addresses of the tasks that run elsewhere. */
  #elsewhere: ReadonlyMap<string, string> = new Map()
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
    this.#set = new TaskSet({
      ...options,
      onReadable: () => this.wake(),
      onOpened: (task) => this.#opened(task),
      onFatal: (error) => this.#fail(error),
    })
    this.#backends = {
      of: (task) => this.#set.backendOf(task),
      now: () => clock.now(),
      onFault: (task, error) => this.#fault(task, error),
    }
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

  /** Assigned tasks that do not run yet, or not any more. */
  get notRunning(): readonly TaskId[] {
    return this.#set.notRunning
  }

  /** Joins the group; the assigned tasks open behind it. Throws what the log throws. */
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

  /** Resolves once every assigned task runs. Rejects with the first error of one that could not be opened. */
  async ready(): Promise<void> {
    await this.#set.opened()
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Runs until `stop`. */
  run(): void {
    this.#loop ??= this.#runLoop()
  }

  async #runLoop(): Promise<void> {
    while (this.state === 'running' || this.state === 'joining') {
      const busy = this.#mayStep() && (await (this.#stepping = this.step()))
      if (this.#commitDue(busy)) void this.#beginCommit()
      if (busy || this.#awake) {
        this.#awake = false
        await this.#options.clock.yield()
      } else await this.#sleep()
    }
  }

  #mayStep(): boolean {
    return this.state === 'running' && !this.#holding
  }

  /**
   * Gives the tasks their turns; answers whether any had records. Within a sub-topology the task whose next record is
   * oldest comes first, so that a backlog does not drive partitions apart in event time; the sub-topologies take turns.
   */
  async step(): Promise<boolean> {
    if (this.#commit === undefined) this.#set.reopenDue()
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
    if (records === 0 && task.passedMarks()) this.progress.advance(task.positions())
    if (task.failure !== undefined) this.#onTaskFailed(task, task.failure)
    return records > 0
  }

  // --- commits

  #commitDue(busy: boolean): boolean {
    if (!this.#mayCommit() || this.#commit !== undefined || !this.tasks.some(committable)) return false
    const { clock, commitIntervalMs, commitBytes, commitWhenIdle } = this.#options
    if (!busy && commitWhenIdle) return true
    if (clock.monotonic() - this.#lastCommitAt >= commitIntervalMs) return true
    return sumOf(this.tasks, (task) => task.uncommittedBytes) >= commitBytes
  }

  #mayCommit(): boolean {
    return this.state === 'running' && !this.#rebalancing && !this.#holding
  }

  /** Commits what is there now and waits for it; answers whether there was anything. */
  async commitNow(): Promise<boolean> {
    await this.#commit
    if (this.#rebalancing || !this.tasks.some(committable)) return false
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
        return await commitSealed(this.#options.log, tasks, commits, this.#backends)
      } catch (error) {
        if (reactionOf(error) !== 'retry' || this.state === 'stopping' || this.#rebalancing) throw error
        await new Promise<void>((resolve) => this.#options.clock.after(RETRY_MS, resolve))
      }
    }
  }

  // --- group

  stored(): Promise<readonly TaskId[]> {
    return this.#options.stateDirectory?.stored(this.topology.name) ?? Promise.resolve([])
  }

  async rebalancing(): Promise<void> {
    this.#rebalancing = true
    await this.#commit
  }

  async assigned(assignment: Assignment): Promise<void> {
    const entries = assignment.peers.flatMap(({ address, tasks }) => {
      return tasks.map((task) => [taskName(task), address] as const)
    })
    this.#elsewhere = new Map(entries)
    const closed = await this.#hold(() => {
      const closing = this.#set.assign(assignment)
      if (this.state === 'joining') this.#lifecycle.to('running')
      this.#rebalancing = false
      return { closing }
    })
    await closed.closing
  }

  async revoked(cause: Error): Promise<void> {
    this.#options.hooks.onRevoked(this.topology.name, cause)
    this.#elsewhere = new Map()
    if (this.state === 'running') this.#lifecycle.to('joining')
    const closed = await this.#hold(() => ({ closing: this.#set.closeAll() }))
    await closed.closing
  }

  lost(cause: Error): void {
    this.#fail(cause)
  }

  /** Runs `change` while no turn and no commit is under way. */
  async #hold<T>(change: () => T): Promise<T> {
    this.#holding = true
    try {
      await this.#stepping
      await this.#commit
      return change()
    } finally {
      this.#holding = false
      this.wake()
    }
  }

  /** A task that goes on may have run ahead of its last commit; one just opened stands at it. */
  #opened(task: Task): void {
    this.progress.advance(task.positions())
    this.wake()
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
    const next = Math.min(...tasks, this.#set.untilReopen(), this.#untilCommit(), IDLE_LIMIT_MS)
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

  /** Milliseconds until what is there has waited for its interval. */
  #untilCommit(): number {
    if (!this.#mayCommit() || this.#commit !== undefined || !this.tasks.some(committable))
      return Number.POSITIVE_INFINITY
    return this.#lastCommitAt + this.#options.commitIntervalMs - this.#options.clock.monotonic()
  }

  /** The tasks here that have a store. Throws `UNKNOWN_STORE`. */
  storeTasks(store: string): readonly Task[] {
    const { id } = this.#ownerOf(store)
    return this.tasks.filter(({ task }) => task.subTopology === id)
  }

  /**
   * The task that has the rows of a store in a partition: it runs, or it stopped and can still be read. Throws
   * `UNKNOWN_STORE`, and `TASK_NOT_HERE` with the address of the process that has it, where one is known.
   */
  storeTask(store: string, partition: number): Task {
    const { id: subTopology } = this.#ownerOf(store)
    const id: TaskId = { topology: this.topology.name, subTopology, partition }
    const name = taskName(id)
    const task = this.tasks.find((candidate) => candidate.name === name)
    const inDoubt = this.#failure !== undefined && !leavesStateReadable(this.#failure)
    if (task?.readable === true && !inDoubt) return task
    throw new TaskNotHere(`${store} of ${name}`, this.#elsewhere.get(name))
  }

  /** Over how many partitions the rows of a store are spread. Throws `UNKNOWN_STORE`. */
  storePartitions(store: string): number {
    const { sources } = this.#ownerOf(store)
    return Math.max(...sources.map((source) => this.#options.log.partitions(source.topic.name)))
  }

  #ownerOf(store: string): SubTopology {
    const found = findStore(this.topology, store)
    if (found === undefined) throw new StreamsError('UNKNOWN_STORE', `${store} in ${this.topology.name}`)
    return found.subTopology
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
