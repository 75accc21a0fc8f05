/** Knowledge is bounded: what a shop with its default times knows of orders that have ended, and for how long. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { shopTopologies } from '../../cli/pipeline/topologies.ts'
import { loadConfig } from '../../config/index.ts'
import { type OrderStatus, type Topic, topics } from '../../schemas/index.ts'
import type { AnyStoreSpec } from '../../state/index.ts'
import type { Topology } from '../../streams/index.ts'
import { TopologyTestDriver } from '../../testing/index.ts'
import {
  couponUseStore,
  orderEarningStore,
  orderEventStore,
  orderPointStore,
  ordersByStateStore,
  ordersByUserStore,
  orderStockStore,
  orderStore,
  sandboxDeliveryStore,
  sandboxPaymentStore,
  sandboxRefundStore,
  stockLevelStore,
} from '../../topologies/index.ts'
import { campaign } from '../unit/coupons/given.ts'
import { grant } from '../unit/points/given.ts'
import { adjust, reserve } from '../unit/stock/given.ts'
import { issuedCoupon } from '../unit/wallet/given.ts'
import { created, DAY, MINUTE, START } from './orders-driver.ts'

const { config } = loadConfig({ env: {}, cwd: '/', flags: {} })
const { keepMs, returnsMs, deliveryTimeoutMs, payByMs } = config.orders
const { all } = shopTopologies(config)
const shop = all.filter(({ name }) => name !== 'coupon-issuance' && name !== 'best-sellers')

/** Stores whose rows belong to orders. */
const HOT: readonly [topology: string, store: AnyStoreSpec][] = [
  ['orders', orderStore],
  ['orders', orderEventStore],
  ['orders', ordersByStateStore],
  ['orders', ordersByUserStore],
  ['stock', orderStockStore],
  ['points', orderPointStore],
  ['points', orderEarningStore],
  ['coupon-wallet', couponUseStore],
  ['payment-sandbox', sandboxPaymentStore],
  ['payment-sandbox', sandboxRefundStore],
  ['delivery-sandbox', sandboxDeliveryStore],
]

let driver: TopologyTestDriver

beforeEach(async () => {
  driver = await TopologyTestDriver.open({ topologies: shop, now: START })
})
afterEach(() => driver.close())

async function send<V>(topic: Topic<V>, value: V): Promise<void> {
  await driver.pipe(topic, topic.keyOf(value), value)
}

/** How many rows each store has, of those that have any. */
async function rows(): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const [topology, spec] of HOT) {
    const store = driver.store(shop.find(({ name }) => name === topology) as Topology, spec)
    const found = await store.pageAll({ limit: 100 })
    if (found.length > 0) counts[spec.name] = found.length
  }
  return counts
}

function states(orderId: string): OrderStatus['state'][] {
  return driver.read(topics.orderStatus).flatMap(({ key, value }) => (key === orderId ? [value!.state] : []))
}

/** Goods, points and a coupon for ann; one order that uses all of it, and one of what there is not. */
async function ordered(): Promise<void> {
  await send(topics.stockAdjustRequested, adjust(10))
  await send(topics.stockAdjustRequested, adjust(5, { productId: 'milk' }))
  await send(topics.pointAdjustRequested, grant(50))
  await send(topics.couponCampaign, campaign())
  await send(topics.couponIssued, issuedCoupon())
  await send(topics.orderCreated, created({ pointsToUse: 50, userCouponId: 'spring-1' }))
  const dear = [{ ...created().items[0]!, quantity: 100 }]
  await send(topics.orderCreated, created({ orderId: 'o2', items: dear }))
  await driver.advanceWallTime(5 * MINUTE, MINUTE)
  expect([states('o1').at(-1), states('o2').at(-1)]).toEqual(['COMPLETED', 'FAILED'])
}

test('orders that have ended leave the hot stores, those of which nothing may come back first', async () => {
  await ordered()
  expect(await rows()).toMatchObject({
    orders: 2,
    'order-events': expect.any(Number),
    'orders-by-state': 2,
    'orders-by-user': 2,
    'order-stock': 3,
    'order-points': 1,
    'order-earnings': 1,
    'coupon-uses': 1,
    'sandbox-payments': 1,
    'sandbox-deliveries': 1,
  })
  // A refused step is known as long as its command may come again.
  await driver.advanceWallTime(keepMs, DAY)
  expect(await rows()).toMatchObject({ orders: 2, 'order-stock': 2, 'order-points': 1 })
  // The orders first, the services after all that an order may have asked of them.
  await driver.advanceWallTime(returnsMs - keepMs, DAY)
  expect(await rows()).toEqual({
    'order-stock': 2,
    'order-points': 1,
    'order-earnings': 1,
    'coupon-uses': 1,
    'sandbox-payments': 1,
    'sandbox-deliveries': 1,
  })
  await driver.advanceWallTime(payByMs + 2 * deliveryTimeoutMs, DAY)
  expect(await rows()).toEqual({})
  const levels = driver.store(shop.find(({ name }) => name === 'stock') as Topology, stockLevelStore)
  expect(levels.get('tea').value).toMatchObject({ received: 10, available: 8, sold: 2 })
})

test('a return is known until its order is, and its refund as long as its service says', async () => {
  await ordered()
  await driver.advanceWallTime(200 * DAY, DAY)
  const back = {
    orderId: 'o1',
    returnId: 'r1',
    items: [{ lineNo: 1, quantity: 1 }],
    reason: '',
    actor: 'ann',
  }
  await send(topics.orderReturnRequested, back)
  await driver.advanceWallTime(5 * MINUTE, MINUTE)
  expect(driver.read(topics.orderReturned)).toHaveLength(1)
  expect(await rows()).toMatchObject({ orders: 2, 'sandbox-refunds': 1 })
  await driver.advanceWallTime(returnsMs + payByMs + 2 * deliveryTimeoutMs, DAY)
  expect(await rows()).toEqual({})
})

test('I12: a command that comes when its order is forgotten is TooOld, not done again', async () => {
  await ordered()
  // In the log since the order ran, and read only now.
  const value = topics.stockReserveRequested.value.serialize(reserve({ epoch: 1 }))
  const lineage = { eventId: '019b7600-0000-7000-8000-000000000000' }
  const record = {
    topic: topics.stockReserveRequested.name,
    key: Buffer.from('tea'),
    value,
    timestamp: START,
  }
  await driver.log.append([{ ...record, lineage, headers: [] }])
  driver.clock.advance(keepMs)
  await driver.settle()
  const reasons = driver
    .deadLetters(topics.stockReserveRequested)
    .map(({ headers }) => headers.find(([name]) => name === '__streams.errors.exception')?.[1].toString())
  expect(reasons).toEqual(['TooOld'])
  expect(driver.read(topics.stockReserveResult).filter(({ value: v }) => v?.epoch === 1)).toEqual([])
})
