/**
 * Dead letters as whoever put them aside wrote them, read into one shape: this engine and Kafka Streams, Kafka Connect,
 * and Spring for Apache Kafka each have headers of their own.
 *
 * | dialect | headers | numbers |
 * | --- | --- | --- |
 * | `streams` | `__streams.errors.{exception,message,stacktrace,topic,partition,offset}` (KIP-1034) | decimal text |
 * | `connect` | `__connect.errors.{exception.class.name,exception.message,exception.stacktrace,topic,partition,offset,stage,connector.name}` | decimal text |
 * | `spring` | `kafka_dlt-{exception-fqcn,exception-cause-fqcn,exception-message,exception-stacktrace,original-topic,original-partition,original-offset,original-timestamp,original-consumer-group}` | big-endian: partition 4 bytes, offset and timestamp 8 |
 *
 * Of headers of one name the last counts, and of several dialects the one that wrote last: each adds to what was there.
 * What does not parse is absent, never an error: a dead letter must be readable.
 */
import { deadLetterTopic } from './graph.ts'
import type { Headers, LogRecord, Position } from './record.ts'

export type DeadLetterDialect = 'streams' | 'connect' | 'spring' | 'unknown'

export const STREAMS_ERRORS = '__streams.errors.'
const CONNECT_ERRORS = '__connect.errors.'
const SPRING_ERRORS = 'kafka_dlt-'
/** Of a record that was sent back: the dead letter that it was. */
export const REDRIVE_HEADER = 'millrace-redrive'
/** Of a record that was sent back, perhaps more than once: where it was before it was ever a dead letter. */
export const REDRIVE_FIRST_HEADER = 'millrace-redrive-first'

/** A record that was put aside. */
export interface DeadLetter {
  /** As it lies in the dead-letter topic. */
  readonly record: LogRecord
  readonly dialect: DeadLetterDialect
  /** Class of the failure; `Unknown` where nothing says so. A name, nothing of the record. */
  readonly error: string
  /** May hold anything, personal data too. */
  readonly message: string | undefined
  /** As `message`. */
  readonly stacktrace: string | undefined
  /** Who could not process it: a connector, a consumer group. */
  readonly consumer: string | undefined
  /** Where the record was. Absent: nobody knows. */
  readonly original: Position | undefined
  /** The record's own time, epoch milliseconds. */
  readonly timestamp: number
  /** The letter has neither key nor value: together with its headers they were more than the log takes. */
  readonly truncated: boolean
  /** The dead letter that was sent back and became this one. */
  readonly redriven: Position | undefined
  /** Where the record was before the first of its dead letters: what orders those of a key. */
  readonly first: Position | undefined
  /** The record's own headers. */
  readonly headers: Headers
}

/** Never throws. */
export function readDeadLetter(record: LogRecord): DeadLetter {
  const dialect = dialectOf(record.headers)
  const last = new Map(record.headers)
  const { prefix, names } = DIALECTS[dialect]
  const text = (name: string | undefined): string | undefined => {
    const bytes = name === undefined ? undefined : last.get(prefix + name)
    return bytes === undefined || bytes.length === 0 ? undefined : bytes.toString('utf8')
  }
  const number = (name: string | undefined): number | undefined => {
    const bytes = name === undefined ? undefined : last.get(prefix + name)
    return bytes === undefined ? undefined : dialect === 'spring' ? bigEndian(bytes) : decimal(bytes)
  }
  const original = originalOf(text(names.topic), number(names.partition), number(names.offset))
  return {
    record,
    dialect,
    error: classOf(names.exceptions.map(text).find((name) => name !== undefined)),
    message: names.messages.map(text).find((message) => message !== undefined),
    stacktrace: text(names.stacktrace),
    consumer: plain(text(names.consumer)),
    original,
    timestamp: number(names.timestamp) ?? record.timestamp,
    truncated: last.has(`${STREAMS_ERRORS}truncated`),
    redriven: parsePosition(last.get(REDRIVE_HEADER)),
    first: parsePosition(last.get(REDRIVE_FIRST_HEADER)) ?? original,
    headers: record.headers.filter(([name]) => !isErrorHeader(name)),
  }
}

/** The topic that the records of a dead-letter topic come from; nothing for any other topic. */
export function sourceOfDeadLetters(topic: string): string | undefined {
  const suffix = deadLetterTopic('')
  return topic.length > suffix.length && topic.endsWith(suffix) ? topic.slice(0, -suffix.length) : undefined
}

