/** A shop with topics of its own on any log: its profiles' connectors, and the topologies that serve it. */
import { type Config, loadConfig } from '../../config/index.ts'
import {
  type Connector,
  type ConnectorHooks,
  ConnectorRunner,
  connectorTopics,
  groupOf,
  noConnectorHooks,
} from '../../connectors/index.ts'
import { Bindings, bindingTopicSpecs, loadProfiles } from '../../cli/pipeline/bindings.ts'
import { topicSpecs } from '../../cli/pipeline/topic-specs.ts'
import { type Topic, topics } from '../../schemas/index.ts'
import {
  deadLetterTopic,
  type AppendRecord,
  type Headers,
  formatUuid7,
  type Log,
  type LogRecord,
  NO_HEADERS,
  type StateDirectory,
  Streams,
  systemClock,
  type Topology,
} from '../../streams/index.ts'
import { eventually } from './kafka/eventually.ts'
import { readAll, valuesOf } from './read-all.ts'

export interface TheirMessage {
  readonly key?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly value: unknown
}

export interface BoundShopOptions {
  readonly log: Log
  /** Files. */
  readonly profiles: readonly string[]
  readonly topologies: readonly Topology[]
  readonly application: string
  readonly stateDirectory?: StateDirectory
  /** That run beside the bindings. */
  readonly connectors?: readonly Connector[]
  readonly hooks?: Partial<ConnectorHooks>
  readonly openAddress?: (orderId: string, customerId: string, sealed: Buffer) => Promise<unknown>
}

interface Parts {
  readonly streams: Streams
  readonly bindings: Bindings
  readonly runners: readonly ConnectorRunner[]
}

export class BoundShop {
  readonly log: Log
  readonly #options: BoundShopOptions
  #parts: Parts
  #sent = 0

  private constructor(options: BoundShopOptions, parts: Parts) {
    this.log = options.log
    this.#options = options
    this.#parts = parts
  }

  static async open(options: BoundShopOptions): Promise<BoundShop> {
    return new BoundShop(options, await start(options))
  }

  /** Stops everything and starts it again, from what the log has. */
  async restart(): Promise<void> {
    await this.close()
    this.#parts = await start(this.#options)
  }

