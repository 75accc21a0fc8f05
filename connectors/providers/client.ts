/**
 * One HTTP call to a payment provider or courier, and what is known after it.
 *
 * | what happened | is |
 * | --- | --- |
 * | 2xx with JSON | an answer |
 * | 400, 402, 422 with a code | a refusal: it was not done, and will not be under this key |
 * | 404 with the code UNKNOWN_KEY | "there is none", in the provider's own words |
 * | no connection, 429, 503, 401, 403, any other 404, 405 | away: nobody looked at it, or nobody here may ask |
 * | timeout, broken connection, any other status, an answer that cannot be read | unknown: it may have been done |
 *
 * Invariants:
 * 1. Every call ends within its timeout, after one request and at most `MAX_BODY_BYTES` of body. Nothing is sent twice.
 * 2. What may have been done is never told as if it were not.
 * 3. Bodies, and a provider's free text, get into no error and no log: they may name people.
 */
import { errors, Pool } from 'undici'
import type { Clock } from '../../streams/index.ts'

/** An answer that is longer is not read. */
const MAX_BODY_BYTES = 64 * 1024

export interface ProviderAddress {
  /** `https://host/path`: what the paths of the contract are below. */
  readonly url: string
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string | undefined
}

export interface ProviderClientOptions extends ProviderAddress {
  readonly clock: Pick<Clock, 'now' | 'after'>
  /** For one call, connecting and reading included, milliseconds. */
  readonly timeoutMs: number
  /** Connections to it at a time. */
  readonly connections: number
}

export type Json = Readonly<Record<string, unknown>>

/** What is known after a call; `code` is stable, and fit for logs. */
export type CallOutcome =
  | { readonly kind: 'answer'; readonly body: Json }
  | { readonly kind: 'refused' | 'none'; readonly code: string }
  | { readonly kind: 'unknown' | 'away'; readonly code: string; readonly retryAfterMs: number | null }

export interface ProviderRequest {
  readonly method: 'GET' | 'POST'
  /** Below the address, beginning with `/`. */
  readonly path: string
  readonly idempotencyKey?: string | undefined
  readonly body?: Json | undefined
}

export class ProviderClient {
  readonly #pool: Pool
  readonly #root: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #clock: Pick<Clock, 'now' | 'after'>
  readonly #timeoutMs: number

  /** Opens nothing yet. Throws a `TypeError` for what is no URL. */
  constructor({ url, token, clock, timeoutMs, connections }: ProviderClientOptions) {
    const { origin, pathname } = new URL(url)
    this.#root = pathname.replace(/\/+$/, '')
    this.#pool = new Pool(origin, {
      connections,
      pipelining: 1,
      maxResponseSize: MAX_BODY_BYTES,
      // Before the whole call is late: what was never connected is known not to have been sent.
      connect: { timeout: Math.ceil(timeoutMs / 2) },
    })
    this.#headers = {
      accept: 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    }
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  /** Rejects only where `signal` ended it: what became of it is not known then. */
  async call(request: ProviderRequest, signal: AbortSignal): Promise<CallOutcome> {
    const ending = new AbortController()
    const end = (): void => ending.abort()
    const cancel = this.#clock.after(this.#timeoutMs, end)
    signal.addEventListener('abort', end, { once: true })
    try {
      signal.throwIfAborted()
      return await this.#request(request, ending.signal)
    } catch (error) {
      signal.throwIfAborted()
      return broken(error, ending.signal.aborted)
    } finally {
      cancel()
      signal.removeEventListener('abort', end)
    }
  }

  async #request(
    { method, path, idempotencyKey, body }: ProviderRequest,
    signal: AbortSignal,
  ): Promise<CallOutcome> {
    const answer = await this.#pool.request({
      method,
      path: `${this.#root}${path}`,
      headers: {
        ...this.#headers,
        ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal,
      headersTimeout: this.#timeoutMs,
      bodyTimeout: this.#timeoutMs,
    })
    const json = parse(await answer.body.text())
    return outcomeOf(answer.statusCode, json, retryAfterMs(answer.headers['retry-after'], this.#clock.now()))
  }

  /** Ends what is under way. Idempotent. */
  async close(): Promise<void> {
    if (!this.#pool.destroyed) await this.#pool.destroy()
  }
}

/** Nobody here may ask, or nothing answers there: for whoever runs the shop, not for one order. */
const AWAY: ReadonlySet<number> = new Set([401, 403, 404, 405, 429, 503])
const REFUSED: ReadonlySet<number> = new Set([400, 402, 422])

function outcomeOf(status: number, body: Json | undefined, retryAfter: number | null): CallOutcome {
  const code = `HTTP_${status}`
  if (status >= 200 && status < 300) {
    if (body !== undefined) return { kind: 'answer', body }
    return { kind: 'unknown', code: 'UNREADABLE', retryAfterMs: null }
  }
  const own = codeOf(body?.['code'])
  if (status === 404 && own === 'UNKNOWN_KEY') return { kind: 'none', code: own }
  if (AWAY.has(status)) return { kind: 'away', code, retryAfterMs: retryAfter }
  if (REFUSED.has(status) && own !== undefined) return { kind: 'refused', code: own }
  return { kind: 'unknown', code, retryAfterMs: retryAfter }
}

/** Codes only: free text may name people. */
export function codeOf(value: unknown): string | undefined {
  return typeof value === 'string' && /^[A-Za-z0-9_.-]{1,64}$/.test(value) ? value : undefined
}

/** The connection was never there: nothing was sent. */
const NOT_SENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

function broken(error: unknown, timedOut: boolean): CallOutcome {
  if (timedOut) return { kind: 'unknown', code: 'TIMEOUT', retryAfterMs: null }
  const { code = '' } = error as { readonly code?: string }
  if (NOT_SENT.has(code)) return { kind: 'away', code, retryAfterMs: null }
  const late = error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError
  return { kind: 'unknown', code: late ? 'TIMEOUT' : 'BROKEN', retryAfterMs: null }
}

function parse(text: string): Json | undefined {
  try {
    const json: unknown = JSON.parse(text)
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Json) : undefined
  } catch {
    return undefined
  }
}

/** Seconds, or a date. */
function retryAfterMs(header: string | string[] | undefined, now: number): number | null {
  if (typeof header !== 'string') return null
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now
  return Number.isFinite(ms) && ms > 0 ? ms : null
}
