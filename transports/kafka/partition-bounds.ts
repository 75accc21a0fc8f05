/** Where a partition begins and ends, as its leader says. */
import { StreamsError, type TopicPartition } from '../../streams/index.ts'
import { refusal } from './errors.ts'
import { KafkaError, LEADER_NOT_AVAILABLE, needsMetadata, NONE } from './protocol/errors.ts'
import type { IsolationLevel } from './protocol/fetch.ts'
import { EARLIEST, LATEST, type ListOffsetsAnswer, listOffsets } from './protocol/list-offsets.ts'
import type { KafkaRequest } from './protocol/request.ts'
import { type Patience, withRetries } from './retry.ts'

export interface PartitionBounds {
  /** The first offset kept. */
  readonly start: number
  /** The last stable offset: what is before it, readers of committed records get. */
  readonly end: number
  /** The end of what is replicated, open transactions included; not before `end`. */
  readonly highWatermark: number
}

/** Who leads a partition. */
export interface PartitionLeader {
  readonly node: number
  readonly epoch: number
}

/** The cluster as it is asked for offsets. */
export interface BoundsCluster {
  /** Id of the topic as of the last look at the cluster; undefined where that found no such partition. */
  topicId(at: TopicPartition): string | undefined
  /** As of the last look at the cluster; undefined while there is none. */
  leader(at: TopicPartition): PartitionLeader | undefined
  /** Looks at the cluster. */
  refresh(): Promise<void>
  listOffsets(node: number, request: KafkaRequest<ListOffsetsAnswer>): Promise<ListOffsetsAnswer>
}

/**
 * Asks again while the cluster is busy changing. Throws `UNKNOWN_TOPIC`, `ACCESS_DENIED`, and what the cluster answered
 * when patience is over.
 */
export function partitionBounds(
  cluster: BoundsCluster,
  at: TopicPartition,
  patience: Patience,
): Promise<PartitionBounds> {
  return withRetries(async () => {
    try {
      // One after the other: so they are in order, even while records come and go.
      const start = await offsetAt(cluster, at, 'read_committed', EARLIEST)
      const end = await offsetAt(cluster, at, 'read_committed', LATEST)
      const highWatermark = await offsetAt(cluster, at, 'read_uncommitted', LATEST)
      return { start, end, highWatermark }
    } catch (error) {
      // Why it failed is said by the answer, not by a look that fails too.
      if (!(error instanceof KafkaError) || needsMetadata(error.code)) await cluster.refresh().catch(() => {})
      throw error
    }
  }, patience)
}

async function offsetAt(
  cluster: BoundsCluster,
  { topic, partition }: TopicPartition,
  isolation: IsolationLevel,
  timestamp: number,
): Promise<number> {
  const name = `${topic}-${partition}`
  if (cluster.topicId({ topic, partition }) === undefined) throw new StreamsError('UNKNOWN_TOPIC', name)
  const leader = cluster.leader({ topic, partition })
  if (leader === undefined) throw new KafkaError('ListOffsets', LEADER_NOT_AVAILABLE, name)
  const question = { partition, currentLeaderEpoch: leader.epoch, timestamp }
  const request = listOffsets(isolation, [{ topic, partitions: [question] }])
  const answer = await cluster.listOffsets(leader.node, request)
  const listed = answer.topics[0]?.partitions[0]
  if (listed === undefined)
    throw new KafkaError('ListOffsets', LEADER_NOT_AVAILABLE, `${name} is not in the answer`)
  if (listed.errorCode !== NONE) {
    throw refusal('ListOffsets', listed.errorCode, { kind: 'topic', name: topic }, `partition ${partition}`)
  }
  return listed.offset
}
