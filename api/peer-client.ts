/** Asks another process over HTTP: one request, one answer of bounded size in bounded time, no redirects, no retries. */
import { Agent, errors } from 'undici'
import { ApiError } from './errors.ts'
import type { ApiLimits } from './limits.ts'
import type { PeerAnswer } from './peer-proof.ts'

const RETRY_AFTER_MS = 1_000
/** Idle connections are kept this long: less than the other side keeps them. */
const IDLE_MS = 5_000

export interface PeerRequest {
  readonly origin: string
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** For all of it. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export class PeerClient {
  readonly #agent: Agent

  constructor({ peerConnectMs, peerAnswerBytes, headerBytes }: ApiLimits) {
    this.#agent = new Agent({
      allowH2: false,
      connect: { timeout: peerConnectMs },
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: IDLE_MS,
      maxHeaderSize: headerBytes,
      maxResponseSize: peerAnswerBytes,
      // One deadline counts for all of a request.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  }

  /**
   * @throws ApiError `PEER_UNREACHABLE`, `PEER_TIMEOUT`, `PEER_ANSWER_INVALID`
   * @throws whatever the signal was aborted with
   */
  async ask(request: PeerRequest): Promise<PeerAnswer> {
    const { origin, method, path, headers, body, timeoutMs, signal } = request
    const timeout = AbortSignal.timeout(timeoutMs)
    try {
      const answer = await this.#agent.request({
        origin,
        method,
        path,
        headers,
        body: body.length === 0 ? null : body,
        signal: AbortSignal.any([signal, timeout]),
      })
      return {
        status: answer.statusCode,
        headers: answer.headers,
        body: Buffer.from(await answer.body.arrayBuffer()),
      }
    } catch (cause) {
      signal.throwIfAborted()
      if (timeout.aborted) throw failure('PEER_TIMEOUT', 'It did not answer in time.', cause)
      if (isFaulty(cause)) throw failure('PEER_ANSWER_INVALID', 'It is no HTTP, or too large.', cause)
      throw failure('PEER_UNREACHABLE', 'It is starting, gone, or being replaced.', cause)
    }
  }

  /** Breaks off what is under way. Idempotent. */
  close(): Promise<void> {
    return this.#agent.destroy()
  }
}

function isFaulty(error: unknown): boolean {
  return (
    error instanceof errors.HTTPParserError ||
    error instanceof errors.HeadersOverflowError ||
    error instanceof errors.ResponseExceededMaxSizeError ||
    error instanceof errors.ResponseContentLengthMismatchError
  )
}

function failure(
  code: 'PEER_TIMEOUT' | 'PEER_ANSWER_INVALID' | 'PEER_UNREACHABLE',
  detail: string,
  cause: unknown,
): ApiError {
  return new ApiError(code, detail, { cause, retryAfterMs: RETRY_AFTER_MS })
}
