/**
 * Writes record batches: one pass to size, one to write, one buffer.
 *
 * Not its job: splitting records into batches, which senders do by `recordSize` and `RECORDS_MAX` before they encode.
 *
 * Invariants:
 * 1. Offsets in a batch are 0 to n - 1, in the order given; the broker adds the base offset.
 * 2. Timestamps are relative to the first record's.
 * 3. A batch that was encoded is sent again as it is, apart from `restampBatch`: only so its sequence proves that it is
 *    the same.
 */
import { type Codec, codecCode, compress } from './compression.ts'
import { crc32c } from './crc32c.ts'
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_SEQUENCE_AT,
  BASE_TIMESTAMP_AT,
  CRC_AT,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  LENGTH_AT,
  LENGTH_FROM,
  MAGIC,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
  RECORDS_AT,
  TRANSACTIONAL,
} from './layout.ts'
import { varintBytes, varlongBytes, writeVarint, writeVarlong } from './varint.ts'

/** Strings are written as UTF-8, without a buffer of their own. */
export type HeaderBytes = Buffer | string | null

export interface BatchRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** Epoch milliseconds. */
  readonly timestamp: number
  /** In order; names may repeat. */
  readonly headers: readonly (readonly [name: string, value: HeaderBytes])[]
}

/** Who wrote a batch, and how many records it had written to the partition before. */
export interface BatchStamp {
  /** -1n for a producer that is not idempotent. */
  readonly producerId: bigint
  readonly producerEpoch: number
  /** Of the first record: 0 to 2^31 - 1, then again from 0. -1 for a producer that is not idempotent. */
  readonly baseSequence: number
}

export interface BatchOptions extends BatchStamp {
  readonly transactional: boolean
  readonly compression?: Codec | undefined
}

/** Set by the broker. */
const NO_LEADER_EPOCH = -1
const NULL_BYTES = -1
/** A record's length, attributes, two deltas, key length, value length and header count are at most so long. */
const RECORD_OVERHEAD_MAX = 5 + 1 + 10 + 5 + 5 + 5 + 5
/** A header's two lengths. */
const HEADER_OVERHEAD_MAX = 5 + 5
const TWO_TO_32 = 2 ** 32
/** Up to here a loop is faster than a call. Bytes. */
const LOOP_BYTES_MAX = 40

/** Bytes of the batch's header. */
export const BATCH_OVERHEAD = RECORDS_AT

/**
 * What the sizing pass measured and the writing pass needs again, in the same order: of each record its size, then of
 * each header the bytes of name and value. Grows as needed.
 */
let measured = new Int32Array(4096)
let measuredAt = 0

/** Bytes that a record takes at most, wherever in a batch it is. */
export function recordSize(record: BatchRecord): number {
  let bytes = RECORD_OVERHEAD_MAX + (record.key?.length ?? 0) + (record.value?.length ?? 0)
  for (const [name, value] of record.headers) {
    bytes += HEADER_OVERHEAD_MAX + Buffer.byteLength(name) + Math.max(lengthOf(value), 0)
  }
  return bytes
}

/** Bytes of the batch of these records, before compression. */
export function batchSize(records: readonly BatchRecord[]): number {
  const base = records[0]?.timestamp ?? 0
  let bytes = BATCH_OVERHEAD
  measuredAt = 0
  for (const [i, record] of records.entries()) bytes += measure(record, i, record.timestamp - base)
  return bytes
}

/** Throws a `RangeError` for no records, and for timestamps that are no safe integers. */
export function encodeBatch(records: readonly BatchRecord[], options: BatchOptions): Buffer {
  const first = records[0]
  if (first === undefined) throw new RangeError('A batch has at least one record')
  const base = first.timestamp
  let maxTimestamp = base
  let total = BATCH_OVERHEAD
  measuredAt = 0
  for (let i = 0; i < records.length; i++) {
    const record = records[i] as BatchRecord
    const { timestamp } = record
    if (!Number.isSafeInteger(timestamp)) throw new RangeError(`${timestamp} is no timestamp`)
    if (timestamp > maxTimestamp) maxTimestamp = timestamp
    total += measure(record, i, timestamp - base)
  }
  let batch = Buffer.allocUnsafe(total)
  let at = BATCH_OVERHEAD
  measuredAt = 0
  for (let i = 0; i < records.length; i++) at = writeRecord(records[i] as BatchRecord, i, base, batch, at)
  let attributes = options.transactional ? TRANSACTIONAL : 0
  if (options.compression !== undefined) {
    attributes |= codecCode(options.compression)
    const compressed = compress(options.compression, batch.subarray(BATCH_OVERHEAD))
    batch = Buffer.concat([batch.subarray(0, BATCH_OVERHEAD), compressed])
  }
  writeInt64(batch, BASE_OFFSET_AT, 0)
  batch.writeInt32BE(batch.length - LENGTH_FROM, LENGTH_AT)
  batch.writeInt32BE(NO_LEADER_EPOCH, LEADER_EPOCH_AT)
  batch[MAGIC_AT] = MAGIC
  batch.writeInt16BE(attributes, ATTRIBUTES_AT)
  batch.writeInt32BE(records.length - 1, LAST_OFFSET_DELTA_AT)
  writeInt64(batch, BASE_TIMESTAMP_AT, base)
  writeInt64(batch, MAX_TIMESTAMP_AT, maxTimestamp)
  batch.writeInt32BE(records.length, RECORD_COUNT_AT)
  restampBatch(batch, options)
  return batch
}

