/**
 * A courier that has no parcels. Pure. A delivery's state, and what moves it:
 *
 *     (none) ── request ──► REQUESTED ── start ──► STARTED ── end ──► DELIVERED | FAILED
 *     (none) ── cancel ───► CANCELLED           (a tombstone: a request that comes after it is not sent)
 *     REQUESTED ── cancel ► CANCELLED
 *     REQUESTED ── start ─► FAILED              (where the rule refuses it)
 *     FAILED | CANCELLED ── request of a higher epoch ──► REQUESTED
 *
 * Once it is STARTED it is too late to call it off. What comes again changes nothing.
 */
import type {
  DeliveryCancelResult,
  DeliveryRequested,
  DeliveryResult,
  SandboxDelivery,
} from '../../schemas/index.ts'
import type { DeliveryRule } from './rules.ts'

export const initialDelivery: SandboxDelivery = Object.freeze({
  epoch: -1,
  deliveryId: '',
  state: 'UNKNOWN',
  reason: null,
  ends: 'DELIVERED',
  travelMs: 0,
  answers: 1,
  cancels: 0,
  command: null,
})

/** `startMs` where the delivery is a new one; else what came again is answered with how it is. */
export function decideDelivery(
  rule: DeliveryRule,
  before: SandboxDelivery,
  { orderId, customerId, epoch }: Pick<DeliveryRequested, 'orderId' | 'customerId' | 'epoch'>,
): { readonly delivery: SandboxDelivery; readonly startMs?: number } {
  const { state } = before
  const ended = state === 'FAILED' || state === 'CANCELLED'
  const isNew = state === 'UNKNOWN' || (ended && before.epoch >= 0 && epoch > before.epoch)
  // A cancel before any request has no epoch: it stands against the first one.
  const retried = state === 'CANCELLED' && before.epoch < 0 && epoch > 0
  if (!isNew && !retried) return { delivery: before }
  const { ends, startMs, travelMs, answers } = rule({ orderId, customerId, attempt: epoch })
  const deliveryId = `sandbox-${orderId}-${epoch}`
  const delivery: SandboxDelivery = {
    ...initialDelivery,
    epoch,
    deliveryId,
    state: 'REQUESTED',
    ends,
    travelMs,
    answers,
  }
  return { delivery, startMs }
}

/** What happens next, and how long after it comes the end; nothing in a delivery that has ended. */
export function proceed(
  delivery: SandboxDelivery,
): { readonly delivery: SandboxDelivery; readonly endMs?: number } | undefined {
  if (delivery.state === 'REQUESTED') {
    if (delivery.ends === 'REFUSED') return { delivery: { ...delivery, state: 'FAILED', reason: 'REFUSED' } }
    return { delivery: { ...delivery, state: 'STARTED' }, endMs: delivery.travelMs }
  }
  if (delivery.state !== 'STARTED') return undefined
  if (delivery.ends === 'LOST') return { delivery: { ...delivery, state: 'FAILED', reason: 'LOST' } }
  return { delivery: { ...delivery, state: 'DELIVERED' } }
}

/** One that failed is not under way: it is called off as well. */
export function decideCancel(before: SandboxDelivery): {
  readonly delivery: SandboxDelivery
  readonly status: 'CANCELLED' | 'TOO_LATE'
} {
  const cancels = before.cancels + 1
  const tooLate = before.state === 'STARTED' || before.state === 'DELIVERED'
  if (tooLate) return { delivery: { ...before, cancels }, status: 'TOO_LATE' }
  const state = before.state === 'FAILED' ? 'FAILED' : 'CANCELLED'
  return { delivery: { ...before, state, cancels }, status: 'CANCELLED' }
}

/** The news of a delivery that has any; one that is called off is told as FAILED to whoever asks for it again. */
export function deliveryResult(orderId: string, delivery: SandboxDelivery): DeliveryResult | undefined {
  const { deliveryId, state, reason } = delivery
  if (state === 'UNKNOWN' || state === 'REQUESTED') return undefined
  if (state === 'CANCELLED') return { orderId, deliveryId, status: 'FAILED', reason: 'CANCELLED' }
  return { orderId, deliveryId, status: state, reason }
}

export function cancelResult(
  orderId: string,
  { deliveryId, state }: SandboxDelivery,
  status: 'CANCELLED' | 'TOO_LATE',
): DeliveryCancelResult {
  const reason = status === 'TOO_LATE' ? state : null
  return { orderId, deliveryId: deliveryId === '' ? null : deliveryId, status, reason }
}
