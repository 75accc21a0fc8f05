/**
 * Runs the tasks of one topology in this process: joins its group, and keeps turns, commits, assignments and failures
 * out of each other's way.
 *
 * Not its job: whose turn it is (`task-turns.ts`), when a commit is due (`commits.ts`), how tasks and standbys are opened
 * and closed (`task-set.ts`, `standby-set.ts`).
 *
 * Invariants:
 * 1. A task is closed or reopened only while no commit and no turn is under way.
 * 2. No commit begins between `rebalancing` and `assigned`; turns go on.
 * 3. A topology that failed, or is stopped, takes no assignment, and leaves its group.
 * 4. A task's database is open once at most, by the task or by its standby (`exclusive-databases.ts`).
 */
import type { CacheBudget } from '../state/index.ts'
import type { Clock } from './clock.ts'
import { Commits } from './commits.ts'
import { asError, reactionOf } from './errors.ts'
import { ExclusiveDatabases } from './exclusive-databases.ts'
import type { Topology } from './graph.ts'
import { groupSpecOf } from './group-spec.ts'
import type { StreamsHooks } from './hooks.ts'
import { type Lifecycle, runnerLifecycle, type RunnerState } from './lifecycle.ts'
import type { Assignment, GroupListener, Log, Membership, StoredTask } from './log.ts'
import type { BreakerPolicy } from './policies.ts'
import { Progress } from './progress.ts'
import { StandbySet } from './standby-set.ts'
import type { StateDirectory } from './state-directory.ts'
import { StoreTasks } from './store-tasks.ts'
import { StoreWatches } from './store-watches.ts'
import type { Task } from './task.ts'
import { type TaskId, taskName } from './task-id.ts'
import { TaskSet } from './task-set.ts'
import { TaskTurns } from './task-turns.ts'
import { Waker } from './waker.ts'
import type { WallClock } from './wall-clock.ts'

/** Milliseconds between looks when nothing wakes the runner. */
const IDLE_LIMIT_MS = 1_000

export interface RunnerOptions {
  readonly application: string
  readonly topology: Topology
  readonly log: Log
  readonly clock: Clock
  readonly hooks: StreamsHooks
  readonly breaker: BreakerPolicy | 'off'
  /** As `CommitsOptions`. */
  readonly commitIntervalMs: number
  readonly commitBytes: number
  readonly commitWhenIdle: boolean
  /** Decoded committed values that a task keeps at hand, in entries. */
  readonly cacheEntries: number
  /** What all tasks of the process keep at hand together. */
  readonly cacheBudget: CacheBudget
  /** The tasks' own databases; only for logs that keep no state. */
  readonly stateDirectory: StateDirectory | undefined
}

export class TopologyRunner implements GroupListener {
  readonly topology: Topology
  readonly progress: Progress
  readonly stores: StoreTasks
  /** For whoever waits for a row. */
  readonly watches = new StoreWatches()
  readonly #options: RunnerOptions
  readonly #lifecycle: Lifecycle<RunnerState>
  readonly #databases: ExclusiveDatabases | undefined
  readonly #set: TaskSet
  readonly #standbys: StandbySet
  readonly #turns: TaskTurns
  readonly #commits: Commits
  readonly #waker: Waker
  #membership: Membership | undefined
  #stepping: Promise<boolean> | undefined
  /** Tasks are being closed: no turn and no commit begins. */
  #holding = false
  #failure: Error | undefined
  /** Why others may have the tasks that are still to be closed. */
  #revoked: Error | undefined
  #loop: Promise<void> | undefined
  #stopping: Promise<void> | undefined

