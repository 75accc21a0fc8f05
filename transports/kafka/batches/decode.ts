/**
 * Turns the records of one partition's Fetch answer into records: one synchronous pass, the checksum of every batch
 * checked, aborted transactions and control records left out.
 *
 * Not its job: which partition it is; copying (see `DecodedRecord`).
 *
 * Invariants:
 * 1. Records come in offset order, none below the offset that was asked for, none at or after `nextOffset`.
 * 2. `nextOffset` moves past everything that was judged: records, control batches, aborted batches, batches that
 *    compaction emptied or cut. So a reader never asks twice for the same bytes.
 * 3. A fault ends the pass in front of its batch: what precedes it is answered, nothing of the batch is.
 */
import type { AbortedTransaction } from '../protocol/fetch.ts'
import { AbortFilter } from './abort-filter.ts'
import { decompress } from './compression.ts'
import { crc32c } from './crc32c.ts'
import { DecodedRecord } from './decoded-record.ts'
import { BatchError, BatchTooLarge, UnknownCodec } from './errors.ts'
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_TIMESTAMP_AT,
  CODEC_MASK,
  CONTROL,
  CRC_AT,
  LAST_OFFSET_DELTA_AT,
  LENGTH_AT,
  LENGTH_FROM,
  LOG_APPEND_TIME,
  MAGIC,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  PRODUCER_ID_AT,
  RECORD_BYTES_MIN,
  RECORD_COUNT_AT,
  RECORDS_AT,
  TRANSACTIONAL,
} from './layout.ts'
import { RecordCursor } from './record-cursor.ts'

/** The key of a control record: a version and a type, two bytes each. */
const CONTROL_TYPE_AT = 2
const CONTROL_KEY_BYTES_MIN = 4
const ABORT_MARKER = 0
const TWO_TO_32 = 2 ** 32

export interface DecodeOptions {
  /** What was asked for; batches may begin before it. */
  readonly fetchOffset: number
  readonly readCommitted: boolean
  /** Of the Fetch answer; looked at when reading committed. */
  readonly abortedTransactions: readonly AbortedTransaction[] | null
  /** What the compressed batches of one call may inflate to, together; at least 1. */
  readonly maxInflatedBytes: number
}

export interface DecodedBatches {
  readonly records: DecodedRecord[]
  /** Where to go on. */
  readonly nextOffset: number
  /** What is wrong with the batch after the last one that was decoded. */
  readonly error?: BatchError
}

/** A batch's header, read from `start` on. */
interface BatchHeader {
  readonly start: number
  readonly end: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly attributes: number
  readonly count: number
}

export function decodeBatches(bytes: Buffer, options: DecodeOptions): DecodedBatches {
  const pass = new DecodePass(bytes, options)
  try {
    pass.run()
  } catch (error) {
    if (!(error instanceof BatchError)) throw error
    return { records: pass.records, nextOffset: pass.nextOffset, error }
  }
  return { records: pass.records, nextOffset: pass.nextOffset }
}

class DecodePass {
  readonly records: DecodedRecord[] = []
  nextOffset: number
  readonly #bytes: Buffer
  readonly #fetchOffset: number
  readonly #aborted: AbortFilter | undefined
  readonly #maxInflatedBytes: number
  #inflatedBytes = 0
  /** End of the batch before. */
  #lastOffset = -1

  constructor(bytes: Buffer, options: DecodeOptions) {
    const { fetchOffset, readCommitted, abortedTransactions, maxInflatedBytes } = options
    this.#bytes = bytes
    this.#fetchOffset = fetchOffset
    this.nextOffset = fetchOffset
    this.#maxInflatedBytes = maxInflatedBytes
    if (readCommitted && abortedTransactions !== null && abortedTransactions.length > 0) {
      this.#aborted = new AbortFilter(abortedTransactions)
    }
  }

