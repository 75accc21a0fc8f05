/**
 * The records of one input partition on their way into a task, decoded one ahead, and the choice among inputs.
 *
 * Invariants: records leave in offset order; `position` is after the last record that left, whatever became of it, and
 * never after one that has not; nothing is decoded that is not about to be processed.
 */
import type { SourceNode } from './graph.ts'
import type { Log, PartitionReader } from './log.ts'
import { FUTURE_LIMIT_MS, MAX_HEADERS, MAX_KEY_BYTES } from './policies.ts'
import type { LogRecord } from './record.ts'

/** Records taken from a reader at a time. */
const TAKE_LIMIT = 512
const NONE: readonly LogRecord[] = []

/** Why a record goes no further than its source. */
export interface Refusal {
  readonly reason: string
  readonly action: 'fail' | 'skip' | 'dead-letter'
  readonly cause: unknown
}

/** The next record of an input: decoded, or refused. */
export interface Head {
  readonly record: LogRecord
  readonly key: unknown
  readonly value: unknown
  /** Event time, epoch milliseconds: orders the inputs of a task. */
  readonly timestamp: number
  readonly refusal: Refusal | undefined
}

export class TaskInput {
  readonly source: SourceNode
  readonly partition: number
  readonly #reader: PartitionReader
  #taken: readonly LogRecord[] = NONE
  #next = 0
  #head: Head | undefined
  #position: number
  #blocked = false
  readonly #onReadable: () => void

  constructor(source: SourceNode, partition: number, from: number, log: Log, onReadable: () => void) {
    this.source = source
    this.partition = partition
    this.#position = from
    this.#onReadable = onReadable
    this.#reader = log.openReader({ topic: source.topic.name, partition }, from, onReadable)
  }

  /** The next record, if one is at hand. */
  get head(): Head | undefined {
    if (this.#head !== undefined) return this.#head
    if (this.#blocked) return undefined
    if (this.#next >= this.#taken.length) {
      this.#taken = this.#reader.take(TAKE_LIMIT)
      this.#next = 0
      if (this.#taken.length === 0) return undefined
    }
    try {
      return (this.#head = decode(this.source, this.#taken[this.#next] as LogRecord))
    } catch (error) {
      if (!isNotYet(error)) throw error
      this.#block(error.ready)
      return undefined
    }
  }

  /** The next record is here, and what its decoding needs is not. */
  get blocked(): boolean {
    return this.#blocked
  }

  #block(ready: Promise<unknown>): void {
    this.#blocked = true
    const goOn = (): void => {
      this.#blocked = false
      this.#onReadable()
    }
    ready.then(goOn, goOn)
  }

  /** Moves past the head. */
  shift(): void {
    const record = this.#taken[this.#next] as LogRecord
    this.#position = record.offset + 1
    this.#next++
    this.#head = undefined
  }

  /** The next offset to process; past what the log has for itself and no reader sees, as far as it is known. */
  get position(): number {
    return this.#next < this.#taken.length ? this.#position : Math.max(this.#position, this.#reader.position)
  }

  /** Records known to be there and not processed yet (compacted ones counted as well). */
  get lag(): number {
    return Math.max(0, this.#reader.end - this.position)
  }

  /** There is more, but it is not in memory yet. */
  get fetching(): boolean {
    return this.#next >= this.#taken.length && this.#reader.position < this.#reader.end
  }

  get fault(): Error | undefined {
    return this.#reader.fault
  }

  close(): void {
    this.#reader.close()
  }
}

/**
 * The input whose next record has the lowest timestamp; the first of equals. Nothing while one is blocked: its record,
 * whose place among the others only its decoding tells, must not be overtaken for as long as that takes.
 */
export function lowestTimestamp(inputs: readonly TaskInput[]): TaskInput | undefined {
  let best: TaskInput | undefined
  let bestTimestamp = Number.POSITIVE_INFINITY
  for (const input of inputs) {
    const head = input.head
    if (head === undefined) {
      if (input.blocked) return undefined
    } else if (head.timestamp < bestTimestamp) {
      best = input
      bestTimestamp = head.timestamp
    }
  }
  return best
}

/** What a serde throws for bytes that it cannot decode yet; `ready` ends when it is worth trying again. */
interface NotYet extends Error {
  readonly ready: Promise<unknown>
}

function isNotYet(error: unknown): error is NotYet {
  return error instanceof Error && 'ready' in error && error.ready instanceof Promise
}

/** Throws only what `isNotYet`. */
function decode(source: SourceNode, record: LogRecord): Head {
  const { policies, topic } = source
  const refuse = (reason: string, action: Refusal['action'], cause?: unknown): Head => ({
    record,
    key: null,
    value: null,
    timestamp: record.timestamp,
    refusal: { reason, action, cause },
  })
  if (record.key === null && policies.onNullKey !== 'pass') return refuse('NullKey', policies.onNullKey)
  if (record.value === null && policies.onNullValue !== 'pass')
    return refuse('NullValue', policies.onNullValue)
  if (record.key !== null && record.key.length > MAX_KEY_BYTES) return refuse('KeyTooLarge', 'dead-letter')
  if (record.headers.length > MAX_HEADERS) return refuse('TooManyHeaders', 'dead-letter')
  let key: unknown
  let value: unknown
  let timestamp: number
  try {
    key = record.key === null ? null : topic.key.deserialize(record.key)
    value = record.value === null ? null : topic.value.deserialize(record.value)
    timestamp =
      source.eventTime === undefined || value === null
        ? record.timestamp
        : source.eventTime(value as never, record.timestamp)
  } catch (cause) {
    if (isNotYet(cause)) throw cause
    return refuse('DeserializationError', policies.onUndecodable, cause)
  }
  // What is no number of milliseconds has no place among the others, whatever the policy.
  if (!Number.isSafeInteger(timestamp)) return refuse('BadTimestamp', 'dead-letter')
  if (
    policies.onBadTimestamp !== 'accept' &&
    !(timestamp > 0 && timestamp <= record.appendTime + FUTURE_LIMIT_MS)
  ) {
    if (policies.onBadTimestamp === 'dead-letter') return refuse('BadTimestamp', 'dead-letter')
    timestamp = record.appendTime
  }
  return { record, key, value, timestamp, refusal: undefined }
}
