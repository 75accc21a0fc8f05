/** Appends what a request asks for: admission first, then lineage, then the log. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Topic } from '../schemas/index.ts'
import {
  type AppendRecord,
  type AppendResult,
  type Headers,
  isStreamsError,
  type Lineage,
  NO_HEADERS,
  type Position,
} from '../streams/index.ts'
import type { ApiContext } from './context.ts'
import { ApiError } from './errors.ts'

const traceContext = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

/** @throws ApiError `BACK_PRESSURE` while the topic's tasks are too far behind */
export function checkAdmission({ pipeline }: ApiContext, topic: string): void {
  const refusal = pipeline.admission(topic)
  if (refusal === undefined) return
  throw new ApiError('BACK_PRESSURE', refusal.reason, { retryAfterMs: refusal.retryAfterMs })
}

/** One record on its way to `topic`; the bytes are given where they came as bytes. */
export function recordOf<V>(
  context: ApiContext,
  request: FastifyRequest,
  topic: Topic<V>,
  value: V,
  bytes: Buffer = topic.value.serialize(value),
): AppendRecord {
  return {
    topic: topic.name,
    key: topic.key.serialize(topic.keyOf(value)),
    value: bytes,
    timestamp: topic.eventTime?.(value) ?? context.now(),
    lineage: newLineage(context, request),
    headers: NO_HEADERS,
  }
}

/** A record of a topic of others, which need not have a key. */
export function foreignRecordOf(
  context: ApiContext,
  request: FastifyRequest,
  { topic, key, bytes }: { readonly topic: string; readonly key: string | undefined; readonly bytes: Buffer },
): AppendRecord {
  return {
    topic,
    key: key === undefined ? null : Buffer.from(key),
    value: bytes,
    timestamp: context.now(),
    lineage: newLineage(context, request),
    headers: NO_HEADERS,
  }
}

/** Deletes what a compacted topic has under the key. */
export function tombstoneOf<V>(
  context: ApiContext,
  request: FastifyRequest,
  topic: Topic<V>,
  key: string,
): AppendRecord {
  return {
    topic: topic.name,
    key: topic.key.serialize(key),
    value: null,
    timestamp: context.now(),
    lineage: newLineage(context, request),
    headers: NO_HEADERS,
  }
}

/** The record with the header `actor`: who asked for a command that only operators may give. */
export function actedBy(record: AppendRecord, { principal }: FastifyRequest): AppendRecord {
  const actor: Headers[number] = ['actor', Buffer.from(principal.name)]
  return { ...record, headers: [...record.headers, actor] }
}

/** Begins a chain of events; a trace that the client is in goes on. */
function newLineage({ ids }: ApiContext, { headers }: FastifyRequest): Lineage {
  const eventId = ids.next()
  const given = headers['traceparent']
  const traceparent = typeof given === 'string' && traceContext.test(given) ? given : undefined
  return { eventId, correlationId: eventId, traceparent }
}

export async function appendOne(context: ApiContext, record: AppendRecord): Promise<AppendResult> {
  const [result] = await context.pipeline.append([record])
  if (result === undefined) throw new Error(`the log answered nothing to a record of ${record.topic}`)
  return result
}

/**
 * Appends each record once the log has the one before it, and answers where the last one lies. A log of several machines
 * takes each partition's records for itself: of records in one append any may be missing after a fault, of these only
 * the later ones.
 */
export async function appendInOrder(
  context: ApiContext,
  [first, ...others]: readonly [AppendRecord, ...AppendRecord[]],
): Promise<AppendResult> {
  let last = await appendOne(context, first)
  for (const record of others) last = await appendOne(context, record)
  return last
}

/**
 * Waits until the tasks that read it have committed the record.
 * @throws ApiError `COMMAND_PENDING`, which names the record's position
 */
export async function applied(context: ApiContext, request: FastifyRequest, record: Position): Promise<void> {
  const { topic, partition, offset } = record
  const { commandWaitMs } = context.limits
  const next = { topic, partition, offset: offset + 1 }
  const wait = (signal: AbortSignal | undefined) =>
    context.pipeline.reached(next, { timeoutMs: commandWaitMs, signal })
  const { work } = request
  const done = work === undefined ? await wait(undefined) : await context.gate.wait(work, commandWaitMs, wait)
  if (!done) throw pending(record, 'It will be applied. Sending it again does no harm.')
}

/**
 * What is read after a record was appended: a task that has gone elsewhere since must not get it twice.
 * @throws ApiError `COMMAND_PENDING` in place of `TASK_NOT_HERE`
 */
export function whileHere<T>(record: Position, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (isStreamsError(error, 'TASK_NOT_HERE')) throw pending(record, 'Its task has moved; read what it did.')
    throw error
  }
}

export function pending({ topic, partition, offset }: Position, detail: string): ApiError {
  const members = { position: { topic, partition, offset } }
  return new ApiError('COMMAND_PENDING', detail, { members, retryAfterMs: 1_000 })
}

export const POSITION_HEADER = 'millrace-position'

/** The positions up to which an answer is true: `topic:partition:offset`, several with commas. */
export function showPositions(reply: FastifyReply, positions: readonly Position[]): void {
  if (positions.length === 0) return
  const text = positions.map(({ topic, partition, offset }) => `${topic}:${partition}:${offset}`)
  reply.header(POSITION_HEADER, text.join(', '))
}
