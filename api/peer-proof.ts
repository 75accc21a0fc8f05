/**
 * How the processes of a deployment show each other that they have its secret, without ever sending it.
 *
 * A request that one process passes on to another bears who asks, to whom it goes and when, under an HMAC of all of it;
 * its answer bears one over itself and that of the request. So a forged address that gets such a request learns neither
 * the secret nor anybody's token, cannot get it answered elsewhere, and cannot answer it.
 *
 * Not its job: whom to ask (`peer-address.ts`), sending (`peer-client.ts`), what to do with an answer (`peers.ts`).
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import type { Principal, Role } from './access.ts'

/** Bears the proof of a request, and marks it as passed on. */
export const HOP_HEADER = 'millrace-hop'
/** Bears the proof of an answer to such a request. */
export const PROOF_HEADER = 'millrace-proof'

/** How old a passed request may be, and how far ahead its sender's clock. */
const FRESH_MS = 300_000
const ROLES: readonly string[] = ['read', 'producer', 'service', 'admin'] satisfies readonly Role[]

/** Headers of a request that go with it. */
export const REQUEST_HEADERS = ['if-none-match', 'traceparent', 'idempotency-key', 'last-event-id'] as const
/** Headers that the proof of every request speaks of, there or not: processes of earlier releases know these two. */
const ALWAYS_PROVED = ['if-none-match', 'traceparent'] as const
/** Headers of an answer that go with it; all others are of the one connection. */
export const ANSWER_HEADERS = [
  'content-type',
  'cache-control',
  'etag',
  'location',
  'retry-after',
  'millrace-position',
  'millrace-source',
] as const

/** What is passed on. */
export interface PassedRequest {
  /** Origin of the process that it goes to. */
  readonly to: string
  readonly method: string
  /** With the query, exactly as it stands in the request line. */
  readonly path: string
  readonly headers: Readonly<Record<string, unknown>>
}

export interface PeerAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Buffer
}

/** A request that another process passed on. */
export interface Hop {
  /** Who asked that process. */
  readonly principal: Principal
  /** The body must have this hash. */
  readonly bodyHash: string
  /** What the answer's proof refers to. */
  readonly mac: string
}

export class PeerProof {
  readonly #secret: string

  constructor(secret: string) {
    this.#secret = secret
  }

  /** @param now epoch milliseconds @returns the value of the header, and what the answer's proof refers to */
  ofRequest(
    request: PassedRequest,
    body: Buffer,
    { name, role, topics }: Principal,
    now: number,
  ): { readonly header: string; readonly mac: string } {
    const principal = Buffer.from(JSON.stringify({ name, role, topics })).toString('base64url')
    const claims = `${now}.${bodyHashOf(body)}.${principal}`
    const mac = this.#ofRequest(request, claims)
    return { header: `${claims}.${mac}`, mac }
  }

  /** @returns nothing unless the header is of a process that has the secret, for this request, and fresh */
  readRequest(header: string, request: PassedRequest, now: number): Hop | undefined {
    const [, claims, at, bodyHash, principal, mac] = HEADER.exec(header) ?? []
    if (claims === undefined || bodyHash === undefined || principal === undefined || mac === undefined) return
    if (!same(mac, this.#ofRequest(request, claims)) || Math.abs(now - Number(at)) > FRESH_MS) return
    return { principal: principalOf(principal), bodyHash, mac }
  }

  /** @param mac of the request */
  ofAnswer(mac: string, answer: PeerAnswer): string {
    const { status, headers, body } = answer
    return this.#mac(['answer', mac, status, pick(headers, ANSWER_HEADERS), bodyHashOf(body)])
  }

  isOfAnswer(proof: unknown, mac: string, answer: PeerAnswer): boolean {
    return typeof proof === 'string' && same(proof, this.ofAnswer(mac, answer))
  }

  #ofRequest({ to, method, path, headers }: PassedRequest, claims: string): string {
    const key = headers['idempotency-key']
    const more = key === undefined ? [] : [String(key)]
    return this.#mac(['request', to, method, path, [...pick(headers, ALWAYS_PROVED), ...more], claims])
  }

  /** As JSON, so that no two lists have the same text. */
  #mac(parts: readonly unknown[]): string {
    return createHmac('sha256', this.#secret).update(JSON.stringify(parts)).digest('base64url')
  }
}

const HEADER = /^((\d{1,16})\.([\w-]{43})\.([\w-]{1,8000}))\.([\w-]{43})$/

export function bodyHashOf(body: Buffer): string {
  return hash('sha256', body, 'base64url')
}

/** Only what has the right proof gets here: it was written by `ofRequest`. */
function principalOf(text: string): Principal {
  const { name, role, topics } = JSON.parse(Buffer.from(text, 'base64url').toString()) as Principal
  if (!ROLES.includes(role)) throw new RangeError(`a process passed on a request of role ${role}`)
  return Object.freeze({ name, role, topics })
}

function pick(headers: Readonly<Record<string, unknown>>, names: readonly string[]): readonly string[] {
  return names.map((name) => {
    const value = headers[name]
    return value === undefined ? '' : String(value)
  })
}

function same(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}