  run(): void {
    let start = 0
    while (start < this.#bytes.length) {
      const batch = readHeader(this.#bytes, start)
      if (batch === undefined) return
      if (batch.baseOffset <= this.#lastOffset) {
        throw new BatchError('malformed', batch.baseOffset, `it comes after offset ${this.#lastOffset}`)
      }
      if (!this.#take(batch)) return
      this.#lastOffset = batch.lastOffset
      this.nextOffset = Math.max(this.nextOffset, batch.lastOffset + 1)
      start = batch.end
    }
  }

  /** False where the batch must wait for the next call. */
  #take(batch: BatchHeader): boolean {
    const { attributes, lastOffset } = batch
    const aborted = this.#aborted
    aborted?.advance(lastOffset)
    const isControl = (attributes & CONTROL) !== 0
    if (isControl && aborted === undefined) return true
    if (!isControl && lastOffset < this.#fetchOffset) return true
    if (aborted !== undefined && !isControl && (attributes & TRANSACTIONAL) !== 0) {
      if (aborted.isAborted(this.#producerId(batch))) return true
    }
    if (batch.count === 0) return true
    const codec = attributes & CODEC_MASK
    const body = codec === 0 ? this.#bytes : this.#inflate(batch, codec)
    if (body === undefined) return false
    const from = codec === 0 ? batch.start + RECORDS_AT : 0
    const end = codec === 0 ? batch.end : body.length
    if (!isControl) this.#takeRecords(batch, body, from, end)
    else if (isAbortMarker(batch, body, from, end)) aborted?.abortMarker(this.#producerId(batch))
    return true
  }

  #producerId(batch: BatchHeader): bigint {
    return this.#bytes.readBigInt64BE(batch.start + PRODUCER_ID_AT)
  }

  /** Undefined where earlier batches have used up the room that this one needs. */
  #inflate(batch: BatchHeader, codec: number): Buffer | undefined {
    const compressed = this.#bytes.subarray(batch.start + RECORDS_AT, batch.end)
    const room = this.#maxInflatedBytes - this.#inflatedBytes
    if (room <= 0) return undefined
    try {
      const inflated = decompress(codec, compressed, room)
      this.#inflatedBytes += inflated.length
      return inflated
    } catch (cause) {
      const isTooLarge = cause instanceof BatchTooLarge
      if (isTooLarge && this.#inflatedBytes > 0) return undefined
      const fault = isTooLarge ? 'too-large' : cause instanceof UnknownCodec ? 'codec' : 'malformed'
      throw new BatchError(fault, batch.baseOffset, cause instanceof Error ? cause.message : String(cause), {
        cause,
      })
    }
  }

  #takeRecords(batch: BatchHeader, body: Buffer, from: number, end: number): void {
    const before = this.records.length
    try {
      readRecords(batch, this.#bytes, new RecordCursor(body, from), end, this.#fetchOffset, this.records)
    } catch (cause) {
      this.records.length = before
      throw new BatchError(
        'malformed',
        batch.baseOffset,
        cause instanceof Error ? cause.message : String(cause),
        {
          cause,
        },
      )
    }
  }
}

/** Undefined for a batch that is cut short at the end of the answer, unless it is the only one. */
function readHeader(bytes: Buffer, start: number): BatchHeader | undefined {
  const left = bytes.length - start
  // Base offset, length and magic lie at the same places in all message formats.
  const baseOffset = left < LENGTH_FROM ? -1 : readInt64(bytes, start + BASE_OFFSET_AT)
  const length = left < LENGTH_FROM ? left : LENGTH_FROM + bytes.readInt32BE(start + LENGTH_AT)
  if (left > MAGIC_AT && bytes[start + MAGIC_AT] !== MAGIC) {
    const magic = bytes[start + MAGIC_AT]
    throw new BatchError(
      'format',
      baseOffset,
      `it has message format ${magic}, and only ${MAGIC} is read here`,
    )
  }
  if (left >= LENGTH_FROM && length < RECORDS_AT) {
    throw new BatchError('malformed', baseOffset, `${length} bytes are no batch`)
  }
  if (left < RECORDS_AT || length > left) {
    if (start > 0) return undefined
    throw new BatchError('incomplete', baseOffset, `it has ${length} bytes, of which ${left} came`)
  }
  const end = start + length
  if (crc32c(bytes, start + ATTRIBUTES_AT, end) !== bytes.readUInt32BE(start + CRC_AT)) {
    throw new BatchError('checksum', baseOffset, 'its checksum is wrong')
  }
  const lastOffsetDelta = bytes.readInt32BE(start + LAST_OFFSET_DELTA_AT)
  const count = bytes.readInt32BE(start + RECORD_COUNT_AT)
  const lastOffset = baseOffset + lastOffsetDelta
  if (baseOffset < 0 || lastOffsetDelta < 0 || !Number.isSafeInteger(lastOffset + 1)) {
    throw new BatchError('malformed', baseOffset, `it ends ${lastOffsetDelta} offsets later`)
  }
  if (count < 0) throw new BatchError('malformed', baseOffset, `it has ${count} records`)
  return { start, end, baseOffset, lastOffset, attributes: bytes.readInt16BE(start + ATTRIBUTES_AT), count }
}

/** Throws a `RangeError` for what cannot be; records may have been added by then. */
function readRecords(
  batch: BatchHeader,
  bytes: Buffer,
  cursor: RecordCursor,
  end: number,
  fetchOffset: number,
  into: DecodedRecord[],
): void {
  const { baseOffset, count } = batch
  const body = cursor.bytes
  if (count * RECORD_BYTES_MIN > end - cursor.at) throw new RangeError(`it cannot hold ${count} records`)
  const logAppendTime = (batch.attributes & LOG_APPEND_TIME) !== 0
  const baseTimestamp = readInt64(bytes, batch.start + BASE_TIMESTAMP_AT)
  const maxTimestamp = readInt64(bytes, batch.start + MAX_TIMESTAMP_AT)
  const lastDelta = batch.lastOffset - baseOffset
  let previousDelta = -1
  for (let i = 0; i < count; i++) {
    const length = cursor.varint()
    const stop = cursor.at + length
    if (length < RECORD_BYTES_MIN - 1 || stop > end) throw new RangeError('a record runs past the batch')
    cursor.at++ // attributes: none are defined
    const timestamp = baseTimestamp + cursor.varlong()
    const delta = cursor.varint()
    if (delta <= previousDelta || delta > lastDelta)
      throw new RangeError('a record has an offset out of order')
    previousDelta = delta
    const key = cursor.view()
    const value = cursor.view()
    const headersAt = cursor.at
    if (headersAt >= stop || (body[headersAt] === 0 && headersAt + 1 !== stop)) {
      throw new RangeError('the fields of a record do not fill it')
    }
    const offset = baseOffset + delta
    if (offset >= fetchOffset) {
      const time = logAppendTime ? maxTimestamp : timestamp
      into.push(new DecodedRecord(offset, time, logAppendTime, key, value, body, headersAt, stop))
    }
    cursor.at = stop
  }
  if (cursor.at !== end) throw new RangeError('bytes are left after the last record')
}

/** Only the first record counts. Others than abort and commit markers are no concern of consumers. */
function isAbortMarker(batch: BatchHeader, body: Buffer, from: number, end: number): boolean {
  const cursor = new RecordCursor(body, from)
  try {
    cursor.varint() // length
    cursor.at++
    cursor.varlong()
    cursor.varint()
    const key = cursor.view()
    if (key === null || key.length < CONTROL_KEY_BYTES_MIN || cursor.at > end) {
      throw new RangeError('a control record has no type')
    }
    return key.readInt16BE(CONTROL_TYPE_AT) === ABORT_MARKER
  } catch (cause) {
    throw new BatchError('malformed', batch.baseOffset, 'its control record', { cause })
  }
}

/** Beyond 2^53 the nearest number: offsets are checked, times are only told. */
function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * TWO_TO_32 + bytes.readUInt32BE(at + 4)
}
