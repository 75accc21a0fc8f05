/**
 * Lists of orders, over the tasks that run here. Each task has its own part of a list; the parts are merged up to where
 * all of them are known.
 */
import {
  mergeStretches,
  type OrderList,
  type OrderListing,
  type OrderPlace,
  type OrderQuery,
  type OrderStretch,
} from '../../api/index.ts'
import { orderSummary } from '../../processors/index.ts'
import type { OrderState } from '../../schemas/index.ts'
import { isStreamsError, type Streams, TaskNotHere } from '../../streams/index.ts'
import { ordersByStateStore, ordersByUserStore, orderStore } from '../../topologies/index.ts'
import { runnerOf } from './queries.ts'

type Task = Streams['runners'][number]['tasks'][number]

/** Rows of a user's list that one call looks at in each task, whether they are wanted or not. */
const USER_LOOKS = 1_000

/** Whether an order that is in this state stays there. */
const ENDS: Readonly<Record<OrderState, boolean>> = {
  // Of a later program, as this one reads it.
  UNKNOWN: false,
  PENDING: false,
  STOCK_RESERVED: false,
  POINTS_DEDUCTED: false,
  COUPON_USED: false,
  AWAITING_PAYMENT: false,
  PAID: false,
  CONFIRMED: false,
  DELIVERY_REQUESTED: false,
  SHIPPED: false,
  COMPENSATING: false,
  CANCELLING: false,
  REFUNDING: false,
  NEEDS_ATTENTION: false,
  COMPLETED: true,
  CANCELLED: true,
  FAILED: true,
}
const STATES = Object.keys(ENDS) as OrderState[]

/** What one list of one task has, in the list's order. */
interface Part {
  readonly places: readonly OrderPlace[]
  /** The last place that was looked at; absent: there is nothing after these. */
  readonly end: OrderPlace | undefined
}

export async function listOrders(streams: Streams, query: OrderQuery): Promise<OrderList> {
  const { stores } = runnerOf(streams, 'orders')
  const partitions = stores.partitions(orderStore.name)
  const here: Task[] = []
  const elsewhere: { partition: number; address: string | undefined }[] = []
  for (let partition = 0; partition < partitions; partition++) {
    try {
      here.push(stores.of(orderStore.name, partition))
    } catch (error) {
      if (!isStreamsError(error, 'TASK_NOT_HERE')) throw error
      elsewhere.push({ partition, address: error instanceof TaskNotHere ? error.address : undefined })
    }
  }
  const parts = await Promise.all(here.map((task) => partsOfTask(task, query)))
  return { ...mergeStretches(parts.flat(), query), partitions, elsewhere }
}

async function partsOfTask(task: Task, query: OrderQuery): Promise<readonly OrderStretch<OrderListing>[]> {
  const parts = await partsOf(task, query)
  const rows = task.state.committedView(orderStore)
  return parts.map(({ places, end }) => ({ items: places.flatMap((place) => listed(place)), end }))

  function listed(place: OrderPlace): OrderListing[] {
    const row = rows.get(place.orderId)
    const order = row === undefined ? undefined : orderSummary(row)
    // It may have moved on since the list was read.
    const stands =
      order !== undefined && (query.userId === undefined ? order.since : order.createdAt) === place.at
    return stands && isWanted(order, query) ? [{ place, order }] : []
  }
}

async function partsOf(task: Task, query: OrderQuery): Promise<readonly Part[]> {
  const { state, userId, stuckSince } = query
  if (userId !== undefined) return [await userPart(task, userId, query)]
  const wanted = STATES.filter((one) => {
    return (state === undefined || state === one) && (stuckSince === undefined || !ENDS[one])
  })
  return Promise.all(wanted.map((one) => statePart(task, one, query)))
}

async function statePart(task: Task, state: OrderState, query: OrderQuery): Promise<Part> {
  const { after, stuckSince, limit } = query
  const rows = await task.state.committedView(ordersByStateStore).page({
    prefix: [state],
    limit: limit + 1,
    ...(stuckSince !== undefined && { to: [state, stuckSince + 1, ''] as [string, number, string] }),
    ...(after !== undefined && { after: [state, after.at, after.orderId] as [string, number, string] }),
  })
  return partOf(rows, limit)
}

async function userPart(task: Task, userId: string, { after }: OrderQuery): Promise<Part> {
  const rows = await task.state.committedView(ordersByUserStore).page({
    prefix: [userId],
    reverse: true,
    limit: USER_LOOKS + 1,
    ...(after !== undefined && { to: [userId, after.at, after.orderId] as [string, number, string] }),
  })
  return partOf(rows, USER_LOOKS)
}

function partOf(
  rows: readonly (readonly [readonly [string, number, string], unknown])[],
  most: number,
): Part {
  const places = rows.slice(0, most).map(([[, at, orderId]]): OrderPlace => ({ at, orderId }))
  return { places, end: rows.length > most ? places.at(-1) : undefined }
}

function isWanted({ state, since }: { state: OrderState; since: number }, query: OrderQuery): boolean {
  if (query.state !== undefined && state !== query.state) return false
  return query.stuckSince === undefined || (since <= query.stuckSince && !ENDS[state])
}
