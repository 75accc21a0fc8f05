/**
 * The engine on any log, with both clocks in hand and nothing running by itself: as the TopologyTestDriver, but the log
 * and the tasks' own databases are the test's.
 */
import type { AnyStoreSpec, StateBackend } from '../../state/index.ts'
import {
  formatUuid7,
  type Log,
  NO_HEADERS,
  Streams,
  type TaskId,
  type Topic,
  type Topology,
} from '../../streams/index.ts'
import type { ManualClock, MemoryStateDirectory } from '../../testing/index.ts'
import { topicSpec } from './engine-shop.ts'
import { inputBehind } from './input-behind.ts'

const SETTLE_LIMIT = 10_000
const STEP_MS = 1_000

export interface StepEngineOptions<L extends Log> {
  readonly topologies: readonly Topology[]
  readonly clock: ManualClock
  /** Partitions of every topic. */
  readonly partitions: number
  readonly openLog: () => Promise<L>
  /** The tasks' own databases, where the log keeps no state. */
  readonly stateDirectory?: MemoryStateDirectory
  /** For tests that flood the dead letters on purpose; else as the engine's default. */
  readonly breaker?: 'off'
}

export class StepEngine<L extends Log> {
  readonly #options: StepEngineOptions<L>
  #log: L
  #streams: Streams
  #appended = 0

  private constructor(options: StepEngineOptions<L>, log: L) {
    this.#options = options
    this.#log = log
    this.#streams = this.#makeStreams()
  }

  static async open<L extends Log>(options: StepEngineOptions<L>): Promise<StepEngine<L>> {
    const engine = new StepEngine(options, await options.openLog())
    await engine.#streams.open()
    await engine.#streams.ready()
    return engine
  }

  get log(): L {
    return this.#log
  }

  get tasks(): readonly TaskId[] {
    return this.#streams.runners.flatMap(({ tasks }) => tasks.map(({ task }) => task))
  }

  runner(topology: string) {
    return this.#streams.runner(topology)
  }

  query<S extends AnyStoreSpec>(topology: string, spec: S) {
    return this.#streams.queries(topology, spec)
  }

  /** The task's own database. */
  backend(task: TaskId): StateBackend | undefined {
    return this.#options.stateDirectory?.backend(task)
  }

  async append<V>(topic: Topic<string, V>, key: string, value: V, timestamp: number): Promise<void> {
    const lineage = { eventId: formatUuid7(timestamp, this.#appended++, 0, 0) }
    const record = { key: Buffer.from(key), value: topic.value.serialize(value), timestamp, lineage }
    await this.#log.append([{ topic: topic.name, headers: NO_HEADERS, ...record }])
  }

  /** Gives every task one turn; nothing is committed. */
  async step(): Promise<void> {
    for (const runner of this.#streams.runners) await runner.step()
  }

  /** Runs until nothing is left to do, committing on the way. Throws the failure of a task. */
  async settle(): Promise<void> {
    for (let round = 0; round < SETTLE_LIMIT; round++) {
      let busy = false
      for (const runner of this.#streams.runners) {
        while (await runner.step()) busy = true
        const failed = runner.tasks.find((task) => task.failure !== undefined)
        if (failed?.failure !== undefined) throw failed.failure
        if (await runner.commitNow()) busy = true
      }
      if (busy) continue
      if ((await inputBehind(this.#streams, this.#log)) === undefined) return
      // Pages are on their way from the disk.
      await new Promise(setImmediate)
    }
    throw new Error('the topologies feed each other without end')
  }

  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.#options.clock.advance(Math.min(left, STEP_MS))
      await this.settle()
    }
  }

  /** Stops as an operator would, and starts anew. */
  async restart(): Promise<void> {
    await this.#streams.close()
    await this.#start()
  }

  /** Drops everything that is not committed, and starts anew. */
  async crash(): Promise<void> {
    await this.#log.close()
    this.#log = await this.#options.openLog()
    await this.#start()
  }

  async close(): Promise<void> {
    await this.#streams.close()
    await this.#log.close()
  }

  async #start(): Promise<void> {
    this.#streams = this.#makeStreams()
    await this.#streams.open()
    await this.#streams.ready()
  }

  #makeStreams(): Streams {
    const { topologies, clock, partitions, stateDirectory } = this.#options
    return new Streams({
      ...(this.#options.breaker === undefined ? {} : { breaker: this.#options.breaker }),
      application: 'step',
      topologies,
      log: this.#log,
      clock,
      topicSpec: (use) => ({ ...topicSpec(use), partitions }),
      ...(stateDirectory === undefined ? {} : { stateDirectory }),
    })
  }
}
