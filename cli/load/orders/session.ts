/** A load of orders from beginning to end: goods and users of its own, the orders, and what the shop says of them then. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Output } from '../../output.ts'
import { progressBar } from '../../progress.ts'
import type { ShopClient } from '../client.ts'
import { mustDo } from '../insist.ts'
import { planSeed, type SeedPlan, seedShop, seedSteps } from '../seeding.ts'
import type { ShopFacts } from './facts.ts'
import { type Asked, gather, gatherOrders, isAtEnd } from './gather.ts'
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
  /** From the first order to the last that went its way. */
  readonly seconds: number
  /** Until then payments of it may come in, on the clock of `performance`. */
  readonly paidUntil: number
}

/** Whom a session talks to. */
export interface Doors {
  readonly client: ShopClient
  readonly output: Output
  readonly signal: AbortSignal
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

/** Resolves once each order went its way, as far as customers do; many are still decided then. */
export async function placeOrders(
  { client, output, signal }: Doors,
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
  const endedAt = performance.now()
  ordering.end()
  const isPaidLate = plan.some(({ kind }) => kind === 'late')
  return {
    placed,
    asked: askedOf(shop, plan, placed),
    seconds: (endedAt - startedAt) / MS_PER_SECOND,
    paidUntil: endedAt + (isPaidLate ? LATE_MS : 0),
  }
}

/** What the shop says by HTTP once all is decided and holds, or as it is when patience is at its end. */
export async function settledFacts(
  { client, signal }: Doors,
  { asked, paidUntil }: Session,
): Promise<ShopFacts> {
  await sleep(Math.max(0, paidUntil - performance.now()), undefined, { signal })
  const until = performance.now() + PATIENCE_MS
  for (let orders: ShopFacts['orders'] = []; ; ) {
    const isOver = performance.now() > until
    orders = await gatherOrders(client, asked, orders, signal)
    const isSettled = orders.every(isAtEnd) && !(await isRefunding(client, asked, signal))
    if (isOver || isSettled) {
      // What an order earns, for example, comes a moment after its end.
      const facts = await gather(client, asked, orders, signal)
      if (isOver || judgeOrders(facts).every(({ ok }) => ok)) return facts
    }
    await sleep(LOOK_MS, undefined, { signal })
  }
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
