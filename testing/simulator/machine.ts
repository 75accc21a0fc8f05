/**
 * A machine that runs the application: a disk that stays, and one process after the other on it, each with the engine's
 * own code on a log of its own. A process that gives up is started again, as a supervisor does.
 */
import { Streams, taskName, type TaskId } from '../../streams/index.ts'
import type { SimulatedProcess, SimulatedWorld } from '../../transports/simulated/index.ts'
import type { SimulatedApp } from './app.ts'
import type { SimulationPlan } from './plan.ts'

export const APPLICATION = 'simulated'
const TRANSACTION_TIMEOUT_MS = 8_000
const RESTART_MS = 500

interface Life {
  readonly process: SimulatedProcess
  streams: Streams | undefined
  stopping: boolean
}

export class Machine {
  readonly name: string
  readonly #world: SimulatedWorld
  readonly #app: SimulatedApp
  readonly #plan: SimulationPlan
  readonly #onRefused: (complaint: string) => void
  #life: Life | undefined
  #lives = 0
  #isWanted = false

  constructor(
    name: string,
    world: SimulatedWorld,
    app: SimulatedApp,
    plan: SimulationPlan,
    onRefused: (complaint: string) => void,
  ) {
    this.name = name
    this.#world = world
    this.#app = app
    this.#plan = plan
    this.#onRefused = onRefused
  }

  get process(): SimulatedProcess | undefined {
    return this.#life?.process
  }

  get streams(): Streams | undefined {
    return this.#life?.streams
  }

  /** Processes that ran here so far. */
  get lives(): number {
    return this.#lives
  }

  /** Tasks that run here. */
  get running(): readonly TaskId[] {
    const runners = this.#life?.streams?.runners ?? []
    return runners.flatMap(({ tasks }) =>
      tasks.filter(({ lifecycle }) => lifecycle.state === 'running').map(({ task }) => task),
    )
  }

  /** Idempotent. */
  start(): void {
    this.#isWanted = true
    if (this.#life !== undefined) return
    const process = this.#world.process(`${this.name}.${++this.#lives}`)
    const life: Life = { process, streams: undefined, stopping: false }
    this.#life = life
    this.#world.note(`${process.name} starts`)
    this.#boot(life).catch((error: unknown) => this.#gaveUp(life, error))
  }

  async #boot(life: Life): Promise<void> {
    const { process } = life
    const { commitIntervalMs, commitWhenIdle, sessionTimeoutMs, leaves } = this.#plan
    const { topologies, topicSpec } = this.#app
    const log = await this.#world.openLog(process, {
      application: APPLICATION,
      slot: this.name,
      sessionTimeoutMs,
      transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
      leaves,
    })
    const streams = new Streams({
      application: APPLICATION,
      topologies,
      topicSpec,
      log,
      clock: process.clock,
      stateDirectory: this.#world.stateDirectory(process, this.name),
      commitIntervalMs,
      commitWhenIdle,
      cacheEntries: 64,
      hooks: {
        onTaskState: (task, from, to, cause) => this.#noteTask(process, task, `${from} → ${to}`, cause),
        onTaskRefused: (task, cause) => {
          this.#noteTask(process, task, 'is refused', cause)
          this.#onRefused(`${process.name}: ${taskName(task)} is refused: ${textOf(cause)}`)
        },
        onRestored: (task, records) =>
          this.#noteTask(process, task, `restored ${records} changes`, undefined),
        onRunnerState: (topology, from, to, cause) => {
          const why = cause === undefined ? '' : `: ${textOf(cause)}`
          this.#world.note(`${process.name}: ${topology} ${from} → ${to}${why}`)
          if (to === 'failed') this.#gaveUp(life, cause)
        },
        onRevoked: (topology, cause) =>
          this.#world.note(`${process.name}: ${topology} is revoked: ${textOf(cause)}`),
        onClock: (topology, { kind }) => this.#world.note(`${process.name}: ${topology} ${kind}`),
      },
    })
    life.streams = streams
    await streams.open()
    streams.run()
  }

  #noteTask(process: SimulatedProcess, task: TaskId, what: string, cause: Error | undefined): void {
    this.#world.note(
      `${process.name}: ${taskName(task)} ${what}${cause === undefined ? '' : `: ${textOf(cause)}`}`,
    )
  }

  #gaveUp(life: Life, error: unknown): void {
    if (this.#life !== life || life.stopping || !life.process.isAlive) return
    this.#world.note(`${life.process.name} gives up: ${textOf(error)}`)
    this.kill()
    this.startLater(RESTART_MS)
  }

  /** Nothing falls due, because the clocks disagree, or did. */
  get isFrozen(): boolean {
    const clocks = this.#life?.streams?.runners.map(({ wallClock }) => wallClock) ?? []
    return clocks.some((clock) => clock?.frozen === true || clock?.standsStill === true)
  }

  /** The operator says that the clock is right. */
  thaw(): void {
    for (const runner of this.#life?.streams?.runners ?? []) {
      if (runner.wallClock?.frozen !== true) continue
      runner.wallClock.thaw()
      runner.wake()
    }
  }

  /** kill -9. */
  kill(): void {
    this.#isWanted = false
    const life = this.#life
    if (life === undefined) return
    this.#world.note(`${life.process.name} is killed`)
    this.#life = undefined
    life.process.kill()
  }

  /** Ends in order; whatever takes too long is killed. */
  stop(limitMs: number): void {
    this.#isWanted = false
    const life = this.#life
    if (life === undefined || life.stopping) return
    life.stopping = true
    this.#world.note(`${life.process.name} stops`)
    const ended = (how: string): void => {
      if (this.#life !== life) return
      this.#world.note(`${life.process.name} ${how}`)
      this.#life = undefined
      life.process.kill()
      if (this.#isWanted) this.start()
    }
    this.#world.scheduler.plan(limitMs, () => ended('did not stop in time'))
    const closed = life.streams?.close() ?? Promise.resolve()
    closed.then(
      () => ended('has stopped'),
      (error: unknown) => ended(`did not stop cleanly: ${textOf(error)}`),
    )
  }

  startLater(ms: number): void {
    this.#isWanted = true
    this.#world.scheduler.plan(ms, () => {
      if (this.#isWanted) this.start()
    })
  }
}

export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message} (${textOf(error.cause)})`
}
