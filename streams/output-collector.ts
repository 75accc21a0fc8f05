/**
 * The outputs of a task's running batch: encoded, partitioned and traced to their cause as they are emitted.
 *
 * A mark remembers how far a record had come, so that a record that fails leaves nothing behind.
 */
import { crc32 } from 'node:zlib'
import { STREAMS_ERRORS } from './dead-letter.ts'
import { EventIdMaker } from './event-id.ts'
import { deadLetterTopic } from './graph.ts'
import type { Log } from './log.ts'
import { partitionFor } from './partitioner.ts'
import type { Headers, Lineage, LogRecord, OutgoingRecord, PastCause } from './record.ts'
import type { AnyTopic } from './topic.ts'

/** What outputs are made from at the moment: a record of an input, or a timer. */
export interface Maker {
  readonly ids: EventIdMaker
  readonly origin: LogRecord
  /** Two numbers that name the cause among all causes of this maker. */
  readonly placeHigh: number
  readonly placeLow: number
}

const TEXT_LIMIT_CHARS = 4_000
/** What lineage and framing add to a record at most, in bytes. */
const FRAME_BYTES = 4_096

/** An output that no log would take: its cause becomes a dead letter, everything else of the record stands. */
export class OutputTooLarge extends Error {
  override readonly name = 'OutputTooLarge'

  constructor(topic: string, bytes: number, limit: number) {
    super(`an output of ${bytes} bytes for ${topic}, which takes ${limit}`)
  }
}

export class OutputCollector {
  readonly #log: Log
  readonly #partitions = new Map<string, number>()
  #outputs: OutgoingRecord[] = []
  #mark = 0
  #maker: Maker | undefined
  #pastCause: PastCause | undefined
  #ordinal = 0
  #bytes = 0
  #deadLettered = false
  #markBytes = 0

  constructor(log: Log) {
    this.#log = log
  }

  /** From now on outputs come from this cause. */
  begin(maker: Maker): void {
    this.#maker = maker
    this.#pastCause = undefined
    this.#mark = this.#outputs.length
    this.#markBytes = this.#bytes
    this.#ordinal = 0
    this.#deadLettered = false
  }

  /** What the current maker makes from here on comes from another record. */
  causedBy(cause: PastCause): void {
    this.#pastCause = cause
  }

  /** Forgets what the current cause has made. */
  rollback(): void {
    this.#outputs.length = this.#mark
    this.#bytes = this.#markBytes
    this.#pastCause = undefined
    this.#ordinal = 0
    this.#deadLettered = false
  }

