/** Invariants of orders that only the log tells: the order of states, and money. Each recomputed the plain way. */
import { ENDED, type LogFacts, moneyBack, type OrderFact, type ShopFacts, UNDONE } from './facts.ts'
import { type Finding, pointsByOrder } from './state-checks.ts'

/** A payment is read this long after it came at most. */
const GRACE_MS = 30_000
const BASIS_POINTS = 10_000

/** The facts, with those of the log. */
export type LoggedFacts = ShopFacts & { readonly log: LogFacts }

/** I12: each undo has an effect once per (order, step, product, line, returnId, epoch). */
export function restoredOnce({ log }: LoggedFacts): Finding[] {
  const effects = log.restores.filter(({ status }) => status === 'RESTORED')
  const places = Map.groupBy(effects, ({ orderId, step, productId, lineNo, returnId, epoch }) => {
    return JSON.stringify([orderId, step, productId, lineNo, returnId, epoch])
  })
  return [...places.values()]
    .filter((same) => same.length > 1)
    .map(([first, ...more]) => `order ${first?.orderId}: ${first?.step} restored ${more.length + 1} times`)
}

/** I14: one terminal state per order, and none after it; the last one is what the shop says. */
export function oneTerminalState({ log, orders }: LoggedFacts): Finding[] {
  const states = Map.groupBy(log.statuses, ({ orderId }) => orderId)
  return orders.flatMap(({ orderId, state }) => {
    const passed = (states.get(orderId) ?? []).map((status) => status.state)
    const end = passed.find((one) => ENDED.has(one))
    const after = end === undefined ? undefined : passed.slice(passed.indexOf(end)).find((one) => one !== end)
    if (after !== undefined) return [`order ${orderId} is ${after} after ${end}`]
    return passed.at(-1) === state ? [] : [`order ${orderId} is ${state}, the log ends with ${passed.at(-1)}`]
  })
}

/** I15 */
export function revisionsGrow({ log }: LoggedFacts): Finding[] {
  const last = new Map<string, number>()
  return log.statuses.flatMap(({ orderId, revision }) => {
    const before = last.get(orderId) ?? -1
    last.set(orderId, revision)
    return revision > before ? [] : [`order ${orderId}: revision ${revision} after ${before}`]
  })
}

/** I16 of money: what came in for an order that came to nothing went back. */
export function undoneMoneyZero(facts: LoggedFacts): Finding[] {
  const { paid, refunded } = moneyOf(facts)
  return facts.orders.flatMap(({ orderId, state }) => {
    const [came, went] = [paid.get(orderId) ?? 0, refunded.get(orderId) ?? 0]
    if (!UNDONE.has(state) || came === went) return []
    return [`order ${orderId} is ${state}: ${came} paid, ${went} refunded`]
  })
}

/** I17: a confirmed order has its final amount and every product; what the shop keeps is that less what came back. */
export function confirmedIsPaid(facts: LoggedFacts): Finding[] {
  const { log } = facts
  const { paid, refunded } = moneyOf(facts)
  const orders = new Map(facts.orders.map((order) => [order.orderId, order]))
  const reserved = new Set(
    log.reservations
      .filter(({ status }) => status === 'RESERVED')
      .map(({ orderId, productId }) => JSON.stringify([orderId, productId])),
  )
  const confirmed = log.confirmed.flatMap(({ orderId, finalAmount, items }): Finding[] => {
    const { paymentKey, amounts } = orders.get(orderId) ?? {}
    const own = log.payments.find((one) => one.paymentKey === paymentKey && one.status === 'SUCCESS')
    if ((own?.amount ?? 0) !== finalAmount || amounts?.final !== finalAmount)
      return [`order ${orderId} was confirmed for ${finalAmount}, ${own?.amount ?? 0} were paid`]
    const missing = items.find(({ productId }) => !reserved.has(JSON.stringify([orderId, productId])))
    return missing === undefined ? [] : [`order ${orderId} was confirmed without ${missing.productId}`]
  })
  const kept = facts.orders.flatMap((order): Finding[] => {
    if (order.state !== 'COMPLETED') return []
    const money = (paid.get(order.orderId) ?? 0) - (refunded.get(order.orderId) ?? 0)
    const wanted = order.amounts.final - moneyBack(order)
    return money === wanted ? [] : [`order ${order.orderId}: ${money} were kept, not ${wanted}`]
  })
  return [...confirmed, ...kept]
}

