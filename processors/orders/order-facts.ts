/** What is told when an order's saga moved. Pure: before and after come in, facts go out. */
import type { OrderData, OrderState } from '../../schemas/index.ts'
import { currentStep } from '../../streams/kit/index.ts'
import { finalAmount, pointsUsed } from './amounts.ts'
import { linesOf, paymentRequest } from './order-saga.ts'
import {
  isPaid,
  milestonesOf,
  noteOf,
  type OrderProgress,
  orderStateOf,
  wasCalledOff,
} from './order-state.ts'
import type { OrderOutput, OrderOutputValues } from './outputs.ts'
import { reversedItem } from './returns.ts'

type Status = OrderOutputValues['orderStatus']
/** A status before it has its revision. */
export type StatusDraft = Omit<Status, 'revision' | 'returnState' | 'at'>

/**
 * The statuses that it went through, in their order; the last is where it is. None where nothing is new to anybody.
 */
export function statusesOf(before: OrderProgress | undefined, after: OrderProgress): StatusDraft[] {
  const known = before === undefined ? [] : milestonesOf(before)
  const forward = after.direction === 'FORWARD' && after.phase !== 'NEEDS_ATTENTION'
  const passed = forward ? milestonesOf(after).filter((state) => !known.includes(state)) : []
  const now = statusOf(after, orderStateOf(after))
  const statuses = passed
    .slice(0, -1)
    .map((state): StatusDraft => ({ ...now, state, step: '', attempt: 0, note: null }))
  if (passed.length === 0 && before !== undefined && same(statusOf(before, orderStateOf(before)), now))
    return []
  return [...statuses, now]
}

function statusOf(progress: OrderProgress, state: OrderState): StatusDraft {
  const { orderId, userId } = progress.data
  const step = progress.endedAt === null ? currentStep(progress) : undefined
  return {
    orderId,
    userId,
    state,
    step: step?.name ?? '',
    attempt: step?.attempt ?? 0,
    note: noteOf(progress),
  }
}

function same(a: StatusDraft, b: StatusDraft): boolean {
  return a.state === b.state && a.step === b.step && a.attempt === b.attempt && a.note === b.note
}

/**
 * Sale, shipping and end of an order, each told once; and the question what became of a payment that nobody has answered
 * when the order turns round. `at`: epoch milliseconds.
 */
export function factsOf(before: OrderProgress | undefined, after: OrderProgress, at: number): OrderOutput[] {
  const { data } = after
  const facts: OrderOutput[] = []
  if (isPaid(after) && (before?.data.confirmedAt ?? null) === null) facts.push(confirmed(data, at))
  if (isShipped(after) && !isShipped(before)) facts.push(...commits(after))
  if (after.direction === 'BACK' && before?.direction === 'FORWARD') facts.push(...openPayments(after))
  if (after.phase === 'DONE' && before?.phase !== 'DONE') facts.push(completed(data, at))
  if (after.phase === 'UNDONE' && before?.phase !== 'UNDONE') facts.push(...undone(after, at))
  return facts
}

function isShipped(progress: OrderProgress | undefined): boolean {
  return progress?.steps.some(({ name, status }) => name === 'delivery' && status === 'DONE') === true
}

/** A provider that charged and was not heard would keep the money: what it answers now is a late payment (I16, I19). */
function openPayments({ data, steps }: OrderProgress): OrderOutput[] {
  const payment = steps.find(({ name }) => name === 'payment')
  const isOpen = payment?.parts.some(({ did }) => did === 'SENT') === true
  return isOpen ? [paymentRequest(data, payment.epoch)] : []
}

function confirmed(data: OrderData, at: number): OrderOutput {
  const { orderId, userId, items, currency, userCouponId, paidAt } = data
  const value = {
    orderId,
    userId,
    items,
    finalAmount: finalAmount(data),
    currency,
    pointsUsed: pointsUsed(data),
    userCouponId,
    paidAt: paidAt ?? at,
    confirmedAt: data.confirmedAt ?? at,
  }
  return { topic: 'orderConfirmed', value }
}

/** Reserved becomes sold. Nobody answers. */
function commits({ data: { orderId, items }, steps }: OrderProgress): OrderOutput[] {
  const stock = steps.find(({ name }) => name === 'stock')
  return (stock?.parts ?? []).map(({ part: productId }) => {
    const value = {
      orderId,
      productId,
      lines: linesOf(items, productId),
      reason: '',
      epoch: stock?.epoch ?? 0,
    }
    return { topic: 'stockCommitRequested', value }
  })
}

function completed(data: OrderData, completedAt: number): OrderOutput {
  const { orderId, userId, items } = data
  return {
    topic: 'orderCompleted',
    value: { orderId, userId, items, finalAmount: finalAmount(data), completedAt },
  }
}

/** A confirmed order that fails is taken back like a cancelled one. */
function undone(after: OrderProgress, at: number): OrderOutput[] {
  const { confirmedAt } = after.data
  const calledOff = wasCalledOff(after)
  const facts: OrderOutput[] = calledOff ? [] : [failed(after)]
  return calledOff || confirmedAt !== null ? [...facts, cancelled(after, at)] : facts
}

function failed({ data: { orderId, userId }, cause, steps }: OrderProgress): OrderOutput {
  const undid = steps.filter(({ parts }) => parts.some(({ undid }) => undid === 'DONE')).toReversed()
  const compensations = undid.map(({ name: step }) => ({ step, status: 'RESTORED' }))
  const reason = cause === null ? '' : cause.reason || cause.kind
  return {
    topic: 'orderFailed',
    value: { orderId, userId, failedStep: cause?.step ?? '', reason, compensations },
  }
}

function cancelled({ data, cause, steps }: OrderProgress, at: number): OrderOutput {
  const { orderId, userId, items, confirmedAt } = data
  const refunded = steps.some(
    ({ name, parts }) => name === 'payment' && parts.some(({ undid }) => undid === 'DONE'),
  )
  const value = {
    orderId,
    userId,
    returnId: null,
    items: items.map((item) => reversedItem(item)),
    refundAmount: refunded ? finalAmount(data) : 0,
    confirmedAt,
    at,
    reason: cause?.reason ?? '',
  }
  return { topic: 'orderCancelled', value }
}
