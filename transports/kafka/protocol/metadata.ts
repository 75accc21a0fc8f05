/** Metadata v12: the cluster's brokers, and for each topic its partitions and their leaders. */
import type { Reader } from './reader.ts'
import { flexible, type KafkaRequest, type Throttled } from './request.ts'
import { NO_UUID } from './writer.ts'

export interface Broker {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

export interface PartitionMetadata {
  readonly errorCode: number
  readonly partition: number
  /** Node id; -1 while there is none. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  /** In-sync replicas. */
  readonly isr: readonly number[]
  readonly offlineReplicas: readonly number[]
}

export interface TopicMetadata {
  readonly errorCode: number
  readonly topic: string
  /** Base64url. Another one under the same name is another topic. */
  readonly topicId: string
  readonly internal: boolean
  readonly partitions: readonly PartitionMetadata[]
}

export interface MetadataAnswer extends Throttled {
  readonly brokers: readonly Broker[]
  readonly clusterId: string | null
  /** Node id; -1 while unknown. */
  readonly controllerId: number
  readonly topics: readonly TopicMetadata[]
}

/** `topics`: names, or null for all topics. No topic is created by asking for it. */
export function metadata(topics: readonly string[] | null): KafkaRequest<MetadataAnswer> {
  return flexible({
    apiKey: 3,
    apiName: 'Metadata',
    apiVersion: 12,
    write(into) {
      into.nullableArray(topics, (topic) => into.uuid(NO_UUID).string(topic).noTags())
      // Topics are not created automatically; authorized operations are not asked for.
      into.boolean(false).boolean(false)
    },
    read: (from) => ({
      throttleMs: from.int32(),
      brokers: from.array(() => readBroker(from)),
      clusterId: from.nullableString(),
      controllerId: from.int32(),
      topics: from.array(() => readTopic(from)),
    }),
  })
}

function readBroker(from: Reader): Broker {
  const broker = {
    nodeId: from.int32(),
    host: from.string(),
    port: from.int32(),
    rack: from.nullableString(),
  }
  from.tags()
  return broker
}

function readTopic(from: Reader): TopicMetadata {
  const topic = {
    errorCode: from.int16(),
    // Null only for a topic that was asked for by its id.
    topic: from.string(),
    topicId: from.uuid(),
    internal: from.boolean(),
    partitions: from.array(() => readPartition(from)),
  }
  from.int32() // authorized operations
  from.tags()
  return topic
}

function readPartition(from: Reader): PartitionMetadata {
  const nodes = () => from.array(() => from.int32())
  const partition = {
    errorCode: from.int16(),
    partition: from.int32(),
    leader: from.int32(),
    leaderEpoch: from.int32(),
    replicas: nodes(),
    isr: nodes(),
    offlineReplicas: nodes(),
  }
  from.tags()
  return partition
}
