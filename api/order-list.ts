/** Parts of a list of orders, made one. Pure. */
import type { OrderPlace, OrderQuery } from './order-ports.ts'

/** A stretch of the list, in its order. */
export interface OrderStretch<T extends { readonly place: OrderPlace }> {
  readonly items: readonly T[]
  /** Up to where it has everything; absent: to the end. */
  readonly end?: OrderPlace | undefined
}

/** Everything up to where all parts are known, and at most `limit` of it. */
export function mergeStretches<T extends { readonly place: OrderPlace }>(
  parts: readonly OrderStretch<T>[],
  { userId, limit }: Pick<OrderQuery, 'userId' | 'limit'>,
): OrderStretch<T> {
  const newestFirst = userId !== undefined
  const compare = (a: OrderPlace, b: OrderPlace): number => (newestFirst ? order(b, a) : order(a, b))
  const [end] = parts.flatMap((part) => (part.end === undefined ? [] : [part.end])).toSorted(compare)
  const known = parts
    .flatMap(({ items }) => items)
    .filter(({ place }) => end === undefined || compare(place, end) <= 0)
    .toSorted((a, b) => compare(a.place, b.place))
  const items = known.slice(0, limit)
  const last = known.length > limit ? items.at(-1)?.place : end
  return last === undefined ? { items } : { items, end: last }
}

function order(a: OrderPlace, b: OrderPlace): number {
  if (a.at !== b.at) return a.at - b.at
  return a.orderId < b.orderId ? -1 : Number(a.orderId > b.orderId)
}
