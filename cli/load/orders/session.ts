/** A load of orders from beginning to end: goods and users of its own, the orders, and what the shop says of them then. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Output } from '../../output.ts'
import { progressBar } from '../../progress.ts'
import type { ShopClient } from '../client.ts'
import { mustDo } from '../insist.ts'
import { planSeed, type SeedPlan, seedShop, seedSteps } from '../seeding.ts'
import type { ShopFacts } from './facts.ts'
import { type Asked, gather } from './gather.ts'
import { judgeOrders } from './judge.ts'
import { type OrdersOptions, type PlannedOrder, planOrders } from './plan.ts'
import { type PlacedOrder, runOrders } from './run.ts'

export interface SessionOptions extends OrdersOptions {
  /** Begins every id of the session; new to the shop. */
  readonly runId: string
  readonly products: number
  readonly users: number
}

export interface Session {
  readonly placed: readonly PlacedOrder[]
  readonly asked: Asked
  /** By HTTP. */
  readonly facts: ShopFacts
  /** From the first order to the last answer, before anything was checked. */
  readonly seconds: number
}

/** More than all orders want of one product. */
const UNITS = 1_000_000
/** More than all orders of a user spend. */
const POINTS = 1_000_000
const MS_PER_SECOND = 1000
const LOOK_MS = 250
/** How long the last orders may take to end. */
const PATIENCE_MS = 90_000
/** Within its time to pay an order is charged, and a late payment comes 4 s after that. */
const LATE_MS = 6_500

export async function runSession(
  {
    client,
    output,
    signal,
  }: { readonly client: ShopClient; readonly output: Output; readonly signal: AbortSignal },
  options: SessionOptions,
): Promise<Session> {
  const { runId, products, users, seed } = options
  const shop = planSeed({ prefix: `${runId}-`, products, users, units: UNITS, points: POINTS, seed })
  const seeding = progressBar(output, 'seed', seedSteps(shop), 'things')
  await seedShop(client, shop, signal, (done) => seeding.update(done))
  seeding.end()

  const plan = planOrders(shop, options)
  const goods = new Map(shop.goods.map((product) => [product.productId, product]))
  const currency = await currencyOf(client, shop, signal)
  const ordering = progressBar(output, 'orders', plan.length, 'orders')
  const startedAt = performance.now()
  const target = { client, runId, currency, goods, signal }
  const placed = await runOrders(target, plan, (done) => ordering.update(done))
  const seconds = (performance.now() - startedAt) / MS_PER_SECOND
  ordering.end()

  const asked = askedOf(shop, plan, placed)
  if (plan.some(({ kind }) => kind === 'late')) await sleep(LATE_MS, undefined, { signal })
  return { placed, asked, facts: await settledFacts(client, asked, signal), seconds }
}

async function currencyOf(client: ShopClient, { goods }: SeedPlan, signal: AbortSignal): Promise<string> {
  const path = `/v1/products/${encodeURIComponent(goods[0]?.productId ?? '')}`
  const { body } = await mustDo('the first product', () => client.get(path), signal)
  return String(body['currency'])
}

function askedOf(shop: SeedPlan, plan: readonly PlannedOrder[], placed: readonly PlacedOrder[]): Asked {
  const users = plan.flatMap(({ userId, coupon }) =>
    coupon === undefined ? [userId] : [userId, coupon.userId],
  )
  return {
    orderIds: placed.flatMap(({ orderId }) => orderId ?? []),
    productIds: shop.goods.map(({ productId }) => productId),
    userIds: [...new Set([...shop.userIds, ...users])],
  }
}

/** Once everything holds, or as it is when patience is at its end: what was taken is decided later. */
async function settledFacts(client: ShopClient, asked: Asked, signal: AbortSignal): Promise<ShopFacts> {
  const until = performance.now() + PATIENCE_MS
  for (;;) {
    const facts = await gather(client, asked, signal)
    const holds = judgeOrders(facts).every(({ ok }) => ok) && !(await isRefunding(client, asked, signal))
    if (holds || performance.now() > until) return facts
    await sleep(LOOK_MS, undefined, { signal })
  }
}

/** Money that came in by mistake is on its way back: nothing but an incident tells. */
async function isRefunding(client: ShopClient, { orderIds }: Asked, signal: AbortSignal): Promise<boolean> {
  const path = '/v1/ops/incidents?status=OPEN'
  const { body } = await mustDo('its incidents', () => client.get(path), signal)
  const open = body['incidents'] as readonly { readonly invariant: string; readonly subject: string }[]
  const ours = new Set(orderIds)
  return open.some(({ invariant, subject }) => {
    return invariant === 'ORDER_STRAY_PAYMENT' && ours.has(subject.split('/')[0] ?? '')
  })
}
