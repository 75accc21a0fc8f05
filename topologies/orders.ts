/**
 * Orders: the orchestrator asks stock, points, wallet, payment and courier one after the other, and undoes what was done
 * where one of them cannot. All its topics are keyed by orderId.
 */
import {
  orchestrator,
  type OrderMessage,
  type OrderOutputName,
  orderOutputs,
  type OrderOutputValues,
  type OrderRules,
} from '../processors/index.ts'
import {
  type ListedOrder,
  listedOrderSchema,
  type OrderEvent,
  orderEventSchema,
  orderRowSchema,
  type OrderRow,
  stateSerde,
  type Topic,
  topics,
  upcastOf,
} from '../schemas/index.ts'
import { keys, keyValueStore } from '../state/index.ts'
import {
  processor,
  shape,
  type Shape,
  type Stream,
  type Topology,
  topology,
  type TopologyBuilder,
} from '../streams/index.ts'

/** What a shop may change; see `OrderRules`. */
export interface OrderOptions extends Partial<OrderRules> {
  readonly currency: string
}

const SECOND_MS = 1_000
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

/** Orders by orderId, with what is given back of them. */
export const orderStore = keyValueStore<OrderRow>({
  name: 'orders',
  value: stateSerde(orderRowSchema),
  version: orderRowSchema.version,
  upcast: upcastOf(orderRowSchema),
})

/** Timelines: what each order took and what came of it, by (orderId, 0..n). */
export const orderEventStore = keyValueStore<OrderEvent, [orderId: string, number: number]>({
  name: 'order-events',
  key: keys.tuple(keys.string, keys.int64),
  value: stateSerde(orderEventSchema),
  version: orderEventSchema.version,
  lookups: 'seldom',
})

/** Orders by (state, when they came into it, orderId). */
export const ordersByStateStore = keyValueStore<ListedOrder, [state: string, since: number, orderId: string]>(
  {
    name: 'orders-by-state',
    key: keys.tuple(keys.string, keys.timestamp, keys.string),
    value: stateSerde(listedOrderSchema),
    version: listedOrderSchema.version,
    lookups: 'seldom',
  },
)

/** Orders by (userId, when they began, orderId). */
export const ordersByUserStore = keyValueStore<
  ListedOrder,
  [userId: string, createdAt: number, orderId: string]
>({
  name: 'orders-by-user',
  key: keys.tuple(keys.string, keys.timestamp, keys.string),
  value: stateSerde(listedOrderSchema),
  version: listedOrderSchema.version,
  lookups: 'seldom',
})

/** Each goes to the topic of its name. */
const outputs: { readonly [N in OrderOutputName]: Shape<string, OrderOutputValues[N]> } = {
  stockReserveRequested: shape(),
  stockRestoreRequested: shape(),
  stockCommitRequested: shape(),
  pointDeductRequested: shape(),
  pointRestoreRequested: shape(),
  couponUseRequested: shape(),
  couponRestoreRequested: shape(),
  paymentRequested: shape(),
  paymentRefundRequested: shape(),
  deliveryRequested: shape(),
  deliveryCancelRequested: shape(),
  orderStatus: shape(),
  orderConfirmed: shape(),
  orderCompleted: shape(),
  orderFailed: shape(),
  orderCancelled: shape(),
  orderReturned: shape(),
  opsIncident: shape(),
}
const sinks: { readonly [N in OrderOutputName]: Topic<OrderOutputValues[N]> } = topics

/** Declares the orchestrator. Throws a `RangeError` for options that cannot be. */
export function orders(options: OrderOptions): Topology {
  const desk = orchestrator(rulesOf(options))
  const saga = processor({
    name: 'order-saga',
    input: shape<string, OrderMessage>(),
    stores: {
      orders: orderStore,
      events: orderEventStore,
      byState: ordersByStateStore,
      byUser: ordersByUserStore,
    },
    outputs,
    timers: { due: 'wall' },
    process: desk.process,
    onTimer: { due: desk.due },
  })
  return topology('orders', (t) => {
    const out = messages(t).process(saga, { onError: 'dead-letter' })
    for (const name of orderOutputs) send(out, name)
  })
}

function send<N extends OrderOutputName>(
  out: { readonly [Name in OrderOutputName]: Stream<string, OrderOutputValues[Name]> },
  name: N,
): void {
  const facts: Stream<string, OrderOutputValues[N]> = out[name]
  const topic: Topic<OrderOutputValues[N]> = sinks[name]
  facts.to(topic)
}

function rulesOf(options: OrderOptions): OrderRules {
  const patience = {
    timeoutMs: 30 * SECOND_MS,
    retry: { attempts: 5, backoffMs: SECOND_MS, maxBackoffMs: 30 * SECOND_MS },
  }
  const rules: OrderRules = {
    payByMs: 30 * MINUTE_MS,
    completeOn: 'started',
    keepMs: 400 * DAY_MS,
    patience,
    deliveryPatience: { timeoutMs: 7 * DAY_MS },
    ...options,
  }
  if (!/^[A-Z]{3}$/.test(rules.currency))
    throw new RangeError(`currency ${rules.currency} is no ISO 4217 code`)
  return Object.freeze(rules)
}

/** Everything that an order hears of, as one stream. */
function messages(t: TopologyBuilder): Stream<string, OrderMessage> {
  const from = <V>(topic: Topic<V>, kind: OrderMessage['kind']): Stream<string, OrderMessage> => {
    // What says nothing, or of no order, is a fault of whoever sent it.
    const source = t.stream(topic, { onNullKey: 'dead-letter', onNullValue: 'dead-letter' })
    return source.mapValues((value) => ({ kind, value }) as OrderMessage, { name: topic.name })
  }
  return from(topics.orderCreated, 'CREATED').merge(
    from(topics.stockReserveResult, 'STOCK'),
    from(topics.pointDeductResult, 'POINTS'),
    from(topics.couponUseResult, 'COUPON'),
    from(topics.restoreResult, 'RESTORE'),
    from(topics.paymentResult, 'PAYMENT'),
    from(topics.paymentRefundResult, 'REFUND'),
    from(topics.deliveryResult, 'DELIVERY'),
    from(topics.deliveryCancelResult, 'DELIVERY_CANCEL'),
    from(topics.orderCancelRequested, 'CANCEL'),
    from(topics.orderReturnRequested, 'RETURN'),
    from(topics.orderRepairRequested, 'REPAIR'),
  )
}
