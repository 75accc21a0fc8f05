/**
 * Where an order stands in the lists of orders: in that of its state, the longest in it first, and in that of its user. A
 * row of a list has nothing but its place, so a change of state costs two small rows and not the whole order again.
 */
import type { ListedOrder } from '../../schemas/index.ts'
import type { KeyValueStore } from '../../state/index.ts'
import type { OrderBook } from './order-row.ts'
import { orderStateOf } from './order-state.ts'

export interface OrderLists {
  /** By (state, when it came into it, orderId). */
  readonly byState: KeyValueStore<[state: string, since: number, orderId: string], ListedOrder>
  /** By (userId, when it began, orderId). */
  readonly byUser: KeyValueStore<[userId: string, createdAt: number, orderId: string], ListedOrder>
}

/** The book with the times that the lists go by. */
export function timed(before: OrderBook, after: OrderBook, now: number): OrderBook {
  if (after.order === null) return after
  const state = before.order === null ? undefined : orderStateOf(before.order)
  const stays = before.since > 0 && state === orderStateOf(after.order)
  const createdAt = before.createdAt || now
  return { ...after, createdAt, since: stays ? before.since : now }
}

/** Moves the order from where it stood to where it belongs. */
export function listOrder({ byState, byUser }: OrderLists, before: OrderBook, after: OrderBook): void {
  const [from, to] = [placesOf(before), placesOf(after)]
  if (!isSame(from?.state, to?.state)) {
    if (from !== undefined) byState.delete(from.state)
    if (to !== undefined) byState.put(to.state, to.row)
  }
  if (isSame(from?.user, to?.user)) return
  if (from !== undefined) byUser.delete(from.user)
  if (to !== undefined) byUser.put(to.user, to.row)
}

type Place = readonly (string | number)[] | undefined

function isSame(one: Place, other: Place): boolean {
  if (one === undefined || other === undefined) return one === other
  return one.every((part, index) => part === other[index])
}

interface Places {
  readonly state: [string, number, string]
  readonly user: [string, number, string]
  readonly row: ListedOrder
}

/** None for a row that was stored before there were lists. */
function placesOf({ order, since, createdAt }: OrderBook): Places | undefined {
  if (order === null || since === 0) return undefined
  const { orderId, userId } = order.data
  return {
    state: [orderStateOf(order), since, orderId],
    user: [userId, createdAt, orderId],
    row: { userId },
  }
}
