/**
 * Who may do what. Tokens are compared in constant time: every configured one, by its SHA-256.
 *
 * Roles: `read` sees campaigns, products, boards, wallets, metrics, the graph. `producer` writes events of its topics,
 * asks for coupons and sees what became of its requests. `service` does what `read` and any producer do, and records
 * orders. `admin` does everything.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import { ApiError } from './errors.ts'

export type Role = 'read' | 'producer' | 'service' | 'admin'

export interface TokenSpec {
  readonly role: Role
  readonly secret: string
  /**
   * Who it is, in records and rate limits, and part of what a requestId is derived from: keep it when the secret
   * changes. Default: the role and a few digits of the secret's hash.
   */
  readonly name?: string | undefined
  /** Producers only: the topics it may write. Default: all that producers may. */
  readonly topics?: readonly string[] | undefined
}

export interface Principal {
  readonly name: string
  readonly role: Role
  readonly topics: readonly string[] | undefined
}

/** Everyone, where no tokens are configured. */
const LOCAL: Principal = Object.freeze({ name: 'local', role: 'admin', topics: undefined })
const REALM = 'Bearer realm="millrace"'
const bearer = /^bearer +([\x21-\x7e]+) *$/i

export class Access {
  readonly #tokens: readonly { readonly digest: Buffer; readonly principal: Principal }[]

  /** @throws RangeError for an empty, malformed or doubled token */
  constructor(tokens: readonly TokenSpec[]) {
    this.#tokens = tokens.map((token) => ({ digest: digestOf(token.secret), principal: principalOf(token) }))
    const digests = new Set(this.#tokens.map(({ digest }) => digest.toString('hex')))
    if (digests.size < tokens.length) throw new RangeError('two tokens have the same secret')
  }

  get open(): boolean {
    return this.#tokens.length === 0
  }

  /** Who sends this `Authorization`. @throws ApiError `UNAUTHENTICATED` */
  identify(authorization: string | undefined): Principal {
    if (this.open) return LOCAL
    if (authorization === undefined) throw unauthenticated('Send Authorization: Bearer <token>.', REALM)
    const secret = bearer.exec(authorization)?.[1]
    if (secret === undefined) throw unauthenticated('Authorization must be Bearer <token>.', REALM)
    const digest = digestOf(secret)
    let found: Principal | undefined
    for (const token of this.#tokens) if (timingSafeEqual(token.digest, digest)) found = token.principal
    if (found === undefined)
      throw unauthenticated('The token is not known.', `${REALM}, error="invalid_token"`)
    return found
  }
}

/** For a producer whose token has a list. @throws ApiError `FORBIDDEN` */
export function authorizeTopic({ topics }: Principal, topic: string): void {
  if (topics === undefined || topics.includes(topic)) return
  throw forbidden(`This token may not write ${topic}.`)
}

/** @throws ApiError `FORBIDDEN` */
export function authorize(principal: Principal, roles: readonly Role[]): void {
  if (!roles.includes(principal.role)) throw forbidden(`This takes a token of ${roles.join(' or ')}.`)
}

export function forbidden(detail: string): ApiError {
  const headers = { 'www-authenticate': `${REALM}, error="insufficient_scope"` }
  return new ApiError('FORBIDDEN', detail, { headers })
}

function unauthenticated(detail: string, challenge: string): ApiError {
  return new ApiError('UNAUTHENTICATED', detail, { headers: { 'www-authenticate': challenge } })
}

function principalOf({ role, secret, name, topics }: TokenSpec): Principal {
  if (!/^[\x21-\x7e]+$/.test(secret)) {
    throw new RangeError(`a ${role} token must be one or more visible ASCII characters`)
  }
  if (topics !== undefined && role !== 'producer') {
    throw new RangeError(`only a producer token has a list of topics, not one of role ${role}`)
  }
  return Object.freeze({ name: name ?? `${role}-${digestOf(secret).toString('hex', 0, 4)}`, role, topics })
}

function digestOf(secret: string): Buffer {
  return hash('sha256', secret, 'buffer')
}
