/**
 * The newest rows of all partitions in memory, so that readers that keep up never touch the disk. Bounded in bytes over
 * the whole log: the oldest row leaves first, whatever its partition.
 */
import type { TopicPartition } from '../../streams/index.ts'
import { LOG_KEY_BYTES } from './keys.ts'
import type { TopicNumbers } from './lineage.ts'
import { decodeRecords, readHeader, type RowHeader, type StoredRecord } from './stored-record.ts'

/** What a decoded record costs besides its bytes, roughly. */
const RECORD_COST_BYTES = 200
/** Rows that have left are cut off an array once they are this many and half of it. */
const TRIM_ROWS = 256

/** One row in memory; its records are decoded when the first reader comes, and shared by all. */
export class CachedRow {
  readonly header: RowHeader
  readonly #at: TopicPartition
  readonly #topics: TopicNumbers
  readonly #value: Buffer
  #records: readonly StoredRecord[] | undefined

  constructor(at: TopicPartition, header: RowHeader, value: Buffer, topics: TopicNumbers) {
    this.#at = at
    this.header = header
    this.#value = value
    this.#topics = topics
  }

  /** Throws `LOG_RECORD_CORRUPT`. */
  get records(): readonly StoredRecord[] {
    this.#records ??= decodeRecords(this.#at, this.header, this.#value, this.#topics)
    return this.#records
  }

  /** Bytes of the row's key and value. */
  get bytes(): number {
    return LOG_KEY_BYTES + this.#value.length
  }

  /** Bytes in memory once decoded, roughly. */
  get cost(): number {
    return this.#value.length + this.header.count * RECORD_COST_BYTES
  }
}

/** The newest rows of one partition, in offset order and without a gap up to the partition's end. */
export class PartitionTail {
  #rows: (CachedRow | undefined)[] = []
  #first = 0

  /** Offset from which on every row is here; `Infinity` when there is none. */
  get start(): number {
    return this.#rows[this.#first]?.header.baseOffset ?? Number.POSITIVE_INFINITY
  }

  /** The row that covers `offset`. */
  find(offset: number): CachedRow | undefined {
    if (offset < this.start) return undefined
    let low = this.#first
    let high = this.#rows.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#rows[middle] as CachedRow).header.lastOffset < offset) low = middle + 1
      else high = middle
    }
    return this.#rows[low]
  }

  push(row: CachedRow): void {
    this.#rows.push(row)
  }

  shift(): void {
    this.#rows[this.#first++] = undefined
    if (this.#first < TRIM_ROWS || this.#first * 2 < this.#rows.length) return
    this.#rows = this.#rows.slice(this.#first)
    this.#first = 0
  }
}

interface Arrival {
  readonly tail: PartitionTail
  readonly cost: number
}

export class TailCache {
  readonly #maxBytes: number
  readonly #topics: TopicNumbers
  #arrivals: (Arrival | undefined)[] = []
  #first = 0
  #bytes = 0

  constructor(maxBytes: number, topics: TopicNumbers) {
    this.#maxBytes = maxBytes
    this.#topics = topics
  }

  get bytes(): number {
    return this.#bytes
  }

  /** A row that the disk has; rows of a partition come in offset order. */
  push(tail: PartitionTail, at: TopicPartition, key: Buffer, value: Buffer): void {
    const row = new CachedRow(at, readHeader(at, key, value), value, this.#topics)
    tail.push(row)
    this.#arrivals.push({ tail, cost: row.cost })
    this.#bytes += row.cost
    while (this.#bytes > this.#maxBytes) this.#evict()
  }

  /** Every row leaves; the disk has them all, as compaction left them. */
  clear(): void {
    while (this.#bytes > 0) this.#evict()
  }

  #evict(): void {
    const { tail, cost } = this.#arrivals[this.#first] as Arrival
    this.#arrivals[this.#first++] = undefined
    tail.shift()
    this.#bytes -= cost
    if (this.#first < TRIM_ROWS || this.#first * 2 < this.#arrivals.length) return
    this.#arrivals = this.#arrivals.slice(this.#first)
    this.#first = 0
  }
}
