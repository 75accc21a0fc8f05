/**
 * Runs one connector in this process: joins its group, and has a task for each partition that it is assigned.
 *
 * Not its job: what a task does (`connector-task.ts`), how a batch gets to a target (`delivery.ts`).
 *
 * Invariants:
 * 1. No delivery and no commit begins between `rebalancing` and `assigned`. Before tasks move, deliveries under way have
 *    their time to be committed: an ordinary rebalance sends nothing again.
 * 2. A task that has moved is told to end at once, and is waited for here; whoever has it next in another process does not
 *    wait. A delivery that took longer than its time may go on here while it begins there.
 * 3. A connector that failed, or is stopped, takes no assignment, and leaves its group.
 */
import {
  type Assignment,
  type Clock,
  type GroupListener,
  type Log,
  type Membership,
  type TaskId,
  taskName,
} from '../../streams/index.ts'
import { type BreakerState, DeliveryBreaker } from './breaker.ts'
import { CommitGate } from './commit-gate.ts'
import { type ConnectorLag, ConnectorTaskRun } from './connector-task.ts'
import type { Connector, DeliveryPolicy } from './connector.ts'
import { Delivery } from './delivery.ts'
import { asError } from './failures.ts'
import type { ConnectorHooks } from './hooks.ts'
import { defaultDelivery } from './policy.ts'
import { Turns } from './turns.ts'
import { Latch, settled } from './waiting.ts'

/** How long deliveries under way may take to be committed once tasks may move: the group waits for it, 30 s at most. */
const HAND_OVER_WITHIN_MS = 5_000
/** How long tasks may take to end before they are left behind. */
const END_WITHIN_MS = 10_000
/** How long a batch under way may take when the connector is stopped. */
const STOP_WITHIN_MS = 5_000

export interface ConnectorRunnerOptions {
  readonly application: string
  readonly connector: Connector
  readonly log: Log
  readonly clock: Clock
  readonly hooks: ConnectorHooks
  /** Between 0 and 1, for the spread of retries. */
  readonly random: () => number
}

export type ConnectorState = 'joining' | 'running' | 'paused' | 'failed' | 'stopped'

export interface ConnectorTaskView {
  readonly name: string
  readonly partition: number
  readonly failure: string | undefined
  readonly inputs: readonly ConnectorLag[]
}

export interface ConnectorView {
  readonly name: string
  readonly state: ConnectorState
  readonly breaker: BreakerState
  readonly tasks: readonly ConnectorTaskView[]
}

export class ConnectorRunner implements GroupListener {
  readonly connector: Connector
  readonly #options: ConnectorRunnerOptions
  readonly #policy: DeliveryPolicy
  readonly #gate = new CommitGate()
  readonly #turns = new Turns()
  readonly #going = new Latch(true)
  readonly #breaker: DeliveryBreaker
  readonly #delivery: Delivery
  readonly #tasks = new Map<string, ConnectorTaskRun>()
  #membership: Membership | undefined
  #isAssigned = false
  #failure: Error | undefined
  #failing: Promise<void> | undefined
  #stopping: Promise<void> | undefined

