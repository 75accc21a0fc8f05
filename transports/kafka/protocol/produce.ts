/**
 * Produce v9 to v12: appends record batches, one or none for each partition. Acknowledged by all in-sync replicas:
 * anything less can lose what was acknowledged.
 *
 * v9 is the first flexible version, v10 names the new leader, v11 is the last that asks for AddPartitionsToTxn first,
 * and v12 is Transactions V2: the partition joins the transaction by itself. v12 goes only to a cluster whose finalized
 * `transaction.version` is 2 or more; Kafka 3.9 does not know it.
 */
import { type CurrentLeader, readCurrentLeader } from './current-leader.ts'
import type { Reader } from './reader.ts'
import { flexible, type KafkaRequest, type Throttled } from './request.ts'
import { readTopics, type TopicPartitions, writeTopics } from './topics-of.ts'

const ACKS_ALL = -1
const CURRENT_LEADER_TAG = 0
/** Room for the fields around a partition's records. Bytes. */
const PARTITION_OVERHEAD = 16
const TOPIC_OVERHEAD = 256
const REQUEST_OVERHEAD = 512

export type ProduceVersion = 9 | 10 | 11 | 12

export interface ProducePartition {
  readonly partition: number
  /** One encoded record batch; brokers refuse more than one. */
  readonly batch: Buffer
}

export interface Produce {
  readonly transactionalId: string | null
  /** How long the leader may wait for the in-sync replicas. Milliseconds. */
  readonly timeoutMs: number
  readonly topics: readonly TopicPartitions<ProducePartition>[]
}

export interface RecordError {
  /** Place of the record in its batch. */
  readonly index: number
  readonly message: string | null
}

export interface ProducedPartition {
  readonly partition: number
  readonly errorCode: number
  /** Offset of the batch's first record; -1 on an error. */
  readonly baseOffset: number
  /** Epoch milliseconds where the topic's timestamps are the log's; else -1. */
  readonly logAppendTimeMs: number
  /** -1 where the broker does not say. */
  readonly logStartOffset: number
  readonly recordErrors: readonly RecordError[]
  readonly errorMessage: string | null
  /** The new leader, where the broker that was asked is it no more and knows who is (v10 and up). */
  readonly currentLeader: CurrentLeader | undefined
}

export interface ProduceAnswer extends Throttled {
  readonly topics: readonly TopicPartitions<ProducedPartition>[]
}

export function produce(version: ProduceVersion, request: Produce): KafkaRequest<ProduceAnswer> {
  const { transactionalId, timeoutMs, topics } = request
  return flexible({
    apiKey: 0,
    apiName: 'Produce',
    apiVersion: version,
    capacity: capacityFor(topics),
    write(into) {
      into.nullableString(transactionalId).int16(ACKS_ALL).int32(timeoutMs)
      writeTopics(into, topics, ({ partition, batch }) => into.int32(partition).bytes(batch).noTags())
    },
    read(from) {
      const answered = readTopics(from, () => readPartition(from))
      return { topics: answered, throttleMs: from.int32() }
    },
  })
}

/** Enough for the whole body, so that batches are copied into it once and never moved. */
function capacityFor(topics: Produce['topics']): number {
  let bytes = REQUEST_OVERHEAD
  for (const { topic, partitions } of topics) {
    bytes += TOPIC_OVERHEAD + topic.length
    for (const { batch } of partitions) bytes += PARTITION_OVERHEAD + batch.length
  }
  return bytes
}

function readPartition(from: Reader): ProducedPartition {
  const fields = {
    partition: from.int32(),
    errorCode: from.int16(),
    baseOffset: from.int64(),
    logAppendTimeMs: from.int64(),
    logStartOffset: from.int64(),
    recordErrors: from.array(() => {
      const error = { index: from.int32(), message: from.nullableString() }
      from.tags()
      return error
    }),
    errorMessage: from.nullableString(),
  }
  let currentLeader: CurrentLeader | undefined
  from.tags((tag) => {
    if (tag === CURRENT_LEADER_TAG) currentLeader = readCurrentLeader(from)
  })
  return { ...fields, currentLeader }
}
