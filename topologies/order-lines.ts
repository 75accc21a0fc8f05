/** Lines for the data platform: what is sold, cancelled and returned, one flat record per line, by orderId. */
import { lineReporter, type OrderFact } from '../processors/index.ts'
import {
  type OrderLine,
  type ReportedOrder,
  reportedOrderSchema,
  stateSerde,
  topics,
} from '../schemas/index.ts'
import { keyValueStore } from '../state/index.ts'
import { processor, shape, type Topology, topology } from '../streams/index.ts'

export const ORDER_LINES = 'order-lines'

/** Orders by orderId. */
export const reportedOrderStore = keyValueStore<ReportedOrder>({
  name: 'reported-orders',
  value: stateSerde(reportedOrderSchema),
  version: reportedOrderSchema.version,
})

/** @param keepMs how long an order is known after its sale, event time; `Infinity`: for ever */
export function orderLines(keepMs: number): Topology {
  const { process, forget } = lineReporter(keepMs)
  const reporter = processor({
    name: 'line-reporter',
    input: shape<string, OrderFact>(),
    stores: { orders: reportedOrderStore },
    outputs: { lines: shape<string, OrderLine>() },
    timers: { forget: 'stream' },
    process,
    onTimer: { forget },
  })
  return topology(ORDER_LINES, (t) => {
    const confirmed = t
      .stream(topics.orderConfirmed, { ...source, eventTime: (order) => order.confirmedAt })
      .mapValues((order): OrderFact => ({ kind: 'SALE', order }), { name: 'confirmed' })
    const cancelled = t
      .stream(topics.orderCancelled, { ...source, eventTime: (order) => order.at })
      .mapValues((order): OrderFact => ({ kind: 'CANCEL', order }), { name: 'cancelled' })
    const returned = t
      .stream(topics.orderReturned, { ...source, eventTime: (order) => order.at })
      .mapValues((order): OrderFact => ({ kind: 'RETURN', order }), { name: 'returned' })
    confirmed
      .merge(cancelled, returned)
      .process(reporter, { onError: 'dead-letter' })
      .lines.to(topics.dataplatformOrder)
  })
}

/** A fact that says nothing, or of no order, is a fault of whoever sent it. */
const source = { onNullKey: 'dead-letter', onNullValue: 'dead-letter' } as const
