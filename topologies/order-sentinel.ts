/**
 * Checks the invariants of orders on the facts, live, and tells incidents; a topology of its own beside `sentinel.ts`, so
 * that neither's stores depend on whether the other runs.
 *
 * One watcher has everything under an orderId, another what watched users used and earned. Inputs come in any
 * interleaving, and none of them is put aside again.
 */
import {
  forgetOrder,
  forgetShopperOrder,
  isWatched,
  lookAtIncident,
  type OrderTold,
  type SentinelRules,
  type ShopperTold,
  watchOrderFact,
  watchShopperFact,
} from '../processors/index.ts'
import {
  type CouponUseWatch,
  couponUseWatchSchema,
  type Incident,
  type OrderCompleted,
  type OrderWatch,
  orderWatchSchema,
  type ShopperOrderWatch,
  shopperOrderWatchSchema,
  stateSerde,
  type Topic,
  topics,
} from '../schemas/index.ts'
import { keys, keyValueStore } from '../state/index.ts'
import {
  processor,
  shape,
  type Stream,
  type Topology,
  topology,
  type TopologyBuilder,
} from '../streams/index.ts'
import { incidentStore, type SentinelOptions, sentinelRules, watchedSource } from './sentinel-options.ts'

export const ORDER_SENTINEL = 'order-sentinel'

/** What was told of an order, by orderId. */
export const orderWatchStore = keyValueStore<OrderWatch>({
  name: 'sentinel-orders',
  value: stateSerde(orderWatchSchema),
  version: orderWatchSchema.version,
})

/** What was told of an order of a watched user, by (userId, orderId). */
export const shopperOrderStore = keyValueStore<ShopperOrderWatch, [userId: string, orderId: string]>({
  name: 'sentinel-shopper-orders',
  key: keys.tuple(keys.string, keys.string),
  value: stateSerde(shopperOrderWatchSchema),
  version: shopperOrderWatchSchema.version,
})

/** Which orders used a coupon of a watched user, by (userId, userCouponId). */
const couponUseStore = keyValueStore<CouponUseWatch, [userId: string, userCouponId: string]>({
  name: 'sentinel-coupon-uses',
  key: keys.tuple(keys.string, keys.string),
  value: stateSerde(couponUseWatchSchema),
  version: couponUseWatchSchema.version,
})

/** Declares the sentinel of orders; it pauses nothing. Throws a `RangeError` for options that cannot be. */
export function orderSentinel(options: SentinelOptions = {}): Topology {
  const rules = sentinelRules(options)
  return topology(ORDER_SENTINEL, (t) => {
    const completed = t.stream(topics.orderCompleted, watchedSource)
    orderFacts(t, completed)
      .process(orderWatcher(rules))
      .incidents.to(topics.opsIncident, { name: 'order-incidents' })
    shopperFacts(t, completed, rules)
      .process(shopperWatcher(rules))
      .incidents.to(topics.opsIncident, { name: 'shopper-incidents' })
  })
}

type Completed = Stream<string, OrderCompleted>

/** Everything under an orderId, as one stream. */
function orderFacts(t: TopologyBuilder, completed: Completed): Stream<string, OrderTold> {
  const from = <V>(topic: Topic<V>, kind: OrderTold['kind']): Stream<string, OrderTold> => {
    return t
      .stream(topic, watchedSource)
      .mapValues((value) => ({ kind, value }) as OrderTold, { name: topic.name })
  }
  return completed
    .mapValues((value): OrderTold => ({ kind: 'COMPLETED', value }), { name: 'completed' })
    .merge(
      from(topics.orderStatus, 'STATUS'),
      from(topics.orderConfirmed, 'CONFIRMED'),
      from(topics.orderFailed, 'FAILED'),
      from(topics.orderCancelled, 'CANCELLED'),
      from(topics.orderReturned, 'RETURNED'),
      from(topics.stockReserveResult, 'STOCK'),
      from(topics.pointDeductResult, 'POINTS'),
      from(topics.couponUseResult, 'COUPON'),
      from(topics.restoreResult, 'RESTORED'),
      from(topics.paymentRequested, 'PAY'),
      from(topics.paymentResult, 'PAID'),
      from(topics.paymentRefundRequested, 'REFUND'),
    )
}

/** What watched users used, completed and earned, under the userId. */
function shopperFacts(
  t: TopologyBuilder,
  completed: Completed,
  { watchOneIn }: SentinelRules,
): Stream<string, ShopperTold> {
  const watched = ({ userId }: { readonly userId: string }) => isWatched(userId, watchOneIn)
  const byUser = completed
    .filter(watched, { name: 'completed-of-watched' })
    .selectKey(({ userId }) => userId, { name: 'completed-key' })
    .repartition({
      name: 'completed-by-user',
      key: topics.orderCompleted.key,
      value: topics.orderCompleted.value,
    })
    .mapValues((value): ShopperTold => ({ kind: 'COMPLETED', value }), { name: 'completed-by-user' })
  const used = t
    .stream(topics.couponUsed, watchedSource)
    .filter(watched, { name: 'used-by-watched' })
    .mapValues((value): ShopperTold => ({ kind: 'USED', value }), { name: 'used' })
  const earned = t
    .stream(topics.pointEarned, watchedSource)
    .filter(watched, { name: 'earned-by-watched' })
    .mapValues((value): ShopperTold => ({ kind: 'EARNED', value }), { name: 'earned' })
  return byUser.merge(used, earned)
}

function orderWatcher(rules: SentinelRules) {
  return processor({
    name: 'order-watcher',
    input: shape<string, OrderTold>(),
    stores: { orders: orderWatchStore, incidents: incidentStore('order-incidents') },
    outputs: { incidents: shape<string, Incident>() },
    timers: { incident: 'wall', forget: 'wall' },
    process: (record, context) => watchOrderFact(record, context, rules),
    onTimer: {
      incident: (key, context) => lookAtIncident(key, context, rules),
      forget: forgetOrder,
    },
  })
}

function shopperWatcher(rules: SentinelRules) {
  return processor({
    name: 'shopper-watcher',
    input: shape<string, ShopperTold>(),
    stores: {
      orders: shopperOrderStore,
      uses: couponUseStore,
      incidents: incidentStore('shopper-incidents'),
    },
    outputs: { incidents: shape<string, Incident>() },
    timers: { incident: 'wall', forget: 'wall' },
    process: (record, context) => watchShopperFact(record, context, rules),
    onTimer: {
      incident: (key, context) => lookAtIncident(key, context, rules),
      forget: forgetShopperOrder,
    },
  })
}
