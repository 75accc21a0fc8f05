/**
 * One row of the log: records of one partition that were written together, like Kafka's record batch.
 *
 * Bytes: crc32(u32, over the row's key and everything after this field), format(u8), flags(u8), records(u16), then as
 * doubles base offset, append time, first timestamp; then the records: [offset - base, append time - the row's: only
 * in a compacted row] [timestamp - first, unless it is the append time] key, value, provenance, each after its length
 * (key and value: length + 1, 0 is null). The last offset is in the key: a compacted row still covers every offset
 * from its base to its last, so that rows of a partition always join without a hole.
 */
import { crc32 } from 'node:zlib'
import type { Headers, Lineage } from '../../streams/index.ts'
import { logKey } from './keys.ts'
import { provenanceBound, type TopicNumbers, writeProvenance } from './lineage.ts'
import { writeSigned, writeVarint } from './varint.ts'

export const ROW_FORMAT = 1
export const ROW_HEADER_BYTES = 32
/** Every record's timestamp is its append time. */
export const APPEND_TIMESTAMPS = 1
/** Records carry their offset and append time: some of the row's offsets have no record any more. */
export const COMPACTED = 2

export const MAX_ROW_BYTES = 1024 * 1024
export const MAX_ROW_RECORDS = 2000

/** Numbers and flags of a record that take no space of their own, at most. */
const RECORD_OVERHEAD_BYTES = 48

/** What a row is made of; both `AppendRecord` and `OutgoingRecord` fit. */
export interface RowRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: number
  readonly lineage: Lineage | undefined
  readonly headers: Headers
}

/** A record that has its place already, for rewriting rows in compaction. */
export interface PlacedRecord extends RowRecord {
  readonly offset: number
  readonly appendTime: number
}

export interface LogRow {
  readonly key: Buffer
  readonly value: Buffer
  readonly baseOffset: number
  readonly lastOffset: number
  readonly appendTime: number
}

export interface RowPlace {
  readonly topic: number
  readonly partition: number
  readonly appendTime: number
  /** Whether the topic overwrites timestamps. */
  readonly appendTimestamps: boolean
}

/** Builds rows in one scratch buffer and copies each out once, at its exact size. */
export class RowEncoder {
  readonly #topics: TopicNumbers
  #bytes = Buffer.allocUnsafe(256 * 1024)
  #at = 0

  constructor(topics: TopicNumbers) {
    this.#topics = topics
  }

  /** Rows for `records` at `baseOffset` and on, each within the limits unless one record alone exceeds them. */
  encode(place: RowPlace, records: readonly RowRecord[], baseOffset: number): LogRow[] {
    const flags = place.appendTimestamps ? APPEND_TIMESTAMPS : 0
    const rows: LogRow[] = []
    let first = 0
    this.#at = ROW_HEADER_BYTES
    for (let i = 0; i < records.length; i++) {
      const record = records[i] as RowRecord
      if (i > first && (i - first === MAX_ROW_RECORDS || this.#at + sizeBound(record) > MAX_ROW_BYTES)) {
        rows.push(this.#row(place, flags, i - first, baseOffset + first, baseOffset + i - 1, firstTime()))
        first = i
        this.#at = ROW_HEADER_BYTES
      }
      this.#add(record, place.appendTime, flags, 0, 0, firstTime())
    }
    if (first < records.length) {
      const count = records.length - first
      const last = baseOffset + records.length - 1
      rows.push(this.#row(place, flags, count, baseOffset + first, last, firstTime()))
    }
    return rows

    function firstTime(): number {
      return (records[first] as RowRecord).timestamp
    }
  }

  /** One row that covers every offset from `baseOffset` to `lastOffset`, whether it has a record there or not. */
  encodeCompacted(
    place: RowPlace,
    records: readonly PlacedRecord[],
    baseOffset: number,
    lastOffset: number,
  ): LogRow {
    const flags = COMPACTED | (place.appendTimestamps ? APPEND_TIMESTAMPS : 0)
    const firstTime = records[0]?.timestamp ?? 0
    this.#at = ROW_HEADER_BYTES
    for (const record of records) {
      const late = record.appendTime - place.appendTime
      this.#add(record, record.appendTime, flags, record.offset - baseOffset, late, firstTime)
    }
    return this.#row(place, flags, records.length, baseOffset, lastOffset, firstTime)
  }

  #add(
    record: RowRecord,
    appendTime: number,
    flags: number,
    offsetDelta: number,
    appendDelta: number,
    firstTime: number,
  ): void {
    this.#reserve(sizeBound(record))
    const bytes = this.#bytes
    let at = this.#at
    if ((flags & COMPACTED) !== 0) {
      at = writeVarint(bytes, at, offsetDelta)
      at = writeSigned(bytes, at, appendDelta)
    }
    if ((flags & APPEND_TIMESTAMPS) === 0) at = writeSigned(bytes, at, record.timestamp - firstTime)
    at = writeBytes(bytes, at, record.key)
    at = writeBytes(bytes, at, record.value)
    this.#at = this.#addProvenance(record, appendTime, at)
  }

  /** Two bytes are kept free for the length, which is known only afterwards; longer ones move the rest. */
  #addProvenance(record: RowRecord, appendTime: number, at: number): number {
    const bytes = this.#bytes
    if (record.lineage === undefined && record.headers.length === 0) return writeVarint(bytes, at, 0)
    const start = at + 2
    const end = writeProvenance(bytes, start, record.lineage, record.headers, appendTime, this.#topics)
    const length = end - start
    if (length >= 0x4000) {
      const moved = length >= 0x200000 ? 2 : 1
      bytes.copyWithin(start + moved, start, end)
      writeVarint(bytes, at, length)
      return end + moved
    }
    bytes[at] = (length & 0x7f) | 0x80
    bytes[at + 1] = length >> 7
    return end
  }

  #row(
    place: RowPlace,
    flags: number,
    count: number,
    baseOffset: number,
    lastOffset: number,
    firstTime: number,
  ): LogRow {
    const value = Buffer.allocUnsafeSlow(this.#at)
    this.#bytes.copy(value, ROW_HEADER_BYTES, ROW_HEADER_BYTES, this.#at)
    value[4] = ROW_FORMAT
    value[5] = flags
    value.writeUInt16BE(count, 6)
    value.writeDoubleBE(baseOffset, 8)
    value.writeDoubleBE(place.appendTime, 16)
    value.writeDoubleBE(firstTime, 24)
    const key = logKey(place.topic, place.partition, lastOffset)
    value.writeUInt32BE(rowCrc(key, value), 0)
    return { key, value, baseOffset, lastOffset, appendTime: place.appendTime }
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + length))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }
}

export function rowCrc(key: Buffer, value: Buffer): number {
  return crc32(value.subarray(4), crc32(key))
}

/** Bytes that a record counts for against limits: key, value and headers. */
export function recordBytes(record: RowRecord): number {
  let bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0)
  for (const [name, value] of record.headers) bytes += name.length + value.length
  return bytes
}

function sizeBound(record: RowRecord): number {
  const plain = (record.key?.length ?? 0) + (record.value?.length ?? 0)
  return plain + provenanceBound(record.lineage, record.headers) + RECORD_OVERHEAD_BYTES
}

function writeBytes(into: Buffer, at: number, bytes: Buffer | null): number {
  if (bytes === null) return writeVarint(into, at, 0)
  const start = writeVarint(into, at, bytes.length + 1)
  into.set(bytes, start)
  return start + bytes.length
}
