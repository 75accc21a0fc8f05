/** Invariants of orders, by what anybody may ask a shop: each recomputed the plain way. A broken one names who breaks it. */
import { ENDED, type OrderFact, type ShopFacts, UNDONE, unitsBack } from './facts.ts'

/** Broken instances, each as text that names its order, product, user or coupon. */
export type Finding = string

/** An order is unpaid this long after its time at most. */
const GRACE_MS = 30_000

/** I10: USED by one live order of its owner, and else by none. */
export function couponsUsedOnce({ orders, coupons }: ShopFacts): Finding[] {
  const owners = new Map(coupons.map((coupon) => [coupon.userCouponId, coupon]))
  const using = orders.filter(({ userCouponId, state }) => userCouponId !== undefined && !UNDONE.has(state))
  const users = Map.groupBy(using, ({ userCouponId }) => userCouponId as string)
  const ofOrders = using.flatMap(({ orderId, userId, userCouponId = '' }) => {
    const coupon = owners.get(userCouponId)
    if (coupon?.userId !== userId) return [`order ${orderId} uses coupon ${userCouponId} of another user`]
    return coupon.status === 'USED' ? [] : [`order ${orderId} uses coupon ${userCouponId}: ${coupon.status}`]
  })
  const ofCoupons = coupons.flatMap(({ userCouponId, status }) => {
    const by = users.get(userCouponId) ?? []
    if (by.length > 1)
      return [`coupon ${userCouponId} is used by ${by.map((one) => one.orderId).join(' and ')}`]
    return status === 'USED' && by.length === 0 ? [`coupon ${userCouponId} is USED by no order`] : []
  })
  return [...ofOrders, ...ofCoupons]
}

/** I11, and I16 of stock: what is sold is what completed orders have, and nobody else holds any. */
export function stockAddsUp({ orders, products }: ShopFacts): Finding[] {
  return products.flatMap(({ productId, received, available, reserved, sold }) => {
    const findings: Finding[] = []
    if (Math.min(available, reserved, sold) < 0) findings.push(`product ${productId} has less than nothing`)
    if (available + reserved + sold !== received) {
      findings.push(
        `product ${productId}: ${available} available + ${reserved} reserved + ${sold} sold, not ${received} received`,
      )
    }
    const having = orders.filter(({ items }) => items.some((item) => item.productId === productId))
    // What has not ended, or needs somebody, is told by I14.
    if (having.some(({ state, returns }) => !ENDED.has(state) || returns.some(isOpen))) return findings
    const wanted = having
      .filter(({ state }) => state === 'COMPLETED')
      .reduce((sum, order) => {
        return sum + unitsOf(order, productId) - unitsBack(order, productId)
      }, 0)
    if (sold !== wanted) findings.push(`product ${productId}: ${sold} sold, orders have ${wanted}`)
    if (reserved !== 0) findings.push(`product ${productId}: ${reserved} reserved for no order`)
    return findings
  })
}

function isOpen({ status }: OrderFact['returns'][number]): boolean {
  return status !== 'DONE'
}

function unitsOf({ items }: OrderFact, productId: string): number {
  return items.filter((item) => item.productId === productId).reduce((sum, { quantity }) => sum + quantity, 0)
}

/** I12 of points: an order spends once, and each part of it comes back once. */
export function pointsBookedOnce({ accounts }: ShopFacts): Finding[] {
  return accounts.flatMap(({ userId, entries }) => {
    const once = entries.filter(({ kind }) => kind === 'SPENT' || kind === 'RESTORED' || kind === 'EARNED')
    const bookings = Map.groupBy(once, ({ kind, reference }) => `${kind} ${reference}`)
    return [...bookings]
      .filter(([, same]) => same.length > 1)
      .map(([what, same]) => `user ${userId}: ${what} booked ${same.length} times`)
  })
}

