/**
 * I10 to I21 on the whole shop: what must be true of its log, and of its rows, once everything has come to its end.
 * Answers are complaints, each with its invariant; none is a pass.
 */
import { type Books, booksOf, earnedBy, moneyKept, type PlainOrder, unitsHeld } from './books.ts'
import type { ShopLog, ShopRows, TopicName } from './facts.ts'

export interface JudgeOptions {
  /** Hundredths of a per cent that a completed order earns. */
  readonly rateBp: number
  /** How long after its `payBy` an order may still be confirmed, milliseconds: clocks of a storm. */
  readonly graceMs: number
}

/** What the judge reads. */
export const JUDGED = [
  'couponIssued',
  'couponUseResult',
  'opsIncident',
  'orderCompleted',
  'orderConfirmed',
  'orderCreated',
  'orderReturned',
  'orderStatus',
  'paymentRefundResult',
  'paymentResult',
  'pointAdjustRequested',
  'pointDeductRequested',
  'pointDeductResult',
  'pointEarned',
  'pointRestoreRequested',
  'restoreResult',
  'stockAdjustRequested',
  'stockCommitRequested',
  'stockReserveResult',
  'stockRestoreRequested',
] as const satisfies readonly TopicName[]

const ENDED: readonly string[] = ['COMPLETED', 'FAILED', 'CANCELLED']

export function judgeShop(log: ShopLog, rows: Partial<ShopRows>, options: JudgeOptions): string[] {
  const books = booksOf(log, options.rateBp)
  const orders = [...books.orders.values()]
  return [
    ...orders.flatMap((order) => [...judgeEnd(order), ...judgeNothingLeft(order), ...judgeSold(order)]),
    ...judgeCoupons(log, books, rows),
    ...judgeStock(log, books, rows),
    ...judgeOnce(log),
    ...judgePoints(log, books, rows),
    ...judgeSales(log, books, options),
    ...judgeMoney(log, books, rows),
    ...judgeEarnings(log, options),
  ]
}

/** Whether every order has ended, and nothing of any needs an operator. */
export function isSettled(log: ShopLog): boolean {
  const open = new Map<string, boolean>()
  for (const { value } of log.facts('opsIncident')) {
    if (value.invariant !== 'ORDER_DELIVERY_FAILED') open.set(value.subject, value.status === 'OPEN')
  }
  const asked = new Set(log.facts('orderCreated').map(({ value }) => value.orderId))
  const last = new Map(log.facts('orderStatus').map(({ value }) => [value.orderId, value.state]))
  const ended = [...asked].every((orderId) => ENDED.includes(last.get(orderId) ?? ''))
  return ended && ![...open.values()].includes(true)
}

/** How many orders ended in which state. */
export function countStates(log: ShopLog): Map<string, number> {
  const states = new Map<string, number>()
  const last = new Map(log.facts('orderStatus').map(({ value }) => [value.orderId, value.state]))
  for (const state of last.values()) states.set(state, (states.get(state) ?? 0) + 1)
  return states
}

export function stateOf({ statuses }: Pick<PlainOrder, 'statuses'>): string {
  return statuses.at(-1)?.state ?? 'nothing'
}

function judgeEnd({ orderId, statuses }: PlainOrder): string[] {
  const states = statuses.map(({ state }) => state)
  const first = states.findIndex((state) => ENDED.includes(state))
  const revisions = statuses.map(({ revision }) => revision)
  return [
    ...(first < 0 ? [`I14: ${orderId} is in ${states.at(-1) ?? 'no state'} for ever`] : []),
    ...(new Set(states.slice(first)).size > 1 ? [`I14: ${orderId} goes on: ${states.join(' ')}`] : []),
    ...(revisions.some((revision, i) => revision <= (revisions[i - 1] ?? 0))
      ? [`I15: revisions of ${orderId}: ${revisions.join(' ')}`]
      : []),
  ]
}

/** Nothing of an order that failed or was cancelled is left anywhere. */
function judgeNothingLeft(order: PlainOrder): string[] {
  const state = stateOf(order)
  if (state !== 'FAILED' && state !== 'CANCELLED') return []
  const held = [...order.stock].filter(([, { stands }]) => stands).map(([productId]) => productId)
  return [
    ...(held.length > 0 ? [`holds ${held.join(', ')}`] : []),
    ...(order.pointsSpent !== 0 ? [`has ${order.pointsSpent} points`] : []),
    ...(order.coupon.stands ? [`uses ${order.created?.userCouponId}`] : []),
    ...(moneyKept(order) !== 0 ? [`keeps ${moneyKept(order)} of money`] : []),
  ].map((what) => `I16: ${order.orderId} is ${state} and ${what}`)
}

