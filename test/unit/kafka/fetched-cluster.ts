/**
 * A cluster of plain objects that fetches as brokers do: it answers at once when there is something to say, and keeps
 * the request else, until there is or the test says that the time is over.
 */
import { systemClock, type TopicPartition } from '../../../streams/index.ts'
import { crc32c } from '../../../transports/kafka/batches/crc32c.ts'
import { encodeBatch } from '../../../transports/kafka/batches/encode.ts'
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  CONTROL,
  CRC_AT,
  LAST_OFFSET_DELTA_AT,
  LENGTH_AT,
  LENGTH_FROM,
  LOG_APPEND_TIME,
  MAX_TIMESTAMP_AT,
  RECORD_COUNT_AT,
  RECORDS_AT,
} from '../../../transports/kafka/batches/layout.ts'
import type { FetchOrder } from '../../../transports/kafka/broker-fetches.ts'
import type { FetchCluster } from '../../../transports/kafka/fetcher.ts'
import type { PartitionBounds, PartitionLeader } from '../../../transports/kafka/partition-bounds.ts'
import {
  FENCED_LEADER_EPOCH,
  NOT_LEADER_OR_FOLLOWER,
  OFFSET_OUT_OF_RANGE,
  UNKNOWN_TOPIC_ID,
} from '../../../transports/kafka/protocol/errors.ts'
import type {
  AbortedTransaction,
  FetchAnswer,
  FetchedPartition,
  FetchPartition,
} from '../../../transports/kafka/protocol/fetch.ts'

const NO_PRODUCER = { producerId: -1n, producerEpoch: -1, baseSequence: -1 }
const TIMESTAMP = 1_700_000_000_000

export interface BatchMark {
  readonly producerId?: bigint
  readonly valueBytes?: number
}

/** Record batches of one partition, and what the broker knows of it. */
export class FetchablePartition {
  leader: PartitionLeader = { node: 1, epoch: 0 }
  start = 0
  end = 0
  /** Set: the offset of the first open transaction. */
  lastStable: number | undefined
  /** Answered instead of records, until it is cleared. */
  errorCode = 0
  batches: { readonly last: number; bytes: Buffer }[] = []
  /** Offset of the first record, by producer. */
  readonly #open = new Map<bigint, number>()
  readonly #aborted: (AbortedTransaction & { readonly marker: number })[] = []