/**
 * Makes an encoded batch one of another producer, epoch or sequence, in place. Only for a batch that the broker has
 * certainly not taken: with another stamp it would be taken twice. A request that was encoded keeps the old stamp,
 * since it holds a copy.
 */
export function restampBatch(batch: Buffer, stamp: BatchStamp): void {
  batch.writeBigInt64BE(stamp.producerId, PRODUCER_ID_AT)
  batch.writeInt16BE(stamp.producerEpoch, PRODUCER_EPOCH_AT)
  batch.writeInt32BE(stamp.baseSequence, BASE_SEQUENCE_AT)
  batch.writeUInt32BE(crc32c(batch, ATTRIBUTES_AT), CRC_AT)
}

/** Bytes of a record with its length prefix. What `writeRecord` needs of it is added to `measured`. */
function measure(record: BatchRecord, offsetDelta: number, timestampDelta: number): number {
  const { key, value, headers } = record
  const sizeAt = reserveMeasured(1 + headers.length * 2)
  let bytes = 1 + varlongBytes(timestampDelta) + varintBytes(offsetDelta) + varintBytes(headers.length)
  bytes += bytesWithLength(key === null ? NULL_BYTES : key.length)
  bytes += bytesWithLength(value === null ? NULL_BYTES : value.length)
  for (let i = 0; i < headers.length; i++) {
    const [name, content] = headers[i] as readonly [string, HeaderBytes]
    const nameBytes = Buffer.byteLength(name)
    const contentBytes = lengthOf(content)
    measured[sizeAt + 1 + i * 2] = nameBytes
    measured[sizeAt + 2 + i * 2] = contentBytes
    bytes += bytesWithLength(nameBytes) + bytesWithLength(contentBytes)
  }
  measured[sizeAt] = bytes
  return varintBytes(bytes) + bytes
}

function reserveMeasured(count: number): number {
  const at = measuredAt
  measuredAt += count
  if (measuredAt > measured.length) {
    const larger = new Int32Array(measuredAt * 2)
    larger.set(measured)
    measured = larger
  }
  return at
}

function bytesWithLength(length: number): number {
  return varintBytes(length) + (length > 0 ? length : 0)
}

function lengthOf(value: HeaderBytes): number {
  if (value === null) return NULL_BYTES
  return typeof value === 'string' ? Buffer.byteLength(value) : value.length
}

function writeRecord(
  record: BatchRecord,
  offsetDelta: number,
  baseTimestamp: number,
  into: Buffer,
  start: number,
): number {
  const { headers } = record
  let at = writeVarint(into, start, measured[measuredAt++] as number)
  into[at++] = 0 // attributes: none are defined
  at = writeVarlong(into, at, record.timestamp - baseTimestamp)
  at = writeVarint(into, at, offsetDelta)
  at = writeBytes(into, at, record.key)
  at = writeBytes(into, at, record.value)
  at = writeVarint(into, at, headers.length)
  for (let i = 0; i < headers.length; i++) {
    const [name, content] = headers[i] as readonly [string, HeaderBytes]
    const nameBytes = measured[measuredAt++] as number
    const contentBytes = measured[measuredAt++] as number
    at = writeText(into, at, name, nameBytes)
    at =
      typeof content === 'string' ? writeText(into, at, content, contentBytes) : writeBytes(into, at, content)
  }
  return at
}

function writeBytes(into: Buffer, start: number, bytes: Buffer | null): number {
  if (bytes === null) return writeVarint(into, start, NULL_BYTES)
  const { length } = bytes
  const at = writeVarint(into, start, length)
  if (length > LOOP_BYTES_MAX) into.set(bytes, at)
  else for (let i = 0; i < length; i++) into[at + i] = bytes[i] as number
  return at + length
}

function writeText(into: Buffer, start: number, text: string, length: number): number {
  const at = writeVarint(into, start, length)
  // As many bytes as characters: all of them ASCII.
  if (length === text.length && length <= LOOP_BYTES_MAX) {
    for (let i = 0; i < length; i++) into[at + i] = text.charCodeAt(i)
  } else into.write(text, at, length, 'utf8')
  return at + length
}

function writeInt64(into: Buffer, at: number, value: number): void {
  const high = Math.floor(value / TWO_TO_32)
  into.writeInt32BE(high, at)
  into.writeUInt32BE(value - high * TWO_TO_32, at + 4)
}
