/**
 * All rules over the facts of an order, on whatever rows they are kept in: the sentinel's store, or the map of a test.
 *
 * An order's row is a set of things that were told, each counted once; a rule says what two of them prove together. So it
 * does not matter which topic is read first, and what is said again changes nothing.
 */
import type { OrderWatch } from '../../schemas/index.ts'
import { ofOrder, type Violation } from './invariants.ts'
import type { Rows } from './judge-coupons.ts'
import { type OrderWatched, watchEnd, watchStatus } from './order-ends.ts'
import { isOfSaga, type OrderTold, type OrderPlace } from './order-told.ts'
import {
  stockRefused,
  watchAsked,
  watchConfirmed,
  watchGiven,
  watchPaid,
  watchRefund,
} from './order-money.ts'
import { watchCouponUse, watchPoints, watchRestored, watchStock } from './order-steps.ts'

/** Without a word for so long it is another order of the same name, or nobody's concern any more. */
export const ORDER_QUIET_MS = 30 * 86_400_000

export const unseenOrder: OrderWatch = Object.freeze({
  heardAt: 0,
  lastAt: 0,
  statuses: [],
  ends: [],
  answers: [],
  restored: [],
  asked: [],
  payments: [],
  refunds: [],
  given: [],
  confirmed: null,
})

/**
 * What a fact proves, after its row is brought up to date.
 * @param now wall time, epoch milliseconds
 */
export function judgeOrder(
  fact: OrderTold,
  place: OrderPlace,
  rows: Rows<string, OrderWatch>,
  now: number,
): readonly Violation[] {
  const { orderId } = fact.value
  const known = rows.get(orderId)
  const { timestamp } = place
  // By then the orchestrator may have forgotten an order, and begin another one under its id.
  const isLater = known !== undefined && timestamp - known.lastAt > ORDER_QUIET_MS
  const before = known === undefined || isLater ? unseenOrder : known
  if (before !== unseenOrder && before.lastAt - timestamp > ORDER_QUIET_MS) return []
  const { watch, found } = watchOrder(before, fact, place)
  if (watch !== before) {
    const lastAt = Math.max(watch.lastAt, timestamp)
    rows.put(orderId, { ...watch, heardAt: now, lastAt })
  }
  return found.map(([invariant, detail]) =>
    ofOrder(invariant, place.partition, `order ${orderId}: ${detail}`),
  )
}

function watchOrder(watch: OrderWatch, fact: OrderTold, place: OrderPlace): OrderWatched {
  switch (fact.kind) {
    case 'STATUS':
      return watchStatus(watch, fact.value)
    case 'CONFIRMED':
      return watchConfirmed(watch, fact.value, place)
    case 'COMPLETED':
    case 'FAILED':
      return watchEnd(watch, fact.kind)
    case 'CANCELLED': {
      if (!isOfSaga(place)) return { watch, found: [] }
      const end = watchEnd(watch, fact.value.confirmedAt === null ? 'CANCELLED' : 'TAKEN_BACK')
      return andThen(end, (row) => watchGiven(row, fact.value, place))
    }
    case 'RETURNED':
      return watchGiven(watch, fact.value, place)
    case 'STOCK': {
      const answered = watchStock(watch, fact.value, place)
      const isNews = stockRefused(watch).length === 0
      return andThen(answered, (row) => ({ watch: row, found: isNews ? stockRefused(row) : [] }))
    }
    case 'POINTS':
      return watchPoints(watch, fact.value, place)
    case 'COUPON':
      return watchCouponUse(watch, fact.value, place)
    case 'RESTORED':
      return watchRestored(watch, fact.value, place)
    case 'PAY':
      return watchAsked(watch, fact.value)
    case 'PAID':
      return watchPaid(watch, fact.value, place)
    case 'REFUND':
      return watchRefund(watch, fact.value, place)
  }
}

function andThen(first: OrderWatched, next: (watch: OrderWatch) => OrderWatched): OrderWatched {
  const { watch, found } = next(first.watch)
  return { watch, found: [...first.found, ...found] }
}
