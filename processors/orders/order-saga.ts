/**
 * The saga of an order: stock, points, coupon, payment, delivery. Payment is the pivot. What is sent and how answers are
 * read; when, in which order and how often is the kit's business (docs/saga.md).
 */
import {
  type CouponUseResult,
  type DeliveryCancelResult,
  type DeliveryResult,
  type OrderData,
  type OrderItem,
  type PaymentRefundResult,
  type PaymentResult,
  type PointDeductResult,
  type RestoreResult,
  type StockLine,
  type StockReserveResult,
} from '../../schemas/index.ts'
import {
  again,
  done,
  type Patience,
  type Reading,
  refused,
  saga,
  type SagaInput,
} from '../../streams/kit/index.ts'
import { finalAmount, itemsAmount, pointsDeducted, pointsUsed, surplusPoints } from './amounts.ts'
import type { OrderOutput } from './outputs.ts'

/** How a shop sells. */
export interface OrderRules {
  /** ISO 4217; orders in another one are refused. */
  readonly currency: string
  /** How long an order can be paid that does not say so itself, milliseconds. */
  readonly payByMs: number
  /** What completes an order: that its goods are on their way, or that they are there. */
  readonly completeOn: 'started' | 'delivered'
  /** How long an order is known after its end, milliseconds; longer than commands are kept. */
  readonly keepMs: number
  /** Of stock, points, coupon and refunds. */
  readonly patience: Patience
  /** How long the courier has to start, and then to deliver. */
  readonly deliveryPatience: Patience
}

/** Names a part of the points that is given back before payment. No return may have this id. */
export const SURPLUS = 'surplus'

/** What customer or courier did, with the time at which it was read. */
export interface Timed<V> {
  readonly value: V
  readonly at: number
}

export type OrderInput = SagaInput<OrderData, ReturnType<typeof orderSaga>['steps']>