  /** One batch; offsets go on from the end. */
  append(values: readonly string[], { producerId, valueBytes = 0 }: BatchMark = {}): void {
    const records = values.map((value) => ({
      key: Buffer.from(`key of ${value}`),
      value: Buffer.concat([Buffer.from(value), Buffer.alloc(valueBytes)]),
      timestamp: TIMESTAMP,
      headers: [],
    }))
    const stamp = producerId === undefined ? NO_PRODUCER : { producerId, producerEpoch: 0, baseSequence: 0 }
    if (producerId !== undefined && !this.#open.has(producerId)) this.#open.set(producerId, this.end)
    this.push(encodeBatch(records, { ...stamp, transactional: producerId !== undefined }))
  }

  /** The marker that ends the producer's transaction. */
  mark(producerId: bigint, outcome: 'abort' | 'commit'): void {
    const firstOffset = this.#open.get(producerId) ?? this.end
    this.#open.delete(producerId)
    if (outcome === 'abort') this.#aborted.push({ producerId, firstOffset, marker: this.end })
    const key = Buffer.from([0, 0, 0, outcome === 'abort' ? 0 : 1])
    const bytes = encodeBatch([{ key, value: Buffer.alloc(6), timestamp: TIMESTAMP, headers: [] }], {
      producerId,
      producerEpoch: 0,
      baseSequence: -1,
      transactional: true,
    })
    this.push(withAttributes(bytes, CONTROL))
  }

  /** A batch of `count` offsets whose records are all compacted away. */
  appendEmptied(count: number): void {
    const record = { key: null, value: null, timestamp: TIMESTAMP, headers: [] }
    const bytes = encodeBatch([record], { ...NO_PRODUCER, transactional: false }).subarray(0, RECORDS_AT)
    bytes.writeInt32BE(RECORDS_AT - LENGTH_FROM, LENGTH_AT)
    bytes.writeInt32BE(count - 1, LAST_OFFSET_DELTA_AT)
    bytes.writeInt32BE(0, RECORD_COUNT_AT)
    this.push(sealed(bytes))
  }

  push(bytes: Buffer): void {
    bytes.writeBigInt64BE(BigInt(this.end), BASE_OFFSET_AT)
    this.end += bytes.readInt32BE(LAST_OFFSET_DELTA_AT) + 1
    this.batches.push({ last: this.end - 1, bytes })
  }

  /** What the leader answers. */
  fetched({ partition, fetchOffset, partitionMaxBytes }: FetchPartition): FetchedPartition {
    const lastStableOffset = this.lastStable ?? this.end
    const outside = fetchOffset < this.start || fetchOffset > this.end
    const errorCode = this.errorCode === 0 && outside ? OFFSET_OUT_OF_RANGE : this.errorCode
    const from = errorCode === 0 ? this.batches.filter(({ last }) => last >= fetchOffset) : []
    const sent: Buffer[] = []
    let bytes = 0
    for (const batch of from.filter(({ last }) => last < lastStableOffset)) {
      if (sent.length > 0 && bytes + batch.bytes.length > partitionMaxBytes) break
      sent.push(batch.bytes)
      bytes += batch.bytes.length
    }
    return {
      partition,
      errorCode,
      highWatermark: errorCode === 0 ? this.end : -1,
      lastStableOffset: errorCode === 0 ? lastStableOffset : -1,
      logStartOffset: errorCode === 0 ? this.start : -1,
      divergingEpoch: undefined,
      currentLeader: undefined,
      // Only those that reach into the answer: markers that precede it would be missed.
      abortedTransactions: this.#aborted.filter(({ marker }) => marker >= fetchOffset),
      records: Buffer.concat(sent),
    }
  }
}

interface Kept {
  readonly order: FetchOrder
  readonly resolve: (answer: FetchAnswer) => void
  readonly reject: (error: Error) => void
}

export class FetchedCluster implements FetchCluster {
  readonly clock = systemClock
  readonly partitions = new Map<string, FetchablePartition>()
  readonly topicIds = new Map<string, string>()
  /** Topics that got more partitions. */
  readonly grown = new Set<string>()
  /** Every request, in order. */
  readonly orders: FetchOrder[] = []
  /** Requests that wait at a broker. */
  kept: Kept[] = []
  refreshes = 0
  /** Nodes that answer nothing, and the error that says so. */
  readonly down = new Map<number, Error>()
  #damage = false
  /** Answers damaged, or to be. */
  damages = 0
  #leaders = new Map<string, PartitionLeader>()
  #ids = new Map<string, string>()

  /** A topic of so many partitions, all led by node 1. */
  static of(topic: string, partitions: number): FetchedCluster {
    const cluster = new FetchedCluster()
    cluster.topicIds.set(topic, `id of ${topic}`)
    for (let i = 0; i < partitions; i++) cluster.partitions.set(`${topic}-${i}`, new FetchablePartition())
    cluster.#see()
    return cluster
  }

  at(topic: string, partition = 0): FetchablePartition {
    const found = this.partitions.get(`${topic}-${partition}`)
    if (found === undefined) throw new Error(`no ${topic}-${partition}`)
    return found
  }

  /** Changes the cluster, as seen by its brokers, and lets them answer. */
  change(change: () => void): void {
    change()
    const kept = this.kept
    this.kept = []
    for (const one of kept) this.#answer(one)
  }

