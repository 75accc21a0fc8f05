/**
 * Which facts a customer is told by mail, and what each mail says. Pure.
 *
 * | fact | template | subject of its mailId |
 * | --- | --- | --- |
 * | `order.completed` | `order-completed` | the order |
 * | `order.failed` | `order-failed` | the order |
 * | `order.cancelled` with money | `refund` | the order |
 * | `order.returned` with money | `refund#<returnId>` | the order: every return is another template of it |
 * | `coupon.issued` | `coupon-issued` | the user's coupon |
 */
import { createHash } from 'node:crypto'
import type {
  CouponIssued,
  MailRequested,
  OrderCancelled,
  OrderCompleted,
  OrderFailed,
  OrderReturned,
  ReversedItem,
} from '../../schemas/index.ts'

/** What the mail is about: its record's key. */
export function mailSubject({
  orderId,
  userCouponId,
}: Pick<MailRequested, 'orderId' | 'userCouponId'>): string {
  return userCouponId ?? orderId
}

export function completedMail(order: OrderCompleted, currency: string): MailRequested {
  const { orderId, userId, items, finalAmount, completedAt } = order
  const lines = items.map(({ productId, quantity, unitPrice }) => {
    return { productId, quantity, amount: quantity * unitPrice }
  })
  return {
    ...mail({ orderId, userId, template: 'order-completed' }),
    items: lines,
    amount: finalAmount,
    currency,
    happenedAt: completedAt,
  }
}

export function failedMail(order: OrderFailed): MailRequested {
  const { orderId, userId, failedStep, compensations } = order
  const refunded = compensations.some(({ step }) => step === 'payment')
  return { ...mail({ orderId, userId, template: 'order-failed' }), reason: failedStep, refunded }
}

export function givesMoneyBack({ refundAmount }: OrderCancelled | OrderReturned): boolean {
  return refundAmount > 0
}

export function refundMail(
  { orderId, userId, returnId, items, refundAmount, at }: OrderCancelled | OrderReturned,
  currency: string,
): MailRequested {
  const template = returnId === null ? 'refund' : `refund#${returnId}`
  return {
    ...mail({ orderId, userId, template }),
    items: items.map(lineOf),
    amount: refundAmount,
    currency,
    happenedAt: at,
  }
}

export function couponMail({
  couponId,
  userCouponId,
  userId,
  issuedAt,
  expiresAt,
}: CouponIssued): MailRequested {
  const about = { orderId: '', userCouponId, userId, template: 'coupon-issued' }
  return { ...mail(about), couponId, happenedAt: issuedAt, expiresAt }
}

function lineOf({ productId, quantity, amount }: ReversedItem) {
  return { productId, quantity, amount }
}

interface About {
  readonly orderId: string
  readonly userId: string
  readonly template: string
  readonly userCouponId?: string
}

/** A mail that says nothing yet, and to nobody. The same fact makes the same mailId. */
function mail({ orderId, userId, template, userCouponId }: About): MailRequested {
  const subject = userCouponId ?? orderId
  const words = JSON.stringify(['mail', userCouponId === undefined ? 'order' : 'coupon', subject, template])
  return {
    mailId: createHash('sha256').update(words).digest('hex').slice(0, 32),
    orderId,
    userId,
    template,
    userCouponId: userCouponId ?? null,
    couponId: null,
    items: [],
    amount: null,
    currency: null,
    reason: null,
    refunded: false,
    happenedAt: null,
    expiresAt: null,
    email: null,
    locale: null,
    suppressed: false,
    deferredSince: null,
  }
}
