/**
 * A whole shop that takes orders, on the test driver: orchestrator, services and sandboxes as the program runs them. A
 * seed decides what customers, operators, providers and the network do; what was said is read off the log.
 */
import type { OrderTold, ShopperTold } from '../../processors/index.ts'
import { type OrderItem, type OrderRepair, type Topic, topics } from '../../schemas/index.ts'
import type { AnyTopic, LogRecord, Topology } from '../../streams/index.ts'
import { TopologyTestDriver } from '../../testing/index.ts'
import {
  couponIssuance,
  deliverySandbox,
  orders,
  paymentSandbox,
  points,
  stock,
  wallet,
} from '../../topologies/index.ts'
import { seededDeliveries, seededPayments } from '../../processors/index.ts'
import { type Random, seededRandom } from '../support/random.ts'
import { command, requested } from '../unit/coupons/given.ts'

export const START = Date.UTC(2026, 0, 1)
const DAY = 86_400_000
const USERS = ['ann', 'bob', 'eve']
const PRODUCTS = ['tea', 'milk', 'jam']

/** One fact with its place. */
export interface Told<F> {
  readonly fact: F
  readonly place: LogRecord
}
/** One partition of one topic, in its order. */
export type ToldStream<F> = readonly Told<F>[]

export interface OrderHistory {
  readonly orders: readonly ToldStream<OrderTold>[]
  readonly shoppers: readonly ToldStream<ShopperTold>[]
}

/** Changes topologies before they run: what makes a shop faulty. */
export type Meddle = (topologies: readonly Topology[]) => readonly Topology[]

/** @param count orders of the history */
export async function orderHistory(seed: number, count: number, meddle: Meddle = (all) => all) {
  const shop = new OrderShop(await openShop(seed, meddle), seededRandom(seed))
  await shop.play(count)
  const history = toldOf(shop.driver)
  await shop.driver.close()
  return history
}

function openShop(seed: number, meddle: Meddle): Promise<TopologyTestDriver> {
  const chances = { seed, decline: 120, lose: 80, twice: 200, maxDelayMs: 4_000 }
  const patience = { timeoutMs: 10_000, retry: { attempts: 3, backoffMs: 1_000 } }
  const topologies = [
    couponIssuance,
    wallet({ waitMs: 5_000 }),
    stock({}),
    points({ rateBp: 500 }),
    orders({ currency: 'GBP', patience, deliveryPatience: { timeoutMs: 60_000 } }),
    paymentSandbox({ rule: seededPayments(chances) }),
    deliverySandbox({ rule: seededDeliveries(chances) }),
  ]
  return TopologyTestDriver.open({
    topologies: meddle(topologies),
    now: START,
    partitions: 2,
    breaker: 'off',
  })
}

class OrderShop {
  readonly driver: TopologyTestDriver
  readonly #random: Random
  #coupons: readonly { readonly userId: string; readonly userCouponId: string }[] = []
  #strays = 0

  constructor(driver: TopologyTestDriver, random: Random) {
    this.driver = driver
    this.#random = random
  }

