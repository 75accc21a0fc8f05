/**
 * Customers of a whole shop, from a seed: good orders, no stock, no points, a coupon of somebody else or used before,
 * cancels at any state, returns in parts, payments of wrong amounts and of no order, the same again. Every record may be sent twice: each has ids of its own.
 */
import type { Campaign, CouponIssued, OrderCreated, OrderItem } from '../../../schemas/index.ts'
import { topics } from '../../../schemas/index.ts'
import type { PlainRecord } from '../engine-shop.ts'
import type { Random } from '../random.ts'
import type { TopicName, ValueOf } from './facts.ts'
import { STRAY } from './shop.ts'

export interface OrderLoadOptions {
  readonly orders: number
  /** The time that follow-ups take after their order, milliseconds at most. */
  readonly spanMs: number
  /** What most orders have until they must be paid, milliseconds. */
  readonly payWithinMs: number
}

interface Later {
  readonly at: number
  readonly record: PlainRecord
}

const USERS = ['ann', 'bob', 'cem', 'dee']
const PRODUCTS = ['tea', 'milk', 'jam', 'mug']
const COUPONS_EACH = 3
/** Of each product; towards the end some are sold out. */
const UNITS_PER_ORDER = 1.2
const GRANT = 2_000

export class OrderLoad {
  readonly #random: Random
  readonly #options: OrderLoadOptions
  readonly #later: Later[] = []
  readonly #sent: PlainRecord[] = []
  #made = 0

  constructor(options: OrderLoadOptions, random: Random) {
    this.#options = options
    this.#random = random
  }

  /** Goods, points and coupons, before anybody orders. */
  first(now: number): PlainRecord[] {
    const quantity = Math.ceil(this.#options.orders * UNITS_PER_ORDER)
    return [
      ...PRODUCTS.map((productId) =>
        record('stockAdjustRequested', { adjustId: `in-${productId}`, productId, quantity, reason: '' }),
      ),
      ...USERS.map((userId) => {
        const value = { adjustId: `hello-${userId}`, userId, amount: GRANT, expiresAt: null, reason: '' }
        return record('pointAdjustRequested', value)
      }),
      record('couponCampaign', campaign('flat', 'AMOUNT', 250, now)),
      record('couponCampaign', campaign('tenth', 'PERCENT', 10, now)),
      ...USERS.flatMap((userId) =>
        Array.from({ length: COUPONS_EACH }, (_, i) => record('couponIssued', issued(userId, i, now))),
      ),
    ]
  }

  /** What is sent now, perhaps nothing; undefined once all was sent. */
  next(now: number): PlainRecord[] | undefined {
    const due = this.#later.findIndex(({ at }) => at <= now)
    if (due >= 0 && (this.#made >= this.#options.orders || this.#random.chance(0.6))) {
      const [later] = this.#later.splice(due, 1)
      return this.#keep(later?.record)
    }
    if (this.#sent.length > 0 && this.#random.chance(0.08)) return [this.#random.pick(this.#sent)]
    if (this.#made < this.#options.orders) return this.#keep(this.#order(now))
    return this.#later.length > 0 ? [] : undefined
  }

  #keep(sent: PlainRecord | undefined): PlainRecord[] {
    if (sent === undefined) return []
    this.#sent.push(sent)
    return [sent]
  }

  #order(now: number): PlainRecord {
    const random = this.#random
    const orderId = `o${++this.#made}`
    const { spanMs, payWithinMs } = this.#options
    const items = this.#items()
    const userId = random.pick(USERS)
    const hurry = random.chance(0.1)
    const value: OrderCreated = {
      orderId,
      userId,
      items,
      userCouponId: random.chance(0.35) ? this.#coupon(userId) : null,
      pointsToUse: random.pick([0, 0, 0, 100, 400, 5_000]),
      currency: 'GBP',
      payBy: now + (hurry ? random.below(500) : payWithinMs),
      shipTo: random.chance(0.7) ? Buffer.from('sealed') : null,
      bodyHash: null,
    }
    const later = (share: number) => now + Math.floor(share * random.next() * spanMs)
    if (random.chance(0.25)) {
      const cancel = record('orderCancelRequested', { orderId, reason: 'changed my mind', actor: userId })
      // Most orders are paid within a moment: many cancels come sooner than that.
      this.#later.push({ at: now + Math.floor(random.next() ** 3 * 0.4 * spanMs), record: cancel })
    }
    if (random.chance(0.08)) this.#later.push({ at: later(0.5), record: this.#stray(orderId) })
    for (let i = 0; i < 2 && random.chance(0.4); i++) {
      this.#later.push({
        at: now + spanMs / 2 + (later(0.5) - now),
        record: this.#takeBack(orderId, items, i),
      })
    }
    return record('orderCreated', value)
  }

  #items(): OrderItem[] {
    const random = this.#random
    return Array.from({ length: 1 + random.below(3) }, (_, i) => ({
      lineNo: i + 1,
      productId: random.chance(0.02) ? 'ghost' : random.pick(PRODUCTS),
      categoryId: null,
      quantity: 1 + random.below(3),
      unitPrice: random.pick([0, 99, 150, 333]),
    }))
  }

  /** Now and then somebody else's. */
  #coupon(userId: string): string {
    const owner = this.#random.chance(0.1) ? this.#random.pick(USERS) : userId
    return `${owner}-${this.#random.below(COUPONS_EACH)}`
  }

  /** Money that nobody asked for. */
  #stray(orderId: string): PlainRecord {
    const id = this.#random.chance(0.3) ? `nobody-${this.#made}` : orderId
    const amount = 1 + this.#random.below(1_000)
    const paymentKey = `${STRAY}${this.#made}`
    return record('paymentResult', { orderId: id, paymentKey, amount, status: 'SUCCESS', failureCode: null })
  }

  #takeBack(orderId: string, items: readonly OrderItem[], nth: number): PlainRecord {
    const some = items.filter(() => this.#random.chance(0.6))
    const lines = (some.length > 0 ? some : items).map(({ lineNo, quantity }) => ({
      lineNo,
      quantity: 1 + this.#random.below(quantity),
    }))
    const value = { orderId, returnId: `${orderId}-r${nth}`, items: lines, reason: 'too sweet', actor: '' }
    return record('orderReturnRequested', value)
  }
}

export function record<N extends TopicName>(name: N, value: ValueOf<N>): PlainRecord {
  const topic = topics[name] as unknown as { readonly name: string; keyOf(value: ValueOf<N>): string }
  return { topic: topic.name, key: topic.keyOf(value), value }
}

function campaign(couponId: string, kind: 'AMOUNT' | 'PERCENT', value: number, now: number): Campaign {
  return {
    couponId,
    name: couponId,
    quota: 1_000,
    perUserLimit: 10,
    opensAt: now - 60_000,
    closesAt: now + 86_400_000,
    validForMs: null,
    discount: { kind, value, minOrderAmount: null, maxDiscount: null },
    eligibility: null,
    fairness: 'FIFO',
    shards: 1,
    status: 'ACTIVE',
    revision: 1,
    operation: 'PUT',
    seedHash: null,
    seed: null,
  }
}

function issued(userId: string, nth: number, now: number): CouponIssued {
  const userCouponId = `${userId}-${nth}`
  return {
    requestId: userCouponId,
    couponId: nth % 2 === 0 ? 'flat' : 'tenth',
    userCouponId,
    userId,
    sequence: nth + 1,
    shard: 0,
    sourceOffset: nth,
    issuedAt: now,
    expiresAt: null,
    campaignRevision: 1,
    discount: null,
  }
}
