/** Fills a shop over HTTP: products with stock, users with points, campaigns with discounts, and a coupon for each user. */
import type { ShopClient } from './client.ts'
import { inParallel, insist, mustDo } from './insist.ts'
import { SeededRandom } from './random.ts'

export interface SeedOptions {
  /** Begins every id; empty or something with a separator at its end. */
  readonly prefix: string
  readonly products: number
  readonly users: number
  /** Received of each product. */
  readonly units: number
  /** Granted to each user. */
  readonly points: number
  readonly seed: number
}

export interface SeedProduct {
  readonly productId: string
  readonly title: string
  readonly categoryId: string
  /** Minor units. */
  readonly price: number
}

export interface SeedPlan extends SeedOptions {
  readonly goods: readonly SeedProduct[]
  readonly userIds: readonly string[]
  readonly campaigns: readonly SeedCampaign[]
}

export interface SeedCampaign {
  readonly couponId: string
  readonly name: string
  readonly discount: Readonly<Record<string, string | number>>
}

/** What the shop has afterwards, all told. */
export interface Seeded {
  readonly products: number
  readonly units: number
  readonly users: number
  readonly points: number
  readonly campaigns: number
  /** One per user and campaign. */
  readonly coupons: number
}

const DAY_MS = 86_400_000
const CONCURRENCY = 32
const MATERIALS = ['Wooden', 'Glass', 'Paper', 'Tin', 'Linen', 'Copper'] as const
const THINGS = ['Mug', 'Lantern', 'Basket', 'Clock', 'Napkin', 'Bird', 'Bowl', 'Garland'] as const
const CATEGORIES = ['kitchen', 'decor', 'garden'] as const
const LEAST_PRICE = 100
const MOST_PRICE = 4_000

/** The same options give the same plan. */
export function planSeed(options: SeedOptions): SeedPlan {
  const { prefix, products, users, seed } = options
  const random = new SeededRandom(seed)
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)] as T
  const goods = Array.from({ length: products }, (_, index) => ({
    productId: `${prefix}product-${index + 1}`,
    title: `${pick(MATERIALS)} ${pick(THINGS)} ${index + 1}`,
    categoryId: pick(CATEGORIES),
    price: LEAST_PRICE + random.below(MOST_PRICE - LEAST_PRICE),
  }))
  return {
    ...options,
    goods,
    userIds: Array.from({ length: users }, (_, index) => `${prefix}user-${index + 1}`),
    campaigns: [
      {
        couponId: `${prefix}ten-percent`,
        name: 'Ten per cent, at most 5.00',
        discount: { kind: 'PERCENT', value: 10, maxDiscount: 500 },
      },
      {
        couponId: `${prefix}two-off`,
        name: '2.00 off from 10.00 on',
        discount: { kind: 'AMOUNT', value: 200, minOrderAmount: 1_000 },
      },
    ],
  }
}

/** Calls that `seedShop` reports. */
export function seedSteps({ goods, userIds, campaigns }: SeedPlan): number {
  return goods.length + campaigns.length + userIds.length
}

/**
 * Again with the same plan it changes nothing: stock, points and coupons have ids that the plan says. Rejects with what
 * the shop refuses, and when `signal` fires; what is done by then stays.
 */
export async function seedShop(
  client: ShopClient,
  plan: SeedPlan,
  signal: AbortSignal,
  onProgress: (done: number) => void,
): Promise<Seeded> {
  const { goods, userIds, campaigns, units, points } = plan
  let done = 0
  for (const campaign of campaigns) {
    await openCampaign(client, campaign, signal)
    onProgress(++done)
  }
  await inParallel(goods, CONCURRENCY, signal, async (product) => {
    await stock(client, plan, product, signal)
    onProgress(++done)
  })
  await inParallel(userIds, CONCURRENCY, signal, async (userId) => {
    await grant(client, plan, userId, signal)
    for (const { couponId } of campaigns)
      await askForCoupon(client, couponId, userId, `seed-${userId}`, signal)
    onProgress(++done)
  })
  return {
    products: goods.length,
    units: goods.length * units,
    users: userIds.length,
    points: userIds.length * points,
    campaigns: campaigns.length,
    coupons: userIds.length * campaigns.length,
  }
}

async function openCampaign(
  client: ShopClient,
  { couponId, name, discount }: SeedCampaign,
  signal: AbortSignal,
): Promise<void> {
  const path = `/v1/coupons/${encodeURIComponent(couponId)}`
  // One that is there keeps its times, and whatever was done to it.
  if ((await insist(() => client.get(path), signal)).status === 200) return
  const now = Date.now()
  const campaign = {
    name,
    discount,
    quota: 1_000_000_000,
    perUserLimit: 1_000_000,
    opensAt: new Date(now - 60_000).toISOString(),
    closesAt: new Date(now + 365 * DAY_MS).toISOString(),
    status: 'ACTIVE',
  }
  await mustDo(`coupon ${couponId}`, () => client.put(path, campaign), signal)
}

async function stock(
  client: ShopClient,
  { seed, units }: SeedPlan,
  { productId, ...product }: SeedProduct,
  signal: AbortSignal,
): Promise<void> {
  const path = `/v1/products/${encodeURIComponent(productId)}`
  const body = { ...product, received: units }
  await mustDo(`product ${productId}`, () => client.put(path, body, `seed-${seed}-${productId}`), signal)
}

async function grant(
  client: ShopClient,
  { seed, points }: SeedPlan,
  userId: string,
  signal: AbortSignal,
): Promise<void> {
  if (points === 0) return
  const path = `/v1/users/${encodeURIComponent(userId)}/points`
  const call = () => client.post(path, { points, reason: 'seed' }, `seed-${seed}-${userId}`)
  await mustDo(`points for ${userId}`, call, signal)
}

/** The requestId makes it one coupon, however often it is asked. */
export async function askForCoupon(
  client: ShopClient,
  couponId: string,
  userId: string,
  requestId: string,
  signal: AbortSignal,
): Promise<void> {
  const path = `/v1/coupons/${encodeURIComponent(couponId)}/requests`
  await mustDo(`a coupon for ${userId}`, () => client.post(path, { userId, requestId }), signal)
}