  /** The shop's own messages, as one append: in this order within a partition. */
  async send(topic: string, ...messages: readonly TheirMessage[]): Promise<void> {
    const records = messages.map(({ key, headers = {}, value }) => {
      const bytes = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
      const pairs = Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)] as const)
      return this.#record(topic, key ?? null, bytes, pairs)
    })
    await this.log.append(records)
  }

  async say<V>(topic: Topic<V>, ...values: readonly V[]): Promise<void> {
    await this.log.append(
      values.map((value) => this.#record(topic.name, topic.keyOf(value), topic.value.serialize(value))),
    )
  }

  #record(topic: string, key: string | null, value: Buffer, headers: Headers = NO_HEADERS): AppendRecord {
    const timestamp = Date.now()
    // What has no key is spread, as a producer does.
    const partition = key === null ? this.#sent % this.log.partitions(topic) : undefined
    const lineage = { eventId: formatUuid7(timestamp, ++this.#sent, 1, 1) }
    return {
      topic,
      partition,
      key: key === null ? null : Buffer.from(key),
      value,
      timestamp,
      lineage,
      headers,
    }
  }

  /** Resolves with the values of one of our topics once there are that many, by whatever `of` says of them. */
  ours<V>(topic: Topic<V>, count: number, of: (value: V) => boolean = () => true): Promise<readonly V[]> {
    return eventually(
      async () => {
        const found = (await valuesOf(this.log, topic)).filter(of)
        return found.length >= count ? found : undefined
      },
      { describe: `${count} of ${topic.name}` },
    )
  }

  /** What the shop reads, in no order. */
  theirs(topic: string, count: number): Promise<readonly TheirMessage[]> {
    return eventually(
      async () => {
        const found = await this.#records(topic)
        if (found.length < count) return undefined
        return found.map(({ key, value }) => {
          return { ...(key !== null && { key: key.toString() }), value: JSON.parse(String(value)) as unknown }
        })
      },
      { describe: `${count} of ${topic}` },
    )
  }

  /** Reasons, once there are that many. */
  deadLetters(topic: string, count: number): Promise<readonly string[]> {
    return eventually(
      async () => {
        const found = await this.#records(deadLetterTopic(topic))
        if (found.length < count) return undefined
        return found.map(({ headers }) => {
          const header = (name: string) =>
            headers.find(([at]) => at === `__streams.errors.${name}`)?.[1].toString()
          return `${header('exception')}: ${header('message')}`
        })
      },
      { describe: `${count} dead letters of ${topic}` },
    )
  }

  /** Everything that was sent so far is through: bindings and topologies have processed the ends of their inputs. */
  async settled(): Promise<void> {
    const { streams, runners } = this.#parts
    const inputs = [
      ...runners.flatMap(({ connector }) =>
        connector.inputs.map(({ name }) => ({ name, group: groupOf(connector) })),
      ),
      ...streams.runners.flatMap(({ topology }) =>
        topology.subTopologies.flatMap(({ sources }) =>
          sources.map(({ topic }) => ({ name: topic.name, group: topology.name })),
        ),
      ),
    ]
    // Twice: what was processed may have made more for another that was looked at before.
    for (let quiet = 0; quiet < 2; ) quiet = (await this.#behind(inputs)) ? 0 : quiet + 1
  }

  async #behind(inputs: readonly { readonly name: string; readonly group: string }[]): Promise<boolean> {
    let behind = false
    for (const { name: topic, group } of inputs) {
      for (let partition = 0; partition < this.log.partitions(topic); partition++) {
        const { end } = await this.log.bounds({ topic, partition })
        const at = (): Promise<number> =>
          this.log.processed(group, { topic, partition }).then((offset) => offset ?? 0)
        if (end === 0 || (await at()) >= end) continue
        behind = true
        await eventually(async () => (await at()) >= end, {
          describe: `${group} at ${topic}-${partition} ${end}`,
        })
      }
    }
    return behind
  }

  async #records(topic: string): Promise<readonly LogRecord[]> {
    const partitions = Array.from({ length: this.log.partitions(topic) }, (_, partition) => partition)
    return (await Promise.all(partitions.map((partition) => readAll(this.log, { topic, partition })))).flat()
  }

  /** The log stays open. */
  async close(): Promise<void> {
    const { streams, bindings, runners } = this.#parts
    await Promise.all(runners.map((runner) => runner.stop()))
    bindings.close()
    await streams.close()
  }
}

/** Two partitions of everything, but for what profiles say of theirs. */
export function boundConfig(profiles: readonly string[]): Config {
  const flag = '--set'
  const flags = {
    'bindings.profiles': { text: profiles.join(','), flag },
    'topics.partitions': { text: '2', flag },
  }
  return loadConfig({ env: {}, cwd: process.cwd(), flags }).config
}

async function start({
  log,
  profiles: files,
  topologies,
  application,
  ...options
}: BoundShopOptions): Promise<Parts> {
  const config = boundConfig(files)
  const topicSpec = topicSpecs(config)
  const profiles = await loadProfiles(config, topics)
  const { stateDirectory, connectors = [], openAddress = () => Promise.resolve(undefined) } = options
  const streams = new Streams({
    application,
    topologies,
    log,
    topicSpec,
    commitIntervalMs: 20,
    ...(stateDirectory && { stateDirectory }),
  })
  await log.ensureTopics([
    ...bindingTopicSpecs(config, profiles),
    ...connectors.flatMap(connectorTopics).map(topicSpec),
  ])
  await streams.open()
  await streams.ready()
  streams.run()
  const onFault = (topic: string, fault: unknown): void => {
    throw new Error(`${topic} cannot be looked into`, { cause: fault })
  }
  const bindings = new Bindings({ profiles, log, clock: systemClock, addresses: () => openAddress, onFault })
  const runners = [...bindings.connectors, ...connectors].map(
    (connector) =>
      new ConnectorRunner({
        application,
        connector: { ...connector, delivery: { ...connector.delivery, backoffMs: 20 } },
        log,
        clock: systemClock,
        hooks: { ...noConnectorHooks, ...options.hooks },
        random: () => 0.5,
      }),
  )
  for (const runner of runners) await runner.start()
  return { streams, bindings, runners }
}
