/**
 * The deriver: turns what happens to orders into what it adds to each product's sums. One task has all facts of an
 * order. They come by event time, and a return may be read before its sale: it waits in the order's state.
 */
import type {
  HeldReversal,
  OrderCancelled,
  OrderConfirmed,
  OrderReturned,
  RankingSalesDelta,
  SaleState,
} from '../../schemas/index.ts'
import type { KeyValueStore, TimerHandle } from '../../state/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import { idFault, keyFault } from '../ids.ts'
import { confirm, initialSale, type Outcome, reversalOf, reverse, type SaleFault } from './sale.ts'

/** Something that happened to an order. */
export type OrderFact =
  | { readonly kind: 'SALE'; readonly order: OrderConfirmed }
  | { readonly kind: 'CANCEL'; readonly order: OrderCancelled }
  | { readonly kind: 'RETURN'; readonly order: OrderReturned }

/** What the deriver uses; `topologies/best-sellers.ts` gives it. */
export interface DeriveContext {
  readonly stores: { readonly sales: KeyValueStore<string, SaleState> }
  readonly emit: {
    readonly deltas: (productId: string, delta: RankingSalesDelta, timestamp: number) => void
  }
  /** Forgets an order. */
  readonly timers: { readonly forget: TimerHandle }
  readonly streamTime: number
  deadLetter(reason: string, message: string): void
  dropped(reason: string): void
}

export interface Deriver {
  readonly process: (record: StreamRecord<string, OrderFact>, context: DeriveContext) => void
  readonly forget: (orderId: string, context: DeriveContext) => void
}

/**
 * @param keepMs how long an order is known after its sale, milliseconds of event time; `Infinity`: for ever. Older facts
 *   about an unknown order go to the dead letters as `TooOld`, since nobody knows any more whether they were counted.
 */
export function salesDeriver(keepMs: number): Deriver {
  function process(
    { key: orderId, value: fact }: StreamRecord<string, OrderFact>,
    context: DeriveContext,
  ): void {
    const { stores, emit, timers } = context
    const wrongKey = keyFault(orderId, 'orderId', fact.order.orderId)
    if (wrongKey !== undefined) return context.deadLetter(wrongKey.reason, wrongKey.message)
    if (fact.kind === 'CANCEL' && fact.order.confirmedAt === null) return
    const known = stores.sales.get(orderId)
    const soldAt = soldAtOf(fact)
    if (known === undefined && soldAt + keepMs <= context.streamTime) {
      return context.deadLetter('TooOld', `of ${soldAt}, ${keepMs} ms or more before stream time`)
    }

    const before = known ?? initialSale
    const { state, deltas, faults } = outcomeOf(before, fact)
    if (state !== before) stores.sales.put(orderId, state)
    for (const delta of deltas) emit.deltas(delta.productId, delta, delta.eventTime)
    if (faults.length > 0) reportFaults(faults, context)
    else if (state === before) context.dropped(fact.kind === 'SALE' ? 'RepeatedSale' : 'RepeatedReturn')
    if (known === undefined && state !== before && keepMs !== Number.POSITIVE_INFINITY) {
      timers.forget.schedule(orderId, soldAt + keepMs)
    }
  }

  return { process, forget }
}

/** The durable timer `forget` of an order: nothing about it is counted any more. */
function forget(orderId: string, context: DeriveContext): void {
  const { sales } = context.stores
  if (sales.get(orderId)?.confirmedAt === null) context.dropped('ReturnWithoutSale')
  sales.delete(orderId)
}

/** The sale's event time, as far as the fact knows it. */
export function soldAtOf(fact: OrderFact): number {
  return fact.kind === 'SALE' ? fact.order.confirmedAt : (fact.order.confirmedAt ?? fact.order.at)
}

export function outcomeOf(state: SaleState, fact: OrderFact): Outcome {
  if (fact.kind === 'SALE') return confirm(state, fact.order)
  const { orderId, returnId, items } = fact.order
  const kind: HeldReversal['kind'] = fact.kind
  const nameless = kind === 'RETURN' && returnId !== null ? idFault('returnId', returnId) : undefined
  if (nameless !== undefined) {
    return { state, deltas: [], faults: [{ reason: 'InvalidId', message: nameless.message }] }
  }
  const { reversal, faults } = reversalOf(kind, returnId, items)
  const outcome = reverse(state, orderId, reversal)
  return { ...outcome, faults: [...faults, ...outcome.faults] }
}

/** One dead letter per record: the first fault is its reason, all of them its message. */
export function reportFaults(faults: readonly SaleFault[], context: Pick<DeriveContext, 'deadLetter'>): void {
  const [{ reason }] = faults as readonly [SaleFault]
  context.deadLetter(reason, faults.map((fault) => fault.message).join('; '))
}