  constructor(options: RunnerOptions) {
    const { topology, log, clock, hooks, stateDirectory } = options
    this.#options = options
    this.topology = topology
    this.#waker = new Waker(clock)
    this.progress = new Progress(clock)
    this.stores = new StoreTasks({
      topology,
      log,
      tasks: () => this.tasks,
      failure: () => this.#revoked ?? this.#failure,
    })
    this.#databases = stateDirectory === undefined ? undefined : new ExclusiveDatabases(stateDirectory, hooks)
    this.#set = new TaskSet({
      ...options,
      databases: this.#databases,
      onReadable: () => this.wake(),
      watches: this.watches,
      onOpened: (task) => this.#opened(task),
      onFatal: (error) => this.#fail(error),
    })
    this.#standbys = new StandbySet({ ...options, databases: this.#databases })
    this.#turns = new TaskTurns({
      clock,
      hooks,
      onMarksPassed: (task) => this.progress.advance(task.positions()),
      onFailed: (task, failure) => this.#onTaskFailed(task, failure),
    })
    this.#commits = new Commits({
      ...options,
      topology: topology.name,
      tasks: () => this.tasks,
      backends: {
        of: (task) => this.#set.backendOf(task),
        now: () => clock.now(),
        onFault: (task, error) => this.#fault(task, error),
      },
      mayWait: () => this.#isUp,
      onAdvanced: (positions) => this.progress.advance(positions),
      onEnded: () => this.wake(),
    })
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

  /** It runs, or will. */
  get #isUp(): boolean {
    return this.state === 'running' || this.state === 'joining'
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

  /** The standbys here, each with what it lacks. */
  get standbys(): StandbySet['standbys'] {
    return this.#standbys.standbys
  }

  /** Joins the group; the assigned tasks open behind it. Throws what the log throws. */
  async start(): Promise<void> {
    this.#lifecycle.to('joining')
    const { application, topology, log } = this.#options
    try {
      this.#membership = await log.join(groupSpecOf(application, topology), this)
    } catch (error) {
      this.#fail(error)
      throw error
    }
    // Its end came before its membership did.
    if (!this.#isUp) await this.#leave()
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
    while (this.#isUp) {
      const busy = this.#mayWork() && (await (this.#stepping = this.step()))
      if (this.#mayWork() && this.#commits.due(busy)) void this.#commits.begin()
      if (this.#waker.takeCall() || busy) await this.#options.clock.yield()
      else await this.#waker.sleep(this.#idleMs())
    }
  }

  #mayWork(): boolean {
    return this.state === 'running' && !this.#holding
  }

  /** Gives the tasks their turns; answers whether any had records. */
  step(): Promise<boolean> {
    if (!this.#commits.underWay) this.#set.reopenDue()
    return this.#turns.round(this.#set.groups)
  }

  /** Commits what is there now and waits for it; answers whether there was anything. */
  commitNow(): Promise<boolean> {
    return this.#commits.now()
  }

  // --- group

  /** What runs here lacks nothing. */
  async stored(): Promise<readonly StoredTask[]> {
    const stored = (await this.#databases?.stored(this.topology.name)) ?? []
    const running = new Set(this.tasks.map(({ name }) => name))
    return stored.map((task) => {
      return { task, lag: running.has(taskName(task)) ? 0 : this.#standbys.lagOf(task) }
    })
  }

  rebalancing(): Promise<void> {
    return this.#commits.pause()
  }

  /** A topology that failed, or ends, takes nothing more: it is leaving. */
  async assigned({ epoch, tasks, standbys, peers }: Assignment): Promise<void> {
    if (!this.#isUp) return
    this.stores.know(peers)
    const { closed } = await this.#hold(() => {
      if (!this.#isUp) return { closed: undefined }
      const closing = this.#set.assign(epoch, tasks)
      this.#standbys.assign(standbys)
      if (this.state === 'joining') this.#lifecycle.to('running')
      this.#commits.resume()
      return { closed: closing }
    })
    await closed
  }

  /** Standbys go on: whoever has the tasks now, the changelogs are the same. */
  async revoked(cause: Error): Promise<void> {
    this.#options.hooks.onRevoked(this.topology.name, cause)
    this.stores.know([])
    // A commit that waits for the log may hold up the end of the tasks; nobody is to read them until then.
    this.#revoked = cause
    if (this.state === 'running') this.#lifecycle.to('joining')
    const { closed } = await this.#hold(() => ({ closed: this.#set.closeAll() }))
    this.#revoked = undefined
    await closed
  }

  lost(cause: Error): void {
    this.#fail(cause)
  }

  /** Runs `change` while no turn and no commit is under way. */
  async #hold<T>(change: () => T): Promise<T> {
    this.#holding = true
    try {
      await this.#stepping
      await this.#commits.ended()
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
    this.#failure = asError(error)
    this.#lifecycle.to('failed')
    this.wake()
    // Where that fails, the session's end does the same, and `stop` tells.
    this.#leave().catch(() => undefined)
  }

  /**
   * Not before the commit under way has ended. A topology that failed gives up its place: others get its tasks, and what
   * is here answers what may still be read.
   */
  async #leave(): Promise<void> {
    await this.#commits.ended()
    await this.#membership?.leave({ forGood: this.#failure !== undefined })
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
    await this.#commits.ended()
    if (clean) await this.commitNow()
    this.progress.close()
    await this.#leave()
    await Promise.all([this.#set.closeAll(), this.#standbys.closeAll()])
    await this.#databases?.allClosed()
    this.#lifecycle.to('stopped')
  }

  /** Something may have changed: records arrived, a commit ended, the operator thawed the clock. */
  wake(): void {
    this.#waker.wake()
  }

  /** How long nothing is to be done unless something changes. */
  #idleMs(): number {
    const wall = this.wallClock?.now() ?? 0
    const tasks = this.tasks.map((task) => task.nextWallWork() - wall)
    const commit = this.#mayWork() ? this.#commits.untilDue() : Number.POSITIVE_INFINITY
    return Math.min(...tasks, this.#set.untilReopen(), commit, IDLE_LIMIT_MS)
  }
}
