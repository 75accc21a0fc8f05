/** What people are told of an order: where it is, what it costs, and what they may do now. Pure. */
import type { OrderData, OrderItem, OrderRow, OrderState, ReturnState } from '../../schemas/index.ts'
import { currentStep, isEnded, sagaActionsOf, type SagaAction } from '../../streams/kit/index.ts'
import { finalAmount, itemsAmount, pointsUsed } from './amounts.ts'
import { refundAmount } from './give-back.ts'
import { bookOf, type OrderBook, returnsOf, settledReturns } from './order-row.ts'
import { isPaid, noteOf, type OrderProgress, orderStateOf, wasCalledOff } from './order-state.ts'
import { returnedUnits, returnStateOf } from './returns.ts'

/** What a customer may do with an order. */
export type CustomerAction = 'pay' | 'cancel' | 'return'

export interface OrderSummary {
  readonly orderId: string
  readonly userId: string
  readonly state: OrderState
  readonly returnState: ReturnState
  /** The step that it is in; empty between steps and at the end. */
  readonly step: string
  /** Of that step; 0 = none. */
  readonly attempt: number
  readonly revision: number
  /** When the order began, and when it came into its state, epoch milliseconds; 0 = not known. */
  readonly createdAt: number
  readonly since: number
  readonly note: string | null
  readonly items: readonly OrderItem[]
  readonly userCouponId: string | null
  readonly pointsToUse: number
  readonly currency: string
  /** Of the request that it was made by; null = that had no Idempotency-Key. */
  readonly bodyHash: string | null
  /** Epoch milliseconds. */
  readonly payBy: number
  /** Items − discount − points = final; minor units. Before coupon and points were asked, what they come to at most. */
  readonly amounts: {
    readonly items: number
    readonly discount: number
    readonly points: number
    readonly final: number
  }
  readonly paymentKey: string | null
  /** Epoch milliseconds; null = not confirmed. */
  readonly confirmedAt: number | null
  /** Somebody wanted it undone, and it is or will be. */
  readonly calledOff: boolean
  readonly returns: readonly ReturnSummary[]
  /** What a customer may do now. */
  readonly actions: readonly CustomerAction[]
}

export interface ReturnSummary {
  readonly returnId: string
  readonly status: 'RUNNING' | 'DONE' | 'NEEDS_ATTENTION'
  readonly items: readonly { readonly lineNo: number; readonly quantity: number }[]
  /** Minor units. */
  readonly refundAmount: number
}

/** Nothing where the row has only payments that no order asked for. */
export function orderSummary(row: OrderRow): OrderSummary | undefined {
  const book = bookOf(row)
  const { order, revision, createdAt, since } = book
  if (order === null) return undefined
  const { data } = order
  const { orderId, userId, items, userCouponId, pointsToUse, currency, payBy, bodyHash } = data
  const step = order.endedAt === null ? currentStep(order) : undefined
  return {
    orderId,
    userId,
    state: orderStateOf(order),
    returnState: returnStateOf(data, settledReturns(book)),
    step: step?.name ?? '',
    attempt: step?.attempt ?? 0,
    revision,
    createdAt,
    since,
    note: noteOf(order),
    items,
    userCouponId,
    pointsToUse,
    currency,
    bodyHash,
    payBy,
    amounts: amountsOf(data),
    paymentKey: data.paymentKey,
    confirmedAt: data.confirmedAt,
    calledOff: order.direction === 'BACK' && wasCalledOff(order),
    returns: returnSummaries(book),
    actions: customerActions(book, order),
  }
}

function amountsOf(data: OrderData): OrderSummary['amounts'] {
  return {
    items: itemsAmount(data.items),
    discount: data.discount,
    points: pointsUsed(data),
    final: finalAmount(data),
  }
}

function returnSummaries({ givenBack }: OrderBook): ReturnSummary[] {
  const returns = givenBack.filter(({ data }) => data.kind === 'RETURN')
  return returns.map(({ data, phase }) => ({
    returnId: data.id,
    status: phase === 'DONE' || phase === 'NEEDS_ATTENTION' ? phase : 'RUNNING',
    items: data.lines.map(({ lineNo, quantity }) => ({ lineNo, quantity })),
    refundAmount: data.paymentKey === null ? 0 : refundAmount(data),
  }))
}

function customerActions(book: OrderBook, order: OrderProgress): CustomerAction[] {
  const actions: CustomerAction[] = []
  if (orderStateOf(order) === 'AWAITING_PAYMENT') actions.push('pay')
  if (mayCancel(order)) actions.push('cancel')
  const left = order.data.items.some(({ lineNo, quantity }) => {
    return returnedUnits(returnsOf(book), lineNo) < quantity
  })
  if (order.phase === 'DONE' && left) actions.push('return')
  return actions
}

/** Until the courier has started: what comes after payment and cannot be undone, the handover, cannot be called off. */
function mayCancel(order: OrderProgress): boolean {
  if (isEnded(order) || order.direction === 'BACK') return false
  return !isPaid(order) || currentStep(order)?.name !== 'handover'
}

/**
 * What an operator may do: with the order, or where that needs nobody, with its returns and refunds that need somebody.
 */
export function repairsOf(row: OrderRow): readonly SagaAction[] {
  const { order, givenBack } = bookOf(row)
  const stuck = givenBack.filter(({ phase }) => phase === 'NEEDS_ATTENTION')
  if (order !== null && (order.phase === 'NEEDS_ATTENTION' || stuck.length === 0)) return sagaActionsOf(order)
  const [first, ...others] = stuck.map((saga) => sagaActionsOf(saga))
  return (first ?? []).filter((action) => others.every((actions) => actions.includes(action)))
}
