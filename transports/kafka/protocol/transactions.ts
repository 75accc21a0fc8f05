/**
 * What a transactional producer asks of its coordinator: InitProducerId v4, AddPartitionsToTxn v3, AddOffsetsToTxn v3,
 * EndTxn v3 to v5, TxnOffsetCommit v3 to v5.
 *
 * EndTxn v5 and TxnOffsetCommit v5 are Transactions V2, which needs neither AddPartitionsToTxn nor AddOffsetsToTxn.
 * They go only to a cluster whose finalized feature `transaction.version` is 2 or more: a broker may offer the versions
 * without it.
 */
import type { Reader } from './reader.ts'
import { flexible, type KafkaRequest, type Throttled } from './request.ts'
import {
  type PartitionError,
  readPartitionErrors,
  type TopicPartitions,
  writeTopicNumbers,
  writeTopics,
} from './topics-of.ts'
import type { Writer } from './writer.ts'

/** For `InitProducerId` by a producer that has no id yet. */
export const NO_PRODUCER: Producer = Object.freeze({ producerId: -1n, producerEpoch: -1 })

export interface Producer {
  readonly producerId: bigint
  readonly producerEpoch: number
}

export interface TransactionalProducer extends Producer {
  readonly transactionalId: string
}

export interface InitProducerIdAnswer extends Throttled, Producer {
  readonly errorCode: number
}

/**
 * Ends whatever transaction the id has open and gives its next epoch, so that all earlier users of the id are fenced.
 * `producer`: the id and epoch held now, which a newer user makes the broker refuse; or `NO_PRODUCER`.
 */
export function initProducerId(request: {
  readonly transactionalId: string | null
  readonly transactionTimeoutMs: number
  readonly producer: Producer
}): KafkaRequest<InitProducerIdAnswer> {
  const { transactionalId, transactionTimeoutMs, producer } = request
  return flexible({
    apiKey: 22,
    apiName: 'InitProducerId',
    apiVersion: 4,
    write(into) {
      into.nullableString(transactionalId).int32(transactionTimeoutMs)
      into.bigint64(producer.producerId).int16(producer.producerEpoch)
    },
    read: (from) => ({ ...readOutcome(from), ...readProducer(from) }),
  })
}

export interface PartitionsAnswer extends Throttled {
  readonly topics: readonly TopicPartitions<PartitionError>[]
}

export function addPartitionsToTxn(
  producer: TransactionalProducer,
  topics: readonly TopicPartitions<number>[],
): KafkaRequest<PartitionsAnswer> {
  return flexible({
    apiKey: 24,
    apiName: 'AddPartitionsToTxn',
    apiVersion: 3,
    write(into) {
      writeProducer(into, producer)
      writeTopicNumbers(into, topics)
    },
    read: (from) => ({ throttleMs: from.int32(), topics: readPartitionErrors(from) }),
  })
}

export interface OutcomeAnswer extends Throttled {
  readonly errorCode: number
}

export function addOffsetsToTxn(producer: TransactionalProducer, group: string): KafkaRequest<OutcomeAnswer> {
  return flexible({
    apiKey: 25,
    apiName: 'AddOffsetsToTxn',
    apiVersion: 3,
    write(into) {
      writeProducer(into, producer)
      into.string(group)
    },
    read: readOutcome,
  })
}

export type EndTxnVersion = 3 | 4 | 5

export interface EndTxnAnswer extends OutcomeAnswer {
  /** Id and epoch of the next transaction (v5). Sequences start again at 0. */
  readonly next: Producer | undefined
}

export function endTxn(
  version: EndTxnVersion,
  producer: TransactionalProducer,
  committed: boolean,
): KafkaRequest<EndTxnAnswer> {
  return flexible({
    apiKey: 26,
    apiName: 'EndTxn',
    apiVersion: version,
    write(into) {
      writeProducer(into, producer)
      into.boolean(committed)
    },
    read: (from) => ({ ...readOutcome(from), next: version >= 5 ? readProducer(from) : undefined }),
  })
}

export type TxnOffsetCommitVersion = 3 | 4 | 5

/** Who commits. Generation -1 and an empty member are accepted for any group: they fence nothing. */
export interface GroupMember {
  readonly group: string
  readonly generation: number
  readonly member: string
  /** Of a static member, else null. */
  readonly instance: string | null
}

export interface OffsetToCommit {
  readonly partition: number
  /** The next one to read. */
  readonly offset: number
  /** Any text the group keeps with the offset. */
  readonly metadata: string | null
}

/** The offsets become the group's with the transaction's end. */
export function txnOffsetCommit(
  version: TxnOffsetCommitVersion,
  producer: TransactionalProducer,
  member: GroupMember,
  topics: readonly TopicPartitions<OffsetToCommit>[],
): KafkaRequest<PartitionsAnswer> {
  return flexible({
    apiKey: 28,
    apiName: 'TxnOffsetCommit',
    apiVersion: version,
    write(into) {
      into.string(producer.transactionalId).string(member.group)
      into.bigint64(producer.producerId).int16(producer.producerEpoch)
      into.int32(member.generation).string(member.member).nullableString(member.instance)
      writeOffsets(into, topics)
    },
    read: (from) => ({ throttleMs: from.int32(), topics: readPartitionErrors(from) }),
  })
}

/** Not said: nobody here keeps the leader epochs of what was read. */
const NO_LEADER_EPOCH = -1

export function writeOffsets(into: Writer, topics: readonly TopicPartitions<OffsetToCommit>[]): void {
  writeTopics(into, topics, ({ partition, offset, metadata }) =>
    into.int32(partition).int64(offset).int32(NO_LEADER_EPOCH).nullableString(metadata).noTags(),
  )
}

function writeProducer(into: Writer, producer: TransactionalProducer): void {
  into.string(producer.transactionalId).bigint64(producer.producerId).int16(producer.producerEpoch)
}

function readProducer(from: Reader): Producer {
  return { producerId: from.bigint64(), producerEpoch: from.int16() }
}

export function readOutcome(from: Reader): OutcomeAnswer {
  return { throttleMs: from.int32(), errorCode: from.int16() }
}
