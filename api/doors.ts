/**
 * What every request passes before its handler, cheapest check first, in one synchronous hook: connection, closing,
 * URL, host and origin, token, rate, room. Whoever is refused here costs no parsing of a body.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Access, authorize } from './access.ts'
import type { RouteAccess } from './context.ts'
import { ApiError } from './errors.ts'
import type { Gate } from './gate.ts'
import type { ApiLimits } from './limits.ts'
import { hostnameOf, isLoopback } from './loopback.ts'
import type { Peers } from './peers.ts'
import type { RateLimit } from './rate-limit.ts'

const RETRY_AFTER_MS = 1_000
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

export interface DoorOptions {
  readonly limits: ApiLimits
  readonly access: Access
  readonly rate: RateLimit
  readonly gate: Gate
  readonly peers: Peers
  readonly isClosing: () => boolean
  /** The connection is one too many. */
  readonly isRefused: (request: FastifyRequest) => boolean
}

export class Doors {
  readonly #options: DoorOptions

  constructor(options: DoorOptions) {
    this.#options = options
  }

  /** Sets `request.hop`, `request.principal` and `request.work`. @throws ApiError for whoever does not get in */
  enter(request: FastifyRequest, reply: FastifyReply): void {
    const { limits, access, gate } = this.#options
    const route = request.routeOptions.config.access ?? 'public'
    this.#checkConnection(request, reply, route)
    const url = request.raw.url ?? '/'
    if (url.length > limits.urlChars) throw urlTooLong(limits)
    if (access.open) checkLocal(request)
    if (route === 'probe') return
    this.#authenticate(request, route)
    // Whoever passed it on has taken the client's token.
    if (request.hop === undefined) this.#takeToken(request)
    request.work = gate.enter(reply)
  }

  #checkConnection(request: FastifyRequest, reply: FastifyReply, route: RouteAccess): void {
    const { isRefused, isClosing } = this.#options
    if (isRefused(request)) {
      reply.header('connection', 'close')
      const detail = 'The server has as many connections as it takes.'
      throw new ApiError('OVERLOADED', detail, { retryAfterMs: RETRY_AFTER_MS })
    }
    if (isClosing() && route !== 'probe') {
      reply.header('connection', 'close')
      throw new ApiError('CLOSING', 'Ask another instance.', { retryAfterMs: RETRY_AFTER_MS })
    }
  }

  #authenticate(request: FastifyRequest, route: Exclude<RouteAccess, 'probe'>): void {
    const { access, peers } = this.#options
    try {
      request.hop = peers.received(request)
      if (route === 'public') return
      request.principal = request.hop?.principal ?? access.identify(request.headers.authorization)
    } catch (error) {
      // Guessing tokens and proofs costs the guesser's address its share.
      this.#takeToken(request)
      throw error
    }
    authorize(request.principal, route)
  }

  #takeToken({ principal, ip }: FastifyRequest): void {
    const { access, rate } = this.#options
    const client = access.open || principal === undefined ? `ip ${ip}` : `token ${principal.name}`
    const retryAfterMs = rate.take(client)
    if (retryAfterMs === 0) return
    throw new ApiError('RATE_LIMITED', 'Ask more slowly.', { retryAfterMs })
  }
}

export function urlTooLong({ urlChars }: ApiLimits): ApiError {
  return new ApiError('URL_TOO_LONG', `A URL has at most ${urlChars} characters.`)
}

/**
 * Without tokens, being on this machine is all the proof there is, and a web page in a browser on this machine must not
 * pass for it: neither under a name of its own that resolves to here, nor by writing across sites.
 */
function checkLocal(request: FastifyRequest): void {
  const { host, origin } = request.headers
  if (host === undefined || !isLoopback(hostnameOf(host))) {
    throw new ApiError('HOST_NOT_LOCAL', 'Ask for localhost or a loopback address, or configure tokens.')
  }
  if (origin === undefined || SAFE_METHODS.has(request.method)) return
  if (origin !== `http://${host}`) {
    throw new ApiError('CROSS_SITE', 'The Origin is not this server.')
  }
}
