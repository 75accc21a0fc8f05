/** The processors of the sentinel of orders: rows, timers that forget them, and the incidents that come of the rules. */
import type { CouponUseWatch, OrderWatch, ShopperOrderWatch } from '../../schemas/index.ts'
import type { KeyValueStore, TimerHandle } from '../../state/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import { pairKey, parsePair } from '../keeping.ts'
import { type IncidentContext, raise } from './incident-desk.ts'
import type { IncidentRules } from './incident.ts'
import { judgeOrder, ORDER_QUIET_MS } from './judge-orders.ts'
import { judgeShopper } from './judge-shoppers.ts'
import type { OrderTold, ShopperTold } from './order-told.ts'

/** Wall time without a word after which an order that has ended is forgotten; one that has not, after `ORDER_QUIET_MS`. */
export const ENDED_QUIET_MS = 7 * 86_400_000

export interface OrderWatchContext extends IncidentContext {
  readonly stores: IncidentContext['stores'] & { readonly orders: KeyValueStore<string, OrderWatch> }
  readonly timers: IncidentContext['timers'] & { readonly forget: TimerHandle }
}

/** What is under another key than its order's is put aside by whoever reads it for its own work. */
export function watchOrderFact(
  { key, value: fact, origin }: StreamRecord<string, OrderTold>,
  context: OrderWatchContext,
  rules: IncidentRules,
): void {
  if (key !== fact.value.orderId) return
  const { stores, timers, wallTime } = context
  raise(judgeOrder(fact, origin, stores.orders, wallTime), origin, context, rules)
  if (timers.forget.dueAt(key) === undefined) timers.forget.schedule(key, wallTime + ENDED_QUIET_MS)
}

/** The durable wall timer `forget` of an order: it has been quiet for long, or is looked at again later. */
export function forgetOrder(orderId: string, { stores, timers, wallTime }: OrderWatchContext): void {
  const watch = stores.orders.get(orderId)
  if (watch === undefined) return
  const until = watch.heardAt + (watch.ends.length > 0 ? ENDED_QUIET_MS : ORDER_QUIET_MS)
  if (until <= wallTime) stores.orders.delete(orderId)
  else timers.forget.schedule(orderId, until)
}

export interface ShopperWatchContext extends IncidentContext {
  readonly stores: IncidentContext['stores'] & {
    readonly orders: KeyValueStore<[userId: string, orderId: string], ShopperOrderWatch>
    readonly uses: KeyValueStore<[userId: string, userCouponId: string], CouponUseWatch>
  }
  readonly timers: IncidentContext['timers'] & { readonly forget: TimerHandle }
}

export function watchShopperFact(
  { value: fact, origin }: StreamRecord<string, ShopperTold>,
  context: ShopperWatchContext,
  rules: IncidentRules,
): void {
  const { stores, timers, wallTime } = context
  raise(judgeShopper(fact, origin, stores, wallTime), origin, context, rules)
  const key = pairKey([fact.value.userId, fact.value.orderId])
  if (timers.forget.dueAt(key) === undefined) timers.forget.schedule(key, wallTime + ORDER_QUIET_MS)
}

/** The durable wall timer `forget` of an order of a user, with its place among those that used its coupon. */
export function forgetShopperOrder(key: string, { stores, timers, wallTime }: ShopperWatchContext): void {
  const [userId, orderId] = parsePair(key)
  const watch = stores.orders.get([userId, orderId])
  if (watch === undefined) return
  const until = watch.heardAt + ORDER_QUIET_MS
  if (until > wallTime) return timers.forget.schedule(key, until)
  stores.orders.delete([userId, orderId])
  const { userCouponId } = watch
  const others = stores.uses.get([userId, userCouponId])?.orderIds.filter((each) => each !== orderId) ?? []
  if (others.length > 0) stores.uses.put([userId, userCouponId], { orderIds: others })
  else if (userCouponId !== '') stores.uses.delete([userId, userCouponId])
}
