/** Asks a shop for all that concerns some orders: by HTTP, and from its log where there is one to read. */
import type { Topics } from '../../../schemas/index.ts'
import type { Log } from '../../../streams/index.ts'
import { readTopic } from '../../pipeline/read-topic.ts'
import type { Reply, ShopClient } from '../client.ts'
import { inParallel, mustDo } from '../insist.ts'
import {
  type AccountFact,
  type CouponFact,
  ENDED,
  type LogFacts,
  type OrderFact,
  type ShopFacts,
  type StockFact,
} from './facts.ts'

const CONCURRENCY = 32
const PAGE_ITEMS = 1_000

export interface Asked {
  readonly orderIds: readonly string[]
  readonly productIds: readonly string[]
  readonly userIds: readonly string[]
}

/** Rejects where the shop does not know one of them, and when `signal` fires. */
export async function gather(
  client: ShopClient,
  { productIds, userIds }: Asked,
  orders: readonly OrderFact[],
  signal: AbortSignal,
): Promise<ShopFacts> {
  const askedAt = Date.now()
  const get = getter(client, signal)
  const coupons: CouponFact[] = []
  const products = await each(productIds, signal, async (id) => {
    return stockFact((await get(`/v1/products/${encodeURIComponent(id)}`)).body)
  })
  const accounts = await each(userIds, signal, async (userId) => {
    coupons.push(...(await couponsOf(get, userId)))
    return accountOf(get, userId)
  })
  return { askedAt, orders, products, accounts, coupons }
}

/** Asks for those that were not at their end before. Rejects as `gather` does. */
export async function gatherOrders(
  client: ShopClient,
  { orderIds }: Asked,
  before: readonly OrderFact[],
  signal: AbortSignal,
): Promise<readonly OrderFact[]> {
  const ended = new Map(before.filter(isAtEnd).map((order) => [order.orderId, order]))
  const get = getter(client, signal)
  return each(orderIds, signal, async (orderId) => {
    const known = ended.get(orderId)
    if (known !== undefined) return known
    return (await get(`/v1/orders/${encodeURIComponent(orderId)}`)).body as unknown as OrderFact
  })
}

export function isAtEnd({ state, returns }: OrderFact): boolean {
  return ENDED.has(state) && returns.every(({ status }) => status !== 'RUNNING')
}

function getter(client: ShopClient, signal: AbortSignal): Get {
  return (path) => mustDo(path, () => client.get(path), signal)
}

async function each<T>(
  ids: readonly string[],
  signal: AbortSignal,
  read: (id: string) => Promise<T>,
): Promise<T[]> {
  const found: T[] = []
  await inParallel(ids, CONCURRENCY, signal, async (id) => void found.push(await read(id)))
  return found
}

type Get = (path: string) => Promise<Reply>

function stockFact({ productId, stock }: Reply['body']): StockFact {
  return { ...(stock as Omit<StockFact, 'productId'>), productId: String(productId) }
}

async function accountOf(get: Get, userId: string): Promise<AccountFact> {
  const { first, items } = await allPages(get, `/v1/users/${encodeURIComponent(userId)}/points`)
  const entries = (items as AccountFact['entries']).toReversed()
  return { userId, balance: Number(first['balance']), entries }
}

async function couponsOf(get: Get, userId: string): Promise<CouponFact[]> {
  const { items } = await allPages(get, `/v1/users/${encodeURIComponent(userId)}/coupons`)
  return (items as CouponFact[]).map((coupon) => ({ ...coupon, userId }))
}

async function allPages(get: Get, path: string) {
  const { body: first } = await get(`${path}?limit=${PAGE_ITEMS}`)
  const items = [...(first['items'] as readonly unknown[])]
  for (let { cursor } = first; cursor !== undefined; ) {
    const { body } = await get(`${path}?limit=${PAGE_ITEMS}&cursor=${encodeURIComponent(String(cursor))}`)
    items.push(...(body['items'] as readonly unknown[]))
    cursor = body['cursor']
  }
  return { first, items }
}

/** What the log has of these orders, by now. */
export async function gatherLog(log: Log, topics: Topics, orderIds: readonly string[]): Promise<LogFacts> {
  const known = new Set(orderIds)
  const of = ({ orderId }: { readonly orderId: string }): boolean => known.has(orderId)
  return {
    statuses: (await readTopic(log, topics.orderStatus)).filter(of),
    reservations: (await readTopic(log, topics.stockReserveResult)).filter(of),
    restores: (await readTopic(log, topics.restoreResult)).filter(of),
    payments: (await readTopic(log, topics.paymentResult)).filter(of),
    refunds: (await readTopic(log, topics.paymentRefundResult)).filter(of),
    confirmed: (await readTopic(log, topics.orderConfirmed)).filter(of),
    earned: (await readTopic(log, topics.pointEarned)).filter(of),
  }
}
