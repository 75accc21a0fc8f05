/** Topics and their partitions in the model: made, described, looked up by name or id, cleaned. */
import { createHash } from 'node:crypto'
import {
  decodeBatches,
  encodeBatch,
  BASE_OFFSET_AT,
  PRODUCER_EPOCH_AT,
  TOPIC_ALREADY_EXISTS,
  NONE,
} from '../../kafka/wire/index.ts'
import { ModelPartition, type StoredBatch } from './partition.ts'

const INFLATED_BYTES_MAX = 64 * 1024 * 1024
const ID_BYTES = 16

export interface ModelTopic {
  readonly name: string
  /** Base64url. */
  readonly id: string
  readonly configs: Map<string, string>
  readonly partitions: readonly ModelPartition[]
}

export class ModelTopics {
  readonly #brokers: readonly number[]
  readonly #byName = new Map<string, ModelTopic>()
  readonly #byId = new Map<string, ModelTopic>()
  readonly #partitions = new Map<string, ModelPartition>()
  #made = 0

  constructor(brokers: readonly number[]) {
    this.#brokers = brokers
  }

  get all(): readonly ModelTopic[] {
    return [...this.#byName.values()]
  }

  get partitions(): Iterable<ModelPartition> {
    return this.#partitions.values()
  }

  named(name: string): ModelTopic | undefined {
    return this.#byName.get(name)
  }

  withId(id: string): ModelTopic | undefined {
    return this.#byId.get(id)
  }

  /** By `<topic>-<partition>`. */
  partition(name: string): ModelPartition | undefined {
    return this.#partitions.get(name)
  }

  create(name: string, partitions: number, configs: ReadonlyMap<string, string>): number {
    if (this.#byName.has(name)) return TOPIC_ALREADY_EXISTS
    const made = this.#made++
    const id = createHash('sha256').update(`${made} ${name}`).digest().subarray(0, ID_BYTES)
    const stampsTime = configs.get('message.timestamp.type') === 'LogAppendTime'
    const topic: ModelTopic = {
      name,
      id: id.toString('base64url'),
      configs: new Map(configs),
      partitions: Array.from({ length: partitions }, (_, partition) => {
        const leader = this.#brokers[(made + partition) % this.#brokers.length] ?? 0
        return new ModelPartition(name, partition, leader, stampsTime)
      }),
    }
    this.#byName.set(name, topic)
    this.#byId.set(topic.id, topic)
    for (const one of topic.partitions) this.#partitions.set(`${name}-${one.partition}`, one)
    return NONE
  }

  /** Of compacted topics, the last record of each key stays, of those that are stable; aborted records and others go. */
  compact(): void {
    for (const { configs, partitions } of this.#byName.values()) {
      if (configs.get('cleanup.policy') === 'compact') for (const partition of partitions) compact(partition)
    }
  }
}

/** Batches keep their places; those with several records are split, so that what stays keeps its offset. */
function compact(partition: ModelPartition): void {
  const stable = partition.lastStable
  const newest = new Map<string, number>()
  const cleanable = partition.batches.filter(({ last }) => last < stable)
  const decoded = new Map(
    cleanable.map((batch) => [batch, isPlain(partition, batch) ? recordsOf(batch) : []]),
  )
  for (const records of decoded.values()) {
    for (const { key, offset } of records) newest.set(key?.toString('latin1') ?? `${offset}`, offset)
  }
  const head = partition.batches.at(-1)
  partition.batches = partition.batches.flatMap((batch): StoredBatch[] => {
    const records = decoded.get(batch)
    if (records === undefined || batch.isControl || batch === head) return [batch]
    const kept = records.filter(
      ({ key, offset }) => newest.get(key?.toString('latin1') ?? `${offset}`) === offset,
    )
    if (kept.length === batch.last - batch.base + 1) return [batch]
    return kept.map((record) => single(batch, record))
  })
}

function isPlain(partition: ModelPartition, batch: StoredBatch): boolean {
  return !batch.isControl && !partition.isAborted(batch)
}

/** Of one batch, whatever became of its transaction. */
export function recordsOf({ bytes, base }: StoredBatch) {
  const options = { fetchOffset: base, readCommitted: false, abortedTransactions: null }
  const decoded = decodeBatches(bytes, { ...options, maxInflatedBytes: INFLATED_BYTES_MAX })
  if (decoded.error !== undefined) throw decoded.error
  return decoded.records
}

function single(batch: StoredBatch, record: ReturnType<typeof recordsOf>[number]): StoredBatch {
  const { producerId, isTransactional } = batch
  const producerEpoch = batch.bytes.readInt16BE(PRODUCER_EPOCH_AT)
  const { key, value, timestamp, headers, offset } = record
  const stamp = { producerId, producerEpoch, baseSequence: -1, transactional: isTransactional }
  const bytes = encodeBatch([{ key, value, timestamp, headers }], stamp)
  bytes.writeBigInt64BE(BigInt(offset), BASE_OFFSET_AT)
  return { ...batch, base: offset, last: offset, bytes }
}
