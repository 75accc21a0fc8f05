/** The few calls that the load generator and operators' commands make, over kept connections. */
import { Pool } from 'undici'
import { UsageError } from '../errors.ts'

/** A reply that is JSON, or what else came. */
export interface Reply {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
  /** Of `Retry-After`, in milliseconds. */
  readonly retryAfterMs: number | undefined
}

export interface ClientOptions {
  readonly url: string
  /** Connections for requests that are answered at once, and as many for those that wait. */
  readonly connections: number
  /** Requests on their way on one connection. */
  readonly pipelining: number
  readonly token?: string | undefined
}

const MS_PER_SECOND = 1000
const REQUEST_TIMEOUT_MS = 60_000

export class ShopClient {
  readonly #pool: Pool
  /** Answers come in the order of the requests on a connection: what waits must not stand before what does not. */
  readonly #waiting: Pool
  readonly #base: string
  readonly #headers: Readonly<Record<string, string>>

  constructor({ url, connections, pipelining, token }: ClientOptions) {
    const { origin, pathname } = new URL(url)
    this.#base = pathname.replace(/\/$/, '')
    const timeouts = { headersTimeout: REQUEST_TIMEOUT_MS, bodyTimeout: REQUEST_TIMEOUT_MS }
    this.#pool = new Pool(origin, { connections, pipelining, ...timeouts })
    this.#waiting = new Pool(origin, { connections, pipelining: 1, ...timeouts })
    this.#headers = {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    }
  }

  get(path: string): Promise<Reply> {
    return this.#send(this.#pool, 'GET', path)
  }

  /** As `get`, for what the server may take its time with. */
  wait(path: string): Promise<Reply> {
    return this.#send(this.#waiting, 'GET', path)
  }

  /** Repeating it must change nothing: the calls are pipelined and tried again. */
  put(path: string, body: object, key?: string): Promise<Reply> {
    return this.#send(this.#pool, 'PUT', path, body, key)
  }

  /** As `put`: what makes a repeat harmless is in the body, a requestId for example, or is an Idempotency-Key. */
  post(path: string, body: object, key?: string): Promise<Reply> {
    return this.#send(this.#pool, 'POST', path, body, key)
  }

  async #send(
    pool: Pool,
    method: 'GET' | 'PUT' | 'POST',
    path: string,
    body?: object,
    key?: string,
  ): Promise<Reply> {
    const {
      statusCode,
      headers,
      body: answer,
    } = await pool.request({
      method,
      path: this.#base + path,
      headers: key === undefined ? this.#headers : { ...this.#headers, 'idempotency-key': key },
      body: body === undefined ? null : JSON.stringify(body),
      idempotent: true,
    })
    const retryAfter = Number(headers['retry-after'])
    return {
      status: statusCode,
      body: parsed(await answer.text()),
      retryAfterMs: Number.isFinite(retryAfter) ? retryAfter * MS_PER_SECOND : undefined,
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.destroy(), this.#waiting.destroy()])
  }
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** Throws a `UsageError` for what no shop can be at. */
export function checkedUrl(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed?.protocol === 'http:' || parsed?.protocol === 'https:') return url
  throw new UsageError(`--url ${url} is not an http or https URL`)
}
