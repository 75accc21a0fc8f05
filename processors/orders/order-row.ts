/** All that is known of an orderId, as the saga kit sees it and as it is stored. Pure. */
import type { GiveBackData, OpenIncident, OrderRow } from '../../schemas/index.ts'
import { isEnded, type SagaProgress } from '../../streams/kit/index.ts'
import type { OrderProgress } from './order-state.ts'

/** The row with the kit's own types: what is stored has text where the kit has a union of words. */
export interface OrderBook {
  readonly order: OrderProgress | null
  readonly givenBack: readonly SagaProgress<GiveBackData>[]
  readonly incidents: readonly OpenIncident[]
  readonly revision: number
  /** When the order began, epoch milliseconds; 0 = not known. */
  readonly createdAt: number
  /** When it came into its state, epoch milliseconds; 0 = not known. */
  readonly since: number
  /** How many events its timeline has. */
  readonly events: number
}

export const emptyBook: OrderBook = Object.freeze({
  order: null,
  givenBack: [],
  incidents: [],
  revision: 0,
  createdAt: 0,
  since: 0,
  events: 0,
})

export function bookOf(row: OrderRow | undefined): OrderBook {
  return row === undefined ? emptyBook : (row as OrderBook)
}

/** Returns, whatever became of them. */
export function returnsOf({ givenBack }: OrderBook): GiveBackData[] {
  return givenBack.map(({ data }) => data).filter(({ kind }) => kind === 'RETURN')
}

/** Returns that are settled. */
export function settledReturns({ givenBack }: OrderBook): GiveBackData[] {
  return givenBack
    .filter(({ data, phase }) => data.kind === 'RETURN' && phase === 'DONE')
    .map(({ data }) => data)
}

/** What may be found about an order: labels of the metric, explained in `docs/order-saga.md`. */
export const orderIncidents = [
  'ORDER_NEEDS_ATTENTION',
  'ORDER_STRAY_PAYMENT',
  'ORDER_DELIVERY_FAILED',
] as const

export type OrderIncident = (typeof orderIncidents)[number]

export interface WantedIncident {
  readonly invariant: OrderIncident
  readonly subject: string
  readonly detail: string
}

/** The incidents that should be open now: nothing of an order is ever silently stuck. */
export function wantedIncidents(orderId: string, { order, givenBack }: OrderBook): WantedIncident[] {
  const wanted: WantedIncident[] = []
  if (order?.phase === 'NEEDS_ATTENTION') wanted.push(attention(orderId, order))
  if (order?.phase === 'DONE' && order.data.deliveryFailed) {
    const detail = 'the courier gave up after the order was completed'
    wanted.push({ invariant: 'ORDER_DELIVERY_FAILED', subject: orderId, detail })
  }
  for (const saga of givenBack) {
    const subject = `${orderId}/${saga.data.id}`
    if (saga.phase === 'NEEDS_ATTENTION') wanted.push(attention(subject, saga))
    if (saga.data.kind === 'STRAY' && !isEnded(saga)) {
      wanted.push({ invariant: 'ORDER_STRAY_PAYMENT', subject, detail: `${saga.data.reason}, refunded` })
    }
  }
  return wanted
}

function attention(subject: string, { trouble }: Pick<OrderProgress, 'trouble'>): WantedIncident {
  const { kind = '', step = '', reason = '' } = trouble ?? {}
  return { invariant: 'ORDER_NEEDS_ATTENTION', subject, detail: `${kind} ${step} ${reason}`.trim() }
}
