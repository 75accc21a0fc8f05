/**
 * I10 and I21 of watched users: a coupon is used by one order that stands, and an order earns points once. Pure.
 *
 * Whether a coupon was given back between two uses is not to be seen from here: that is in a topic that may lag. But an
 * order that is COMPLETED was never undone, so a coupon that two completed orders used was used twice.
 */
import type { CouponUseWatch, ShopperOrderWatch } from '../../schemas/index.ts'
import type { Place } from './facts.ts'
import { ofOrder, type Violation } from './invariants.ts'
import type { Rows } from './judge-coupons.ts'
import type { ShopperTold } from './order-told.ts'

/** Orders kept per coupon. */
export const MAX_USES = 16

export interface ShopperRows {
  readonly orders: Rows<[userId: string, orderId: string], ShopperOrderWatch>
  readonly uses: Rows<[userId: string, userCouponId: string], CouponUseWatch>
}

const unseen: ShopperOrderWatch = Object.freeze({
  heardAt: 0,
  userCouponId: '',
  completed: false,
  earned: '',
})

/**
 * What a fact proves, after its rows are brought up to date.
 * @param now wall time, epoch milliseconds
 */
export function judgeShopper(
  fact: ShopperTold,
  place: Place,
  rows: ShopperRows,
  now: number,
): readonly Violation[] {
  const { userId, orderId } = fact.value
  const before = rows.orders.get([userId, orderId]) ?? unseen
  const keep = (changes: Partial<ShopperOrderWatch>) => {
    rows.orders.put([userId, orderId], { ...before, ...changes, heardAt: now })
  }
  switch (fact.kind) {
    case 'EARNED': {
      const eventId = place.lineage?.eventId ?? ''
      if (before.earned === '') keep({ earned: eventId })
      if (before.earned === '' || before.earned === eventId) return []
      return [ofOrder('I21', place.partition, `order ${orderId}: it has earned points twice`)]
    }
    case 'COMPLETED':
      if (before.completed) return []
      keep({ completed: true })
      return usedTwice([userId, orderId], before.userCouponId, place, rows)
    case 'USED': {
      const { userCouponId } = fact.value
      if (before.userCouponId !== '') return []
      keep({ userCouponId })
      const { orderIds } = rows.uses.get([userId, userCouponId]) ?? { orderIds: [] }
      rows.uses.put([userId, userCouponId], { orderIds: [...orderIds, orderId].slice(-MAX_USES) })
      return before.completed ? usedTwice([userId, orderId], userCouponId, place, rows) : []
    }
  }
}

/** The order is completed, and another one with the same coupon is too. */
function usedTwice(
  [userId, orderId]: [string, string],
  userCouponId: string,
  { partition }: Place,
  { orders, uses }: ShopperRows,
): Violation[] {
  const others = userCouponId === '' ? [] : (uses.get([userId, userCouponId])?.orderIds ?? [])
  const other = others.find((each) => each !== orderId && orders.get([userId, each])?.completed === true)
  if (other === undefined) return []
  return [ofOrder('I10', partition, `orders ${other} and ${orderId} are completed with the same coupon`)]
}
