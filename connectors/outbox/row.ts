/**
 * One row of an outbox as a record of its topic, or why it can be none.
 *
 * Nothing is appended that a task could not read: JSON is checked field by field, Avro is decoded although its bytes are
 * kept, and the key is the one that the value has to stand under.
 */
import { createHash } from 'node:crypto'
import {
  DeserializationError,
  fromJson,
  JsonValueError,
  SerializationError,
  type Topic,
} from '../../schemas/index.ts'
import { type AppendRecord, formatUuid7, NO_HEADERS } from '../../streams/index.ts'

/** UTF-16 units, as of any id. */
const MAX_KEY_CHARS = 200
/** Epoch milliseconds, as many as an eventId has bits for: the year 10889. */
const END_OF_TIME = 2 ** 48
const TRACE_CONTEXT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

export interface OutboxRow {
  /** A bigint as text. */
  readonly id: string
  readonly topic: string
  readonly key: string | null
  /** Parsed JSON, or one Avro datum in Confluent framing; absent where it is too large. */
  readonly payload: unknown
  readonly bytes: number
  readonly headers: unknown
  /** Epoch milliseconds. */
  readonly createdAt: number
}

export interface RowRules {
  /** Names the outbox among all: part of what eventIds are made of. */
  readonly source: string
  /** Those that take rows, by name. */
  // oxlint-disable-next-line typescript/no-explicit-any -- topics of differing records in one list
  readonly topics: ReadonlyMap<string, Topic<any>>
  readonly currency: string
  readonly maxRecordBytes: number
}

/** Why a row is none of its topic's records. Names fields, never values. */
export class RowRefused extends Error {
  override readonly name = 'RowRefused'
}

/** Throws a `RowRefused`. */
export function recordOf(row: OutboxRow, rules: RowRules): AppendRecord {
  const topic = rules.topics.get(row.topic)
  if (topic === undefined)
    throw new RowRefused(`the topic takes no rows: ${[...rules.topics.keys()].join(', ')} do`)
  if (row.payload === null || row.payload === undefined)
    throw new RowRefused(row.bytes > 0 ? `the payload has ${row.bytes} bytes` : 'there is no payload')
  const { value, bytes } = read(topic, row.payload)
  const key = keyOf(topic, value, row.key)
  checkMoney(value, rules.currency)
  const timestamp = topic.eventTime?.(value) ?? row.createdAt
  if (!isTime(timestamp) || !isTime(row.createdAt)) throw new RowRefused('its time is none')
  const record = {
    topic: topic.name,
    key: topic.key.serialize(key),
    value: bytes,
    timestamp,
    lineage: { eventId: eventIdOf(row, rules.source), ...traceOf(row.headers) },
    headers: NO_HEADERS,
  }
  const size = record.key.length + bytes.length
  if (size > rules.maxRecordBytes) throw new RowRefused(`the record has ${size} bytes`)
  return record
}

/** `infinity` is a time to a database; a log takes none, nor any before 1970. */
function isTime(milliseconds: number): boolean {
  return Number.isSafeInteger(milliseconds) && milliseconds >= 0 && milliseconds < END_OF_TIME
}

function read<V>(topic: Topic<V>, payload: unknown): { readonly value: V; readonly bytes: Buffer } {
  try {
    if (Buffer.isBuffer(payload)) return { value: topic.value.deserialize(payload), bytes: payload }
    const value = fromJson(topic.schema, payload)
    return { value, bytes: topic.value.serialize(value) }
  } catch (error) {
    if (error instanceof DeserializationError && error.code !== 'schema-not-loaded')
      throw new RowRefused(`the payload is no ${topic.record}: ${error.code}`)
    if (error instanceof SerializationError)
      throw new RowRefused(`the payload is no ${topic.record}: ${error.code}`)
    if (!(error instanceof JsonValueError)) throw error
    const problems = error.problems.map(({ path, message }) => `${path} ${message}`)
    throw new RowRefused(`the payload is no ${topic.record}: ${problems.join('; ')}`)
  }
}

function keyOf<V>(topic: Topic<V>, value: V, given: string | null): string {
  const key = topic.keyOf(value)
  if (key.length === 0 || key.length > MAX_KEY_CHARS)
    throw new RowRefused(`the key must have 1 to ${MAX_KEY_CHARS} characters`)
  if (given !== null && given !== key) throw new RowRefused(`the column key is not the event's own key`)
  return key
}

function checkMoney(value: unknown, currency: string): void {
  const { currency: own, shipTo } = value as { readonly currency?: unknown; readonly shipTo?: unknown }
  // Whatever bytes these are, they may be an address in the clear.
  if (shipTo !== undefined && shipTo !== null) throw new RowRefused('shipTo is not taken here')
  if (own !== undefined && own !== currency) throw new RowRefused(`currency must be ${currency}`)
}

/** The same whenever the row is published. */
function eventIdOf({ id, createdAt }: OutboxRow, source: string): string {
  const hash = createHash('sha256').update(`${source}|${id}|${createdAt}`).digest()
  return formatUuid7(createdAt, hash.readUInt32BE(0), hash.readUInt32BE(4), hash.readUInt32BE(8))
}

function traceOf(headers: unknown): { readonly correlationId?: string; readonly traceparent?: string } {
  const { correlationId, traceparent } = (headers ?? {}) as Readonly<Record<string, unknown>>
  return {
    ...(typeof correlationId === 'string' && correlationId.length <= MAX_KEY_CHARS && { correlationId }),
    ...(typeof traceparent === 'string' && TRACE_CONTEXT.test(traceparent) && { traceparent }),
  }
}