  constructor(options: ConnectorRunnerOptions) {
    const { connector, clock, hooks, random } = options
    const { name } = connector
    this.#options = options
    this.connector = connector
    this.#policy = { ...defaultDelivery, ...connector.delivery }
    this.#breaker = new DeliveryBreaker({
      clock,
      failures: this.#policy.breakAfter,
      openMs: this.#policy.openMs,
      onChange: (from, to) => hooks.onBreaker(name, from, to),
    })
    this.#delivery = new Delivery({
      connector: name,
      policy: this.#policy,
      clock,
      random,
      breaker: this.#breaker,
      going: this.#going,
      hooks,
    })
  }

  get state(): ConnectorState {
    if (this.#stopping !== undefined) return 'stopped'
    if (this.#failure !== undefined) return 'failed'
    if (!this.#isAssigned) return 'joining'
    return this.#going.isOpen ? 'running' : 'paused'
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  get breaker(): BreakerState {
    return this.#breaker.state
  }

  get isPaused(): boolean {
    return !this.#going.isOpen
  }

  /** Whether the task of a partition is assigned to this process. */
  has(partition: number): boolean {
    return [...this.#tasks.values()].some(({ id }) => id.partition === partition)
  }

  /** Nothing is delivered until `resume`, but for what is under way. Idempotent. */
  pause(): void {
    this.#going.shut()
  }

  /** Idempotent. */
  resume(): void {
    this.#going.open()
  }

  /** What is known of each task here. Throws what the log throws. */
  async view(): Promise<ConnectorView> {
    const tasks = await Promise.all(
      [...this.#tasks].map(async ([name, task]) => {
        const { id, failure } = task
        return { name, partition: id.partition, failure: failure?.message, inputs: await task.lags() }
      }),
    )
    return { name: this.connector.name, state: this.state, breaker: this.breaker, tasks }
  }

  /** Joins the group. Throws what the log throws. */
  async start(): Promise<void> {
    const { application, connector, log } = this.#options
    const inputs = connector.inputs.map(({ name }) => name)
    const subTopologies = [{ id: 0, inputs, stores: [], hasState: false }]
    const topology = groupOf(connector)
    this.#membership = await log.join({ application, topology, subTopologies }, this)
    // Its end came before its membership did.
    if (this.#isOver) await this.#leave()
  }

  // --- group

  stored(): Promise<[]> {
    return Promise.resolve([])
  }

  async rebalancing(): Promise<void> {
    await this.#within(HAND_OVER_WITHIN_MS, this.#turns.shut())
    await this.#gate.shut()
  }

  async assigned({ epoch, tasks }: Assignment): Promise<void> {
    if (this.#isOver) return
    const wanted = new Set(tasks.map(taskName))
    const left = [...this.#tasks].filter(([name]) => !wanted.has(name))
    for (const task of this.#tasks.values()) task.adopt(epoch)
    this.#isAssigned = true
    const dropped = this.#drop(left)
    this.#gate.open()
    this.#turns.open()
    for (const id of tasks) if (!this.#tasks.has(taskName(id))) this.#begin(id, epoch)
    await dropped
  }

  async revoked(cause: Error): Promise<void> {
    this.#isAssigned = false
    this.#options.hooks.onFailure(this.connector.name, 'log', cause, false)
    await Promise.all([this.#gate.shut(), this.#drop([...this.#tasks])])
  }

  lost(cause: Error): void {
    this.#fail(cause)
  }

  #begin(id: TaskId, epoch: number): void {
    const run = new ConnectorTaskRun(id, epoch, {
      ...this.#options,
      policy: this.#policy,
      gate: this.#gate,
      turns: this.#turns,
      breaker: this.#breaker,
      delivery: this.#delivery,
      going: this.#going,
      onFatal: (error) => this.#fail(error),
    })
    this.#tasks.set(taskName(id), run)
  }

  /** Out of the list at once; resolves when they have ended, or have had their time for it. */
  #drop(left: readonly (readonly [name: string, task: ConnectorTaskRun])[]): Promise<void> {
    for (const [name] of left) this.#tasks.delete(name)
    return this.#within(END_WITHIN_MS, Promise.all(left.map(([, task]) => task.drop())))
  }

  async #within(ms: number, ending: Promise<unknown>): Promise<void> {
    const late = new AbortController()
    const cancel = this.#options.clock.after(ms, () => late.abort())
    await settled(ending, late.signal)
    cancel()
  }

  // --- end

  get #isOver(): boolean {
    return this.#failure !== undefined || this.#stopping !== undefined
  }

  #fail(error: unknown): void {
    if (this.#isOver) return
    this.#failure = asError(error)
    this.#options.hooks.onEnded(this.connector.name, this.#failure)
    // Others are to find the targets free. Where leaving fails, the session's end does the same.
    this.#failing = this.#drop([...this.#tasks])
      .then(() => this.#leave())
      .catch(() => undefined)
  }

  async #leave(): Promise<void> {
    await this.#membership?.leave({ forGood: this.#failure !== undefined })
  }

  /** Commits what the targets have, leaves the group, closes the targets. Idempotent. */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop())
  }

  async #stop(): Promise<void> {
    const tasks = [...this.#tasks.values()]
    for (const task of tasks) task.stop()
    await this.#within(STOP_WITHIN_MS, Promise.all(tasks.map((task) => task.ended())))
    await Promise.all([this.#drop([...this.#tasks]), this.#failing])
    await this.#gate.shut()
    await this.#leave()
  }
}

/** The group of a connector's consumers, as the log and its tools name it. */
export function groupOf({ name }: Pick<Connector, 'name'>): string {
  return `connector-${name}`
}
