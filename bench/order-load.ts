/** Whole orders to measure with: everything that an order can need, so about 28 records from `order.created` on. */
import { topics } from '../schemas/index.ts'
import { type AppendRecord, type Log, Streams, type StreamsOptions } from '../streams/index.ts'
import { deliverySandbox, orders, paymentSandbox, points, stock, wallet } from '../topologies/index.ts'
import type { EmbeddedLog } from '../transports/embedded/index.ts'
import { fill, recordOf, topicSpec } from './harness.ts'

const DAY = 86_400_000
const PRODUCTS = 500
const GRANT_POINTS = 1_000_000
/** Each user's orders: a coupon is used once, so the others have none. */
const ORDERS_PER_USER = 10

/** Provider and courier answer at once. */
export function orderTopologies() {
  const rule = () => ({ ends: 'DELIVERED', startMs: 0, travelMs: 60_000, answers: 1 }) as const
  return [
    orders({ currency: 'GBP' }),
    stock(),
    points({ rateBp: 100, validForMs: null }),
    wallet(),
    paymentSandbox(),
    deliverySandbox({ rule }),
  ]
}

/** `stateDirectory`: where the log keeps no state. */
export async function openOrders(
  log: Log,
  more: Pick<StreamsOptions, 'stateDirectory'> = {},
): Promise<Streams> {
  const topologies = orderTopologies()
  const streams = new Streams({ application: 'bench', topologies, log, topicSpec, ...more })
  await streams.open()
  await streams.ready()
  return streams
}

/** Goods, points and coupons for orders `from` to `to`. */
export async function stockUp(log: Log, from: number, to: number): Promise<void> {
  const now = Date.now()
  const tag = `${from}-${to}`
  await fill(log, PRODUCTS, (i) => {
    const value = { adjustId: `in-${tag}`, productId: `product-${i}`, quantity: 10 * (to - from), reason: '' }
    return recordOf(topics.stockAdjustRequested, value.productId, value, now)
  })
  const firstUser = Math.floor(from / ORDERS_PER_USER)
  const users = Math.ceil((to - from) / ORDERS_PER_USER)
  await fill(log, users, (i) => {
    const userId = `user-${firstUser + i}`
    const value = { adjustId: tag, userId, amount: GRANT_POINTS, expiresAt: null, reason: '' }
    return recordOf(topics.pointAdjustRequested, userId, value, now)
  })
  const discount = { kind: 'AMOUNT', value: 100, minOrderAmount: null, maxDiscount: null } as const
  await log.append([recordOf(topics.couponCampaign, 'bench', campaign(discount, now), now)])
  await fill(log, to - from, (i) => {
    const value = issued(from + i, now)
    return recordOf(topics.couponIssued, 'bench', value, now)
  })
}

/** Two products, points, a coupon, an address. */
export function orderRecord(index: number): AppendRecord {
  const orderId = `order-${index}`
  const now = Date.now()
  const line = (lineNo: number) => ({
    lineNo,
    productId: `product-${(index * 7 + lineNo * 13) % PRODUCTS}`,
    categoryId: null,
    quantity: 1,
    unitPrice: 1_500,
  })
  const value = {
    orderId,
    userId: userOf(index),
    items: [line(1), line(2)],
    userCouponId: `coupon-${index}`,
    pointsToUse: 10,
    currency: 'GBP',
    payBy: now + DAY,
    shipTo: Buffer.from('sealed'),
    bodyHash: null,
  }
  return recordOf(topics.orderCreated, orderId, value, now)
}

/**
 * Resolves when so many orders are complete; throws what stopped a task, and where orders failed: on a machine that is
 * much too busy their steps run into timeouts. `from`: where to read on, per partition.
 */
export async function allCompleted(
  log: EmbeddedLog,
  streams: Streams,
  count: number,
  from: Map<number, number> = new Map(),
): Promise<void> {
  const { name: topic } = topics.orderCompleted
  let seen = 0
  while (seen < count) {
    for (const runner of streams.runners) {
      for (const { failure } of runner.tasks) if (failure !== undefined) throw failure
    }
    if (await anyFailed(log)) throw new Error('orders failed: the machine is too busy to measure anything')
    let more = 0
    for (let partition = 0; partition < log.partitions(topic); partition++) {
      const { end } = await log.bounds({ topic, partition })
      more += end - (from.get(partition) ?? 0)
      from.set(partition, end)
    }
    seen += more
    if (more === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function anyFailed(log: EmbeddedLog): Promise<boolean> {
  const { name: topic } = topics.orderFailed
  for (let partition = 0; partition < log.partitions(topic); partition++) {
    if ((await log.bounds({ topic, partition })).end > 0) return true
  }
  return false
}

function userOf(index: number): string {
  return `user-${Math.floor(index / ORDERS_PER_USER)}`
}

function campaign(
  discount: { kind: 'AMOUNT'; value: number; minOrderAmount: null; maxDiscount: null },
  now: number,
) {
  return {
    couponId: 'bench',
    name: 'Bench',
    quota: Number.MAX_SAFE_INTEGER,
    perUserLimit: ORDERS_PER_USER,
    opensAt: now - DAY,
    closesAt: now + DAY,
    validForMs: null,
    discount,
    eligibility: null,
    fairness: 'FIFO',
    shards: 1,
    status: 'ACTIVE',
    revision: 1,
    operation: 'PUT',
    seedHash: null,
    seed: null,
  } as const
}

function issued(index: number, now: number) {
  const userCouponId = `coupon-${index}`
  return {
    requestId: userCouponId,
    couponId: 'bench',
    userCouponId,
    userId: userOf(index),
    sequence: index + 1,
    shard: 0,
    sourceOffset: index,
    issuedAt: now,
    expiresAt: null,
    campaignRevision: 1,
    discount: null,
  }
}
