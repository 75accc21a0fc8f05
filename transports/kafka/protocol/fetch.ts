/**
 * Fetch v13: record batches of partitions, from given offsets on. By topic id, so that a topic made again under its name
 * is never read in its place; without a fetch session: each request stands for itself.
 *
 * Not its job: what is in the batches (`batches/decode.ts`).
 */
import { type CurrentLeader, readCurrentLeader } from './current-leader.ts'
import type { Reader } from './reader.ts'
import { flexible, type KafkaRequest, type Throttled } from './request.ts'
import type { Writer } from './writer.ts'

const CONSUMER = -1
const NO_SESSION_ID = 0
const NO_SESSION_EPOCH = -1
const NO_EPOCH = -1
/** Set by replicas only. */
const NO_LOG_START_OFFSET = -1
const NO_RACK = ''

const DIVERGING_EPOCH_TAG = 0
const CURRENT_LEADER_TAG = 1

/** `read_committed`: nothing after the last stable offset, and the list of aborted transactions. */
export type IsolationLevel = 'read_uncommitted' | 'read_committed'

export function isolationCode(level: IsolationLevel): number {
  return level === 'read_committed' ? 1 : 0
}

export interface FetchPartition {
  readonly partition: number
  readonly fetchOffset: number
  /** As metadata said it; -1 to skip the broker's check. */
  readonly currentLeaderEpoch: number
  /** The first batch comes whole even when it is larger. */
  readonly partitionMaxBytes: number
}

/** Topics by their ids, each with its partitions. */
export interface FetchTopic<P> {
  /** Base64url, as metadata says it. */
  readonly topicId: string
  readonly partitions: readonly P[]
}

export interface Fetch {
  /** How long the broker may wait for `minBytes`. Milliseconds. */
  readonly maxWaitMs: number
  readonly minBytes: number
  /** For the whole response; the first batch comes whole even when it is larger. */
  readonly maxBytes: number
  readonly isolationLevel: IsolationLevel
  readonly topics: readonly FetchTopic<FetchPartition>[]
}

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
}

export interface FetchedPartition {
  readonly partition: number
  readonly errorCode: number
  readonly highWatermark: number
  /** First offset of the oldest open transaction, else the high watermark. */
  readonly lastStableOffset: number
  readonly logStartOffset: number
  /** The log was cut: everything from `endOffset` of `epoch` on was replaced. */
  readonly divergingEpoch: { readonly epoch: number; readonly endOffset: number } | undefined
  readonly currentLeader: CurrentLeader | undefined
  /** Null when read uncommitted. */
  readonly abortedTransactions: readonly AbortedTransaction[] | null
  /** Record batches, the last one perhaps cut short. A view of the response. */
  readonly records: Buffer
}

export interface FetchAnswer extends Throttled {
  readonly errorCode: number
  readonly topics: readonly FetchTopic<FetchedPartition>[]
}

const NO_RECORDS = Buffer.alloc(0)

/** The connection must allow more time than `maxWaitMs`; `timeoutMs` is for the whole exchange. */
export function fetch(request: Fetch, timeoutMs: number): KafkaRequest<FetchAnswer> {
  const { maxWaitMs, minBytes, maxBytes, isolationLevel, topics } = request
  return flexible({
    apiKey: 1,
    apiName: 'Fetch',
    apiVersion: 13,
    timeoutMs,
    write(into) {
      into.int32(CONSUMER).int32(maxWaitMs).int32(minBytes).int32(maxBytes)
      into.int8(isolationCode(isolationLevel)).int32(NO_SESSION_ID).int32(NO_SESSION_EPOCH)
      into.array(topics, ({ topicId, partitions }) => {
        into.uuid(topicId).array(partitions, (partition) => writePartition(into, partition))
        into.noTags()
      })
      into.array([], () => {}).string(NO_RACK)
    },
    read(from) {
      const throttleMs = from.int32()
      const errorCode = from.int16()
      from.int32() // session id
      return { throttleMs, errorCode, topics: from.array(() => readTopic(from)) }
    },
  })
}

function writePartition(into: Writer, partition: FetchPartition): void {
  into.int32(partition.partition).int32(partition.currentLeaderEpoch).int64(partition.fetchOffset)
  into.int32(NO_EPOCH).int64(NO_LOG_START_OFFSET).int32(partition.partitionMaxBytes).noTags()
}

function readTopic(from: Reader): FetchTopic<FetchedPartition> {
  const topicId = from.uuid()
  const partitions = from.array(() => readPartition(from))
  from.tags()
  return { topicId, partitions }
}

function readPartition(from: Reader): FetchedPartition {
  const offsets = {
    partition: from.int32(),
    errorCode: from.int16(),
    highWatermark: from.int64(),
    lastStableOffset: from.int64(),
    logStartOffset: from.int64(),
  }
  const abortedTransactions = from.nullableArray(() => readAborted(from))
  from.int32() // preferred read replica, for clients that name their rack
  const records = from.nullableBytes() ?? NO_RECORDS
  let divergingEpoch: FetchedPartition['divergingEpoch']
  let currentLeader: CurrentLeader | undefined
  from.tags((tag) => {
    if (tag === DIVERGING_EPOCH_TAG) divergingEpoch = readEpochEnd(from)
    if (tag === CURRENT_LEADER_TAG) currentLeader = readCurrentLeader(from)
  })
  return { ...offsets, divergingEpoch, currentLeader, abortedTransactions, records }
}

function readAborted(from: Reader): AbortedTransaction {
  const aborted = { producerId: from.bigint64(), firstOffset: from.int64() }
  from.tags()
  return aborted
}

function readEpochEnd(from: Reader): { epoch: number; endOffset: number } {
  const end = { epoch: from.int32(), endOffset: from.int64() }
  from.tags()
  return end
}