/** I18: no payment was taken for an order whose time was over. */
export function paidInTime({ log, orders }: LoggedFacts): Finding[] {
  const payBy = new Map(orders.map((order) => [order.orderId, order.payBy]))
  return log.confirmed
    .filter(({ orderId, paidAt }) => paidAt > (payBy.get(orderId) ?? Infinity) + GRACE_MS)
    .map(({ orderId, paidAt }) => `order ${orderId} was paid at ${new Date(paidAt).toISOString()}`)
}

/** I19: a payment that is not the order's own (late, wrong, a second one) went back, all of it. */
export function strayWentBack(facts: LoggedFacts): Finding[] {
  const orders = new Map(facts.orders.map((order) => [order.orderId, order]))
  const back = refundsByPayment(facts)
  return paymentsOf(facts).flatMap(({ orderId, paymentKey, amount }) => {
    const isOwn = orders.get(orderId)?.paymentKey === paymentKey
    const went = back.get(paymentKey) ?? 0
    return isOwn || went === amount
      ? []
      : [`order ${orderId}: of ${paymentKey}, ${amount}, ${went} went back`]
  })
}

/** I20: of each payment no more goes back than came. */
export function refundsWithinPaid(facts: LoggedFacts): Finding[] {
  const paid = new Map(paymentsOf(facts).map((payment) => [payment.paymentKey, payment]))
  return [...refundsByPayment(facts)].flatMap(([paymentKey, went]) => {
    const payment = paid.get(paymentKey)
    if (payment !== undefined && went <= payment.amount) return []
    return [`order ${payment?.orderId ?? '?'}: ${went} went back of ${paymentKey}, ${payment?.amount ?? 0}`]
  })
}

/** I21: a completed order earns its rate once; of one that came back whole, only what was not paid out is kept. */
export function earnedOnce(facts: LoggedFacts): Finding[] {
  const earned = pointsByOrder(facts, ({ kind }) => kind === 'EARNED')
  const clawed = pointsByOrder(facts, ({ kind }) => kind === 'CLAWED_BACK')
  const rateBp = facts.log.earned[0]?.rateBp ?? 0
  return facts.orders.flatMap((order): Finding[] => {
    const { orderId, state, returnState, amounts } = order
    if (state !== 'COMPLETED') return []
    const due = Math.floor((amounts.final * rateBp) / BASIS_POINTS)
    const gained = earned.get(orderId) ?? 0
    if (gained !== due) return [`order ${orderId} earned ${gained} points, not ${due}`]
    const kept = gained + (clawed.get(orderId) ?? 0)
    const shortfall = amounts.final - moneyBack(order)
    if (returnState !== 'FULL' || kept === shortfall) return []
    return [`order ${orderId} came back, and ${kept} points of it are kept, not ${shortfall}`]
  })
}

/** Each payment once, however often it was told. */
export function paymentsOf({ log }: LoggedFacts): LogFacts['payments'] {
  const came = log.payments.filter(({ status }) => status === 'SUCCESS')
  return [...new Map(came.map((payment) => [payment.paymentKey, payment])).values()]
}

/** Each refund once. */
export function refundsOf({ log }: LoggedFacts): LogFacts['refunds'] {
  const went = log.refunds.filter(({ status }) => status === 'REFUNDED')
  return [...new Map(went.map((refund) => [refund.refundId, refund])).values()]
}

function refundsByPayment(facts: LoggedFacts): ReadonlyMap<string, number> {
  return sums(refundsOf(facts), ({ paymentKey }) => paymentKey)
}

function moneyOf(facts: LoggedFacts) {
  const byOrder = ({ orderId }: Pick<OrderFact, 'orderId'>): string => orderId
  return { paid: sums(paymentsOf(facts), byOrder), refunded: sums(refundsOf(facts), byOrder) }
}

function sums<T extends { readonly amount: number }>(
  facts: readonly T[],
  nameOf: (fact: T) => string,
): ReadonlyMap<string, number> {
  const all = new Map<string, number>()
  for (const fact of facts) all.set(nameOf(fact), (all.get(nameOf(fact)) ?? 0) + fact.amount)
  return all
}