  /** Encodes a value for a topic. Throws what the topic's serdes throw, or `UNKNOWN_TOPIC`. */
  emit(
    topic: AnyTopic,
    key: unknown,
    value: unknown,
    timestamp: number,
    partition: ((partitions: number) => number) | undefined,
    headers: Headers,
  ): void {
    const keyBytes = key === null ? null : topic.key.serialize(key)
    const valueBytes = value === null ? null : topic.value.serialize(value)
    const count = this.#partitionCount(topic.name)
    const target = partition?.(count) ?? (keyBytes === null ? 0 : partitionFor(keyBytes, count))
    const bytes = (keyBytes?.length ?? 0) + (valueBytes?.length ?? 0)
    if (bytes > this.#log.maxRecordBytes)
      throw new OutputTooLarge(topic.name, bytes, this.#log.maxRecordBytes)
    if (!(target >= 0 && target < count))
      throw new RangeError(`partition ${target} of ${topic.name}, which has ${count}`)
    if (!Number.isSafeInteger(timestamp)) throw new RangeError(`timestamp ${timestamp} for ${topic.name}`)
    this.#push(topic.name, target, keyBytes, valueBytes, timestamp, headers)
  }

  /**
   * The current cause's record to its dead-letter topic: original bytes, original headers, and what went wrong. Where
   * that is more than the log takes, it goes as a pointer: without the original's headers, value and key.
   */
  deadLetter(reason: string, error: unknown, message?: string): void {
    const { origin } = this.#current()
    this.#deadLettered = true
    const text = message ?? (error instanceof Error ? error.message : String(error ?? reason))
    const stack = error instanceof Error ? (error.stack ?? '') : ''
    const entries: [string, string][] = [
      ['exception', reason],
      ['message', text.slice(0, TEXT_LIMIT_CHARS)],
      ['stacktrace', stack.slice(0, TEXT_LIMIT_CHARS)],
      ['topic', origin.topic],
      ['partition', String(origin.partition)],
      ['offset', String(origin.offset)],
    ]
    const ours = entries.map(([name, value]) => [STREAMS_ERRORS + name, Buffer.from(value)] as const)
    const { key, value, timestamp } = origin
    const topic = deadLetterTopic(origin.topic)
    const partition = origin.partition % this.#partitionCount(topic)
    const headers = [...origin.headers, ...ours]
    if (recordBytes(key, value, headers) + FRAME_BYTES <= this.#log.maxRecordBytes)
      this.#push(topic, partition, key, value, timestamp, headers)
    else this.#push(topic, partition, null, null, timestamp, [...ours, TRUNCATED])
  }

  #push(
    topic: string,
    partition: number,
    key: Buffer | null,
    value: Buffer | null,
    timestamp: number,
    headers: Headers,
  ): void {
    this.#outputs.push({ topic, partition, key, value, timestamp, lineage: this.#lineage(), headers })
    this.#bytes += (key?.length ?? 0) + (value?.length ?? 0) + 200
  }

  #lineage(): Lineage {
    const { ids, origin, placeHigh, placeLow } = this.#current()
    const eventId = ids.derive(origin.timestamp, placeHigh, placeLow, this.#ordinal++)
    if (this.#pastCause !== undefined) return lineageFrom(eventId, this.#pastCause)
    if (origin.offset < 0) return { eventId }
    const from = origin.lineage
    const { topic, partition, offset, timestamp } = origin
    return {
      eventId,
      causationId: from?.eventId,
      correlationId: from?.correlationId ?? from?.eventId,
      traceparent: from?.traceparent,
      cause: { topic, partition, offset, timestamp },
    }
  }

  #current(): Maker {
    if (this.#maker === undefined) throw new Error('no record or timer is being handled')
    return this.#maker
  }

  #partitionCount(topic: string): number {
    const known = this.#partitions.get(topic)
    if (known !== undefined) return known
    const count = this.#log.partitions(topic)
    this.#partitions.set(topic, count)
    return count
  }

  /** The current cause's record is among the dead letters. */
  get deadLettered(): boolean {
    return this.#deadLettered
  }

  /** Rough bytes of the outputs so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** Takes the batch's outputs out. */
  drain(): readonly OutgoingRecord[] {
    const outputs = this.#outputs
    this.#outputs = []
    this.#mark = 0
    this.#markBytes = 0
    this.#bytes = 0
    return outputs
  }
}

function lineageFrom(eventId: string, past: PastCause): Lineage {
  const { topic, partition, offset, timestamp } = past
  return {
    eventId,
    causationId: past.eventId ?? undefined,
    correlationId: past.correlationId ?? undefined,
    traceparent: past.traceparent ?? undefined,
    cause: { topic, partition, offset, timestamp },
  }
}

const TRUNCATED = [`${STREAMS_ERRORS}truncated`, Buffer.from('key, value, headers')] as const

function recordBytes(key: Buffer | null, value: Buffer | null, headers: Headers): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0)
  for (const [name, content] of headers) bytes += 2 * name.length + content.length
  return bytes
}

/** A checksum over what consumers see of the outputs, in order: topic, partition, key, value, timestamp. */
export function outputsCrc(outputs: readonly OutgoingRecord[]): number {
  let crc = 0
  for (const { topic, partition, key, value, timestamp } of outputs) {
    crc = crc32(value === null ? NO_BYTES : value, crc32(key === null ? NO_BYTES : key, crc32(topic, crc)))
    crc =
      Math.imul(
        crc ^ partition ^ timestamp ^ (value === null ? 1 : 0) ^ (key === null ? 2 : 0),
        0x9e3779b1,
      ) >>> 0
  }
  return crc
}

const NO_BYTES = Buffer.alloc(0)
