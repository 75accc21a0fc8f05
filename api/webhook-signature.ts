/**
 * Who sends a webhook: HMAC-SHA256 over `timestamp.body`, with a secret that provider and shop share.
 *
 *     Millrace-Signature: t=<seconds since 1970>,v1=<64 hexadecimal digits>[,v1=…]
 *
 * Several signatures, and several secrets, so that either side can change its secret without a gap. The body is judged as
 * the bytes that came, before anything parses it. Signatures are compared in constant time.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { ApiError } from './errors.ts'

export const SIGNATURE_HEADER = 'millrace-signature'
/** As of both sides' rotations; more is nobody's need. */
const MAX_SIGNATURES = 8
const MAX_HEADER_CHARS = 1_024

export interface WebhookTerms {
  /** Any of them signs. */
  readonly secrets: readonly string[]
  /** How far a timestamp may be from this clock, milliseconds, either way. */
  readonly windowMs: number
}

interface Signed {
  /** As it was written: it is part of what is signed. */
  readonly timestamp: string
  readonly signatures: readonly Buffer[]
}

/** @throws ApiError `BAD_SIGNATURE` */
export function checkSignature(
  { secrets, windowMs }: WebhookTerms,
  header: string | readonly string[] | undefined,
  body: Buffer,
  now: number,
): void {
  const signed = typeof header === 'string' ? parse(header) : undefined
  if (signed === undefined) throw refused(`Send ${SIGNATURE_HEADER}: t=<seconds>,v1=<hex>.`)
  const { timestamp, signatures } = signed
  let known = false
  for (const secret of secrets) {
    const expected = createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest()
    for (const signature of signatures) if (timingSafeEqual(expected, signature)) known = true
  }
  if (!known) throw refused('It is not that of the body.')
  // Told only to who has the secret.
  if (Math.abs(now - Number(timestamp) * 1_000) > windowMs) throw refused('Its time is too far from now.')
}

function parse(header: string): Signed | undefined {
  if (header.length > MAX_HEADER_CHARS) return undefined
  const parts = header.split(',').map((part) => part.trim())
  const timestamps = parts.filter((part) => part.startsWith('t=')).map((part) => part.slice(2))
  const [timestamp] = timestamps
  if (timestamp === undefined || timestamps.length > 1 || !/^\d{1,12}$/.test(timestamp)) return undefined
  const signatures = parts
    .filter((part) => /^v1=[0-9a-f]{64}$/i.test(part))
    .slice(0, MAX_SIGNATURES)
    .map((part) => Buffer.from(part.slice(3), 'hex'))
  return signatures.length === 0 ? undefined : { timestamp, signatures }
}

function refused(detail: string): ApiError {
  return new ApiError('BAD_SIGNATURE', detail)
}
