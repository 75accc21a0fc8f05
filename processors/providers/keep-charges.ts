/** Charges of the payment gateway: keeps them, asks for them, and tells what became of them. */
import type {
  ChargeTerms,
  GatewayCharge,
  PaymentCallResult,
  PaymentRequested,
  PaymentResult,
} from '../../schemas/index.ts'
import type { LogRecord } from '../../streams/index.ts'
import { pastCauseOf } from '../../streams/kit/index.ts'
import { answerBy, askAgainAt } from './asking.ts'
import {
  chargeCall,
  hearOfCharge,
  newCharge,
  type Remains,
  requestCharge,
  servesNext,
  settledAt,
} from './charge.ts'
import { chargedElsewhere, wasAnswered } from './elsewhere.ts'
import { type About, alarmIfOverdue, allClear } from './incidents.ts'
import { keepPayment, type PaymentGatewayContext, type PaymentGatewayRules } from './payment-context.ts'

export function charge(
  rules: PaymentGatewayRules,
  { orderId, userId, amount, currency, deadline, epoch }: PaymentRequested,
  origin: LogRecord,
  context: PaymentGatewayContext,
): void {
  const { stores, wallTime, emit } = context
  const before = stores.charges.get(orderId)
  const terms: ChargeTerms = { epoch, userId, amount, currency, deadline, command: pastCauseOf(origin) }
  if (before !== undefined && wasAnswered(before.elsewhere, origin)) {
    context.dropped('AnsweredElsewhere')
    return epoch > before.terms.epoch ? keepCharge(rules, orderId, { ...before, terms }, context) : undefined
  }
  const requested = requestCharge(before, remains(orderId, before, context), orderId, terms, wallTime)
  if (requested.handling === 'OUTDATED') return context.dropped('OutdatedPayment')
  if (requested.handling === 'NEW') return askForCharge(rules, orderId, requested.charge, context)
  if (requested.charge !== before) keepCharge(rules, orderId, requested.charge, context)
  if (requested.handling === 'REPEAT') emit.paid(orderId, resultOf(orderId, requested.charge, context))
}

/** A result on the topic: the gateway's own has its row already, and changes nothing. */
export function paidElsewhere(
  rules: PaymentGatewayRules,
  result: PaymentResult,
  origin: LogRecord,
  context: PaymentGatewayContext,
): void {
  const { orderId, paymentKey, amount, status } = result
  const { stores } = context
  const before = stores.charges.get(orderId)
  if (before !== undefined && before.elsewhere === null) return
  if (status === 'SUCCESS') {
    const known = stores.payments.get([orderId, paymentKey]) !== undefined
    // Of a charge that nobody asked for, told by its webhook.
    if (known && before === undefined) return
    if (!known) keepPayment(rules, [orderId, paymentKey], { amount, refunded: 0, pending: 0 }, context)
  }
  keepCharge(rules, orderId, chargedElsewhere(before, result, rules.currency, origin), context)
}

function remains(
  orderId: string,
  charge: GatewayCharge | undefined,
  { stores }: PaymentGatewayContext,
): Remains {
  if (charge?.state !== 'SUCCEEDED' || charge.paymentKey === null) return 'NONE'
  const payment = stores.payments.get([orderId, charge.paymentKey])
  if (payment === undefined) return 'NONE'
  if (payment.refunded < payment.amount) return 'SOME'
  return payment.pending > 0 ? 'UNKNOWN' : 'NONE'
}

/** What became of a refund is known: a request that waited for it is charged, or served by what is still there. */
export function chargeWaiting(
  rules: PaymentGatewayRules,
  orderId: string,
  context: PaymentGatewayContext,
): void {
  const before = context.stores.charges.get(orderId)
  if (before?.state !== 'SUCCEEDED' || before.next === null) return
  const left = remains(orderId, before, context)
  if (left === 'UNKNOWN') return
  if (left === 'NONE')
    return askForCharge(rules, orderId, newCharge(before, orderId, before.next, context.wallTime), context)
  const charge = servesNext(before)
  keepCharge(rules, orderId, charge, context)
  if (charge.terms.command !== null) context.causedBy(charge.terms.command)
  context.emit.paid(orderId, resultOf(orderId, charge, context))
}

/** The durable timer `charge` of an order: no answer, or none that ends it. */
export function askForChargeAgain(
  rules: PaymentGatewayRules,
  orderId: string,
  context: PaymentGatewayContext,
): void {
  const before = context.stores.charges.get(orderId)
  if (before?.state !== 'ASKING') return
  const asking = alarmIfOverdue(rules.asking, before.asking, about(orderId), context)
  askForCharge(rules, orderId, { ...before, asking }, context)
}

function askForCharge(
  rules: PaymentGatewayRules,
  orderId: string,
  before: GatewayCharge,
  context: PaymentGatewayContext,
): void {
  const { emit, timers, wallTime } = context
  const { kind, charge } = chargeCall(before, wallTime)
  const { userId, amount, currency, deadline } = charge.terms
  const answered = answerBy(rules.asking, wallTime)
  const expiresAt = kind === 'CHARGE' ? Math.min(deadline, answered) : answered
  keepCharge(rules, orderId, charge, context)
  timers.charge.schedule(orderId, nextCallAt(rules, charge, null, expiresAt))
  emit.call(orderId, {
    kind,
    orderId,
    idempotencyKey: charge.idempotencyKey,
    attempt: charge.asking.attempt,
    userId,
    refundId: null,
    paymentKey: null,
    amount,
    currency,
    deadline: kind === 'CHARGE' ? deadline : null,
    expiresAt,
  })
}