export function orderSaga({ completeOn, keepMs, patience, deliveryPatience }: OrderRules) {
  return saga<OrderData, OrderOutput>()({
    name: 'order',
    pivot: 'payment',
    deadline: ({ payBy }) => payBy,
    keepMs,
    steps: {
      stock: {
        parts: ({ items }) => [...new Set(items.map(({ productId }) => productId))],
        command: ({ orderId, items }, { part: productId, epoch }) => {
          const value = { orderId, productId, lines: linesOf(items, productId), epoch }
          return { topic: 'stockReserveRequested', value }
        },
        answer: (order, { status, reason }: StockReserveResult) => {
          return status === 'RESERVED' ? done(order) : no(status, reason)
        },
        // Every product, answered or not.
        undo: ({ orderId, items }, { part: productId, epoch }) => {
          const lines = linesOf(items, productId)
          const value = { orderId, productId, lines, returnId: null, reason: '', epoch }
          return { topic: 'stockRestoreRequested', value }
        },
        // One answer per line, all alike: the first of them says it.
        undone: restored,
        patience,
      },
      points: {
        parts: (order) => (pointsDeducted(order) > 0 ? [''] : []),
        command: (order, { epoch }) => {
          const { orderId, userId } = order
          return {
            topic: 'pointDeductRequested',
            value: { orderId, userId, amount: pointsDeducted(order), epoch },
          }
        },
        answer: (order, { status, reason }: PointDeductResult) => {
          return status === 'DEDUCTED' ? done(order) : no(status, reason)
        },
        undo: (order, { did, epoch }) => {
          if (did === 'REFUSED') return null
          const { orderId, userId } = order
          const value = { orderId, userId, amount: pointsUsed(order), returnId: null, refundAmount: 0, epoch }
          return { topic: 'pointRestoreRequested', value }
        },
        undone: restored,
        patience,
      },
      coupon: {
        parts: ({ userCouponId }) => (userCouponId === null ? [] : ['']),
        command: ({ orderId, userId, userCouponId, items }, { epoch }) => {
          const value = {
            orderId,
            userId,
            userCouponId: userCouponId ?? '',
            orderAmount: itemsAmount(items),
            epoch,
          }
          return { topic: 'couponUseRequested', value }
        },
        answer: (order, { status, discountAmount, reason }: CouponUseResult) => {
          if (status !== 'USED') return no(status, reason)
          const discount = Math.min(Math.max(discountAmount ?? 0, 0), itemsAmount(order.items))
          return done({ ...order, discount })
        },
        undo: ({ orderId, userId, userCouponId }, { did, epoch }) => {
          if (did === 'REFUSED') return null
          const value = { orderId, userId, userCouponId: userCouponId ?? '', reason: null, epoch }
          return { topic: 'couponRestoreRequested', value }
        },
        undone: restored,
        patience,
      },
      /** Points beyond what the coupon left to pay. The undo of the points gives back the rest. */
      surplus: {
        parts: (order) => (surplusPoints(order) > 0 ? [''] : []),
        command: (order, { epoch }) => {
          const { orderId, userId } = order
          const value = {
            orderId,
            userId,
            amount: surplusPoints(order),
            returnId: SURPLUS,
            refundAmount: 0,
            epoch,
          }
          return { topic: 'pointRestoreRequested', value }
        },
        answer: restored,
        patience,
      },
      payment: {
        parts: (order) => (finalAmount(order) > 0 ? [''] : []),
        command: (order, { epoch }) => paymentRequest(order, epoch),
        answer: (order, { value, at }: Timed<PaymentResult>) => {
          if (value.status !== 'SUCCESS') return no(value.status, value.failureCode)
          return done({ ...order, paymentKey: value.paymentKey, paidAt: at })
        },
        // Unpaid: what is paid later is no payment of this order any more, and goes back by itself. The provider is
        // asked once more (order-facts.ts): it may have charged, and its answer be lost.
        undo: (order, { did }) => {
          if (did !== 'DONE' || order.paymentKey === null) return null
          const { orderId, paymentKey } = order
          const value = { refundId: orderRefundId(orderId), orderId, paymentKey, amount: finalAmount(order) }
          return { topic: 'paymentRefundRequested', value }
        },
        undone: (order, { status, reason }: PaymentRefundResult) => {
          return status === 'REFUNDED' ? done(order) : no(status, reason)
        },
        // As long as there is time to pay.
        patience: { timeoutMs: null },
        undoPatience: patience,
      },
      delivery: {
        parts: ({ shipTo }) => (shipTo === null ? [] : ['']),
        command: ({ orderId, userId: customerId, shipTo }, { epoch }) => {
          return { topic: 'deliveryRequested', value: { orderId, customerId, shipTo, epoch } }
        },
        answer: (order, { value, at }: Timed<DeliveryResult>) => {
          const { status, reason, deliveryId } = value
          if (status === 'STARTED') return done({ ...order, deliveryId })
          return status === 'DELIVERED' ? done({ ...order, deliveryId, deliveredAt: at }) : no(status, reason)
        },
        undo: ({ orderId, deliveryFailed }, { did }) => {
          if (did === 'REFUSED' || deliveryFailed) return null
          return { topic: 'deliveryCancelRequested', value: { orderId, reason: null } }
        },
        undone: (order, { status, reason }: DeliveryCancelResult) => {
          return status === 'CANCELLED' ? done(order) : no(status, reason)
        },
        patience: deliveryPatience,
        undoPatience: patience,
        onRefusal: 'undo',
        onUndoRefusal: 'resume',
      },
      /** Where an order is complete only once its goods are there. */
      handover: {
        parts: ({ shipTo, deliveredAt }) => {
          return completeOn === 'delivered' && shipTo !== null && deliveredAt === null ? [''] : []
        },
        command: () => null,
        answer: (order, { value, at }: Timed<DeliveryResult>) => {
          if (value.status === 'DELIVERED') return done({ ...order, deliveredAt: at })
          const lost = { ...order, deliveryFailed: true }
          return value.status === 'FAILED' ? refused(value.reason ?? 'FAILED', lost) : again(value.status)
        },
        patience: deliveryPatience,
        onRefusal: 'undo',
      },
    },
  })
}

/** The same request again charges nobody twice, and is answered with what became of the first. */
export function paymentRequest(order: OrderData, epoch: number): OrderOutput {
  const { orderId, userId, currency, payBy: deadline } = order
  const value = { orderId, userId, amount: finalAmount(order), currency, deadline, epoch }
  return { topic: 'paymentRequested', value }
}

/** A refund is paid out once per id, so an order's own refund has one id for ever. */
export function orderRefundId(orderId: string): string {
  return `${orderId}|order`
}

export function linesOf(items: readonly OrderItem[], productId: string): StockLine[] {
  return items
    .filter((item) => item.productId === productId)
    .map(({ lineNo, quantity }) => ({ lineNo, quantity }))
}

function restored(order: OrderData, { status, reason }: RestoreResult): Reading<OrderData> {
  return status === 'RESTORED' || status === 'ALREADY' ? done(order) : no(status, reason)
}

/** A status that this program does not know yet is no verdict. */
function no(status: string, reason: string | null): Reading<never> {
  return status === 'UNKNOWN' ? again('UNKNOWN') : refused(reason ?? status)
}