/** `topic|partition|offset`, as headers have it. */
export function positionText({ topic, partition, offset }: Position): string {
  return `${topic}|${partition}|${offset}`
}

interface DialectNames {
  /** The first one that is there counts. */
  readonly exceptions: readonly string[]
  readonly messages: readonly string[]
  readonly stacktrace?: string
  readonly consumer?: string
  readonly topic?: string
  readonly partition?: string
  readonly offset?: string
  readonly timestamp?: string
}

const DIALECTS: Readonly<
  Record<DeadLetterDialect, { readonly prefix: string; readonly names: DialectNames }>
> = {
  streams: {
    prefix: STREAMS_ERRORS,
    names: {
      exceptions: ['exception'],
      messages: ['message'],
      stacktrace: 'stacktrace',
      topic: 'topic',
      partition: 'partition',
      offset: 'offset',
    },
  },
  connect: {
    prefix: CONNECT_ERRORS,
    names: {
      exceptions: ['exception.class.name'],
      messages: ['exception.message'],
      stacktrace: 'exception.stacktrace',
      consumer: 'connector.name',
      topic: 'topic',
      partition: 'partition',
      offset: 'offset',
    },
  },
  spring: {
    prefix: SPRING_ERRORS,
    names: {
      // The outermost exception is the listener container's, whatever happened.
      exceptions: ['exception-cause-fqcn', 'exception-fqcn', 'key-exception-fqcn'],
      messages: ['exception-message', 'key-exception-message'],
      stacktrace: 'exception-stacktrace',
      consumer: 'original-consumer-group',
      topic: 'original-topic',
      partition: 'original-partition',
      offset: 'original-offset',
      timestamp: 'original-timestamp',
    },
  },
  unknown: { prefix: '', names: { exceptions: [], messages: [] } },
}

function dialectOf(headers: Headers): DeadLetterDialect {
  for (const [name] of headers.toReversed()) {
    if (name.startsWith(STREAMS_ERRORS)) return 'streams'
    if (name.startsWith(CONNECT_ERRORS)) return 'connect'
    if (name.startsWith(SPRING_ERRORS)) return 'spring'
  }
  return 'unknown'
}

/** Set by whoever put the record aside or sent it back, not by who made it. */
function isErrorHeader(name: string): boolean {
  const prefixes = [STREAMS_ERRORS, CONNECT_ERRORS, SPRING_ERRORS]
  return (
    name === REDRIVE_HEADER || name === REDRIVE_FIRST_HEADER || prefixes.some((one) => name.startsWith(one))
  )
}

/** Java's `toString` of an exception is its class, a colon, and a message that may quote the record. */
const CLASS_NAME = /^[A-Za-z_][A-Za-z0-9_.$-]{0,199}$/

/** What is shown of headers must not write on terminals. */
const TOPIC_NAME = /^[A-Za-z0-9._-]{1,249}$/
const PLAIN_TEXT = /^[\x20-\x7e]{1,200}$/

function classOf(text: string | undefined): string {
  const name = text?.split(':', 1)[0]?.trim() ?? ''
  return CLASS_NAME.test(name) ? name : 'Unknown'
}

function plain(text: string | undefined): string | undefined {
  return text !== undefined && PLAIN_TEXT.test(text) ? text : undefined
}

function originalOf(
  topic: string | undefined,
  partition: number | undefined,
  offset: number | undefined,
): Position | undefined {
  if (topic === undefined || partition === undefined || offset === undefined) return undefined
  if (!TOPIC_NAME.test(topic)) return undefined
  return partition < 0 || offset < 0 ? undefined : { topic, partition, offset }
}

function parsePosition(bytes: Buffer | undefined): Position | undefined {
  const [topic, partition, offset, ...more] = bytes?.toString('utf8').split('|') ?? []
  if (topic === undefined || partition === undefined || offset === undefined || more.length > 0)
    return undefined
  return originalOf(topic, decimal(Buffer.from(partition)), decimal(Buffer.from(offset)))
}

function decimal(bytes: Buffer): number | undefined {
  const text = bytes.toString('latin1')
  const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(value) ? value : undefined
}

function bigEndian(bytes: Buffer): number | undefined {
  if (bytes.length === 4) return bytes.readInt32BE()
  const value = bytes.length === 8 ? Number(bytes.readBigInt64BE()) : Number.NaN
  return Number.isSafeInteger(value) ? value : undefined
}
