/**
 * A refund at a provider that may be silent, as far as the shop knows it. Pure.
 *
 *     (none) ── request ──► ASKING ── the provider says so ──► REFUNDED | FAILED
 *     (none) ── request of more than is left of the payment ──► FAILED
 *     FAILED ── the same request again ──► ASKING, under another idempotency key
 *
 * What may have been paid back counts as paid back until it is known that it was not, so all refunds of a payment are no
 * more than was paid, whatever the provider still does (I20).
 */
import type { GatewayPayment, GatewayRefund, PaymentCallResult, PaymentRefund } from '../../schemas/index.ts'
import { asked, beginAsking, notAsked } from './asking.ts'
import type { Heard } from './charge.ts'
import { idempotencyKey } from './idempotency.ts'

/** `NEW` is asked for, `REPEAT` and `REFUSED` are told, `WAIT` when it is known. */
export type RefundHandling = 'NEW' | 'REPEAT' | 'REFUSED' | 'WAIT'

/** @param payment what the provider has taken; nothing where it is not known here, then the provider says */
export function requestRefund(
  before: GatewayRefund | undefined,
  payment: GatewayPayment | undefined,
  { paymentKey, amount }: Pick<PaymentRefund, 'paymentKey' | 'amount'>,
  now: number,
): {
  readonly handling: RefundHandling
  readonly refund: GatewayRefund
  readonly payment: GatewayPayment | undefined
} {
  if (before?.state === 'ASKING') return { handling: 'WAIT', refund: before, payment }
  if (before?.state === 'REFUNDED') return { handling: 'REPEAT', refund: before, payment }
  const refund: GatewayRefund = {
    paymentKey,
    amount,
    tries: before === undefined ? 0 : before.tries + 1,
    state: 'ASKING',
    reason: null,
    asking: beginAsking(before?.asking ?? notAsked, now),
    command: null,
    elsewhere: null,
    counted: payment !== undefined,
  }
  if (payment !== undefined && payment.refunded + amount > payment.amount) {
    return { handling: 'REFUSED', refund: { ...refund, state: 'FAILED', reason: 'EXCEEDS_PAID' }, payment }
  }
  return { handling: 'NEW', refund, payment: laidBy(payment, amount) }
}

export function refundKey(
  orderId: string,
  refundId: string,
  { tries }: Pick<GatewayRefund, 'tries'>,
): string {
  return idempotencyKey('refund', orderId, refundId, tries)
}

export function refundCall(before: GatewayRefund, now: number): GatewayRefund {
  return { ...before, asking: asked(before.asking, now) }
}

export function hearOfRefund(
  before: GatewayRefund,
  { status, attempt, amount, code }: PaymentCallResult,
): Heard<GatewayRefund> {
  if (before.state !== 'ASKING') {
    const contradicts =
      (status === 'SUCCEEDED' && before.state === 'FAILED') ||
      (status === 'FAILED' && before.state === 'REFUNDED')
    return { kind: 'IGNORED', why: contradicts ? 'ContradictingAnswer' : 'RepeatedAnswer' }
  }
  // Another amount is no answer to what was asked: people have to look at it.
  if (status === 'SUCCEEDED' && (amount ?? before.amount) === before.amount) {
    return { kind: 'KNOWN', row: { ...before, state: 'REFUNDED' } }
  }
  if (status === 'FAILED') {
    return { kind: 'KNOWN', row: { ...before, state: 'FAILED', reason: code ?? 'DECLINED' } }
  }
  if (attempt !== before.asking.attempt) return { kind: 'IGNORED', why: 'StaleAnswer' }
  return { kind: 'AGAIN', row: before }
}

/**
 * What the payment is once the refund is known: what came to nothing is money that can be paid back still. One that was
 * asked for before the payment was known is in its sums only once it is paid back.
 */
export function afterRefund(
  payment: GatewayPayment,
  { state, amount, counted }: Pick<GatewayRefund, 'state' | 'amount' | 'counted'>,
): GatewayPayment {
  const { refunded, pending } = payment
  if (!counted) return state === 'REFUNDED' ? { ...payment, refunded: refunded + amount } : payment
  return {
    ...payment,
    refunded: state === 'FAILED' ? refunded - amount : refunded,
    pending: pending - amount,
  }
}

function laidBy(payment: GatewayPayment | undefined, amount: number): GatewayPayment | undefined {
  if (payment === undefined) return undefined
  return { ...payment, refunded: payment.refunded + amount, pending: payment.pending + amount }
}
