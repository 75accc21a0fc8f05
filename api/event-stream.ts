/**
 * Server-sent events: one frame for every stream of this API.
 *
 * A stream is asked for its next batch again and again, each time from where the last one ended, so it has no state but
 * an id: it is resumed by `Last-Event-ID`, and a process that does not have the data asks the one that has it for the
 * batches, one request each.
 *
 * Invariants:
 * 1. What goes wrong before the first batch is answered as a problem; after it the stream ends, and can be resumed.
 * 2. A reader has at most one batch on its way. One that takes nothing for long is cut off.
 */
import type { ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isStreamsError, TaskNotHere } from '../streams/index.ts'
import type { ApiContext } from './context.ts'
import { ApiError, isApiErrorCode } from './errors.ts'

const RECONNECT_MS = 1_000
const OK = 200
const NO_CONTENT = 204

export interface StreamEvent {
  /** To resume after it. */
  readonly id: string
  readonly event: string
  readonly data: object
}

export interface EventBatch {
  readonly events: readonly StreamEvent[]
  /** Nothing comes after these. */
  readonly ended: boolean
}

/** The next batch after an event; empty when nothing comes in time. Throws `TASK_NOT_HERE` where another process has the data. */
export type NextBatch = (
  lastId: string | undefined,
  wait: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
) => Promise<EventBatch>

/** Answers with a stream; to a process that passed the request on, with one batch. */
export async function streamEvents(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  next: NextBatch,
): Promise<unknown> {
  const { gate, limits } = context
  const { work } = request
  if (work === undefined) throw new Error('a stream has its place in the gate')
  const { lastId, waits } = resumed(request)
  if (request.hop !== undefined) {
    const timeoutMs = waits ? limits.eventHeartbeatMs : 0
    reply.header('cache-control', 'no-store')
    return reply.send(await gate.wait(work, timeoutMs, (signal) => next(lastId, { timeoutMs, signal })))
  }
  const signal = gate.stream(work)
  const anywhere = fromAnywhere(context, request, next)
  const first = await anywhere(lastId, { timeoutMs: 0, signal })
  // A browser that is told so does not come back.
  if (first.ended && first.events.length === 0) return reply.code(NO_CONTENT).send()
  reply.hijack()
  const writer = new EventWriter(reply.raw, limits.eventStallMs)
  const more = (last: string | undefined) => anywhere(last, { timeoutMs: limits.eventHeartbeatMs, signal })
  writer.run(first, lastId, more).catch((error: unknown) => {
    if (!signal.aborted) context.failed(error, request)
  })
  return reply
}

/** Of a batch that is to be waited for: only processes of the deployment say it to each other. */
const WAITING = 'wait '

function resumed({ headers, hop }: FastifyRequest): { lastId: string | undefined; waits: boolean } {
  const given = headers['last-event-id']
  const text = typeof given === 'string' ? given : ''
  const waits = hop !== undefined && text.startsWith(WAITING)
  const id = waits ? text.slice(WAITING.length) : text
  if (id === '') return { lastId: undefined, waits }
  if (/^[\w.:-]{1,200}$/.test(id)) return { lastId: id, waits }
  throw noSuchId()
}

/** Of a `Last-Event-ID`. */
export function noSuchId(): ApiError {
  const message = 'is not an id that this stream gave'
  return new ApiError('INVALID_REQUEST', 'See errors.', {
    errors: [{ path: 'header.last-event-id', message }],
  })
}

/** Batches from here, or from the process that has the data. */
function fromAnywhere(context: ApiContext, request: FastifyRequest, next: NextBatch): NextBatch {
  const { peers, limits } = context
  return async (lastId, wait) => {
    if (wait.signal?.aborted === true) return { events: [], ended: true }
    try {
      return await next(lastId, wait)
    } catch (error) {
      const address = error instanceof TaskNotHere ? error.address : undefined
      if (!isStreamsError(error, 'TASK_NOT_HERE') || address === undefined || !peers.mayPass(request))
        throw error
      const id = `${wait.timeoutMs > 0 ? WAITING : ''}${lastId ?? ''}`
      if (request.work !== undefined) request.work.waitMs = wait.timeoutMs
      const { status, body } = await peers.ask(request, address, wait.timeoutMs + limits.peerAnswerMs, id)
      const answer = JSON.parse(body.toString('utf8')) as EventBatch & {
        readonly code?: string
        readonly detail?: string
      }
      if (status === OK) return answer
      const { code = '', detail = '' } = answer
      throw new ApiError(isApiErrorCode(code) ? code : 'PEER_ANSWER_INVALID', detail)
    }
  }
}

/** Writes one stream. */
class EventWriter {
  readonly #response: ServerResponse
  readonly #stallMs: number

  constructor(response: ServerResponse, stallMs: number) {
    this.#response = response
    this.#stallMs = stallMs
  }

  /**
   * Until nothing more comes. Rejects where the reader goes, or a batch cannot be had; then the stream has ended too, and
   * the reader comes back with the id of what it has, and is told then what is wrong.
   */
  async run(
    first: EventBatch,
    lastId: string | undefined,
    next: (lastId: string | undefined) => Promise<EventBatch>,
  ): Promise<void> {
    this.#response.writeHead(OK, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // Nothing between here and the reader is to hold events back.
      'x-accel-buffering': 'no',
    })
    try {
      await this.#write(`retry: ${RECONNECT_MS}\n\n`)
      let last = lastId
      for (let batch = first; ; batch = await next(last)) {
        await this.#write(batch.events.length === 0 ? ': \n\n' : batch.events.map(eventText).join(''))
        last = batch.events.at(-1)?.id ?? last
        if (batch.ended) break
      }
    } finally {
      this.#response.end()
    }
  }

  /** Resolves once the reader has taken it, or room for it. Rejects where it takes nothing for long, or is gone. */
  #write(text: string): Promise<void> {
    const response = this.#response
    if (response.write(text)) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const stalled = setTimeout(() => response.destroy(), this.#stallMs)
      const taken = (): void => end(resolve)
      const gone = (): void => end(() => reject(new Error('the reader is gone')))
      const end = (settle: () => void): void => {
        clearTimeout(stalled)
        response.off('drain', taken).off('close', gone)
        settle()
      }
      response.once('drain', taken).once('close', gone)
    })
  }
}

/** Data is one line: JSON has no line breaks outside its strings, and escapes those inside. */
function eventText({ id, event, data }: StreamEvent): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
