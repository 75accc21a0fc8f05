/**
 * Writes record batches: one pass into a workspace that all batches share, then a copy of the right size.
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
const ASCII_MAX = 0x7f
/** Up to here a loop is faster than a call. Bytes. */
const LOOP_BYTES_MAX = 40

/** UTF-8 has at most so many bytes for each unit of a string's length. */
const UTF8_BYTES_MAX = 3
/** Bytes of the workspace that are kept between batches. */
const WORKSPACE_BYTES = 2 * 1024 * 1024

/** Bytes of the batch's header. */
export const BATCH_OVERHEAD = RECORDS_AT

/** Where records are written: before them there is room for a batch's header. Grows for larger batches. */
let workspace = Buffer.allocUnsafeSlow(BATCH_OVERHEAD)

/** Bytes that a record takes at most, wherever in a batch it is; texts count as if each had its longest form. */
export function recordSize({ key, value, headers }: BatchRecord): number {
  let bytes = RECORD_OVERHEAD_MAX
  if (key !== null) bytes += key.length
  if (value !== null) bytes += value.length
  for (let i = 0; i < headers.length; i++) {
    const header = headers[i] as readonly [string, HeaderBytes]
    bytes += HEADER_OVERHEAD_MAX + header[0].length * UTF8_BYTES_MAX + Math.max(lengthMax(header[1]), 0)
  }
  return bytes
}

/** Throws a `RangeError` for no records, and for timestamps that are no safe integers. */
export function encodeBatch(records: readonly BatchRecord[], options: BatchOptions): Buffer {
  const first = records[0]
  if (first === undefined) throw new RangeError('A batch has at least one record')
  const base = first.timestamp
  let maxTimestamp = base
  let at = BATCH_OVERHEAD
  for (let i = 0; i < records.length; i++) {
    const record = records[i] as BatchRecord
    const { timestamp } = record
    if (!Number.isSafeInteger(timestamp)) throw new RangeError(`${timestamp} is no timestamp`)
    if (timestamp > maxTimestamp) maxTimestamp = timestamp
    at = writeRecord(record, i, timestamp - base, at)
  }
  const batch = batchOf(at, options.compression)
  let attributes = options.transactional ? TRANSACTIONAL : 0
  if (options.compression !== undefined) attributes |= codecCode(options.compression)
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

/** What the workspace holds before `end`, in a buffer of its own. */
function batchOf(end: number, compression: Codec | undefined): Buffer {
  const written = workspace.subarray(0, end)
  if (workspace.length > WORKSPACE_BYTES) workspace = Buffer.allocUnsafeSlow(BATCH_OVERHEAD)
  if (compression === undefined) return Buffer.from(written)
  const compressed = compress(compression, written.subarray(BATCH_OVERHEAD))
  return Buffer.concat([written.subarray(0, BATCH_OVERHEAD), compressed])
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

/** Writes a record with its length prefix at `start` of the workspace; answers the position after it. */
function writeRecord(
  record: BatchRecord,
  offsetDelta: number,
  timestampDelta: number,
  start: number,
): number {
  const { key, value, headers } = record
  const room = bodyBytesMax(record, offsetDelta, timestampDelta)
  reserve(start, room + varintBytes(room))
  const into = workspace
  const bodyAt = writeVarint(into, start, room)
  into[bodyAt] = 0 // attributes: none are defined
  let at = writeVarlong(into, bodyAt + 1, timestampDelta)
  at = writeVarint(into, at, offsetDelta)
  at = writeBytes(into, at, key)
  at = writeBytes(into, at, value)
  at = writeVarint(into, at, headers.length)
  for (let i = 0; i < headers.length; i++) {
    const header = headers[i] as readonly [string, HeaderBytes]
    const content = header[1]
    at = writeText(into, at, header[0])
    at = typeof content === 'string' ? writeText(into, at, content) : writeBytes(into, at, content)
  }
  return at - bodyAt === room ? at : moveTo(start, bodyAt, at)
}

/** Exact but for texts, which count as in `recordSize`. */
function bodyBytesMax({ key, value, headers }: BatchRecord, offsetDelta: number, timestampDelta: number) {
  let bytes = 1 + varlongBytes(timestampDelta) + varintBytes(offsetDelta) + varintBytes(headers.length)
  bytes += bytesWithLength(key === null ? NULL_BYTES : key.length)
  bytes += bytesWithLength(value === null ? NULL_BYTES : value.length)
  for (let i = 0; i < headers.length; i++) {
    const header = headers[i] as readonly [string, HeaderBytes]
    bytes += bytesWithLength(header[0].length * UTF8_BYTES_MAX) + bytesWithLength(lengthMax(header[1]))
  }
  return bytes
}

/** A record that is shorter than was foreseen: its prefix says so, and may be shorter itself. */
function moveTo(start: number, bodyAt: number, end: number): number {
  const length = end - bodyAt
  const at = start + varintBytes(length)
  if (at !== bodyAt) workspace.copyWithin(at, bodyAt, end)
  writeVarint(workspace, start, length)
  return at + length
}

function reserve(at: number, bytes: number): void {
  if (at + bytes <= workspace.length) return
  const larger = Buffer.allocUnsafeSlow((at + bytes) * 2)
  workspace.copy(larger, 0, 0, at)
  workspace = larger
}

function bytesWithLength(length: number): number {
  return varintBytes(length) + (length > 0 ? length : 0)
}

function lengthMax(value: HeaderBytes): number {
  if (value === null) return NULL_BYTES
  return typeof value === 'string' ? value.length * UTF8_BYTES_MAX : value.length
}

function writeBytes(into: Buffer, start: number, bytes: Buffer | null): number {
  if (bytes === null) return writeVarint(into, start, NULL_BYTES)
  const { length } = bytes
  const at = writeVarint(into, start, length)
  if (length > LOOP_BYTES_MAX) into.set(bytes, at)
  else for (let i = 0; i < length; i++) into[at + i] = bytes[i] as number
  return at + length
}

function writeText(into: Buffer, start: number, text: string): number {
  const { length } = text
  if (length <= LOOP_BYTES_MAX) {
    const at = writeVarint(into, start, length)
    let i = 0
    for (let code = 0; i < length && (code = text.charCodeAt(i)) <= ASCII_MAX; i++) into[at + i] = code
    if (i === length) return at + length
  }
  const bytes = Buffer.byteLength(text)
  const at = writeVarint(into, start, bytes)
  return at + into.write(text, at, bytes, 'utf8')
}

function writeInt64(into: Buffer, at: number, value: number): void {
  const high = Math.floor(value / TWO_TO_32)
  into.writeInt32BE(high, at)
  into.writeUInt32BE(value - high * TWO_TO_32, at + 4)
}
