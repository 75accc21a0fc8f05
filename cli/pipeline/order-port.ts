/** Orders, stock and points as the API needs them, over the stores of their topologies. */
import type { OrderPort, OrderView, Page, PointPort, StockPort } from '../../api/index.ts'
import { MAX_EVENTS, orderSummary, repairsOf, timelineOf } from '../../processors/index.ts'
import type { PointEntry, ProductCatalog } from '../../schemas/index.ts'
import { type Answer, isStreamsError } from '../../streams/index.ts'
import {
  catalog,
  orderEventStore,
  orderStore,
  pointAccountStore,
  pointAdjustmentStore,
  pointLedgerStore,
  productStore,
  stockAdjustmentStore,
  stockLevelStore,
  WALLET,
  walletStore,
} from '../../topologies/index.ts'
import { listOrders } from './order-lists.ts'
import type { PortParts } from './port.ts'
import { queriesOf } from './queries.ts'
import { RowWaits } from './row-waits.ts'

const [ORDERS, STOCK, POINTS] = ['orders', 'stock', 'points'] as const

export function orderPort({ streams, clock, replica }: PortParts): OrderPort {
  const rows = queriesOf(streams, ORDERS, orderStore)
  const events = queriesOf(streams, ORDERS, orderEventStore)
  const waits = new RowWaits({ topology: ORDERS, store: orderStore.name, streams, clock })
  const products = queriesOf(streams, catalog.name, productStore)
  const order = (orderId: string): Answer<OrderView | undefined> => {
    const { value, positions } = rows.get(orderId)
    return { value: value === undefined ? undefined : orderSummary(value), positions }
  }
  return {
    order,
    orderUntil: (orderId, enough, wait) =>
      waits.until(() => (enough(order(orderId).value) ? undefined : orderId), wait),
    orderList: (query) => listOrders(streams, query),
    async orderTimeline(orderId) {
      const known = order(orderId)
      const { value } = await events.page(orderId, { prefix: [orderId], limit: MAX_EVENTS })
      if (value.length === 0 && known.value === undefined)
        return { value: undefined, positions: known.positions }
      return {
        value: timelineOf(
          value.map(([, event]) => event),
          { maxEvents: MAX_EVENTS, isOrder: known.value !== undefined },
        ),
        positions: known.positions,
      }
    },
    async orderNews(orderId, above) {
      const { value } = await events.page(orderId, { prefix: [orderId], limit: MAX_EVENTS })
      const told = value.flatMap(([, { at, passed }]) => passed.map((status) => ({ ...status, at })))
      const now = order(orderId).value
      // Its timeline is full, or began later than the order: where it is now is told all the same.
      const untold = now !== undefined && now.state !== told.at(-1)?.state
      const statuses = untold ? [...told, { ...now, at: now.since }] : told
      return statuses.filter(({ revision }) => revision > above)
    },
    orderRepairs(orderId) {
      const { value: row, positions } = rows.get(orderId)
      if (row === undefined) return { value: undefined, positions }
      return { value: { actions: repairsOf(row), state: orderSummary(row)?.state }, positions }
    },
    priced: (productIds) => productIds.map(priced),
  }

  /** Lines of an order belong to tasks of many processes: what another has is taken from the copy. */
  function priced(productId: string): ProductCatalog | undefined {
    try {
      return products.get(productId).value
    } catch (error) {
      if (!isStreamsError(error, 'TASK_NOT_HERE')) throw error
      const copy = replica?.product(productId)
      if (copy === undefined) throw error
      return copy
    }
  }
}

export function stockPort({ streams }: PortParts): StockPort {
  const levels = queriesOf(streams, STOCK, stockLevelStore)
  const adjustments = queriesOf(streams, STOCK, stockAdjustmentStore)
  return {
    stock: (productId) => levels.get(productId),
    stockAdjustment: (productId, adjustId) => adjustments.get([productId, adjustId], productId).value,
  }
}

export function pointPort({ streams }: PortParts): PointPort {
  const accounts = queriesOf(streams, POINTS, pointAccountStore)
  const ledger = queriesOf(streams, POINTS, pointLedgerStore)
  const adjustments = queriesOf(streams, POINTS, pointAdjustmentStore)
  const coupons = queriesOf(streams, WALLET, walletStore)
  return {
    points(userId) {
      const { value, positions } = accounts.get(userId)
      return { value: (value?.lots ?? []).reduce((sum, { points }) => sum + points, 0), positions }
    },
    async pointEntries(userId, { limit, after }) {
      // Newest first, so a page goes on below the entry that the one before ended with.
      const { value, positions } = await ledger.page(userId, {
        prefix: [userId],
        reverse: true,
        limit: limit + 1,
        ...(after === undefined ? {} : { to: [userId, Number(after)] as [string, number] }),
      })
      const rows = value.slice(0, limit)
      const items = rows.map(([, entry]) => entry)
      const last = rows.at(-1)?.[0][1]
      const page: Page<PointEntry> =
        value.length > limit && last !== undefined ? { items, next: String(last) } : { items }
      return { value: page, positions }
    },
    pointAdjustment: (userId, adjustId) => adjustments.get([userId, adjustId], userId).value,
    userCoupon: (userId, userCouponId) => coupons.get([userId, userCouponId], userId).value,
  }
}
