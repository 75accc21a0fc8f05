/**
 * Records of the engine as records of Kafka, and back.
 *
 * On Kafka a record's lineage is headers, as UTF-8 text, before its other headers: `eventId`, `causationId`,
 * `correlationId`, `traceparent`, and of its cause `cause-topic`, `cause-partition`, `cause-offset`, `cause-timestamp`,
 * the numbers in decimal.
 *
 * Reading, whoever wrote it:
 * - Without `eventId` there is no lineage, and all headers stay headers: `traceparent` is set by others too.
 * - The first header of each name counts; a later one of the same name is a header like others.
 * - A cause of which a part is missing or no number is no cause.
 * - What is longer than any lineage is a header like others: it would go on into everything that is made of the record.
 * - A header without value is read as one with an empty value; the engine knows no difference.
 *
 * Kafka keeps one time per record. Where the topic says `CreateTime` that is the event's, and the append time is not
 * known: it is taken to be when the record was fetched, which is never before it. Batches that say so in a topic of
 * `LogAppendTime` were brought there from another log (`import.ts`), with the append times that they had.
 */
import {
  type Cause,
  type Headers,
  type Lineage,
  type LogRecord,
  NO_HEADERS,
  type OutgoingRecord,
  type TopicPartition,
} from '../../streams/index.ts'
import type { DecodedRecord, RecordHeaders } from './batches/decoded-record.ts'
import type { BatchRecord } from './batches/encode.ts'

type OutgoingContent = Pick<OutgoingRecord, 'key' | 'value' | 'timestamp' | 'headers'> & {
  readonly lineage: Lineage | undefined
}

export function toBatchRecord({ key, value, timestamp, lineage, headers }: OutgoingContent): BatchRecord {
  if (lineage === undefined) return { key, value, timestamp, headers }
  const own = lineageHeaders(lineage)
  return { key, value, timestamp, headers: headers.length === 0 ? own : [...own, ...headers] }
}

/** `fetchedAt`: epoch milliseconds; the append time of a record whose batch does not have it. */
export function toLogRecord(at: TopicPartition, record: DecodedRecord, fetchedAt: number): LogRecord {
  return new KafkaRecord(at, record, record.logAppendTime ? record.timestamp : fetchedAt)
}

/** The headers that lineage is read from; the first one says whether there is any. */
const LINEAGE = [
  'eventId',
  'causationId',
  'correlationId',
  'traceparent',
  'cause-topic',
  'cause-partition',
  'cause-offset',
  'cause-timestamp',
] as const
type LineageHeader = (typeof LINEAGE)[number]
/** Of one value: the name of a topic has up to 249. Bytes. */
const VALUE_BYTES_MAX = 256
/** What lineage, and the framing of a record, add to its key, value and other headers at most. Bytes. */
export const LINEAGE_BYTES_MAX = LINEAGE.length * (VALUE_BYTES_MAX + 32)
const lineagePlaces: ReadonlyMap<string, number> = new Map(LINEAGE.map((name, place) => [name, place]))
const DECIMAL = /^-?\d{1,16}$/

/** The headers of a record, told apart. */
interface Provenance {
  /** By the places of `LINEAGE`; undefined: the record has no lineage. */
  readonly values: readonly (Buffer | null | undefined)[] | undefined
  readonly headers: Headers
}

const NO_PROVENANCE: Provenance = Object.freeze({ values: undefined, headers: NO_HEADERS })
const EMPTY = Buffer.alloc(0)

/** Lineage and headers are decoded when somebody asks for them; copying it with `{ ...record }` would lose both. */
class KafkaRecord implements LogRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: number
  readonly appendTime: number
  readonly #source: DecodedRecord
  #provenance: Provenance | undefined
  #lineage: Lineage | undefined

  constructor({ topic, partition }: TopicPartition, source: DecodedRecord, appendTime: number) {
    this.topic = topic
    this.partition = partition
    this.offset = source.offset
    this.key = source.key
    this.value = source.value
    this.timestamp = source.timestamp
    this.appendTime = appendTime
    this.#source = source
    this.#provenance = source.hasHeaders ? undefined : NO_PROVENANCE
  }

  /** Asked for on the hot path; lineage is not, and stays undecoded. */
  get headers(): Headers {
    this.#provenance ??= provenanceOf(this.#source.headers)
    return this.#provenance.headers
  }

  get lineage(): Lineage | undefined {
    this.#provenance ??= provenanceOf(this.#source.headers)
    const { values } = this.#provenance
    return values === undefined ? undefined : (this.#lineage ??= readLineage(values))
  }
}

function provenanceOf(all: RecordHeaders): Provenance {
  const values: (Buffer | null | undefined)[] = [
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]
  let headers: (readonly [string, Buffer])[] | undefined
  for (let i = 0; i < all.length; i++) {
    const header = all[i] as RecordHeaders[number]
    const place = lineagePlaces.get(header[0])
    const isLineage = place !== undefined && values[place] === undefined && isShort(header[1])
    if (isLineage) values[place] = header[1]
    else (headers ??= []).push(withValue(header))
  }
  if (!values[0]?.length) return { values: undefined, headers: all.map(withValue) }
  return { values, headers: headers ?? NO_HEADERS }
}

function isShort(value: Buffer | null): boolean {
  return value === null || value.length <= VALUE_BYTES_MAX
}

function withValue([name, value]: RecordHeaders[number]): readonly [string, Buffer] {
  return [name, value ?? EMPTY]
}

function readLineage(values: NonNullable<Provenance['values']>): Lineage {
  const [eventId, causationId, correlationId, traceparent] = values
  return {
    eventId: `${eventId?.toString()}`,
    causationId: causationId?.toString(),
    correlationId: correlationId?.toString(),
    traceparent: traceparent?.toString(),
    cause: readCause(values),
  }
}

function readCause(values: NonNullable<Provenance['values']>): Cause | undefined {
  const [, , , , topic, ...numbers] = values
  const [partition, offset, timestamp] = numbers.map(decimal) as [number, number, number]
  if (!topic?.length || !(partition >= 0) || !(offset >= 0) || Number.isNaN(timestamp)) return undefined
  return { topic: topic.toString(), partition, offset, timestamp }
}

/** NaN for anything that is no whole number. */
function decimal(digits: Buffer | null | undefined): number {
  const text = digits?.toString() ?? ''
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(value) ? value : Number.NaN
}

function lineageHeaders(lineage: Lineage): BatchRecord['headers'] {
  const { eventId, causationId, correlationId, traceparent, cause } = lineage
  const headers: [LineageHeader, string][] = [['eventId', eventId]]
  if (causationId !== undefined) headers.push(['causationId', causationId])
  if (correlationId !== undefined) headers.push(['correlationId', correlationId])
  if (traceparent !== undefined) headers.push(['traceparent', traceparent])
  if (cause !== undefined) {
    headers.push(['cause-topic', cause.topic], ['cause-partition', `${cause.partition}`])
    headers.push(['cause-offset', `${cause.offset}`], ['cause-timestamp', `${cause.timestamp}`])
  }
  return headers
}