  /** What waits is answered with nothing new. */
  timeOut(): void {
    const kept = this.kept
    this.kept = []
    for (const { order, resolve } of kept) resolve(this.#answerTo(order))
  }

  /** A node is gone, and the connections to it break. */
  stop(node: number, error = new Error('connection lost')): void {
    this.down.set(node, error)
    const dropped = this.kept.filter(({ order }) => order.node === node)
    this.kept = this.kept.filter(({ order }) => order.node !== node)
    for (const { reject } of dropped) reject(error)
  }

  /** A bit of the next records is changed on their way. */
  damageNext(): void {
    this.#damage = true
    this.damages++
  }

  topicId({ topic, partition }: TopicPartition): string | undefined {
    return this.partitions.has(`${topic}-${partition}`) ? this.#ids.get(topic) : undefined
  }

  hasGrown({ topic }: TopicPartition): boolean {
    return this.grown.has(topic)
  }

  leader({ topic, partition }: TopicPartition): PartitionLeader | undefined {
    const leader = this.#leaders.get(`${topic}-${partition}`)
    return leader?.node === -1 ? undefined : leader
  }

  async refresh(): Promise<void> {
    this.refreshes++
    this.#see()
  }

  async bounds({ topic, partition }: TopicPartition): Promise<PartitionBounds> {
    const { start, end, lastStable } = this.at(topic, partition)
    return { start, end: lastStable ?? end, highWatermark: end }
  }

  async fetch(order: FetchOrder): Promise<FetchAnswer> {
    this.orders.push(order)
    const error = this.down.get(order.node)
    if (error !== undefined) throw error
    return new Promise((resolve, reject) => this.#answer({ order, resolve, reject }))
  }

  #answer(kept: Kept): void {
    const answer = this.#answerTo(kept.order)
    const isNews = answer.topics.some(({ partitions }) =>
      partitions.some(({ errorCode, records }) => errorCode !== 0 || records.length > 0),
    )
    if (isNews || kept.order.request.maxWaitMs === 0) kept.resolve(answer)
    else this.kept.push(kept)
  }

  #answerTo({ node, request }: FetchOrder): FetchAnswer {
    const topics = request.topics.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map((asked) => this.#fetched(node, topicId, asked)),
    }))
    return { throttleMs: 0, errorCode: 0, topics }
  }

  /** The partitions of the requests so far, with the offsets asked for. */
  asked(): string[] {
    return this.orders.map(({ slot, request }) => {
      const parts = request.topics.flatMap(({ topicId, partitions }) =>
        partitions.map(
          ({ partition, fetchOffset }) => `${this.#nameOf(topicId)}-${partition}@${fetchOffset}`,
        ),
      )
      return `${slot} ${parts.join(' ')}`
    })
  }

  #fetched(node: number, topicId: string, asked: FetchPartition): FetchedPartition {
    const topic = this.#nameOf(topicId)
    if (topic === undefined)
      return { ...new FetchablePartition().fetched(asked), errorCode: UNKNOWN_TOPIC_ID }
    const partition = this.at(topic, asked.partition)
    const { leader } = partition
    const refused = (errorCode: number) => ({
      ...partition.fetched(asked),
      errorCode,
      records: Buffer.alloc(0),
    })
    if (leader.node !== node) return refused(NOT_LEADER_OR_FOLLOWER)
    if (asked.currentLeaderEpoch < leader.epoch) return refused(FENCED_LEADER_EPOCH)
    return this.#onItsWay(partition.fetched(asked))
  }

  /** As the brokers know it now. */
  #nameOf(topicId: string): string | undefined {
    for (const [topic, id] of this.topicIds) if (id === topicId) return topic
    return undefined
  }

  #onItsWay(answer: FetchedPartition): FetchedPartition {
    if (!this.#damage || answer.records.length === 0) return answer
    this.#damage = false
    const records = Buffer.from(answer.records)
    records[records.length - 1] = (records.at(-1) ?? 0) ^ 1
    return { ...answer, records }
  }

  /** What metadata says becomes known. */
  #see(): void {
    this.#ids = new Map(this.topicIds)
    this.#leaders = new Map(Array.from(this.partitions, ([name, { leader }]) => [name, leader]))
  }
}

/** The batch as a log that sets the time keeps it. */
export function withAppendTime(batch: Buffer, time: number): Buffer {
  batch.writeBigInt64BE(BigInt(time), MAX_TIMESTAMP_AT)
  return withAttributes(batch, LOG_APPEND_TIME)
}

/** The batch with further attributes. */
function withAttributes(batch: Buffer, attributes: number): Buffer {
  batch.writeInt16BE(batch.readInt16BE(ATTRIBUTES_AT) | attributes, ATTRIBUTES_AT)
  return sealed(batch)
}

function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch, ATTRIBUTES_AT), CRC_AT)
  return batch
}
