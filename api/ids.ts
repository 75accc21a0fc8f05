/** Ids that the API makes. Chance and time come in through ports. */
import { createHash, hash } from 'node:crypto'
import { formatUuid7 } from '../streams/index.ts'

/** Fresh ids: UUIDv7. */
export interface Ids {
  next(): string
}

/** Random words drawn at once: one draw per id would cost more than the id. */
const POOL_WORDS = 3 * 256

/**
 * @param now epoch milliseconds
 * @param fill fills with random bytes, as `crypto.randomFillSync` does
 */
export function uuid7Ids(now: () => number, fill: (pool: Uint32Array) => void): Ids {
  const pool = new Uint32Array(POOL_WORDS)
  let used = POOL_WORDS
  const word = () => pool[used++] as number
  return {
    next() {
      if (used >= POOL_WORDS) {
        fill(pool)
        used = 0
      }
      return formatUuid7(now(), word(), word(), word())
    },
  }
}

/** Namespace of the ids derived below; any constant UUID would do. */
const NAMESPACE = Buffer.from('8c1b6d0e5f5a4c1e9d5b3f6a7e2c4d18', 'hex')

/**
 * The requestId that belongs to an `Idempotency-Key`: the same on every process, another for every principal.
 * A name-based UUID over SHA-256, in the form of version 8 (RFC 9562, appendix B.2).
 */
export function idFromKey(principal: string, key: string): string {
  const digest = createHash('sha256')
    .update(NAMESPACE)
    .update(JSON.stringify([principal, key]))
    .digest()
  digest[6] = ((digest[6] as number) & 0x0f) | 0x80
  digest[8] = ((digest[8] as number) & 0x3f) | 0x80
  const hex = digest.toString('hex', 0, 16)
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** Tells two bodies apart that came with the same key; `parts` in a fixed order. */
export function bodyHash(parts: readonly string[]): string {
  return hash('sha256', JSON.stringify(parts), 'base64url')
}
