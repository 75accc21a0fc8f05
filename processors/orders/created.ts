/** What an order must be like for its saga to begin. Pure. */
import type { OrderCreated, OrderData } from '../../schemas/index.ts'
import { idFault } from '../ids.ts'
import { itemsAmount, lineAmount } from './amounts.ts'

/** Lines of an order at most. */
export const MAX_LINES = 200

export interface OrderFault {
  readonly reason: 'InvalidOrder' | 'WrongCurrency'
  readonly message: string
}

/** Nothing when it is an order; the message names fields and numbers, never contents. */
export function orderFault({ userId, items, pointsToUse, currency, payBy }: OrderCreated, shop: string) {
  if (currency !== shop) return fault('WrongCurrency', `it is not in ${shop}`)
  if (items.length === 0 || items.length > MAX_LINES) return fault('InvalidOrder', `${items.length} lines`)
  const numbers = new Set(items.map(({ lineNo }) => lineNo))
  if (numbers.size < items.length) return fault('InvalidOrder', 'a line number is used twice')
  for (const item of items) {
    const { lineNo, productId, quantity, unitPrice } = item
    const wrongId = idFault('productId', productId)
    if (wrongId !== undefined) return fault('InvalidOrder', `line ${lineNo}: ${wrongId.message}`)
    if (quantity < 1 || unitPrice < 0 || !Number.isSafeInteger(lineAmount(item))) {
      return fault('InvalidOrder', `line ${lineNo}: quantity ${quantity}, unitPrice ${unitPrice}`)
    }
  }
  const wrongUser = idFault('userId', userId)
  if (wrongUser !== undefined) return fault('InvalidOrder', wrongUser.message)
  if (!Number.isSafeInteger(itemsAmount(items))) return fault('InvalidOrder', 'the amount is too large')
  if (pointsToUse < 0) return fault('InvalidOrder', `pointsToUse ${pointsToUse}`)
  return payBy < 0 ? fault('InvalidOrder', `payBy ${payBy}`) : undefined
}

function fault(reason: OrderFault['reason'], message: string): OrderFault {
  return { reason, message }
}

/** Another request was sent under the key that the order was made by. Which one counts the log has decided. */
export function isConflict(
  first: Pick<OrderData, 'bodyHash'>,
  second: Pick<OrderCreated, 'bodyHash'>,
): boolean {
  return first.bodyHash !== null && second.bodyHash !== null && first.bodyHash !== second.bodyHash
}

/** @param payByDefault of an order that names no time (0): its message may have waited for long before it was taken */
export function newOrder(order: OrderCreated, payByDefault: number): OrderData {
  const { orderId, userId, items, userCouponId, pointsToUse, currency, payBy, shipTo, bodyHash } = order
  return {
    orderId,
    userId,
    items,
    userCouponId,
    pointsToUse,
    currency,
    payBy: payBy === 0 ? payByDefault : payBy,
    shipTo,
    discount: 0,
    paymentKey: null,
    paidAt: null,
    confirmedAt: null,
    deliveryId: null,
    deliveredAt: null,
    deliveryFailed: false,
    bodyHash,
  }
}
