/**
 * I17, I19 and I20 of one order: what it asked for, what was paid, what goes back. Pure.
 *
 * What the orchestrator says of a sale or a refund names the payment that it was made from as its cause, so the two are
 * compared once both are there, in either order, and never with a payment that came otherwise.
 */
import type {
  MoneyWatch,
  OrderCancelled,
  OrderConfirmed,
  OrderReturned,
  OrderWatch,
  PaymentRefund,
  PaymentRequested,
  PaymentResult,
} from '../../schemas/index.ts'
import { refundId as refundIdOf } from '../orders/give-back.ts'
import { digestOf } from './digest.ts'
import type { Place } from './facts.ts'
import type { OrderViolation, OrderWatched } from './order-ends.ts'
import { isOfSaga } from './order-told.ts'

/** Payments, refunds and returns kept per order; of more, nothing is said. */
export const MAX_MONEY = 64
/** Different amounts that are kept of those that were asked for. */
const MAX_ASKED = 4
const PAYMENTS = 'payment.result'
const REPAIRS = 'order.repair.requested'
const FAILED = -1

/** I17: the amount that was asked for. */
export function watchAsked(watch: OrderWatch, { amount }: PaymentRequested): OrderWatched {
  if (watch.asked.includes(amount) || watch.asked.length >= MAX_ASKED) return { watch, found: [] }
  const after = { ...watch, asked: [...watch.asked, amount] }
  const { confirmed } = watch
  const wrong = confirmed !== null && confirmed.finalAmount !== amount
  return { watch: after, found: wrong ? [askedOtherwise(confirmed.finalAmount, amount)] : [] }
}

/** I17, I20. */
export function watchConfirmed(watch: OrderWatch, sale: OrderConfirmed, place: Place): OrderWatched {
  const { finalAmount } = sale
  const cause = place.lineage?.cause
  if (cause === undefined || !isOfSaga(place)) return { watch, found: [] }
  if (watch.confirmed !== null) {
    const other = watch.confirmed.finalAmount
    const detail = `it is confirmed with ${other} and with ${finalAmount}`
    return { watch, found: other === finalAmount ? [] : [['I17', detail]] }
  }
  const { partition, offset } = cause.topic === PAYMENTS ? cause : { partition: -1, offset: -1 }
  const after: OrderWatch = { ...watch, confirmed: { finalAmount, partition, offset } }
  const found: OrderViolation[] = []
  if (finalAmount > 0 && cause.topic !== PAYMENTS && cause.topic !== REPAIRS) {
    found.push(['I17', `it is confirmed by ${cause.topic}, and ${finalAmount} are to be paid`])
  }
  const asked = watch.asked.find((amount) => amount !== finalAmount)
  if (asked !== undefined) found.push(askedOtherwise(finalAmount, asked))
  const paid = watch.payments.find((each) => each.partition === partition && each.offset === offset)
  if (paid !== undefined) found.push(...checkPaid(finalAmount, paid.amount))
  return { watch: after, found: [...found, ...stockRefused(after), ...toldTooMuch(after)] }
}

/** I17: every line is reserved. An order turns round on a refusal, so one that was confirmed had none. */
export function stockRefused({ confirmed, answers }: OrderWatch): OrderViolation[] {
  if (confirmed === null || !answers.some((each) => each.stockRefused)) return []
  return [['I17', 'it is confirmed, and stock had refused a product']]
}

/** I17, I19, I20. */
export function watchPaid(watch: OrderWatch, payment: PaymentResult, place: Place): OrderWatched {
  const { paymentKey, status } = payment
  const { partition, offset } = place
  const key = digestOf([partition, offset])
  if (status === 'UNKNOWN' || isFull(watch.payments) || has(watch.payments, key)) return { watch, found: [] }
  const of = digestOf([paymentKey])
  const amount = status === 'SUCCESS' ? payment.amount : FAILED
  const isNews = !watch.payments.some((each) => each.of === of && each.amount >= 0)
  const after = { ...watch, payments: [...watch.payments, { key, of, amount, partition, offset }] }
  const { confirmed } = watch
  const found: OrderViolation[] = []
  if (confirmed?.partition === partition && confirmed.offset === offset) {
    found.push(...checkPaid(confirmed.finalAmount, amount))
  }
  const refund = watch.refunds.find((each) => each.partition === partition && each.offset === offset)
  if (refund !== undefined) found.push(...checkStray(refund, { of, amount }))
  return { watch: after, found: isNews ? [...found, ...refundedTooMuch(after, of)] : found }
}

