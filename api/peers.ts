/**
 * Passes requests on to another process, and takes those that another passes on. When to do so is `from-owner.ts`' job.
 *
 * Invariants:
 * 1. A request is passed on once: one that was passed on already is answered here or not at all.
 * 2. It goes only to an allowed host, and only what that host proves to be an answer to it goes to the client.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ApiError, type ApiErrorCode } from './errors.ts'
import type { Gate, Work } from './gate.ts'
import type { ApiLimits } from './limits.ts'
import type { ApiHooks, PeerOptions } from './options.ts'
import { originOf, PeerAddresses } from './peer-address.ts'
import type { PeerClient } from './peer-client.ts'
import {
  bodyHashOf,
  HOP_HEADER,
  type Hop,
  type PassedRequest,
  type PeerAnswer,
  PeerProof,
  PROOF_HEADER,
  REQUEST_HEADERS,
} from './peer-proof.ts'

const RETRY_AFTER_MS = 1_000
const MIN_SECRET_CHARS = 16
const NO_BODY = Buffer.alloc(0)

export interface PeersParts {
  readonly limits: ApiLimits
  readonly gate: Gate
  readonly hooks: ApiHooks
  /** Epoch milliseconds. */
  readonly now: () => number
}

export class Peers {
  readonly #parts: PeersParts
  readonly #proof: PeerProof | undefined
  readonly #addresses: PeerAddresses
  /** Where this process is asked by others. */
  #self: string | undefined
  /** Requests that wait for an answer, by origin: one that hangs must not take all the room there is. */
  readonly #underWay = new Map<string, number>()
  /** Loaded with the first request that is passed on. */
  #client: Promise<PeerClient> | undefined

  /**
   * @param options absent: nothing is passed on, in either direction
   * @throws RangeError for a short secret, and a `self` that is no address
   */
  constructor(options: PeerOptions | undefined, parts: PeersParts) {
    this.#parts = parts
    this.#addresses = new PeerAddresses(options?.allow ?? [])
    if (options === undefined) return
    const { secret, self } = options
    if (secret.length < MIN_SECRET_CHARS) throw new RangeError('the secret is too short')
    this.#proof = new PeerProof(secret)
    if (self === undefined) return
    this.#self = originOf(self)
    if (this.#self === undefined) throw new RangeError('self must be http://host:port or https://host:port')
  }

  /** Where the server listens; of use where no other address was given. */
  listening(url: string): void {
    this.#self ??= originOf(url)
  }

  /**
   * The hop by which a request came; nothing for one that comes from a client.
   * @throws ApiError `NOT_A_PEER` for a request that only says that it was passed on
   */
  received(request: FastifyRequest): Hop | undefined {
    const header = request.headers[HOP_HEADER]
    if (header === undefined) return undefined
    const to = this.#self
    const { method, url = '/' } = request.raw
    const hop =
      to === undefined || method === undefined || typeof header !== 'string'
        ? undefined
        : this.#proof?.readRequest(
            header,
            { to, method, path: url, headers: request.headers },
            this.#parts.now(),
          )
    if (hop !== undefined) return hop
    this.#tell('request-refused', request.ip, request)
    throw notAPeer()
  }

  /** Proves an answer to the process that passed its request on. */
  prove(hop: Hop, reply: FastifyReply, payload: unknown): void {
    const body = typeof payload === 'string' || Buffer.isBuffer(payload) ? Buffer.from(payload) : NO_BODY
    const answer = { status: reply.statusCode, headers: reply.getHeaders(), body }
    const proof = this.#proof?.ofAnswer(hop.mac, answer)
    if (proof !== undefined) reply.header(PROOF_HEADER, proof)
  }

  /** Whether a question that came with this request may be asked elsewhere. */
  mayPass(request: FastifyRequest): boolean {
    return this.#proof !== undefined && request.hop === undefined
  }