/** What call or webhook say of a charge. Money that is not known yet is told, whichever request it belongs to (I19). */
export function heardOfCharge(
  rules: PaymentGatewayRules,
  news: PaymentCallResult,
  origin: LogRecord,
  context: PaymentGatewayContext,
): void {
  const { orderId, idempotencyKey: key } = news
  const before = context.stores.charges.get(orderId)
  const ours = before !== undefined && before.idempotencyKey === key
  const isNew = tellPaid(rules, news, ours ? before : undefined, context)
  if (!ours) {
    if (!isNew) context.dropped('UnexpectedAnswer')
    return
  }
  const heard = hearOfCharge(before, news, rules.graceMs, context.wallTime)
  if (heard.kind === 'IGNORED') {
    if (!isNew) context.dropped(heard.why)
    return
  }
  const { row, kind } = heard
  const silent = row.asking.silentSince === before.asking.silentSince
  const known = kind === 'KNOWN' || !silent
  const asking = known ? allClear(row.asking, about(orderId), context, origin) : row.asking
  if (kind === 'AGAIN') putOff(rules, news, { ...row, asking }, context)
  else settle(rules, orderId, { ...row, asking }, context)
}

/** @returns whether the payment was not known before */
function tellPaid(
  rules: PaymentGatewayRules,
  { orderId, status, paymentKey, amount }: PaymentCallResult,
  charge: GatewayCharge | undefined,
  context: PaymentGatewayContext,
): boolean {
  if (status !== 'SUCCEEDED' || paymentKey === null || amount === null) return false
  const { stores, emit } = context
  if (stores.payments.get([orderId, paymentKey]) !== undefined) return false
  keepPayment(rules, [orderId, paymentKey], { amount, refunded: 0, pending: 0 }, context)
  const command = charge?.next?.command ?? charge?.terms.command ?? null
  if (command !== null) context.causedBy(command)
  emit.paid(orderId, { orderId, paymentKey, amount, status: 'SUCCESS', failureCode: null })
  return true
}

function putOff(
  rules: PaymentGatewayRules,
  { orderId, retryAfterMs }: PaymentCallResult,
  charge: GatewayCharge,
  context: PaymentGatewayContext,
): void {
  keepCharge(rules, orderId, charge, context)
  context.timers.charge.schedule(orderId, nextCallAt(rules, charge, retryAfterMs, context.wallTime))
}

/** The first moment at which "there is none" counts is worth asking at. */
function nextCallAt(
  rules: PaymentGatewayRules,
  charge: GatewayCharge,
  retryAfterMs: number | null,
  from: number,
): number {
  const at = askAgainAt(rules.asking, charge.asking, charge.idempotencyKey, retryAfterMs, from)
  const settled = settledAt(charge, rules.graceMs)
  return from < settled ? Math.min(at, settled) : at
}

/** It is known. A request of a later epoch that waited for it begins, unless there is a payment. */
function settle(
  rules: PaymentGatewayRules,
  orderId: string,
  charge: GatewayCharge,
  context: PaymentGatewayContext,
): void {
  const { emit, timers, wallTime } = context
  timers.charge.cancel(orderId)
  if (charge.state === 'FAILED' && charge.next !== null) {
    return askForCharge(rules, orderId, newCharge(charge, orderId, charge.next, wallTime), context)
  }
  keepCharge(rules, orderId, charge, context)
  if (charge.state !== 'FAILED') return
  if (charge.terms.command !== null) context.causedBy(charge.terms.command)
  emit.paid(orderId, resultOf(orderId, charge, context))
}

function resultOf(
  orderId: string,
  { state, terms, paymentKey, idempotencyKey, failureCode }: GatewayCharge,
  { stores }: PaymentGatewayContext,
): PaymentResult {
  if (state !== 'SUCCEEDED' || paymentKey === null) {
    const name = paymentKey ?? idempotencyKey
    return { orderId, paymentKey: name, amount: terms.amount, status: 'FAILED', failureCode }
  }
  const { amount } = stores.payments.get([orderId, paymentKey]) ?? terms
  return { orderId, paymentKey, amount, status: 'SUCCESS', failureCode: null }
}

function keepCharge(
  { keeping }: PaymentGatewayRules,
  orderId: string,
  row: GatewayCharge,
  { stores, timers, wallTime }: PaymentGatewayContext,
): void {
  stores.charges.put(orderId, row)
  timers.forgetCharge.schedule(orderId, wallTime + keeping.keepDoneMs)
}

/** What is not known yet, or waited for, is never forgotten. */
export function forgetCharge(
  { keeping }: PaymentGatewayRules,
  orderId: string,
  { stores, timers, wallTime }: PaymentGatewayContext,
): void {
  const charge = stores.charges.get(orderId)
  if (charge?.state !== 'ASKING' && (charge?.next ?? null) === null) return stores.charges.delete(orderId)
  timers.forgetCharge.schedule(orderId, wallTime + keeping.keepDoneMs)
}

function about(orderId: string): About {
  const detail = 'the provider does not say whether it has charged'
  return { invariant: 'PAYMENT_UNKNOWN', subject: orderId, detail }
}
