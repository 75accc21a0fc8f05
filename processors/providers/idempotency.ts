/** Names of what a provider does once. Pure. */
import { hash } from 'node:crypto'

/**
 * 40 hexadecimal digits that name what the words name: they fit a header, whatever characters an id has.
 * The same words give the same key in every replay.
 */
export function idempotencyKey(
  kind: 'charge' | 'refund' | 'shipment',
  ...words: (string | number)[]
): string {
  return hash('sha256', JSON.stringify([kind, ...words])).slice(0, 40)
}