  async play(count: number): Promise<void> {
    await this.#open()
    for (let n = 0; n < count; n++) {
      await this.#order(`o${n}`)
      for (let i = this.#random.below(4); i > 0; i--) await this.#happen(n)
    }
    for (let i = 0; i < 12; i++) {
      await this.#happen(count - 1)
      await this.driver.advanceWallTime(30_000, 5_000)
    }
  }

  async #open(): Promise<void> {
    const { driver } = this
    for (const productId of PRODUCTS) {
      const quantity = productId === 'jam' ? 4 : 60
      const value = { adjustId: 'first', productId, quantity, reason: '' }
      await driver.pipe(topics.stockAdjustRequested, productId, value)
    }
    for (const userId of USERS) {
      const value = { userId, adjustId: 'first', amount: 300, reason: '', expiresAt: null }
      await driver.pipe(topics.pointAdjustRequested, userId, value)
    }
    const window = { opensAt: START, closesAt: START + DAY, perUserLimit: 9, quota: 99 }
    const discount = { kind: 'AMOUNT', value: 150, minOrderAmount: null, maxDiscount: null } as const
    await driver.pipe(topics.couponCampaignRequested, 'spring', command({ ...window, discount }))
    for (let n = 0; n < 9; n++) {
      const value = requested({ userId: USERS[n % 3]!, requestId: `r${n}` })
      await driver.pipe(topics.couponIssueRequested, 'spring', value)
    }
    this.#coupons = driver.read(topics.couponIssued).map(({ value }) => {
      return { userId: value!.userId, userCouponId: value!.userCouponId }
    })
  }

  async #order(orderId: string): Promise<void> {
    const random = this.#random
    const userId = random.pick(USERS)
    const items = Array.from({ length: 1 + random.below(3) }, (_, i): OrderItem => {
      const productId = random.pick(PRODUCTS)
      return {
        lineNo: i + 1,
        productId,
        categoryId: null,
        quantity: 1 + random.below(3),
        unitPrice: random.pick([0, 99, 333]),
      }
    })
    const own = this.#coupons.filter((coupon) => coupon.userId === userId)
    const value = {
      orderId,
      userId,
      items,
      userCouponId: random.below(2) === 0 ? random.pick(own).userCouponId : null,
      pointsToUse: random.pick([0, 0, 60, 5_000]),
      currency: 'GBP',
      payBy: this.driver.clock.now() + 60_000,
      shipTo: random.below(4) === 0 ? null : Buffer.from('sealed'),
      bodyHash: null,
    }
    await this.driver.pipe(topics.orderCreated, orderId, value)
  }

  async #happen(newest: number): Promise<void> {
    const random = this.#random
    const { driver } = this
    const orderId = `o${random.below(newest + 1)}`
    const by = { orderId, reason: 'so', actor: 'eve' }
    switch (random.below(9)) {
      case 0:
        return driver.pipe(topics.orderCancelRequested, orderId, by)
      case 1: {
        const items = [{ lineNo: 1 + random.below(2), quantity: 1 + random.below(2) }]
        return driver.pipe(topics.orderReturnRequested, orderId, {
          ...by,
          returnId: `b${random.below(4)}`,
          items,
        })
      }
      case 2: {
        const action = random.pick<OrderRepair['action']>([
          'RETRY',
          'RETRY',
          'RESUME',
          'COMPENSATE',
          'RESOLVE',
        ])
        return driver.pipe(topics.orderRepairRequested, orderId, { ...by, action })
      }
      case 3: {
        const paymentKey = `stray-${this.#strays++}`
        const amount = random.pick([1, 333, 849])
        const value = { orderId, paymentKey, amount, status: 'SUCCESS', failureCode: null } as const
        return driver.pipe(topics.paymentResult, orderId, value)
      }
      case 4:
        return this.#again(random.pick(COMMANDS), true)
      case 5:
        return this.#again(random.pick(ANSWERS), false)
      default:
        return driver.advanceWallTime(random.pick([400, 3_000, 20_000]), 1_000)
    }
  }

  /** A record comes once more: a command as another event, as a sender that tries again makes it. */
  async #again(topic: AnyTopic, anew: boolean): Promise<void> {
    const all = this.driver.read(topic as Topic<never>)
    if (all.length === 0) return
    const { key, value, timestamp, partition, lineage, headers } = this.#random.pick(all).record
    if (anew) return this.driver.pipeBytes(topic.name, key, value, { partition })
    const { driver } = this
    await driver.log.append([
      { topic: topic.name, partition, key, value, timestamp, lineage: lineage!, headers },
    ])
    await driver.settle()
  }
}

const COMMANDS: readonly AnyTopic[] = [
  topics.stockReserveRequested,
  topics.stockReserveRequested,
  topics.stockRestoreRequested,
  topics.stockRestoreRequested,
  topics.pointDeductRequested,
  topics.pointRestoreRequested,
  topics.couponUseRequested,
  topics.couponRestoreRequested,
  topics.paymentRequested,
  topics.paymentRefundRequested,
]
const ANSWERS: readonly AnyTopic[] = [
  topics.stockReserveResult,
  topics.pointDeductResult,
  topics.couponUseResult,
  topics.restoreResult,
  topics.paymentResult,
  topics.paymentRefundResult,
  topics.deliveryResult,
  topics.orderCompleted,
]

const ORDER_TOPICS: readonly (readonly [OrderTold['kind'], AnyTopic])[] = [
  ['STATUS', topics.orderStatus],
  ['CONFIRMED', topics.orderConfirmed],
  ['COMPLETED', topics.orderCompleted],
  ['FAILED', topics.orderFailed],
  ['CANCELLED', topics.orderCancelled],
  ['RETURNED', topics.orderReturned],
  ['STOCK', topics.stockReserveResult],
  ['POINTS', topics.pointDeductResult],
  ['COUPON', topics.couponUseResult],
  ['RESTORED', topics.restoreResult],
  ['PAY', topics.paymentRequested],
  ['PAID', topics.paymentResult],
  ['REFUND', topics.paymentRefundRequested],
]
const SHOPPER_TOPICS: readonly (readonly [ShopperTold['kind'], AnyTopic])[] = [
  ['COMPLETED', topics.orderCompleted],
  ['USED', topics.couponUsed],
  ['EARNED', topics.pointEarned],
]

/** What was told, partition by partition. Facts about shoppers are taken as if they lay in one. */
export function toldOf(driver: TopologyTestDriver): OrderHistory {
  const read = <F>(topic: AnyTopic, kind: string): Told<F>[] => {
    return driver.read(topic as Topic<object>).flatMap(({ value, record }) => {
      if (value === null) return []
      return [{ fact: { kind, value: structuredClone({ ...value }) } as F, place: record }]
    })
  }
  return {
    orders: ORDER_TOPICS.flatMap(([kind, topic]) => {
      return [...Map.groupBy(read<OrderTold>(topic, kind), ({ place }) => place.partition).values()]
    }),
    shoppers: SHOPPER_TOPICS.map(([kind, topic]) => read<ShopperTold>(topic, kind)),
  }
}
