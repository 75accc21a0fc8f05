/**
 * The requests of one connection that wait for their answers, in place of kafkajs's own queue, which wakes every
 * millisecond (with a timer of a negative time, of which Node warns), keeps timed out requests' connections in use and
 * holds back what it cannot send.
 *
 * Not its job: sockets, authentication.
 *
 * Invariants:
 * 1. A request is here from the moment before its first byte is written until it is answered, runs out of time or the
 *    connection ends: whatever ends it here may have been carried out.
 * 2. A broker answers in the order of the requests. An answer out of order, or one that cannot be read, ends the
 *    connection: nothing after it can be trusted.
 * 3. When the connection ends, every request here ends at once.
 */
import type { PushedRequest, RequestQueue } from 'kafkajs/src/network/connection.js'
import { ClusterError } from './errors.ts'

export interface Waiting {
  readonly apiName: string
  /** Milliseconds; after it the connection is not to be trusted. */
  readonly timeoutMs: number
  /** Takes the bytes after the correlation id; throws when they cannot be read. */
  readonly answered: (payload: Buffer) => void
  readonly failed: (error: Error) => void
}

interface Entry extends Waiting {
  readonly timer: NodeJS.Timeout
}

export class InFlight implements RequestQueue {
  /** In the order in which they were sent. */
  readonly #entries = new Map<number, Entry>()
  readonly #broker: string
  /** For requests that kafkajs sends by itself: those of authentication. Milliseconds. */
  readonly #ownTimeoutMs: number
  readonly #end: (why: string, cause?: unknown) => void

  /** `end` must end the connection, and then call `fail`. */
  constructor(broker: string, ownTimeoutMs: number, end: (why: string, cause?: unknown) => void) {
    this.#broker = broker
    this.#ownTimeoutMs = ownTimeoutMs
    this.#end = end
  }

  get size(): number {
    return this.#entries.size
  }

  add(correlationId: number, waiting: Waiting): void {
    const timer = setTimeout(() => {
      // This process may have been stopped, or busy: then the answer waits in the socket, and is read before this runs.
      setImmediate(() => {
        if (this.#entries.get(correlationId)?.timer !== timer) return
        this.#end(`no answer to ${waiting.apiName} within ${waiting.timeoutMs} ms`)
      })
    }, waiting.timeoutMs)
    this.#entries.set(correlationId, { ...waiting, timer })
  }

  /** Ends all requests: nobody knows what became of them. */
  fail(why: string, cause: unknown): void {
    for (const [correlationId, entry] of this.#entries) {
      this.#remove(correlationId, entry)
      const detail = `${entry.apiName} to ${this.#broker}: ${why}`
      entry.failed(new ClusterError('OUTCOME_UNKNOWN', detail, { cause }))
    }
  }

  fulfillRequest({ correlationId, payload }: { correlationId: number; payload: Buffer }): void {
    const oldest = this.#entries.entries().next().value
    if (oldest === undefined || oldest[0] !== correlationId) {
      this.#end(`an answer out of order, with the number ${correlationId}`)
      return
    }
    const entry = oldest[1]
    try {
      entry.answered(payload)
      this.#remove(correlationId, entry)
    } catch (cause) {
      this.#end(`the answer to ${entry.apiName} cannot be read`, cause)
    }
  }

  /** kafkajs sends a request of its own. */
  push({ entry, sendRequest }: PushedRequest): void {
    const { apiName, correlationId } = entry
    // A session is renewed behind requests that may wait at the broker for long.
    const ahead = [...this.#entries.values()].map(({ timeoutMs }) => timeoutMs)
    this.add(correlationId, {
      apiName,
      timeoutMs: this.#ownTimeoutMs + Math.max(0, ...ahead),
      answered: (payload) => entry.resolve({ correlationId, entry, size: payload.length, payload }),
      failed: entry.reject,
    })
    sendRequest()
  }

  rejectAll(error: Error): void {
    this.#end(error.message, error)
  }

  async waitForPendingRequests(): Promise<void> {}

  scheduleRequestTimeoutCheck(): void {}

  /** A broker that throttles stops reading from the connection; there is nothing to do for this side. */
  maybeThrottle(): void {}

  destroy(): void {}

  #remove(correlationId: number, { timer }: Entry): void {
    clearTimeout(timer)
    this.#entries.delete(correlationId)
  }
}
