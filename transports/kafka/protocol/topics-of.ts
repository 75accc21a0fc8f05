/** The shape that half of all messages share: topics by name, each with its partitions. */
import type { Reader } from './reader.ts'
import type { Writer } from './writer.ts'

export interface TopicPartitions<P> {
  readonly topic: string
  readonly partitions: readonly P[]
}

/** What an answer says of a partition when it says nothing but how it went. */
export interface PartitionError {
  readonly partition: number
  readonly errorCode: number
}

/** `write` writes a partition's fields and its tag section. */
export function writeTopics<P>(
  into: Writer,
  topics: readonly TopicPartitions<P>[],
  write: (partition: P) => void,
): void {
  into.array(topics, ({ topic, partitions }) => into.string(topic).array(partitions, write).noTags())
}

/** Partitions that are plain numbers. */
export function writeTopicNumbers(into: Writer, topics: readonly TopicPartitions<number>[]): void {
  writeTopics(into, topics, (partition) => into.int32(partition))
}

/** `read` reads a partition's fields and its tag section. */
export function readTopics<P>(from: Reader, read: () => P): TopicPartitions<P>[] {
  return from.array(() => {
    const topic = { topic: from.string(), partitions: from.array(read) }
    from.tags()
    return topic
  })
}

export function readTopicNumbers(from: Reader): TopicPartitions<number>[] {
  return readTopics(from, () => from.int32())
}

export function readPartitionErrors(from: Reader): TopicPartitions<PartitionError>[] {
  return readTopics(from, () => {
    const partition = { partition: from.int32(), errorCode: from.int16() }
    from.tags()
    return partition
  })
}