/** I19, I20. Refunds are paid out once per refundId. */
export function watchRefund(watch: OrderWatch, refund: PaymentRefund, { lineage }: Place): OrderWatched {
  const { refundId, orderId, paymentKey, amount } = refund
  const key = digestOf([refundId])
  if (isFull(watch.refunds) || has(watch.refunds, key)) return { watch, found: [] }
  const of = digestOf([paymentKey])
  const cause = lineage?.cause
  const isStray = refundId === refundIdOf({ orderId, kind: 'STRAY', id: paymentKey })
  // A payment that is not the order's own goes back as soon as it is read: it is the refund's cause.
  const { partition, offset } = isStray && cause?.topic === PAYMENTS ? cause : { partition: -1, offset: -1 }
  const now: MoneyWatch = { key, of, amount, partition, offset }
  const after = { ...watch, refunds: [...watch.refunds, now] }
  const paid = watch.payments.find((each) => each.partition === partition && each.offset === offset)
  const stray = paid === undefined ? [] : checkStray(now, paid)
  return { watch: after, found: [...stray, ...refundedTooMuch(after, of)] }
}

/** I20: what a return or a cancel is told to give back. */
export function watchGiven(
  watch: OrderWatch,
  { returnId, refundAmount: amount }: OrderReturned | OrderCancelled,
  place: Place,
): OrderWatched {
  const key = digestOf([returnId])
  if (!isOfSaga(place) || isFull(watch.given) || has(watch.given, key)) return { watch, found: [] }
  const given: MoneyWatch = { key, of: '', amount, partition: -1, offset: -1 }
  const after = { ...watch, given: [...watch.given, given] }
  return { watch: after, found: toldTooMuch(after) }
}

function toldTooMuch({ confirmed, given }: OrderWatch): OrderViolation[] {
  const told = sum(given)
  if (confirmed === null || told <= confirmed.finalAmount) return []
  return [['I20', `${told} are told to go back, and ${confirmed.finalAmount} were paid`]]
}

/** Under one paymentKey there is one payment; where several amounts are told of it, it may be all of them. */
function refundedTooMuch({ payments, refunds }: OrderWatch, of: string): OrderViolation[] {
  const paid = new Set(payments.filter((each) => each.of === of).map(({ amount }) => amount))
  paid.delete(FAILED)
  const most = [...paid].reduce((total, amount) => total + amount, 0)
  const back = sum(refunds.filter((each) => each.of === of))
  if (paid.size === 0 || isFull(payments) || back <= most) return []
  return [['I20', `${back} are to go back of a payment of ${most}`]]
}

function checkPaid(finalAmount: number, paid: number): OrderViolation[] {
  if (paid === finalAmount) return []
  const payment = paid === FAILED ? 'a payment that failed' : `a payment of ${paid}`
  return [['I17', `it is confirmed with ${finalAmount} by ${payment}`]]
}

function checkStray(refund: MoneyWatch, paid: Pick<MoneyWatch, 'of' | 'amount'>): OrderViolation[] {
  if (refund.of === paid.of && refund.amount === paid.amount) return []
  return [['I19', `${refund.amount} go back of a payment of ${paid.amount} that is not the order's own`]]
}

function askedOtherwise(finalAmount: number, asked: number): OrderViolation {
  return ['I17', `it is confirmed with ${finalAmount}, and ${asked} were asked for`]
}

function has(all: readonly MoneyWatch[], key: string): boolean {
  return all.some((each) => each.key === key)
}

function isFull(all: readonly MoneyWatch[]): boolean {
  return all.length >= MAX_MONEY
}

function sum(all: readonly MoneyWatch[]): number {
  return all.reduce((total, { amount }) => total + amount, 0)
}
