/** How patient a connector is. */
import type { DeliveryPolicy } from './connector.ts'

export const defaultDelivery: DeliveryPolicy = Object.freeze({
  batchRecords: 500,
  batchBytes: 4 * 1024 * 1024,
  lingerMs: 0,
  attempts: 5,
  backoffMs: 200,
  maxBackoffMs: 30_000,
  timeoutMs: 30_000,
  breakAfter: 5,
  openMs: 15_000,
})

/**
 * The wait before the next try: twice as long each time, and between half and all of it, so that those that failed
 * together do not come back together.
 *
 * @param failures so far, at least 1
 * @param random between 0 and 1
 */
export function backoffMs(
  policy: Pick<DeliveryPolicy, 'backoffMs' | 'maxBackoffMs'>,
  failures: number,
  random: number,
): number {
  const most = Math.min(policy.maxBackoffMs, policy.backoffMs * 2 ** Math.min(failures - 1, 30))
  return most / 2 + (most / 2) * random
}
