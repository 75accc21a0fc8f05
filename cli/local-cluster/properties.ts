/** The settings of a broker, as Kafka's `server.properties`. */
import { LOOPBACK } from './ports.ts'

export type Properties = Readonly<Record<string, string>>

export interface Member {
  readonly id: number
  readonly port: number
  readonly controllerPort: number
  readonly secondPort?: number | undefined
  /** Where clients are sent, unless that is `port`. */
  readonly advertisedPort?: number | undefined
}

/** A listener beside the plain one, which brokers and tools go on using. */
export interface SecondListener {
  readonly protocol: 'SSL' | 'SASL_SSL' | 'SASL_PLAINTEXT'
  /** Settings of this listener, by Kafka's names without the listener's prefix. */
  readonly properties: Properties
  /** Further arguments of Kafka's `StorageTool format`, such as users. */
  readonly formatArgs: readonly string[]
}

const CLIENT_LISTENER = 'PLAINTEXT'
const CONTROLLER_LISTENER = 'CONTROLLER'
const SECOND_LISTENER = 'SECOND'

/** Partitions of Kafka's own topics: few, so that they are there quickly. */
const INTERNAL_PARTITIONS = 5
/** How long a broker that is halted holds up what it should have copied. Kafka's own is 30 s. */
const REPLICA_LAG_MS = 4_000
/**
 * After how long without a sign of life a broker counts as dead: others lead its partitions, and it may come back
 * after a kill, which the controller refuses while it takes the former process for alive. Kafka's own is 9 s.
 */
const BROKER_SESSION_MS = 4_000
const BROKER_HEARTBEAT_MS = 500
/** Kafka's own 128 MiB would be a quarter of a small heap. */
const CLEANER_BUFFER_BYTES = 16 * 1024 * 1024

/** Broker and controller in one process, listening on the loopback only. */
export function memberProperties(
  own: Member,
  members: readonly Member[],
  logDirectory: string,
  second?: SecondListener,
): Properties {
  const clients = [`${CLIENT_LISTENER}://${LOOPBACK}:${own.port}`]
  const advertised = [`${CLIENT_LISTENER}://${LOOPBACK}:${own.advertisedPort ?? own.port}`]
  const protocols = [`${CONTROLLER_LISTENER}:PLAINTEXT`, `${CLIENT_LISTENER}:PLAINTEXT`]
  if (second !== undefined) {
    for (const listeners of [clients, advertised])
      listeners.push(`${SECOND_LISTENER}://${LOOPBACK}:${own.secondPort}`)
    protocols.push(`${SECOND_LISTENER}:${second.protocol}`)
  }
  return {
    'process.roles': 'broker,controller',
    'node.id': String(own.id),
    'controller.quorum.voters': members
      .map((member) => `${member.id}@${LOOPBACK}:${member.controllerPort}`)
      .join(','),
    'controller.listener.names': CONTROLLER_LISTENER,
    'inter.broker.listener.name': CLIENT_LISTENER,
    listeners: [...clients, `${CONTROLLER_LISTENER}://${LOOPBACK}:${own.controllerPort}`].join(','),
    'advertised.listeners': advertised.join(','),
    'listener.security.protocol.map': protocols.join(','),
    'log.dirs': logDirectory,
    ...common,
    ...replication(members.length),
    ...secondProperties(second),
  }
}

function secondProperties(second: SecondListener | undefined): Properties {
  const prefix = `listener.name.${SECOND_LISTENER.toLowerCase()}.`
  const entries = Object.entries(second?.properties ?? {})
  return Object.fromEntries(entries.map(([name, value]) => [`${prefix}${name}`, value]))
}

const common: Properties = {
  'auto.create.topics.enable': 'false',
  'offsets.topic.num.partitions': String(INTERNAL_PARTITIONS),
  'transaction.state.log.num.partitions': String(INTERNAL_PARTITIONS),
  'group.initial.rebalance.delay.ms': '0',
  // Members that are gone are missed soon, where a client asks for it.
  'group.min.session.timeout.ms': '1000',
  'broker.session.timeout.ms': String(BROKER_SESSION_MS),
  'broker.heartbeat.interval.ms': String(BROKER_HEARTBEAT_MS),
  'log.cleaner.backoff.ms': '500',
  'log.cleaner.dedupe.buffer.size': String(CLEANER_BUFFER_BYTES),
  'num.network.threads': '2',
  'num.io.threads': '4',
}

function replication(brokers: number): Properties {
  if (brokers === 1) {
    return {
      'offsets.topic.replication.factor': '1',
      'transaction.state.log.replication.factor': '1',
      'transaction.state.log.min.isr': '1',
    }
  }
  return {
    'default.replication.factor': String(brokers),
    'min.insync.replicas': '2',
    'offsets.topic.replication.factor': String(brokers),
    'transaction.state.log.replication.factor': String(brokers),
    'transaction.state.log.min.isr': '2',
    'replica.lag.time.max.ms': String(REPLICA_LAG_MS),
  }
}

/** Text of a properties file. Java takes a backslash in it for an escape. */
export function propertiesText(properties: Properties): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`)
    .join('')
}
