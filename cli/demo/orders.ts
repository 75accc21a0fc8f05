/** The orders of the demo: a mix of all kinds, and whether money, stock and points add up then. */
import { describeOutcomes, describeTotals, type OrdersReport, ordersReport } from '../load/orders/report.ts'
import { gatherLog } from '../load/orders/gather.ts'
import { usualMix } from '../load/orders/mix.ts'
import { type Doors, placeOrders, type Session, settledFacts } from '../load/orders/session.ts'
import { count } from '../output.ts'
import { drained } from '../pipeline/settled.ts'
import type { Shop } from '../pipeline/shop.ts'

export const DEMO_ORDERS = 2_000
const PER_SECOND = 500
const PRODUCTS = 20
const USERS = 20
const SEED = 1

export function placeDemoOrders(doors: Doors): Promise<Session> {
  const rush = { orders: DEMO_ORDERS, ratePerSecond: PER_SECOND, seed: SEED, mix: usualMix }
  return placeOrders(doors, { ...rush, runId: 'demo', products: PRODUCTS, users: USERS })
}

/** Once all of them have ended: by what the shop says, and by what is in its log. */
export async function judgeDemoOrders(doors: Doors, shop: Shop, session: Session): Promise<OrdersReport> {
  const facts = await settledFacts(doors, session)
  await drained(shop.streams, shop.log, doors.signal)
  const log = await gatherLog(shop.log, shop.topics, session.asked.orderIds)
  return ordersReport(session, { ...facts, log })
}

export function describeDemoOrders(report: OrdersReport): string {
  const title = `${count(report.orders)} orders of every kind, and how they ended`
  return ['', title, describeOutcomes(report), '', describeTotals(report)].join('\n')
}
