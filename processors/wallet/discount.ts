/** What a coupon takes off an order. Pure. */
import type { Discount } from '../../schemas/index.ts'

/** Minor units of the shop's currency, 0 to `orderAmount`; rounded down to a minor unit. */
export function discountOf({ kind, value, maxDiscount }: Discount, orderAmount: number): number {
  if (kind === 'AMOUNT') return Math.min(value, orderAmount)
  const part = Math.floor(orderAmount / 100) * value + Math.floor(((orderAmount % 100) * value) / 100)
  return Math.min(part, maxDiscount ?? part, orderAmount)
}
