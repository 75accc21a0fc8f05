/** ListOffsets v7: where partitions begin and end, and the first offset at or after a time. */
import { type IsolationLevel, isolationCode } from './fetch.ts'
import { flexible, type KafkaRequest, type Throttled } from './request.ts'
import { readTopics, type TopicPartitions, writeTopics } from './topics-of.ts'

const CONSUMER = -1

/** The high watermark, or the last stable offset when read committed. */
export const LATEST = -1
export const EARLIEST = -2

export interface OffsetQuestion {
  readonly partition: number
  /** As metadata said it; -1 to skip the broker's check. */
  readonly currentLeaderEpoch: number
  /** `LATEST`, `EARLIEST`, or epoch milliseconds. */
  readonly timestamp: number
}

export interface ListedOffset {
  readonly partition: number
  readonly errorCode: number
  /** Of the record that was found by time; else -1. */
  readonly timestamp: number
  /** -1 when no record is as late as the time asked for. */
  readonly offset: number
  readonly leaderEpoch: number
}

export interface ListOffsetsAnswer extends Throttled {
  readonly topics: readonly TopicPartitions<ListedOffset>[]
}

export function listOffsets(
  isolationLevel: IsolationLevel,
  topics: readonly TopicPartitions<OffsetQuestion>[],
): KafkaRequest<ListOffsetsAnswer> {
  return flexible({
    apiKey: 2,
    apiName: 'ListOffsets',
    apiVersion: 7,
    write(into) {
      into.int32(CONSUMER).int8(isolationCode(isolationLevel))
      writeTopics(into, topics, ({ partition, currentLeaderEpoch, timestamp }) =>
        into.int32(partition).int32(currentLeaderEpoch).int64(timestamp).noTags(),
      )
    },
    read: (from) => ({
      throttleMs: from.int32(),
      topics: readTopics(from, () => {
        const listed = {
          partition: from.int32(),
          errorCode: from.int16(),
          timestamp: from.int64(),
          offset: from.int64(),
          leaderEpoch: from.int32(),
        }
        from.tags()
        return listed
      }),
    }),
  })
}
