/**
 * What both producers know about record batches on their way: how large they get, how sequences run on, and how batches
 * of many partitions become one request.
 *
 * Not its job: bytes (`batches/`, `protocol/`), what an answer means to the producer that gets it.
 */
import type { Clock, TopicPartition } from '../../streams/index.ts'
import { BATCH_OVERHEAD } from './batches/encode.ts'
import {
  produce,
  type ProduceAnswer,
  type ProducedPartition,
  type ProduceVersion,
} from './protocol/produce.ts'
import type { KafkaRequest } from './protocol/request.ts'
import type { TopicPartitions } from './protocol/topics-of.ts'

/** Records of one batch. */
export const BATCH_RECORDS_MAX = 1000
/** Bytes of one batch's records before compression, unless one has more: brokers refuse batches over 1 MiB. */
export const BATCH_BYTES_MAX = 900_000
/** Bytes of the batches of one request: an answer covers them all, so one that is lost is not to leave much in doubt. */
export const REQUEST_BYTES_MAX = 8 * 1024 * 1024
/** A broker with `message.max.bytes` as it comes takes a batch of so many bytes. */
const BROKER_BATCH_BYTES = 1024 * 1024 + 12
/** Bytes of one record, as `recordSize` counts: alone in its batch, every broker takes it. */
export const RECORD_BYTES_MAX = BROKER_BATCH_BYTES - BATCH_OVERHEAD

/** Who leads which partition. */
export interface Leaders {
  readonly clock: Clock
  /** Node id, as of the last look at the cluster; undefined while there is none. */
  leader(topic: string, partition: number): number | undefined
  /** Looks at the cluster. */
  refresh(): Promise<void>
}

export interface Brokers {
  /** Throws `ClusterError`; any but `OUTCOME_UNKNOWN` means that nothing was sent. */
  send<R>(node: number, request: KafkaRequest<R>): Promise<R>
}

/** For an answer on its way, beyond what a leader may wait. Milliseconds. */
const ANSWER_MS = 2000
const FIRST_PAUSE_MS = 5
const LONGEST_PAUSE_MS = 500
const SEQUENCES = 2 ** 31

/** How long to wait after the `failures`-th failure in a row, milliseconds. An election takes some 100 ms. */
export function pauseMs(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS)
}

/** Sequences run from 0 to 2^31 - 1 and begin again. */
export function sequenceAfter(sequence: number, records: number): number {
  return (sequence + records) % SEQUENCES
}

/** Where the batch that begins at `from` ends: the index after its last record. */
export function batchEnd(sizes: readonly number[], from: number, bytesMax = BATCH_BYTES_MAX): number {
  const last = Math.min(sizes.length, from + BATCH_RECORDS_MAX)
  let bytes = 0
  for (let i = from; i < last; i++) {
    bytes += sizes[i] as number
    if (bytes > bytesMax && i > from) return i
  }
  return last
}

/** An encoded batch and where it goes. */
export interface AddressedBatch extends TopicPartition {
  readonly bytes: Buffer
}

/** The shape that requests have; topics and partitions in the order in which they come. */
export function byTopic<T extends TopicPartition, P>(
  items: readonly T[],
  toPartition: (item: T) => P,
): TopicPartitions<P>[] {
  const topics = new Map<string, P[]>()
  for (const item of items) {
    let partitions = topics.get(item.topic)
    if (partitions === undefined) topics.set(item.topic, (partitions = []))
    partitions.push(toPartition(item))
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }))
}

/** One request; at most one batch for each partition. `timeoutMs`: how long the leader may wait for its replicas. */
export function produceBatches(
  version: ProduceVersion,
  transactionalId: string | null,
  timeoutMs: number,
  batches: readonly AddressedBatch[],
): KafkaRequest<ProduceAnswer> {
  const topics = byTopic(batches, ({ partition, bytes }) => ({ partition, batch: bytes }))
  return { ...produce(version, { transactionalId, timeoutMs, topics }), timeoutMs: timeoutMs + ANSWER_MS }
}

/** What the answer says of each batch; undefined where it says nothing, which is no acknowledgement. */
export function answersTo<B extends TopicPartition>(
  batches: readonly B[],
  answer: ProduceAnswer,
): [batch: B, answered: ProducedPartition | undefined][] {
  const answered = new Map<string, ProducedPartition>()
  for (const { topic, partitions } of answer.topics) {
    for (const one of partitions) answered.set(partitionName(topic, one.partition), one)
  }
  return batches.map((batch) => [batch, answered.get(partitionName(batch.topic, batch.partition))])
}

/** Batches by the broker they go to, each list short enough for one request; a batch without leader is left out. */
export function byBroker<B extends AddressedBatch>(
  batches: readonly B[],
  leaders: Leaders,
): { readonly node: number; readonly batches: B[] }[] {
  const requests: { node: number; batches: B[]; bytes: number }[] = []
  const open = new Map<number, (typeof requests)[number]>()
  for (const batch of batches) {
    const node = leaders.leader(batch.topic, batch.partition)
    if (node === undefined) continue
    let request = open.get(node)
    if (request === undefined || request.bytes + batch.bytes.length > REQUEST_BYTES_MAX) {
      request = { node, batches: [], bytes: 0 }
      requests.push(request)
      open.set(node, request)
    }
    request.batches.push(batch)
    request.bytes += batch.bytes.length
  }
  return requests
}

export function partitionName(topic: string, partition: number): string {
  return `${topic}-${partition}`
}
