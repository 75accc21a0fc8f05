/** Refunds of the payment gateway: keeps them, asks for them, and tells what became of them. */
import type {
  GatewayRefund,
  PaymentCallResult,
  PaymentRefund,
  PaymentRefundResult,
} from '../../schemas/index.ts'
import type { LogRecord } from '../../streams/index.ts'
import { pastCauseOf } from '../../streams/kit/index.ts'
import { pairKey } from '../keeping.ts'
import { answerBy, askAgainAt } from './asking.ts'
import { mayHaveBeenAnswered, refundedElsewhere, wasAnswered } from './elsewhere.ts'
import { type About, alarmIfOverdue, allClear } from './incidents.ts'
import { chargeWaiting } from './keep-charges.ts'
import { keepPayment, type PaymentGatewayContext, type PaymentGatewayRules } from './payment-context.ts'
import { afterRefund, hearOfRefund, refundCall, refundKey, requestRefund } from './refund.ts'

type RefundKey = [orderId: string, refundId: string]

export function payBack(
  rules: PaymentGatewayRules,
  command: PaymentRefund,
  origin: LogRecord,
  context: PaymentGatewayContext,
): void {
  const { stores, wallTime } = context
  const { orderId, refundId, paymentKey } = command
  const key: RefundKey = [orderId, refundId]
  const before = stores.refunds.get(key)
  if (wasAnswered(before?.elsewhere, origin)) return context.dropped('AnsweredElsewhere')
  const fault = before === undefined ? mayHaveBeenAnswered(rules, origin, wallTime) : undefined
  if (fault !== undefined) return context.deadLetter(fault.reason, fault.message)
  const payment = stores.payments.get([orderId, paymentKey])
  const requested = requestRefund(before, payment, command, wallTime)
  if (requested.handling === 'WAIT') return
  if (requested.handling === 'REPEAT') return tell(key, requested.refund, context)
  const refund = { ...requested.refund, command: pastCauseOf(origin) }
  if (requested.payment !== undefined && requested.payment !== payment)
    keepPayment(rules, [orderId, paymentKey], requested.payment, context)
  if (requested.handling === 'NEW') return askForRefund(rules, key, refund, context)
  keepRefund(rules, key, refund, context)
  tell(key, refund, context)
}

/** A result on the topic: the gateway's own has its row already, and changes nothing. */
export function paidBackElsewhere(
  rules: PaymentGatewayRules,
  result: PaymentRefundResult,
  origin: LogRecord,
  context: PaymentGatewayContext,
): void {
  const { orderId, refundId, paymentKey, amount } = result
  const key: RefundKey = [orderId, refundId]
  const before = context.stores.refunds.get(key)
  if (before !== undefined && before.elsewhere === null) return
  const refund = refundedElsewhere(before, result, origin)
  keepRefund(rules, key, refund, context)
  if (refund.state !== 'REFUNDED' || before?.state === 'REFUNDED') return
  const payment = context.stores.payments.get([orderId, paymentKey])
  if (payment === undefined) return
  keepPayment(rules, [orderId, paymentKey], { ...payment, refunded: payment.refunded + amount }, context)
}

/** The durable timer `refund`: no answer, or none that ends it. */
export function askForRefundAgain(
  rules: PaymentGatewayRules,
  key: RefundKey,
  context: PaymentGatewayContext,
): void {
  const before = context.stores.refunds.get(key)
  if (before?.state !== 'ASKING') return
  const asking = alarmIfOverdue(rules.asking, before.asking, about(key), context)
  askForRefund(rules, key, { ...before, asking }, context)
}

function askForRefund(
  rules: PaymentGatewayRules,
  key: RefundKey,
  before: GatewayRefund,
  context: PaymentGatewayContext,
): void {
  const { emit, timers, wallTime } = context
  const refund = refundCall(before, wallTime)
  const [orderId, refundId] = key
  const name = refundKey(orderId, refundId, refund)
  const expiresAt = answerBy(rules.asking, wallTime)
  keepRefund(rules, key, refund, context)
  timers.refund.schedule(pairKey(key), askAgainAt(rules.asking, refund.asking, name, null, expiresAt))
  emit.call(orderId, {
    kind: 'REFUND',
    orderId,
    idempotencyKey: name,
    attempt: refund.asking.attempt,
    userId: '',
    refundId,
    paymentKey: refund.paymentKey,
    amount: refund.amount,
    currency: rules.currency,
    deadline: null,
    expiresAt,
  })
}

export function heardOfRefund(
  rules: PaymentGatewayRules,
  news: PaymentCallResult,
  origin: LogRecord,
  context: PaymentGatewayContext,
): void {
  const { orderId, refundId, idempotencyKey, retryAfterMs } = news
  const key: RefundKey = [orderId, refundId ?? '']
  const { stores, timers, wallTime } = context
  const before = refundId === null ? undefined : stores.refunds.get(key)
  if (before === undefined || refundKey(orderId, key[1], before) !== idempotencyKey) {
    return context.dropped('UnexpectedAnswer')
  }
  const heard = hearOfRefund(before, news)
  if (heard.kind === 'IGNORED') return context.dropped(heard.why)
  if (heard.kind === 'AGAIN') {
    const at = askAgainAt(rules.asking, heard.row.asking, idempotencyKey, retryAfterMs, wallTime)
    return timers.refund.schedule(pairKey(key), at)
  }
  const refund = { ...heard.row, asking: allClear(heard.row.asking, about(key), context, origin) }
  timers.refund.cancel(pairKey(key))
  keepRefund(rules, key, refund, context)
  const payment = stores.payments.get([orderId, refund.paymentKey])
  if (payment !== undefined)
    keepPayment(rules, [orderId, refund.paymentKey], afterRefund(payment, refund), context)
  if (refund.command !== null) context.causedBy(refund.command)
  tell(key, refund, context)
  chargeWaiting(rules, orderId, context)
}

function tell([orderId, refundId]: RefundKey, refund: GatewayRefund, { emit }: PaymentGatewayContext): void {
  const { paymentKey, amount, state, reason } = refund
  const status = state === 'REFUNDED' ? 'REFUNDED' : 'FAILED'
  emit.refunded(orderId, { refundId, orderId, paymentKey, amount, status, reason })
}

function keepRefund(
  { keeping }: PaymentGatewayRules,
  key: RefundKey,
  row: GatewayRefund,
  { stores, timers, wallTime }: PaymentGatewayContext,
): void {
  stores.refunds.put(key, row)
  timers.forgetRefund.schedule(pairKey(key), wallTime + keeping.keepDoneMs)
}

/** What is not known yet is never forgotten. */
export function forgetRefund(
  { keeping }: PaymentGatewayRules,
  key: RefundKey,
  { stores, timers, wallTime }: PaymentGatewayContext,
): void {
  if (stores.refunds.get(key)?.state !== 'ASKING') return stores.refunds.delete(key)
  timers.forgetRefund.schedule(pairKey(key), wallTime + keeping.keepDoneMs)
}

function about([orderId, refundId]: RefundKey): About {
  const detail = 'the provider does not say whether it has paid back'
  return { invariant: 'PAYMENT_UNKNOWN', subject: `${orderId}/${refundId}`, detail }
}
