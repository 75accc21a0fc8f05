/**
 * A payment provider that has no money. Pure.
 *
 * 1. An order is charged once per epoch; a later epoch takes over what is paid, and tries again what was declined.
 * 2. Each refundId is paid back once, and all of them no more than was paid (I20). One that failed is tried anew.
 * 3. Any other request that comes again gets the answer of the first time, also when that was lost.
 */
import type {
  PaymentRefund,
  PaymentRefundResult,
  PaymentRequested,
  PaymentResult,
  SandboxPayment,
  SandboxRefund,
} from '../../schemas/index.ts'
import type { PaymentRule } from './rules.ts'

/** Why the sandbox says no: stable codes, listed in `docs/orders.md`. */
export type PaymentReason = 'DECLINED' | 'UNKNOWN_PAYMENT' | 'EXCEEDS_PAID'

/** What becomes of a request: `NEW` is answered after `delayMs`, `REPEAT` at once, `WAIT` when its time comes. */
export type Handling = 'NEW' | 'REPEAT' | 'WAIT' | 'OUTDATED'

export function decidePayment(
  rule: PaymentRule,
  before: SandboxPayment | undefined,
  {
    orderId,
    userId,
    amount: asked,
    epoch,
  }: Pick<PaymentRequested, 'orderId' | 'userId' | 'amount' | 'epoch'>,
): { readonly handling: Handling; readonly payment: SandboxPayment; readonly delayMs: number } {
  if (before !== undefined && epoch < before.epoch)
    return { handling: 'OUTDATED', payment: before, delayMs: 0 }
  const stands = before?.failureCode === null && before.refunded < before.amount
  if (before !== undefined && (epoch === before.epoch || stands)) {
    const known = epoch === before.epoch ? before : { ...before, epoch }
    if (before.answered) return { handling: 'REPEAT', payment: known, delayMs: 0 }
    // Somebody asks: what is still to be answered is not lost any more.
    const payment = known.answers > 0 ? known : { ...known, answers: 1 }
    return { handling: 'WAIT', payment, delayMs: 0 }
  }
  const request = { kind: 'PAYMENT', orderId, userId, attempt: epoch, refundId: '', amount: asked } as const
  const { approve, charged: amount = asked, delayMs, answers } = rule(request)
  const failureCode = approve ? null : 'DECLINED'
  const paymentKey = `sandbox-${orderId}-${epoch}`
  const payment = {
    epoch,
    paymentKey,
    amount,
    failureCode,
    refunded: 0,
    answers,
    answered: false,
    command: null,
  }
  return { handling: 'NEW', payment, delayMs }
}

export function decideRefund(
  rule: PaymentRule,
  payment: SandboxPayment | undefined,
  before: SandboxRefund | undefined,
  { orderId, refundId, paymentKey, amount }: PaymentRefund,
): {
  readonly handling: Handling
  readonly payment: SandboxPayment | undefined
  readonly refund: SandboxRefund
  readonly delayMs: number
} {
  if (before !== undefined && !(before.answered && before.reason !== null)) {
    return { handling: before.answered ? 'REPEAT' : 'WAIT', payment, refund: before, delayMs: 0 }
  }
  const attempt = before === undefined ? 0 : before.attempt + 1
  const outcome = rule({ kind: 'REFUND', orderId, userId: '', attempt, refundId, amount })
  const reason = refundReason(payment, paymentKey, amount) ?? (outcome.approve ? null : 'DECLINED')
  const refund = {
    paymentKey,
    amount,
    reason,
    attempt,
    answers: outcome.answers,
    answered: false,
    command: null,
  }
  const charged =
    payment === undefined || reason !== null ? payment : { ...payment, refunded: payment.refunded + amount }
  return { handling: 'NEW', payment: charged, refund, delayMs: outcome.delayMs }
}

function refundReason(
  payment: SandboxPayment | undefined,
  paymentKey: string,
  amount: number,
): PaymentReason | undefined {
  if (payment?.paymentKey !== paymentKey || payment.failureCode !== null) return 'UNKNOWN_PAYMENT'
  return payment.refunded + amount > payment.amount ? 'EXCEEDS_PAID' : undefined
}

export function paymentResult(orderId: string, payment: SandboxPayment): PaymentResult {
  const { paymentKey, amount, failureCode } = payment
  return { orderId, paymentKey, amount, status: failureCode === null ? 'SUCCESS' : 'FAILED', failureCode }
}

export function refundResult(orderId: string, refundId: string, refund: SandboxRefund): PaymentRefundResult {
  const { paymentKey, amount, reason } = refund
  return { refundId, orderId, paymentKey, amount, status: reason === null ? 'REFUNDED' : 'FAILED', reason }
}
