/**
 * Rows of the log turned back into records. Keys and values are views of the row's bytes; lineage and headers are
 * decoded when somebody asks for them, which hot tasks seldom do.
 */
import {
  type Headers,
  type Lineage,
  type LogRecord,
  NO_HEADERS,
  StreamsError,
  type TopicPartition,
} from '../../streams/index.ts'
import { lastOffsetOf } from './keys.ts'
import { hasHeaders, type Provenance, readProvenance, type TopicNumbers } from './lineage.ts'
import { APPEND_TIMESTAMPS, COMPACTED, ROW_FORMAT, ROW_HEADER_BYTES, rowCrc } from './log-row.ts'
import { Cursor } from './varint.ts'

const NOTHING: Provenance = Object.freeze({ lineage: undefined, headers: NO_HEADERS })
const NO_PROVENANCE = -1

interface Source extends TopicPartition {
  readonly bytes: Buffer
  readonly topics: TopicNumbers
}

/** A record whose lineage and headers are decoded late; copying it with `{ ...record }` would lose both. */
export class StoredRecord implements LogRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: number
  readonly appendTime: number
  readonly #source: Source
  readonly #at: number
  #provenance: Provenance | undefined

  constructor(
    source: Source,
    offset: number,
    appendTime: number,
    timestamp: number,
    key: Buffer | null,
    value: Buffer | null,
    at: number,
  ) {
    this.topic = source.topic
    this.partition = source.partition
    this.offset = offset
    this.key = key
    this.value = value
    this.timestamp = timestamp
    this.appendTime = appendTime
    this.#source = source
    this.#at = at
  }

  get lineage(): Lineage | undefined {
    return this.#decoded().lineage
  }

  get headers(): Headers {
    // Asked for on the hot path; lineage is not, and stays undecoded where there are no headers.
    if (this.#at === NO_PROVENANCE || !hasHeaders(this.#source.bytes, this.#at)) return NO_HEADERS
    return this.#decoded().headers
  }

  #decoded(): Provenance {
    if (this.#at === NO_PROVENANCE) return NOTHING
    const { bytes, topics } = this.#source
    this.#provenance ??= readProvenance(bytes, this.#at, this.appendTime, topics)
    return this.#provenance
  }
}

/** What a row's header says. */
export interface RowHeader {
  readonly flags: number
  readonly count: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly appendTime: number
  readonly firstTime: number
}

/**
 * The header of a row whose checksum is right. Throws `LOG_RECORD_CORRUPT`, naming the offset, for any other: damaged,
 * of another format, or under another row's key.
 */
export function checkedHeader(at: TopicPartition, key: Buffer, value: Buffer): RowHeader {
  const lastOffset = lastOffsetOf(key)
  if (value.length < ROW_HEADER_BYTES || value.readUInt32BE(0) !== rowCrc(key, value)) {
    throw corrupt(at, lastOffset, 'its checksum is wrong')
  }
  return readHeader(at, key, value)
}

/** As `checkedHeader`, for bytes that never left memory. */
export function readHeader(at: TopicPartition, key: Buffer, value: Buffer): RowHeader {
  const lastOffset = lastOffsetOf(key)
  if (value[4] !== ROW_FORMAT) throw corrupt(at, lastOffset, `its format ${value[4]} is not known`)
  return {
    flags: value.readUInt8(5),
    count: value.readUInt16BE(6),
    baseOffset: value.readDoubleBE(8),
    lastOffset,
    appendTime: value.readDoubleBE(16),
    firstTime: value.readDoubleBE(24),
  }
}

/** The row's records in offset order. Throws `LOG_RECORD_CORRUPT` on bytes that no row has. */
export function decodeRecords(
  at: TopicPartition,
  header: RowHeader,
  value: Buffer,
  topics: TopicNumbers,
): StoredRecord[] {
  const { topic, partition } = at
  const source: Source = { topic, partition, bytes: value, topics }
  const { flags, count, baseOffset, appendTime, firstTime } = header
  const cursor = new Cursor(value, ROW_HEADER_BYTES)
  const compacted = (flags & COMPACTED) !== 0
  const appendTimestamps = (flags & APPEND_TIMESTAMPS) !== 0
  const records: StoredRecord[] = []
  try {
    for (let i = 0; i < count; i++) {
      const offset = baseOffset + (compacted ? cursor.varint() : i)
      const taken = compacted ? appendTime + cursor.signed() : appendTime
      const timestamp = appendTimestamps ? taken : firstTime + cursor.signed()
      const key = nullable(cursor)
      const bytes = nullable(cursor)
      const length = cursor.varint()
      const provenance = length === 0 ? NO_PROVENANCE : cursor.at
      cursor.at += length
      records.push(new StoredRecord(source, offset, taken, timestamp, key, bytes, provenance))
    }
    if (cursor.at !== value.length) throw new RangeError('Bytes are left over')
  } catch (cause) {
    throw corrupt(at, header.lastOffset, 'it cannot be decoded', cause)
  }
  return records
}

export function corrupt(at: TopicPartition, offset: number, why: string, cause?: unknown): StreamsError {
  return new StreamsError(
    'LOG_RECORD_CORRUPT',
    `${at.topic}-${at.partition} at the row that ends with offset ${offset}: ${why}`,
    cause === undefined ? undefined : { cause },
  )
}

function nullable(cursor: Cursor): Buffer | null {
  const length = cursor.varint()
  return length === 0 ? null : cursor.slice(length - 1)
}
