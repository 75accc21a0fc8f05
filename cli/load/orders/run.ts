/**
 * Orders as customers make them, open loop: each begins when it is due, whatever became of those before, and then goes
 * the way of its kind. What came of it is asked later (`gather.ts`).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Reply, ShopClient } from '../client.ts'
import { codeOf, insist, mustDo } from '../insist.ts'
import { askForCoupon, type SeedProduct } from '../seeding.ts'
import { ENDED } from './facts.ts'
import type { PlannedOrder } from './plan.ts'

const TICK_MS = 1
const LOOK_MS = 50
const WAIT = '10s'
/** Nobody's: an order with an address is sent. */
const SHIP_TO = { name: 'A. Customer', phone: '000', zipcode: '00000', address: '1 Nowhere Street' }
/** Looks at an order that does not get where it should. */
const MOST_LOOKS = 10

export interface OrdersTarget {
  readonly client: ShopClient
  /** Begins the ids of orders, returns and requests. */
  readonly runId: string
  readonly currency: string
  readonly goods: ReadonlyMap<string, SeedProduct>
  readonly signal: AbortSignal
}

/** What the shop said to an order. */
export interface PlacedOrder {
  readonly planned: PlannedOrder
  /** Nothing: it was not taken. */
  readonly orderId?: string
  /** Why it was not taken: the code of what is wrong with it. */
  readonly refused?: string
}

/** Rejects when the shop is gone, refuses what it must not refuse, and when the signal fires. */
export async function runOrders(
  target: OrdersTarget,
  plan: readonly PlannedOrder[],
  onProgress: (done: number) => void,
): Promise<readonly PlacedOrder[]> {
  const { signal } = target
  const placed: PlacedOrder[] = []
  const running: Promise<void>[] = []
  const failures: unknown[] = []
  const startedAt = performance.now()
  for (let next = 0; next < plan.length && failures.length === 0; ) {
    signal.throwIfAborted()
    const elapsed = performance.now() - startedAt
    while (next < plan.length && (plan[next] as PlannedOrder).dueMs <= elapsed) start(next++)
    await sleep(TICK_MS)
  }
  await Promise.all(running)
  if (failures.length > 0) throw failures[0]
  return placed

  function start(index: number): void {
    const one = play(target, plan[index] as PlannedOrder, index).then(
      (order) => {
        placed.push(order)
        onProgress(placed.length)
      },
      (error: unknown) => void failures.push(error),
    )
    running.push(one)
  }
}

async function play(target: OrdersTarget, planned: PlannedOrder, index: number): Promise<PlacedOrder> {
  const name = `${target.runId}-${index}`
  const userCouponId =
    planned.coupon === undefined ? undefined : await couponFor(target, planned.coupon, name)
  const wanted = { planned, name, userCouponId }
  const order = await (planned.event === undefined
    ? place(target, wanted)
    : tell(target, wanted, planned.event.payMs))
  const { orderId } = order
  if (orderId === undefined) return order
  if (planned.cancel !== undefined) await callOff(target, orderId, planned.cancel)
  if (planned.returns) await giveBack(target, orderId, planned)
  return order
}

async function couponFor(
  { client, signal }: OrdersTarget,
  { couponId, userId }: { readonly couponId: string; readonly userId: string },
  requestId: string,
): Promise<string> {
  await askForCoupon(client, couponId, userId, requestId, signal)
  const path = `/v1/coupons/${encodeURIComponent(couponId)}/requests/${requestId}?wait=${WAIT}`
  const { body } = await mustDo('a verdict', () => client.wait(path), signal)
  return String(body['userCouponId'])
}

interface Wanted {
  readonly planned: PlannedOrder
  readonly name: string
  readonly userCouponId: string | undefined
}

async function place(
  { client, signal }: OrdersTarget,
  { planned, name, userCouponId }: Wanted,
): Promise<PlacedOrder> {
  const { userId, items, pointsToUse } = planned
  const coupon = userCouponId === undefined ? {} : { userCouponId }
  const body = { userId, items, pointsToUse, shipTo: SHIP_TO, ...coupon }
  const reply = await insist(() => client.post('/v1/orders', body, name), signal)
  if (reply.status === 202) return { planned, orderId: String(reply.body['orderId']) }
  // What the door knows already is no failure of the shop.
  if (reply.status === 422) return { planned, refused: reasonOf(reply) }
  throw new Error(`the shop refused order ${name}: ${reply.status} ${codeOf(reply)}`)
}

