/**
 * Which topics take events from outside, from whom, and how the bytes that come become records.
 *
 * Nothing is appended that a task could not read: Avro is decoded although its bytes are kept, JSON is checked field by
 * field, and the key is the one that the value has to stand under.
 */
import { isUtf8 } from 'node:buffer'
import type { FastifyRequest } from 'fastify'
import { foreignFault, fromJson, type Serde, type Topic, type Topics } from '../schemas/index.ts'
import type { AppendRecord } from '../streams/index.ts'
import { forbidden, type Principal } from './access.ts'
import type { ApiContext } from './context.ts'
import { ApiError, type FieldProblem } from './errors.ts'
import { foreignRecordOf, recordOf } from './log-writer.ts'
import { toApiError } from './problems.ts'

/** UTF-16 units of a key at most, as of any id. */
const MAX_KEY_CHARS = 200

/** One topic that takes events. */
export interface EventDoor {
  readonly name: string
  /** Nobody but an operator writes here: what is written is on record first. */
  readonly isForOperators: boolean
  /** @throws what says why the bytes are not an event of this topic */
  fromAvro(bytes: Buffer, write: Writing): AppendRecord
  fromJson(json: unknown, write: Writing): AppendRecord
}

/** For whom, and under which key the client expects the event to stand. */
export interface Writing {
  readonly context: ApiContext
  readonly request: FastifyRequest
  readonly key: string | undefined
}

/** A topic whose messages are of others' making. */
export interface ExternalTopic {
  readonly name: string
  readonly value: Serde<unknown>
}

type TopicName = keyof Topics
const PRODUCER_TOPICS = ['couponIssueRequested'] as const satisfies readonly TopicName[]
const SERVICE_TOPICS = [
  'orderConfirmed',
  'orderCancelled',
  'orderReturned',
] as const satisfies readonly TopicName[]
/** Where the shop takes orders. */
const ORDER_TOPICS = ['orderCreated'] as const satisfies readonly TopicName[]
const ORDER_ANSWERS = [
  'paymentResult',
  'deliveryResult',
  'deliveryCancelResult',
] as const satisfies readonly TopicName[]
const ADMIN_TOPICS = ['productCatalog'] as const satisfies readonly TopicName[]

export class EventDoors {
  readonly #doors = new Map<string, EventDoor>()
  readonly #producers: ReadonlySet<string>
  readonly #services: ReadonlySet<string>

  constructor(
    topics: Topics,
    { orders, external }: { readonly orders: boolean; readonly external: readonly ExternalTopic[] },
  ) {
    const producers: readonly TopicName[] = [...PRODUCER_TOPICS, ...(orders ? ORDER_TOPICS : [])]
    const services: readonly TopicName[] = [...producers, ...SERVICE_TOPICS, ...(orders ? ORDER_ANSWERS : [])]
    const add = (names: readonly TopicName[], isForOperators: boolean): void => {
      for (const name of names) {
        const door = eventDoor(topics[name] as Topic<unknown>, isForOperators)
        this.#doors.set(door.name, door)
      }
    }
    add(services, false)
    add(ADMIN_TOPICS, true)
    for (const topic of external) this.#doors.set(topic.name, externalDoor(topic))
    this.#producers = new Set(producers.map((name) => topics[name].name))
    const names = services.map((name) => topics[name].name)
    this.#services = new Set([...names, ...external.map(({ name }) => name)])
  }