/** A completed order has all that it sold and that did not come back. */
function judgeSold(order: PlainOrder): string[] {
  if (stateOf(order) !== 'COMPLETED') return []
  const items = order.created?.items ?? []
  const gone = items.filter(({ productId }) => order.stock.get(productId)?.stands !== true)
  const over = items.filter(({ lineNo }) => unitsHeld(order, lineNo) < 0)
  const coupon = order.created?.userCouponId
  return [
    ...gone.map(({ lineNo }) => `I16: ${order.orderId} is COMPLETED without line ${lineNo}`),
    ...over.map(({ lineNo }) => `I12: more of ${order.orderId} line ${lineNo} came back than was sold`),
    ...(coupon !== null && coupon !== undefined && !order.coupon.stands
      ? [`I10: ${order.orderId} is COMPLETED without ${coupon}`]
      : []),
  ]
}

function judgeCoupons(log: ShopLog, { orders }: Books, { coupons }: Partial<ShopRows>): string[] {
  const owners = new Map(log.facts('couponIssued').map(({ value }) => [value.userCouponId, value.userId]))
  const using = [...orders.values()].filter(({ coupon }) => coupon.stands)
  const users = Map.groupBy(using, ({ created }) => created?.userCouponId ?? '')
  const complaints = [...users].flatMap(([coupon, some]) => [
    ...(some.length > 1
      ? [`I10: ${coupon} is used by ${some.map(({ orderId }) => orderId).join(', ')}`]
      : []),
    ...some
      .filter(({ created }) => created?.userId !== owners.get(coupon))
      .map(({ orderId }) => `I10: ${coupon} of ${owners.get(coupon)} is used by ${orderId}`),
  ])
  for (const [coupon, row] of coupons ?? []) {
    const user = users.get(coupon)?.[0]?.orderId ?? null
    const isRight = user === null ? row.status !== 'USED' : row.status === 'USED' && row.orderId === user
    if (!isRight) complaints.push(`I10: ${coupon} is ${row.status} by ${row.orderId}, not by ${user}`)
  }
  return complaints
}

function judgeStock(log: ShopLog, { orders, received }: Books, { levels }: Partial<ShopRows>): string[] {
  const complaints = log
    .facts('stockReserveResult')
    .filter(({ value }) => (value.available ?? 0) < 0)
    .map(({ value }) => `I11: ${value.productId} was at ${value.available}`)
  const reserved = new Map<string, number>()
  const sold = new Map<string, number>()
  for (const order of orders.values()) {
    for (const { productId, lineNo } of order.created?.items ?? []) {
      const place = order.shipped.has(productId) ? sold : reserved
      place.set(productId, (place.get(productId) ?? 0) + unitsHeld(order, lineNo))
    }
  }
  for (const [productId, all] of received) {
    const expected = { reserved: reserved.get(productId) ?? 0, sold: sold.get(productId) ?? 0 }
    const available = all - expected.reserved - expected.sold
    if (available < 0) complaints.push(`I11: ${productId}: ${-available} more are gone than came`)
    if (levels === undefined) continue
    const said = text(levels.get(productId))
    const right = text({ received: all, available, ...expected })
    if (said !== right) complaints.push(`I11: ${productId} is ${said}, by the log ${right}`)
  }
  return complaints
}

function text(
  level: ShopRows['levels'] extends ReadonlyMap<string, infer L> ? L | undefined : never,
): string {
  if (level === undefined) return 'nothing'
  const { received, available, reserved, sold } = level
  return `${received} = ${available} + ${reserved} + ${sold}`
}

/** What was taken back was so once; what comes again is ALREADY. A verdict of an epoch does not change. */
function judgeOnce(log: ShopLog): string[] {
  const complaints: string[] = []
  const seen = new Set<string>()
  for (const { value } of log.facts('restoreResult')) {
    const { orderId, step, productId, lineNo, returnId, epoch, status } = value
    if (status !== 'RESTORED') continue
    const what = [orderId, step, productId, lineNo, returnId, returnId === null ? epoch : ''].join(' ')
    if (seen.has(what)) complaints.push(`I12: ${what} was restored twice`)
    seen.add(what)
  }
  const verdicts = new Map<string, string>()
  for (const { value } of log.facts('stockReserveResult')) {
    const what = `${value.orderId} ${value.productId} ${value.epoch}`
    const before = verdicts.get(what)
    if (value.status === 'CANCELLED') continue
    if (before !== undefined && before !== value.status)
      complaints.push(`I12: ${what} was ${before} and is ${value.status}`)
    verdicts.set(what, value.status)
  }
  return complaints
}

function judgePoints(log: ShopLog, { balances }: Books, { accounts }: Partial<ShopRows>): string[] {
  const below = [...balances].filter(([, balance]) => balance < 0)
  const complaints = below.map(([userId, balance]) => `I13: ${userId} has ${balance} by the log`)
  for (const { value } of log.facts('pointDeductResult')) {
    if ((value.balanceAfter ?? 0) < 0) complaints.push(`I13: ${value.userId} was at ${value.balanceAfter}`)
  }
  if (accounts === undefined) return complaints
  for (const [userId, balance] of balances) {
    const lots = accounts.get(userId)?.lots ?? []
    const said = lots.reduce((sum, { points }) => sum + points, 0)
    if (said !== balance) complaints.push(`I13: ${userId} has ${said}, by the log ${balance}`)
  }
  return complaints
}

