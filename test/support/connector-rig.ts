/** A connector on a log in memory or on the disk, with targets whose behaviour the test has in hand. */
import {
  type Batch,
  type Connector,
  type ConnectorHooks,
  ConnectorRunner,
  connectorTopics,
  type Delivered,
  groupOf,
  type Incoming,
  noConnectorHooks,
  type Target,
} from '../../connectors/index.ts'
import { type Clock, formatUuid7, type Log, type LogRecord, NO_HEADERS } from '../../streams/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { MemoryLog, MemoryStorage } from '../../transports/simulated/index.ts'
import { HurriedClock } from './hurried-clock.ts'
import { readAll } from './read-all.ts'
import { scratchDirectory } from './scratch.ts'
import { stringTopic } from './topics.ts'

export const events = stringTopic('events')
export const answers = stringTopic('answers')
const APPLICATION = 'rig'

/** A number as text; everything else cannot be read. */
export const numbers = stringTopic('numbers', {
  value: {
    serialize: (value) => Buffer.from(value),
    deserialize: (bytes) => {
      const text = bytes.toString()
      if (!/^\d+$/.test(text)) throw new RangeError(`not a number: ${text}`)
      return text
    },
  },
})

export type LogKind = 'memory' | 'embedded'

export class ConnectorRig {
  readonly clock: Clock
  readonly #reopen: () => Promise<Log>
  #log: Log
  #appended = 0

  private constructor(log: Log, reopen: () => Promise<Log>, clock: Clock) {
    this.#log = log
    this.#reopen = reopen
    this.clock = clock
  }

  static async open(kind: LogKind, clock: Clock = new HurriedClock()): Promise<ConnectorRig> {
    const storage = new MemoryStorage()
    const directory = kind === 'embedded' ? await scratchDirectory('connector') : ''
    const open = async (): Promise<Log> =>
      kind === 'embedded'
        ? openEmbeddedLog({ directory, application: APPLICATION })
        : new MemoryLog({ stateHome: 'log', now: () => clock.now(), storage })
    return new ConnectorRig(await open(), open, clock)
  }

  get log(): Log {
    return this.#log
  }

  /** As after a crash: nobody said good-bye. */
  async reopen(): Promise<void> {
    await this.#log.close()
    this.#log = await this.#reopen()
  }

  /** Makes the topics, of two partitions each. */
  async topicsOf(connector: Connector): Promise<void> {
    await this.#log.ensureTopics(
      connectorTopics(connector).map(({ name, cleanup, timestamps }) => ({
        name,
        cleanup,
        timestamps,
        partitions: 2,
        retentionMs: Number.POSITIVE_INFINITY,
        retentionBytes: Number.POSITIVE_INFINITY,
      })),
    )
  }

  /** Values into partition 0, each under its own key unless told. */
  async append(topic: { readonly name: string }, values: readonly string[], key?: string): Promise<void> {
    await this.#log.append(
      values.map((value) => ({
        topic: topic.name,
        partition: 0,
        key: Buffer.from(key ?? `key of ${value}`),
        value: Buffer.from(value),
        timestamp: this.clock.now(),
        lineage: { eventId: formatUuid7(this.clock.now(), ++this.#appended, 1, 1) },
        headers: NO_HEADERS,
      })),
    )
  }

  runner(
    connector: Connector,
    options: { log?: Log; hooks?: Partial<ConnectorHooks> } = {},
  ): ConnectorRunner {
    return new ConnectorRunner({
      application: APPLICATION,
      connector,
      log: options.log ?? this.#log,
      clock: this.clock,
      hooks: { ...noConnectorHooks, ...options.hooks },
      random: () => 0.5,
    })
  }

  async start(
    connector: Connector,
    options: { log?: Log; hooks?: Partial<ConnectorHooks> } = {},
  ): Promise<ConnectorRunner> {
    await this.topicsOf(connector)
    const runner = this.runner(connector, options)
    await runner.start()
    return runner
  }

  records(topic: string): Promise<readonly LogRecord[]> {
    return readAll(this.#log, { topic, partition: 0 })
  }

  async values(topic: string): Promise<string[]> {
    return (await this.records(topic)).map(({ value }) => String(value))
  }

  /** What of a topic's partition 0 is committed; nothing before the first commit. */
  committed(connector: Connector, topic: { readonly name: string }): Promise<number | undefined> {
    return this.#log.processed(groupOf(connector), { topic: topic.name, partition: 0 })
  }
}

/** Takes everything and remembers it; `before` may throw or wait. */
export class Sink implements Target {
  readonly taken: Incoming[] = []
  tries = 0
  closed = 0
  before: (batch: Batch, signal: AbortSignal) => void | Promise<void> = () => {}
  answer: (batch: Batch) => Delivered = () => ({})

  async deliver(batch: Batch, signal: AbortSignal): Promise<Delivered> {
    this.tries++
    await this.before(batch, signal)
    this.taken.push(...batch.records)
    return this.answer(batch)
  }

  get values(): string[] {
    return this.taken.map(({ value }) => String(value))
  }

  close(): Promise<void> {
    this.closed++
    return Promise.resolve()
  }
}

/** A connector whose task of partition 0 has this target; the other partitions' swallow everything. */
export function connectorTo(target: Target, extra: Partial<Connector> = {}): Connector {
  return {
    name: 'sink',
    inputs: [events],
    outputs: [answers],
    open: ({ partitions }) => Promise.resolve(partitions[0]?.partition === 0 ? target : new Sink()),
    ...extra,
  }
}

/** Looks again and again until it is true. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve))
}
