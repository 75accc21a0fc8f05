/** How long a saga waits before it sends a command again. */
import { murmur2 } from '../../partitioner.ts'
import type { RetryPolicy } from './saga.ts'

const FACTOR = 2
const MAX_BACKOFF_MS = 60_000
const JITTER = 0.2

/**
 * Milliseconds to wait after sending `attempt`, at least 1.
 * @param seed names saga, step and epoch: what chance is made of, so that a replay waits as long
 */
export function backoffMs(policy: RetryPolicy, attempt: number, seed: string): number {
  const { factor = FACTOR, maxBackoffMs = MAX_BACKOFF_MS, jitter = JITTER } = policy
  const full = Math.min(maxBackoffMs, policy.backoffMs * factor ** (attempt - 1))
  const chance = (murmur2(Buffer.from(`${seed}|${attempt}`)) >>> 0) / 0x1_0000_0000
  return Math.max(1, Math.round(full * (1 - jitter * chance)))
}