  /**
   * What the process at `address` answers to this request.
   * @param patienceMs how long it may take
   * @param lastEventId in place of the request's own
   * @throws ApiError `PEER_NOT_ALLOWED`, `PEER_UNREACHABLE`, `PEER_TIMEOUT`, `PEER_ANSWER_INVALID`, and what the gate throws
   */
  ask(
    request: FastifyRequest,
    address: string,
    patienceMs: number,
    lastEventId?: string,
  ): Promise<PeerAnswer> {
    return this.#parts.gate.wait(workOf(request), patienceMs, (signal) => {
      return this.#askOne(request, address, { patienceMs, signal, lastEventId })
    })
  }

  /** What each of several processes answers to this request; nothing of those that cannot be asked. Throws what the gate does. */
  async askAll(
    request: FastifyRequest,
    addresses: readonly string[],
    patienceMs: number,
  ): Promise<ReadonlyMap<string, PeerAnswer>> {
    if (addresses.length === 0) return new Map()
    return this.#parts.gate.wait(workOf(request), patienceMs, async (signal) => {
      const asked = addresses.map(async (address) => {
        const answer = await this.#askOne(request, address, { patienceMs, signal }).catch(toNothing)
        return answer === undefined ? [] : [[address, answer] as const]
      })
      return new Map((await Promise.all(asked)).flat())
    })
  }

  async #askOne(request: FastifyRequest, address: string, asking: Asking): Promise<PeerAnswer> {
    const origin = this.#addresses.allowed(address)
    if (origin === undefined) {
      this.#tell('address-refused', address, request)
      throw failure('PEER_NOT_ALLOWED', 'Its host is not among those that may be asked.')
    }
    const { limits } = this.#parts
    const underWay = this.#underWay.get(origin) ?? 0
    if (underWay >= limits.peerRequests) throw failure('PEER_UNREACHABLE', 'Too many requests wait for it.')
    this.#underWay.set(origin, underWay + 1)
    try {
      return await this.#ask(request, origin, asking)
    } finally {
      const others = (this.#underWay.get(origin) ?? 1) - 1
      if (others === 0) this.#underWay.delete(origin)
      else this.#underWay.set(origin, others)
    }
  }

  async #ask(
    request: FastifyRequest,
    origin: string,
    { patienceMs: timeoutMs, signal: given, lastEventId }: Asking,
  ): Promise<PeerAnswer> {
    const signal = breakOff(request, workOf(request), given)
    const proof = this.#proof as PeerProof
    const method = methodOf(request)
    const path = pathAndQuery(request.raw.url)
    const headers = {
      ...sentHeaders(request),
      ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
    }
    const body = request.body === undefined ? NO_BODY : Buffer.from(JSON.stringify(request.body))
    const passed: PassedRequest = { to: origin, method, path, headers }
    const { header, mac } = proof.ofRequest(passed, body, request.principal, this.#parts.now())
    const sent = {
      ...headers,
      ...(body.length > 0 && { 'content-type': 'application/json' }),
      [HOP_HEADER]: header,
    }
    this.#client ??= loadClient(this.#parts.limits)
    const client = await this.#client
    const answer = await client.ask({ origin, method, path, headers: sent, body, timeoutMs, signal })
    if (proof.isOfAnswer(answer.headers[PROOF_HEADER], mac, answer)) return answer
    // Too busy, or closing: it did not get as far as a proof.
    if (answer.status === 503) throw failure('PEER_UNREACHABLE', 'It takes no requests just now.')
    this.#tell('answer-refused', origin, request)
    throw failure('PEER_ANSWER_INVALID', 'It is not of a process of this deployment.')
  }

  #tell(
    kind: 'address-refused' | 'answer-refused' | 'request-refused',
    address: string,
    request: FastifyRequest,
  ): void {
    const route = request.routeOptions.url ?? '(none)'
    this.#parts.hooks.onPeerRefused?.({ kind, address, route })
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await (await this.#client)?.close()
  }
}

interface Asking {
  /** How long it may take. */
  readonly patienceMs: number
  readonly signal: AbortSignal
  readonly lastEventId?: string | undefined
}

function workOf({ work }: FastifyRequest): Work {
  if (work === undefined) throw new Error('a probe was to be passed on')
  return work
}

/** Whoever asks several does without those that cannot be asked. */
function toNothing(error: unknown): undefined {
  if (!(error instanceof ApiError)) throw error
}

/** The body of a request that was passed on must be what its sender sent. @throws ApiError `NOT_A_PEER` */
export function checkPassedBody({ hop }: FastifyRequest, bytes: Buffer): void {
  if (hop !== undefined && hop.bodyHash !== bodyHashOf(bytes)) throw notAPeer()
}

/**
 * Fires when the client is gone. A server that closes breaks off only what waits for long: what became of a command is
 * worth its time.
 */
function breakOff(request: FastifyRequest, work: Work, signal: AbortSignal): AbortSignal {
  const waits = methodOf(request) === 'GET' && work.waitMs > 0
  const controller = new AbortController()
  const abort = (): void => {
    const gone = work.kind === 'done'
    if (gone || waits) controller.abort(new ApiError('CLOSING', 'Ask another instance.', retry))
  }
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  return controller.signal
}

/** HEAD is asked as GET: an answer without its body could not be proved. */
function methodOf({ method }: FastifyRequest): 'GET' | 'POST' | 'PUT' {
  return method === 'POST' || method === 'PUT' ? method : 'GET'
}

/** A request line may also have the whole URL, whose host is the client's to choose. */
function pathAndQuery(url = '/'): string {
  return url.startsWith('/') ? url : url.replace(/^[a-z]+:\/\/[^/]*/i, '')
}

function sentHeaders({ headers }: FastifyRequest): Record<string, string> {
  const given = REQUEST_HEADERS.flatMap((name) => {
    const value = headers[name]
    return typeof value === 'string' ? [[name, value] as const] : []
  })
  return Object.fromEntries(given)
}

async function loadClient(limits: ApiLimits): Promise<PeerClient> {
  const module = await import('./peer-client.ts')
  return new module.PeerClient(limits)
}

const retry = { retryAfterMs: RETRY_AFTER_MS }

function failure(code: ApiErrorCode, detail: string): ApiError {
  return new ApiError(code, detail, retry)
}

function notAPeer(): ApiError {
  return new ApiError('NOT_A_PEER', 'Only processes of this deployment pass requests on.')
}