/** A sale is paid, held, in time, and costs what its items cost less discount less points. */
function judgeSales(log: ShopLog, { orders }: Books, { graceMs }: JudgeOptions): string[] {
  const discounts = new Map<string, number>()
  for (const { value } of log.facts('couponUseResult'))
    if (value.status === 'USED') discounts.set(value.orderId, value.discountAmount ?? 0)
  const seen = new Set<string>()
  return log.facts('orderConfirmed').flatMap(({ value }) => {
    const { orderId, finalAmount, pointsUsed, confirmedAt } = value
    const order = orders.get(orderId)
    const created = order?.created
    if (order === undefined || created === undefined)
      return [`I17: ${orderId} is sold and was never asked for`]
    const all = created.items.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice, 0)
    const discount = Math.min(discounts.get(orderId) ?? 0, all)
    const points = Math.min(created.pointsToUse, all - discount)
    const isHeld = created.items.every(({ productId }) => (order.stock.get(productId)?.done ?? -1) >= 0)
    const isPaid = finalAmount === 0 || order.payments.some(({ amount }) => amount === finalAmount)
    const isAgain = seen.has(orderId)
    seen.add(orderId)
    return [
      ...(isAgain ? [`I17: ${orderId} is sold twice`] : []),
      ...(finalAmount !== all - discount - points || pointsUsed !== points
        ? [
            `I17: ${orderId} costs ${finalAmount} and ${pointsUsed} points, not ${all - discount - points} and ${points}`,
          ]
        : []),
      ...(isHeld ? [] : [`I17: ${orderId} is sold and not held`]),
      ...(isPaid ? [] : [`I17: ${orderId} is sold and ${finalAmount} was never paid`]),
      ...(confirmedAt > created.payBy + graceMs
        ? [`I18: ${orderId} is sold ${confirmedAt - created.payBy} ms late`]
        : []),
    ]
  })
}

/** Of each payment no more goes back than came; one that is not an order's own goes back whole. */
function judgeMoney(log: ShopLog, { orders, payments }: Books, { charges }: Partial<ShopRows>): string[] {
  const complaints: string[] = []
  const sales = new Map(log.facts('orderConfirmed').map(({ value }) => [value.orderId, value.finalAmount]))
  const back = Map.groupBy(log.facts('orderReturned'), ({ value }) => value.orderId)
  for (const order of orders.values()) {
    if (stateOf(order) !== 'COMPLETED') continue
    const refunds = (back.get(order.orderId) ?? []).reduce((sum, { value }) => sum + value.refundAmount, 0)
    const due = (sales.get(order.orderId) ?? 0) - refunds
    if (moneyKept(order) !== due)
      complaints.push(`I20: ${order.orderId} keeps ${moneyKept(order)}, not ${due}`)
  }
  for (const { orderId, paymentKey, amount, refunded } of payments.values()) {
    if (refunded > amount) complaints.push(`I20: ${refunded} of ${paymentKey} went back, ${amount} came`)
    const order = orders.get(orderId)
    const kept = order?.payments.filter((one) => one.refunded < one.amount) ?? []
    if (order === undefined && refunded < amount)
      complaints.push(`I19: ${paymentKey} is of no order and is kept`)
    if (kept.length > 1) complaints.push(`I19: ${orderId} keeps ${kept.length} payments`)
  }
  for (const [orderId, { amount, refunded, failureCode }] of charges ?? []) {
    const order = orders.get(orderId)
    if (order === undefined || stateOf(order) === 'COMPLETED' || failureCode !== null) continue
    if (refunded < amount)
      complaints.push(`I16: ${orderId} is ${stateOf(order)}, and the provider keeps ${amount - refunded}`)
  }
  return [...new Set(complaints)]
}

/** Once for each completed order, and for no other. */
function judgeEarnings(log: ShopLog, { rateBp }: JudgeOptions): string[] {
  const expected = new Map<string, number>()
  const complaints: string[] = []
  for (const { value } of log.facts('orderCompleted')) {
    if (expected.has(value.orderId)) complaints.push(`I21: ${value.orderId} was completed twice`)
    expected.set(value.orderId, earnedBy(value.finalAmount, rateBp))
  }
  for (const { value } of log.facts('pointEarned')) {
    const { orderId, points } = value
    if (expected.get(orderId) !== points)
      complaints.push(`I21: ${orderId} earned ${points}, not ${expected.get(orderId) ?? 'anything'}`)
    expected.delete(orderId)
  }
  const missing = [...expected].filter(([, points]) => points > 0)
  return [...complaints, ...missing.map(([orderId, points]) => `I21: ${orderId} did not earn ${points}`)]
}
