/**
 * Tells the data platform what was sold and what came back, one flat line each. The rules are those of the ranking's
 * deriver: a sale counts once, each cancel or return once, a return waits for its sale, and none takes back more than
 * was sold. So the lines of an order add up to what its buyer keeps.
 */
import type { HeldTime, OrderLine, RankingSalesDelta, ReportedOrder } from '../../schemas/index.ts'
import type { KeyValueStore, TimerHandle } from '../../state/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import { keyFault } from '../ids.ts'
import { type OrderFact, outcomeOf, reportFaults, soldAtOf } from '../ranking/derive-sales.ts'
import { initialSale, reversalId } from '../ranking/sale.ts'

/** What the reporter uses; `topologies/order-lines.ts` gives it. */
export interface LineContext {
  readonly stores: { readonly orders: KeyValueStore<string, ReportedOrder> }
  readonly emit: { readonly lines: (orderId: string, line: OrderLine, timestamp: number) => void }
  /** Forgets an order. */
  readonly timers: { readonly forget: TimerHandle }
  readonly streamTime: number
  deadLetter(reason: string, message: string): void
  dropped(reason: string): void
}

export interface LineReporter {
  readonly process: (record: StreamRecord<string, OrderFact>, context: LineContext) => void
  readonly forget: (orderId: string, context: LineContext) => void
}

const initialOrder: ReportedOrder = Object.freeze({
  userId: '',
  currency: '',
  sale: initialSale,
  heldTimes: [],
})

/**
 * @param keepMs how long an order is known after its sale, milliseconds of event time; `Infinity`: for ever. Older facts
 *   about an unknown order go to the dead letters as `TooOld`.
 */
export function lineReporter(keepMs: number): LineReporter {
  function process(
    { key: orderId, value: fact }: StreamRecord<string, OrderFact>,
    context: LineContext,
  ): void {
    const { stores, emit, timers } = context
    const wrongKey = keyFault(orderId, 'orderId', fact.order.orderId)
    if (wrongKey !== undefined) return context.deadLetter(wrongKey.reason, wrongKey.message)
    if (fact.kind === 'CANCEL' && fact.order.confirmedAt === null) return
    const known = stores.orders.get(orderId)
    const soldAt = soldAtOf(fact)
    if (known === undefined && soldAt + keepMs <= context.streamTime) {
      return context.deadLetter('TooOld', `of ${soldAt}, ${keepMs} ms or more before stream time`)
    }

    const before = known ?? initialOrder
    const { state: sale, deltas, faults } = outcomeOf(before.sale, fact)
    const isNew = sale !== before.sale
    if (isNew) stores.orders.put(orderId, orderAfter(before, fact, sale))
    for (const delta of deltas) {
      const line = lineOf(delta, before, fact)
      emit.lines(orderId, line, line.at)
    }
    if (faults.length > 0) reportFaults(faults, context)
    else if (!isNew) context.dropped(fact.kind === 'SALE' ? 'RepeatedSale' : 'RepeatedReturn')
    if (known === undefined && isNew && keepMs !== Number.POSITIVE_INFINITY) {
      timers.forget.schedule(orderId, soldAt + keepMs)
    }
  }

  return { process, forget }
}

/** The durable timer `forget` of an order: nothing about it is told any more. */
function forget(orderId: string, context: LineContext): void {
  const { orders } = context.stores
  if (orders.get(orderId)?.sale.confirmedAt === null) context.dropped('ReturnWithoutSale')
  orders.delete(orderId)
}

function orderAfter(before: ReportedOrder, fact: OrderFact, sale: ReportedOrder['sale']): ReportedOrder {
  if (fact.kind === 'SALE') {
    const { userId, currency } = fact.order
    return { userId, currency, sale, heldTimes: [] }
  }
  if (sale.confirmedAt !== null) return { ...before, sale }
  const reversal = reversalId({ kind: fact.kind, returnId: fact.order.returnId })
  const held: HeldTime = { reversal, at: fact.order.at }
  const isKnown = before.heldTimes.some((time) => time.reversal === reversal)
  return { ...before, sale, heldTimes: isKnown ? before.heldTimes : [...before.heldTimes, held] }
}

function lineOf(delta: RankingSalesDelta, before: ReportedOrder, fact: OrderFact): OrderLine {
  const { orderId, lineNo, kind, productId, categoryId, quantity, amount } = delta
  const { userId, currency } = fact.kind === 'SALE' ? fact.order : before
  return {
    orderId,
    lineNo,
    kind,
    returnId: kind === 'RETURN' ? delta.returnId : null,
    userId,
    productId,
    categoryId,
    quantity,
    unitPrice: amount / quantity,
    amount,
    currency,
    soldAt: delta.eventTime,
    at: timeOf(delta, before, fact),
  }
}

/** What waited for its sale has its own time. */
function timeOf(delta: RankingSalesDelta, { heldTimes }: ReportedOrder, fact: OrderFact): number {
  if (fact.kind !== 'SALE') return fact.order.at
  if (delta.kind === 'SALE') return fact.order.confirmedAt
  const id = reversalId(delta)
  return heldTimes.find(({ reversal }) => reversal === id)?.at ?? fact.order.confirmedAt
}