function reasonOf(reply: Reply): string {
  const [first] = (reply.body['errors'] ?? []) as readonly { readonly code?: string }[]
  return first?.code ?? codeOf(reply)
}

/** As a producer whose orders are made elsewhere: prices and the time to pay are its own. */
async function tell(
  { client, signal, currency, goods }: OrdersTarget,
  { planned, name, userCouponId }: Wanted,
  payMs: number,
): Promise<PlacedOrder> {
  const { userId, items, pointsToUse } = planned
  const lines = items.map(({ productId, quantity }, index) => {
    const { categoryId = null, price = 0 } = goods.get(productId) ?? {}
    return { lineNo: index + 1, productId, categoryId, quantity, unitPrice: price }
  })
  const order = {
    orderId: name,
    userId,
    items: lines,
    userCouponId: userCouponId ?? null,
    pointsToUse,
    currency,
  }
  const event = { ...order, payBy: Date.now() + payMs }
  await mustDo(`order ${name}`, () => client.post('/v1/events/order.created', event), signal)
  return { planned, orderId: name }
}

/** The order's state is another one by the time; then the shop says no, which is well. */
async function callOff(
  target: OrdersTarget,
  orderId: string,
  moment: NonNullable<PlannedOrder['cancel']>,
): Promise<void> {
  const states = {
    'at once': [],
    unpaid: ['AWAITING_PAYMENT'],
    unsent: ['DELIVERY_REQUESTED'],
    completed: [],
  }
  if (moment !== 'at once') await reached(target, orderId, states[moment])
  const { client, signal } = target
  const path = `/v1/orders/${encodeURIComponent(orderId)}/cancel`
  for (let looks = 0; looks < MOST_LOOKS; looks++) {
    const reply = await insist(() => client.post(path, { reason: 'load' }), signal)
    if (reply.status === 202 || reply.status === 409) return
    // The log has the order, and no task has it yet.
    if (reply.status !== 404)
      throw new Error(`the shop refused to call off ${orderId}: ${reply.status} ${codeOf(reply)}`)
    await sleep(LOOK_MS, undefined, { signal })
  }
}

/** First a unit of the first line, then what is left of it and all the rest. */
async function giveBack(target: OrdersTarget, orderId: string, { items }: PlannedOrder): Promise<void> {
  if ((await reached(target, orderId, [])) !== 'COMPLETED') return
  const rest = items
    .map(({ quantity }, index) => ({ lineNo: index + 1, quantity: index === 0 ? quantity - 1 : quantity }))
    .filter(({ quantity }) => quantity > 0)
  const path = `/v1/orders/${encodeURIComponent(orderId)}/returns`
  const { client, signal } = target
  for (const lines of [[{ lineNo: 1, quantity: 1 }], rest]) {
    if (lines.length === 0) return
    const returnId = `${orderId}-${lines === rest ? 'rest' : 'one'}`
    await mustDo(
      `return ${returnId}`,
      () => client.post(path, { returnId, items: lines, reason: 'load' }),
      signal,
    )
  }
}

/** The state of the order once it is one of these or has ended, or what it is after a while. */
async function reached(
  { client, signal }: OrdersTarget,
  orderId: string,
  states: readonly string[],
): Promise<string | undefined> {
  const path = `/v1/orders/${encodeURIComponent(orderId)}`
  let state: string | undefined
  let revision: number | undefined
  for (let looks = 0; looks < MOST_LOOKS; looks++) {
    const after = revision === undefined ? '' : `&after=${revision}`
    const { body } = await insist(() => client.wait(`${path}?wait=${WAIT}${after}`), signal)
    if (typeof body['state'] === 'string') state = body['state']
    if (typeof body['revision'] === 'number') revision = body['revision']
    if (state !== undefined && (states.includes(state) || ENDED.has(state))) return state
  }
  return state
}