/** I13: never below 0, each balance the one before plus its entry, and the last one the account's. */
export function ledgersAddUp({ accounts }: ShopFacts): Finding[] {
  return accounts.flatMap(({ userId, balance, entries }) => {
    let sum = 0
    for (const [index, entry] of entries.entries()) {
      sum += entry.points
      if (entry.balance !== sum) return [`user ${userId}: entry ${index} says ${entry.balance}, not ${sum}`]
      if (sum < 0) return [`user ${userId}: ${sum} points after entry ${index}`]
    }
    return balance === sum ? [] : [`user ${userId} has ${balance} points, the ledger ${sum}`]
  })
}

/** I14: no order, and no return, is between states for ever. */
export function allEnded({ orders }: ShopFacts): Finding[] {
  return orders.flatMap(({ orderId, state, returns }) => {
    const open = returns.find(({ status }) => status === 'RUNNING')
    if (!ENDED.has(state) && state !== 'NEEDS_ATTENTION') return [`order ${orderId} is in ${state}`]
    return open === undefined ? [] : [`order ${orderId}: return ${open.returnId} is RUNNING`]
  })
}

/** I16 of points: an order that came to nothing has changed no balance. */
export function undonePointsZero(facts: ShopFacts): Finding[] {
  const net = pointsByOrder(facts, () => true)
  return facts.orders.flatMap(({ orderId, state }) => {
    const points = net.get(orderId) ?? 0
    return UNDONE.has(state) && points !== 0 ? [`order ${orderId} is ${state}, its points are ${points}`] : []
  })
}

/** I17 of amounts: what is to be paid is what the lines cost less discount and points, and these are in the ledger. */
export function amountsAddUp(facts: ShopFacts): Finding[] {
  const spent = pointsByOrder(facts, ({ kind, reference }) => {
    return kind === 'SPENT' || (kind === 'RESTORED' && reference.endsWith(' return:surplus'))
  })
  return facts.orders.flatMap(({ orderId, confirmedAt, items, amounts }) => {
    if (confirmedAt === undefined) return []
    const cost = items.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice, 0)
    const final = cost - amounts.discount - amounts.points
    if (amounts.items !== cost || amounts.final !== final || final < 0 || amounts.discount < 0)
      return [`order ${orderId} costs ${JSON.stringify(amounts)}, its lines ${cost}`]
    const ledger = -(spent.get(orderId) ?? 0)
    return ledger === amounts.points
      ? []
      : [`order ${orderId} spent ${amounts.points} points, the ledger ${ledger}`]
  })
}

/** I18: none waits for its payment when its time is over. */
export function nonePastPayBy({ orders, askedAt }: ShopFacts): Finding[] {
  return orders
    .filter(({ state, payBy }) => state === 'AWAITING_PAYMENT' && askedAt > payBy + GRACE_MS)
    .map(({ orderId, payBy }) => `order ${orderId} waits since ${new Date(payBy).toISOString()}`)
}

/** I21: only completed orders earn, and no more is clawed back than they earned. */
export function earnedByCompleted(facts: ShopFacts): Finding[] {
  const earned = pointsByOrder(facts, ({ kind }) => kind === 'EARNED')
  const clawed = pointsByOrder(facts, ({ kind }) => kind === 'CLAWED_BACK')
  return facts.orders.flatMap(({ orderId, state }) => {
    const gained = earned.get(orderId) ?? 0
    const kept = gained + (clawed.get(orderId) ?? 0)
    if (gained !== 0 && state !== 'COMPLETED')
      return [`order ${orderId} is ${state} and earned ${gained} points`]
    return kept < 0 ? [`order ${orderId} earned ${gained} points, ${gained - kept} were clawed back`] : []
  })
}

type Entry = ShopFacts['accounts'][number]['entries'][number]

/** Sum of the entries of each order. */
export function pointsByOrder(
  { accounts }: Pick<ShopFacts, 'accounts'>,
  counts: (entry: Entry) => boolean,
): ReadonlyMap<string, number> {
  const sums = new Map<string, number>()
  for (const entry of accounts.flatMap(({ entries }) => entries)) {
    const [, orderId] = /^order:(\S+)/.exec(entry.reference) ?? []
    if (orderId === undefined || !counts(entry)) continue
    sums.set(orderId, (sums.get(orderId) ?? 0) + entry.points)
  }
  return sums
}
