/**
 * What an order costs, and what each line of it is worth when it comes back. Pure; minor units throughout, and a point
 * is one of them.
 *
 * 1. final amount = items − discount − points used ≥ 0.
 * 2. Discount, then points, then money are laid on the lines by largest remainder: the lines' shares add up to the whole.
 * 3. Parts of a line that come back one after the other are worth together what the line is.
 */
import type { OrderData, OrderItem } from '../../schemas/index.ts'

type Priced = Pick<OrderData, 'items' | 'pointsToUse' | 'discount'>

/** Items before discount and points. */
export function itemsAmount(items: readonly OrderItem[]): number {
  return items.reduce((sum, item) => sum + lineAmount(item), 0)
}

export function lineAmount({ quantity, unitPrice }: Pick<OrderItem, 'quantity' | 'unitPrice'>): number {
  return quantity * unitPrice
}

/** What is deducted at first: as many points as the customer wants, and no more than all items cost. */
export function pointsDeducted({ items, pointsToUse }: Pick<Priced, 'items' | 'pointsToUse'>): number {
  return Math.min(Math.max(pointsToUse, 0), itemsAmount(items))
}

/** What is left of the points once the discount is known. */
export function pointsUsed(order: Priced): number {
  return Math.min(pointsDeducted(order), itemsAmount(order.items) - order.discount)
}

/** Points that were deducted and are not needed. */
export function surplusPoints(order: Priced): number {
  return pointsDeducted(order) - pointsUsed(order)
}

export function finalAmount(order: Priced): number {
  return itemsAmount(order.items) - order.discount - pointsUsed(order)
}

/**
 * Divides `total` in proportion to `weights`, in whole units: each share rounded down, then one more to those with the
 * largest remainders, the first of equal ones first. The sum is `total`; 0 each where all weights are 0.
 */
export function allocate(total: number, weights: readonly number[]): number[] {
  const all = weights.reduce((sum, weight) => sum + BigInt(weight), 0n)
  if (all === 0n) return weights.map(() => 0)
  const exact = weights.map((weight) => BigInt(total) * BigInt(weight))
  const shares = exact.map((product) => Number(product / all))
  const left = total - shares.reduce((sum, share) => sum + share, 0)
  const byRemainder = exact
    .map((product, index) => ({ index, remainder: product % all }))
    .toSorted((a, b) => Number(b.remainder - a.remainder) || a.index - b.index)
  for (const { index } of byRemainder.slice(0, left)) shares[index] = (shares[index] ?? 0) + 1
  return shares
}

/** What one line was paid with. */
export interface LineShare {
  readonly discount: number
  readonly points: number
  readonly money: number
}

/** In the order of the items. */
export function lineShares(order: Priced): LineShare[] {
  const amounts = order.items.map(lineAmount)
  const discounts = allocate(order.discount, amounts)
  const discounted = amounts.map((amount, i) => amount - (discounts[i] ?? 0))
  const points = allocate(pointsUsed(order), discounted)
  return discounted.map((amount, i) => {
    const spent = points[i] ?? 0
    return { discount: discounts[i] ?? 0, points: spent, money: amount - spent }
  })
}

/** What units `from` (not included) to `to` of a line of `quantity` units are worth, where the whole is worth `share`. */
export function partOf(share: number, quantity: number, from: number, to: number): number {
  const upTo = (units: number) => Number((BigInt(share) * BigInt(units)) / BigInt(quantity))
  return upTo(to) - upTo(from)
}
