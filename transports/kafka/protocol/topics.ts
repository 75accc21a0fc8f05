/** Making and changing topics: CreateTopics v7, CreatePartitions v3, DeleteTopics v6, DeleteRecords v2. */
import type { Reader } from './reader.ts'
import { flexible, type KafkaRequest, type Throttled } from './request.ts'
import { readTopics, type TopicPartitions, writeTopics } from './topics-of.ts'
import { NO_UUID } from './writer.ts'

/** For the number of partitions or replicas: as the broker is configured. */
export const BROKER_DEFAULT = -1

export interface NewTopic {
  readonly name: string
  /** Or `BROKER_DEFAULT`. */
  readonly partitions: number
  /** Or `BROKER_DEFAULT`. */
  readonly replicationFactor: number
  /** By the broker's names, e.g. `cleanup.policy`. */
  readonly configs: readonly { readonly name: string; readonly value: string | null }[]
}

export interface TopicChange {
  /** How long the broker may take. Milliseconds. */
  readonly timeoutMs: number
  /** Only say what would happen. */
  readonly validateOnly: boolean
}

export interface CreatedTopic {
  readonly name: string
  readonly topicId: string
  readonly errorCode: number
  readonly errorMessage: string | null
  /** -1 on an error. */
  readonly partitions: number
  readonly replicationFactor: number
}

export interface CreateTopicsAnswer extends Throttled {
  readonly topics: readonly CreatedTopic[]
}

export function createTopics(
  topics: readonly NewTopic[],
  change: TopicChange,
): KafkaRequest<CreateTopicsAnswer> {
  return flexible({
    apiKey: 19,
    apiName: 'CreateTopics',
    apiVersion: 7,
    write(into) {
      into.array(topics, ({ name, partitions, replicationFactor, configs }) => {
        into.string(name).int32(partitions).int16(replicationFactor)
        into.array([], () => {}) // replicas are placed by the broker
        into.array(configs, (config) => into.string(config.name).nullableString(config.value).noTags())
        into.noTags()
      })
      into.int32(change.timeoutMs).boolean(change.validateOnly)
    },
    read: (from) => ({ throttleMs: from.int32(), topics: from.array(() => readCreated(from)) }),
  })
}

function readCreated(from: Reader): CreatedTopic {
  const created = {
    name: from.string(),
    topicId: from.uuid(),
    errorCode: from.int16(),
    errorMessage: from.nullableString(),
    partitions: from.int32(),
    replicationFactor: from.int16(),
  }
  from.nullableArray(() => passConfig(from))
  from.tags()
  return created
}

/** The configs of a new topic are what was asked for and the broker's defaults: `describeConfigs` tells them. */
function passConfig(from: Reader): void {
  from.string()
  from.nullableString()
  from.boolean()
  from.int8()
  from.boolean()
  from.tags()
}

export interface TopicOutcome {
  readonly name: string
  readonly errorCode: number
  readonly errorMessage: string | null
}

export interface TopicsAnswer extends Throttled {
  readonly topics: readonly TopicOutcome[]
}

/** `partitions`: how many there are to be in all. */
export function createPartitions(
  topics: readonly { readonly name: string; readonly partitions: number }[],
  change: TopicChange,
): KafkaRequest<TopicsAnswer> {
  return flexible({
    apiKey: 37,
    apiName: 'CreatePartitions',
    apiVersion: 3,
    write(into) {
      into.array(topics, ({ name, partitions }) => {
        into.string(name).int32(partitions)
        into.nullableArray(null, () => {}) // replicas are placed by the broker
        into.noTags()
      })
      into.int32(change.timeoutMs).boolean(change.validateOnly)
    },
    read: (from) => ({
      throttleMs: from.int32(),
      topics: from.array(() => {
        const outcome = {
          name: from.string(),
          errorCode: from.int16(),
          errorMessage: from.nullableString(),
        }
        from.tags()
        return outcome
      }),
    }),
  })
}

export function deleteTopics(names: readonly string[], timeoutMs: number): KafkaRequest<TopicsAnswer> {
  return flexible({
    apiKey: 20,
    apiName: 'DeleteTopics',
    apiVersion: 6,
    write: (into) => into.array(names, (name) => into.string(name).uuid(NO_UUID).noTags()).int32(timeoutMs),
    read: (from) => ({
      throttleMs: from.int32(),
      topics: from.array(() => {
        // Null only for a topic that was given by its id.
        const name = from.string()
        from.uuid()
        const outcome = { name, errorCode: from.int16(), errorMessage: from.nullableString() }
        from.tags()
        return outcome
      }),
    }),
  })
}

export interface RecordsToDelete {
  readonly partition: number
  /** The first to stay; -1: none stays. */
  readonly offset: number
}

export interface DeletedRecords {
  readonly partition: number
  /** The first offset that is left; -1 on an error. */
  readonly lowWatermark: number
  readonly errorCode: number
}

export interface DeleteRecordsAnswer extends Throttled {
  readonly topics: readonly TopicPartitions<DeletedRecords>[]
}

/** Asked of each partition's leader. */
export function deleteRecords(
  topics: readonly TopicPartitions<RecordsToDelete>[],
  timeoutMs: number,
): KafkaRequest<DeleteRecordsAnswer> {
  return flexible({
    apiKey: 21,
    apiName: 'DeleteRecords',
    apiVersion: 2,
    write(into) {
      writeTopics(into, topics, ({ partition, offset }) => into.int32(partition).int64(offset).noTags())
      into.int32(timeoutMs)
    },
    read: (from) => ({
      throttleMs: from.int32(),
      topics: readTopics(from, () => {
        const deleted = { partition: from.int32(), lowWatermark: from.int64(), errorCode: from.int16() }
        from.tags()
        return deleted
      }),
    }),
  })
}