  get names(): readonly string[] {
    return [...this.#doors.keys()]
  }

  /** @throws ApiError `UNKNOWN_TOPIC`, `FORBIDDEN` */
  open(topic: string, principal: Principal): EventDoor {
    const door = this.#doors.get(topic)
    if (door === undefined)
      throw new ApiError('UNKNOWN_TOPIC', `Topics that take events: ${this.names.join(', ')}.`)
    if (!this.#isAllowed(topic, principal)) throw forbidden(`This token may not write ${topic}.`)
    return door
  }

  #isAllowed(topic: string, { role, topics }: Principal): boolean {
    if (role === 'admin') return true
    if (role === 'service') return this.#services.has(topic)
    if (role !== 'producer') return false
    // A list may name what services write, for producers that record orders; it never opens an admin's topic.
    return topics === undefined
      ? this.#producers.has(topic)
      : topics.includes(topic) && this.#services.has(topic)
  }
}

function eventDoor<V>(topic: Topic<V>, isForOperators: boolean): EventDoor {
  return {
    name: topic.name,
    isForOperators,
    fromAvro(bytes, write) {
      const value = topic.value.deserialize(bytes)
      checkEvent(topic, value, write)
      return recordOf(write.context, write.request, topic, value, bytes)
    },
    fromJson(json, write) {
      const value = fromJson(topic.schema, json)
      checkEvent(topic, value, write)
      return recordOf(write.context, write.request, topic, value)
    },
  }
}

/** Bytes stay as they are, once they can be read; the key is the one that is asked for, or none. */
function externalDoor({ name, value: serde }: ExternalTopic): EventDoor {
  const record = (bytes: Buffer, { context, request, key }: Writing): AppendRecord =>
    foreignRecordOf(context, request, { topic: name, key, bytes })
  return {
    name,
    isForOperators: false,
    fromAvro(bytes, write) {
      serde.deserialize(bytes)
      return record(bytes, write)
    },
    fromJson(json, write) {
      if (hasInexactInteger(json))
        throw invalid('body', 'has an integer beyond ±(2^53 - 1): send bytes, or the id as text')
      return record(serde.serialize(json), write)
    },
  }
}

function hasInexactInteger(json: unknown): boolean {
  if (typeof json === 'number') return Number.isInteger(json) && !Number.isSafeInteger(json)
  return typeof json === 'object' && json !== null && Object.values(json).some(hasInexactInteger)
}

/** @throws ApiError `INVALID_EVENT`, `WRONG_CURRENCY` */
function checkEvent<V>(topic: Topic<V>, value: V, { context, key: expected }: Writing): void {
  const key = topic.keyOf(value)
  if (key.length === 0 || key.length > MAX_KEY_CHARS) {
    throw invalid('body', `its key must have 1 to ${MAX_KEY_CHARS} characters`)
  }
  if (expected !== undefined && expected !== key) throw invalid('query.key', "is not the event's key")
  const at = topic.eventTime?.(value)
  if (at !== undefined && (at < 1 || at > context.now() + context.limits.eventAheadMs)) {
    throw invalid('body', 'its time is before 1970 or too far ahead of the clock')
  }
  const fault = foreignFault(value, context.currency)
  if (fault === undefined) return
  const errors = [{ path: `body.${fault.field}`, message: fault.message }]
  throw new ApiError(fault.field === 'currency' ? 'WRONG_CURRENCY' : 'INVALID_EVENT', 'See errors.', {
    errors,
  })
}

function invalid(path: string, message: string): ApiError {
  return new ApiError('INVALID_EVENT', 'See errors.', { errors: [{ path, message }] })
}

/**
 * Every line of a batch as a record, or none. Blank lines are passed over.
 * @throws ApiError `INVALID_EVENT` with the number of each faulty line; `BODY_TOO_LARGE` for too many or too long lines
 */
export function fromLines(door: EventDoor, bytes: Buffer, write: Writing): readonly AppendRecord[] {
  const { batchLines, batchLineBytes, listedErrors } = write.context.limits
  if (!isUtf8(bytes)) throw invalid('body', 'is not UTF-8')
  const records: AppendRecord[] = []
  const errors: FieldProblem[] = []
  for (const { line, text } of linesOf(bytes)) {
    if (text.length > batchLineBytes) throw tooLarge(`Line ${line} has more than ${batchLineBytes} bytes.`)
    if (records.length >= batchLines) throw tooLarge(`A batch has at most ${batchLines} lines.`)
    try {
      records.push(door.fromJson(JSON.parse(text.toString('utf8')), write))
    } catch (error) {
      errors.push(...lineProblems(error, line))
      if (errors.length >= listedErrors) break
    }
  }
  if (errors.length > 0) {
    const detail = 'No line was taken. See errors.'
    throw new ApiError('INVALID_EVENT', detail, { errors: errors.slice(0, listedErrors) })
  }
  if (records.length === 0) throw invalid('body', 'has no lines')
  return records
}

function* linesOf(bytes: Buffer): Generator<{ readonly line: number; readonly text: Buffer }> {
  let line = 0
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, start)
    const end = newline < 0 ? bytes.length : newline
    const text = bytes.subarray(start, bytes[end - 1] === 0x0d && end > start ? end - 1 : end)
    line += 1
    if (!isBlank(text)) yield { line, text }
    start = end + 1
  }
}

function isBlank(text: Buffer): boolean {
  return text.every((byte) => byte === 0x20 || byte === 0x09)
}

function lineProblems(error: unknown, line: number): FieldProblem[] {
  if (error instanceof SyntaxError) return [{ path: 'body', message: 'is not JSON', line }]
  const known = toApiError(error)
  // A fault of ours, or of the moment, is not a fault of the line.
  if (known.status >= 500) throw error
  const errors = known.options.errors ?? [{ path: 'body', message: known.detail }]
  return errors.map((each) => ({ ...each, line }))
}

function tooLarge(detail: string): ApiError {
  return new ApiError('BODY_TOO_LARGE', detail)
}
