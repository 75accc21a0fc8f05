/**
 * Requests in work: how many there may be, and until when each must be answered.
 *
 * A request is `short` while this process works on it and `waiting` while it only waits for the pipeline; each kind has
 * its own limit, so that waiting ones never keep short ones out. Streams of events are a kind of their own, with a limit of
 * their own and without a deadline. One sweep, not a timer per request, finds those that
 * are late; their outcome is unknown to the client, which asks again with the same ids.
 */
import type { Socket } from 'node:net'
import type { FastifyReply } from 'fastify'
import { ApiError } from './errors.ts'
import type { ApiLimits } from './limits.ts'

/** How often late requests are looked for. */
const SWEEP_MS = 100
const RETRY_AFTER_MS = 1_000

/** One request in work. */
export interface Work {
  readonly reply: FastifyReply
  readonly startedAt: number
  /** Members of any problem document that answers it, such as the requestId to ask again with. */
  members: Readonly<Record<string, unknown>> | undefined
  kind: 'short' | 'waiting' | 'stream' | 'done'
  deadline: number
  /** How long the request itself says that its answer may be waited for. */
  waitMs: number
  abort: AbortController | undefined
}

export class Gate {
  readonly #limits: ApiLimits
  readonly #monotonic: () => number
  readonly #works = new Set<Work>()
  #waiting = 0
  #streams = 0
  #closing = false
  #timer: NodeJS.Timeout | undefined

  /** @param monotonic milliseconds, never going back */
  constructor(limits: ApiLimits, monotonic: () => number) {
    this.#limits = limits
    this.#monotonic = monotonic
  }

  /** @throws ApiError `OVERLOADED` */
  enter(reply: FastifyReply): Work {
    if (this.running >= this.#limits.concurrentRequests) throw overloaded()
    const startedAt = this.#monotonic()
    const deadline = startedAt + this.#limits.requestTimeoutMs
    const work: Work = {
      reply,
      startedAt,
      members: undefined,
      kind: 'short',
      deadline,
      waitMs: 0,
      abort: undefined,
    }
    this.#works.add(work)
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS).unref()
    return work
  }

  /** Idempotent. */
  leave(work: Work): void {
    if (!this.#works.delete(work)) return
    if (work.kind === 'waiting') this.#waiting -= 1
    if (work.kind === 'stream') this.#streams -= 1
    work.kind = 'done'
    work.abort?.abort()
  }

  /**
   * Runs `wait` while the request counts as waiting; its deadline moves by `timeoutMs`. The signal fires when the client
   * goes away and when the server closes.
   * @throws ApiError `OVERLOADED`
   */
  async wait<T>(work: Work, timeoutMs: number, wait: (signal: AbortSignal) => Promise<T>): Promise<T> {
    // It has its room, and a signal that lasts.
    if (work.kind === 'stream' && work.abort !== undefined) return wait(work.abort.signal)
    if (this.#waiting >= this.#limits.waitingRequests) throw overloaded()
    const abort = new AbortController()
    if (this.#closing || work.kind === 'done') abort.abort()
    if (work.kind === 'short') {
      work.kind = 'waiting'
      this.#waiting += 1
    }
    work.abort = abort
    work.deadline += timeoutMs
    try {
      return await wait(abort.signal)
    } finally {
      work.abort = undefined
      // It may have left meanwhile.
      if (this.#works.has(work)) {
        work.kind = 'short'
        this.#waiting -= 1
      }
    }
  }

  /**
   * From here on, until it leaves, the request is a stream of events. The signal fires as that of `wait`.
   * @throws ApiError `OVERLOADED`
   */
  stream(work: Work): AbortSignal {
    if (this.#streams >= this.#limits.eventStreams) throw overloaded()
    const abort = new AbortController()
    if (this.#closing || work.kind === 'done') abort.abort()
    if (work.kind === 'short') {
      work.kind = 'stream'
      this.#streams += 1
    }
    work.abort = abort
    return abort.signal
  }

  get running(): number {
    return this.#works.size - this.#waiting - this.#streams
  }

  get waiting(): number {
    return this.#waiting
  }

  /** Ends all waits, now and later: whoever waits is answered with what is known. */
  stopWaiting(): void {
    this.#closing = true
    for (const work of this.#works) work.abort?.abort()
  }

  /** Connections on which a request is in work. */
  busySockets(): ReadonlySet<Socket> {
    return new Set([...this.#works].map(({ reply }) => reply.request.raw.socket))
  }

  close(): void {
    this.stopWaiting()
    clearInterval(this.#timer)
  }

  #sweep(): void {
    const now = this.#monotonic()
    for (const work of this.#works) {
      if (work.kind === 'stream' || work.deadline > now || work.reply.sent) continue
      // A body that is still coming is the client's delay, and its rest is not worth reading.
      const { complete } = work.reply.request.raw
      void work.reply.send(complete === false ? tooSlow() : tooLate())
    }
  }
}

function tooSlow(): ApiError {
  const headers = { connection: 'close' }
  return new ApiError('REQUEST_TIMEOUT', 'The body did not come in time.', { headers })
}

function tooLate(): ApiError {
  const detail = 'Ask again with the same ids: what became of this request is not known.'
  return new ApiError('DEADLINE_EXCEEDED', detail, { retryAfterMs: RETRY_AFTER_MS })
}

function overloaded(): ApiError {
  const detail = 'The server has as many requests in work as it takes.'
  return new ApiError('OVERLOADED', detail, { retryAfterMs: RETRY_AFTER_MS })
}
