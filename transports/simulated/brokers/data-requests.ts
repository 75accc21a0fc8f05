/** Requests about records: Produce, Fetch, ListOffsets, as leaders answer them. */
import {
  FENCED_LEADER_EPOCH,
  type FetchAnswer,
  type FetchedPartition,
  NONE,
  NOT_LEADER_OR_FOLLOWER,
  OFFSET_OUT_OF_RANGE,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  type Reader,
  UNKNOWN_LEADER_EPOCH,
  UNKNOWN_TOPIC_ID,
  UNKNOWN_TOPIC_OR_PARTITION,
} from '../../kafka/wire/index.ts'
import type { Arrived, BrokerModel } from './model.ts'
import type { ModelPartition } from './partition.ts'

const READ_UNCOMMITTED = 0
const EARLIEST = -2
/** From this version on a partition joins the transaction by being written to. */
const PRODUCE_V2 = 12
const NO_RECORDS = Buffer.alloc(0)

export function produce(model: BrokerModel, node: number, version: number, from: Reader) {
  const id = from.nullableString()
  from.int16()
  from.int32()
  const topics = from.array(() => {
    const topic = from.string()
    const partitions = from.array(() => {
      const one = { partition: from.int32(), batch: from.bytes() }
      from.tags()
      return one
    })
    from.tags()
    return { topic, partitions }
  })
  return {
    throttleMs: 0,
    topics: topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition, batch }) => {
        const appended = append(model, { node, version, id, topic, partition, batch })
        return {
          partition,
          logStartOffset: -1,
          recordErrors: [],
          errorMessage: null,
          currentLeader: undefined,
          ...appended,
          logAppendTimeMs: stampsTime(model, topic) && appended.errorCode === NONE ? model.now : -1,
        }
      }),
    })),
  }
}

interface Addressed {
  readonly node: number
  readonly version: number
  readonly id: string | null
  readonly topic: string
  readonly partition: number
  readonly batch: Buffer
}

function append(model: BrokerModel, { node, version, id, topic, partition, batch }: Addressed) {
  const name = `${topic}-${partition}`
  const found = model.topics.partition(name)
  const refused = (errorCode: number) => ({ errorCode, baseOffset: -1 })
  if (found === undefined) return refused(UNKNOWN_TOPIC_OR_PARTITION)
  if (found.leader !== node) return refused(NOT_LEADER_OR_FOLLOWER)
  if (id !== null) {
    const producerId = batch.readBigInt64BE(PRODUCER_ID_AT)
    const producer = { producerId, producerEpoch: batch.readInt16BE(PRODUCER_EPOCH_AT) }
    const code =
      version >= PRODUCE_V2
        ? model.transactions.join(id, producer, 'partitions', name)
        : model.transactions.isIn(id, producer, 'partitions', name)
    if (code !== NONE) return refused(code)
  }
  return found.append(batch, model.now, id !== null)
}

function stampsTime(model: BrokerModel, topic: string): boolean {
  return model.topics.named(topic)?.configs.get('message.timestamp.type') === 'LogAppendTime'
}

export function listOffsets(model: BrokerModel, node: number, from: Reader) {
  from.int32()
  const isolation = from.int8()
  const topics = from.array(() => {
    const topic = from.string()
    const partitions = from.array(() => {
      const one = { partition: from.int32(), epoch: from.int32(), timestamp: from.int64() }
      from.tags()
      return one
    })
    from.tags()
    return { topic, partitions }
  })
  return {
    throttleMs: 0,
    topics: topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition, epoch, timestamp }) => {
        const found = model.topics.partition(`${topic}-${partition}`)
        const errorCode = found === undefined ? UNKNOWN_TOPIC_OR_PARTITION : leaderRefusal(found, node, epoch)
        const latest = isolation === READ_UNCOMMITTED ? found?.end : found?.lastStable
        const offset = timestamp === EARLIEST ? found?.start : latest
        return { partition, errorCode, timestamp: -1, offset: offset ?? -1, leaderEpoch: -1 }
      }),
    })),
  }
}

