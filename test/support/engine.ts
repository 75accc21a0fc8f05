/** The engine on an embedded log in the test's own process: to look at what another process left. */
import { type LogRecord, Streams, type TaskId, type Topology } from '../../streams/index.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../transports/embedded/index.ts'
import { type DecidedAgain, decidedAgain } from './decided-again.ts'
import { inputBehind } from './input-behind.ts'
import { readAll } from './read-all.ts'
import { APPLICATION, topicNamed, topicSpec, topologies as engineTopologies } from './engine-shop.ts'

/** Milliseconds that a drain may take. */
const DRAIN_LIMIT_MS = 60_000

export interface Decoded {
  readonly offset: number
  readonly partition: number
  readonly appendTime: number
  readonly key: string
  readonly value: unknown
}

export interface EngineOptions {
  readonly application: string
  readonly topologies: readonly Topology[]
}

export class Engine {
  readonly log: EmbeddedLog
  readonly streams: Streams

  private constructor(log: EmbeddedLog, streams: Streams) {
    this.log = log
    this.streams = streams
  }

  static async open(
    directory: string,
    { application = APPLICATION, topologies = engineTopologies }: Partial<EngineOptions> = {},
  ): Promise<Engine> {
    const log = await openEmbeddedLog({ directory, application })
    const streams = new Streams({ application, topologies, log, topicSpec })
    await streams.open()
    await streams.ready()
    return new Engine(log, streams)
  }

  /** Runs every topology until all inputs are processed and committed. */
  async drain(): Promise<void> {
    this.streams.run()
    const until = Date.now() + DRAIN_LIMIT_MS
    for (;;) {
      const behind = await inputBehind(this.streams, this.log)
      if (behind === undefined) return
      const { runner, topic, partition, end } = behind
      const failure = runner.failure ?? runner.tasks.find((task) => task.failure !== undefined)?.failure
      if (failure !== undefined) throw failure
      const reached = await runner.progress.reached(topic, partition, end - 1, 1_000)
      if (!reached && Date.now() > until) throw new Error(`${topic}-${partition} is not read to ${end}`)
    }
  }

  /** Every record of a topic, partition after partition. */
  async records(topic: string): Promise<readonly Decoded[]> {
    const serdes = topicNamed(topic)
    const all: Decoded[] = []
    for (let partition = 0; partition < this.log.partitions(topic); partition++) {
      for (const { offset, appendTime, key, value } of await this.raw(topic, partition)) {
        if (key === null || value === null) continue
        const decoded = { key: serdes.key.deserialize(key), value: serdes.value.deserialize(value) }
        all.push({ offset, partition, appendTime, ...decoded })
      }
    }
    return all
  }

  raw(topic: string, partition: number): Promise<readonly LogRecord[]> {
    return readAll(this.log, { topic, partition })
  }

  get tasks(): readonly TaskId[] {
    return this.streams.runners.flatMap(({ tasks }) => tasks.map(({ task }) => task))
  }

  /** Decides the inputs of a task again, and shows the rows that come of it beside the live ones. */
  async redecide(task: TaskId): Promise<DecidedAgain> {
    const { topology } = this.streams.runner(task.topology)
    const { log } = this
    return decidedAgain({ topology, task, log, journal: log.journal(task) }, await log.taskState(task))
  }

  async close(): Promise<void> {
    await this.streams.close()
    await this.log.close()
  }
}
