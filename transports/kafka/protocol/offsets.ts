/** Offsets that a group keeps with its coordinator: OffsetFetch v8, OffsetCommit v8, OffsetDelete v0. */
import { Reader } from './reader.ts'
import { flexible, type KafkaRequest, type Throttled } from './request.ts'
import { readPartitionErrors, readTopics, type TopicPartitions, writeTopicNumbers } from './topics-of.ts'
import { type GroupMember, type OffsetToCommit, type PartitionsAnswer, writeOffsets } from './transactions.ts'
import { Writer } from './writer.ts'

export interface GroupOffsetsQuestion {
  readonly group: string
  /** Null: every partition that has an offset. */
  readonly topics: readonly TopicPartitions<number>[] | null
}

export interface CommittedOffset {
  readonly partition: number
  /** The next one to read; -1 when none was committed. */
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string | null
  /** UNSTABLE_OFFSET_COMMIT while an open transaction holds another offset for the partition. */
  readonly errorCode: number
}

export interface GroupOffsets {
  readonly group: string
  readonly errorCode: number
  readonly topics: readonly TopicPartitions<CommittedOffset>[]
}

export interface OffsetFetchAnswer extends Throttled {
  readonly groups: readonly GroupOffsets[]
}

/** With `requireStable` no offset is answered that an open transaction may replace. */
export function offsetFetch(
  groups: readonly GroupOffsetsQuestion[],
  requireStable: boolean,
): KafkaRequest<OffsetFetchAnswer> {
  return flexible({
    apiKey: 9,
    apiName: 'OffsetFetch',
    apiVersion: 8,
    write(into) {
      into.array(groups, ({ group, topics }) => {
        into.string(group)
        if (topics === null) into.nullableArray(null, () => {})
        else writeTopicNumbers(into, topics)
        into.noTags()
      })
      into.boolean(requireStable)
    },
    read: (from) => ({ throttleMs: from.int32(), groups: from.array(() => readGroup(from)) }),
  })
}

function readGroup(from: Reader): GroupOffsets {
  const group = {
    group: from.string(),
    topics: readTopics(from, () => readOffset(from)),
    errorCode: from.int16(),
  }
  from.tags()
  return group
}

function readOffset(from: Reader): CommittedOffset {
  const committed = {
    partition: from.int32(),
    offset: from.int64(),
    leaderEpoch: from.int32(),
    metadata: from.nullableString(),
    errorCode: from.int16(),
  }
  from.tags()
  return committed
}

/** Outside any transaction. */
export function offsetCommit(
  member: GroupMember,
  topics: readonly TopicPartitions<OffsetToCommit>[],
): KafkaRequest<PartitionsAnswer> {
  return flexible({
    apiKey: 8,
    apiName: 'OffsetCommit',
    apiVersion: 8,
    write(into) {
      into.string(member.group).int32(member.generation).string(member.member)
      into.nullableString(member.instance)
      writeOffsets(into, topics)
    },
    read: (from) => ({ throttleMs: from.int32(), topics: readPartitionErrors(from) }),
  })
}

export interface OffsetDeleteAnswer extends PartitionsAnswer {
  /** Of the group. */
  readonly errorCode: number
}

/** Of a group that has no members. The one request here whose format has no tag sections. */
export function offsetDelete(
  group: string,
  topics: readonly TopicPartitions<number>[],
): KafkaRequest<OffsetDeleteAnswer> {
  const name = 'OffsetDelete'
  return {
    apiKey: 47,
    apiName: name,
    apiVersion: 0,
    encode() {
      const into = new Writer()
      into.classicString(group).classicArray(topics, ({ topic, partitions }) => {
        into.classicString(topic).classicArray(partitions, (partition) => into.int32(partition))
      })
      return into.finish()
    },
    decode(response) {
      const from = new Reader(response, `${name} v0`)
      const errorCode = from.int16()
      const throttleMs = from.int32()
      const found = from.classicArray(() => ({
        topic: from.classicString(),
        partitions: from.classicArray(() => ({ partition: from.int32(), errorCode: from.int16() })),
      }))
      from.end()
      return { errorCode, throttleMs, topics: found }
    },
  }
}