interface Asked {
  readonly topicId: string
  readonly partition: number
  readonly epoch: number
  readonly offset: number
  readonly maxBytes: number
}

/** Answers at once where there is something to say, else when there is, or time is over. */
export function fetchRecords(model: BrokerModel, { node, answer, onBroken }: Arrived, from: Reader): void {
  from.int32()
  const maxWaitMs = from.int32()
  from.int32()
  const maxBytes = from.int32()
  from.int8()
  from.int32()
  from.int32()
  const asked = from
    .array(() => {
      const topicId = from.uuid()
      const partitions = from.array((): Asked => {
        const partition = from.int32()
        const epoch = from.int32()
        const offset = from.int64()
        from.int32()
        from.int64()
        const one = { topicId, partition, epoch, offset, maxBytes: from.int32() }
        from.tags()
        return one
      })
      from.tags()
      return partitions
    })
    .flat()
  const found = asked.flatMap(
    ({ topicId, partition }) => model.topics.withId(topicId)?.partitions[partition] ?? [],
  )
  let isOver = false
  let cancel = (): void => {}
  const end = (): void => {
    isOver = true
    cancel()
    for (const partition of found) partition.waiting.delete(look)
  }
  const look = (): void => {
    if (isOver) return
    const read = readAll(model, node, asked, maxBytes)
    if (!read.hasNews) {
      for (const partition of found) partition.waiting.add(look)
      return
    }
    end()
    answer(read.answer)
  }
  if (maxWaitMs > 0) {
    cancel = model.scheduler.plan(maxWaitMs, () => {
      end()
      answer(readAll(model, node, asked, maxBytes).answer)
    })
    onBroken(end)
    look()
  } else answer(readAll(model, node, asked, maxBytes).answer)
}

function readAll(
  model: BrokerModel,
  node: number,
  asked: readonly Asked[],
  maxBytes: number,
): { readonly answer: FetchAnswer; readonly hasNews: boolean } {
  let hasNews = false
  let left = maxBytes
  const topics = new Map<string, FetchedPartition[]>()
  for (const one of asked) {
    const fetched = readOne(model, node, one, left)
    left -= fetched.records.length
    if (fetched.errorCode !== NONE || fetched.records.length > 0) hasNews = true
    const partitions = topics.get(one.topicId) ?? []
    partitions.push(fetched)
    topics.set(one.topicId, partitions)
  }
  const answered = Array.from(topics, ([topicId, partitions]) => ({ topicId, partitions }))
  return { answer: { throttleMs: 0, errorCode: NONE, topics: answered }, hasNews }
}

function readOne(
  model: BrokerModel,
  node: number,
  { topicId, partition, epoch, offset, maxBytes }: Asked,
  left: number,
): FetchedPartition {
  const found = model.topics.withId(topicId)?.partitions[partition]
  if (found === undefined) return nothing(partition, UNKNOWN_TOPIC_ID)
  const code = leaderRefusal(found, node, epoch)
  if (code !== NONE) return nothing(partition, code)
  if (offset < found.start || offset > found.end) return nothing(partition, OFFSET_OUT_OF_RANGE)
  const records = left > 0 ? found.read(offset, Math.min(maxBytes, left)) : NO_RECORDS
  return {
    ...nothing(partition, NONE),
    highWatermark: found.end,
    lastStableOffset: found.lastStable,
    logStartOffset: found.start,
    abortedTransactions: found.abortedFrom(offset),
    records,
  }
}

function nothing(partition: number, errorCode: number): FetchedPartition {
  return {
    partition,
    errorCode,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    divergingEpoch: undefined,
    currentLeader: undefined,
    abortedTransactions: null,
    records: NO_RECORDS,
  }
}

function leaderRefusal({ leader, leaderEpoch }: ModelPartition, node: number, epoch: number): number {
  if (leader !== node) return NOT_LEADER_OR_FOLLOWER
  if (epoch >= 0 && epoch < leaderEpoch) return FENCED_LEADER_EPOCH
  return epoch > leaderEpoch ? UNKNOWN_LEADER_EPOCH : NONE
}
