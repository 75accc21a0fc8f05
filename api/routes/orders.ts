/**
 * Orders: the log takes one, the saga decides it later. `202` is PENDING, never more.
 *
 * Prices are the server's. What the door knows of stock, points and coupons may be a moment old, so it says no only to
 * an order that cannot have been sent before; of a repeat the first one counts, whatever is there now.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { OrderState } from '../../schemas/index.ts'
import { isStreamsError } from '../../streams/index.ts'
import { authorizeTopic } from '../access.ts'
import { type ApiContext, type App, EVERYONE, WRITERS } from '../context.ts'
import { ApiError } from '../errors.ts'
import { fromOwner } from '../from-owner.ts'
import { bodyHash, idFromKey } from '../ids.ts'
import { checkAdmission, showPositions } from '../log-writer.ts'
import { appendOrder } from '../order-append.ts'
import { adviseAgainst, itemsTotal, pricedLines, takingOrders, type WantedOrder } from '../order-terms.ts'
import type { OrderView } from '../order-ports.ts'
import { count, IdempotencyHeaders, Millis, OrderId, problems, UserId } from '../shapes.ts'
import { parseWait } from '../ticket.ts'
import { placedExample, wantedExample } from './examples.ts'
import { orderPath, OrderShape, showOrder, unknownOrder } from './order-shapes.ts'
import { Lines, ShipTo } from './user-shapes.ts'

const Wanted = Type.Object(
  {
    userId: UserId,
    items: Type.Optional(Lines),
    fromCart: Type.Optional(
      Type.Literal(true, { description: 'In place of `items`: what is in the cart, which is empty then.' }),
    ),
    userCouponId: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    pointsToUse: Type.Optional(count(0, { description: 'What the order does not need is given back.' })),
    expectedTotal: Type.Optional(
      count(0, { description: 'What the client takes all items to cost, before coupon and points.' }),
    ),
    shipTo: Type.Optional(ShipTo),
  },
  { additionalProperties: false, examples: [wantedExample] },
)
type Wanted = Static<typeof Wanted>

const Placed = Type.Object(
  { orderId: OrderId, status: Type.Literal('PENDING'), payBy: Millis },
  {
    description: 'The log has the order. Ask at Location what became of it.',
    examples: [placedExample],
    headers: { location: { type: 'string', description: 'Where to ask what became of it.' } },
  },
)
type Placed = Static<typeof Placed>

const Query = Type.Object(
  {
    wait: Type.Optional(
      Type.String({
        description:
          'How long to wait until the order waits for somebody or has ended: 500ms, 10s; at most 30s.',
        examples: ['10s'],
      }),
    ),
    after: Type.Optional(count(0, { description: 'Wait for any revision above this one instead.' })),
    bodyHash: Type.Optional(
      Type.String({
        maxLength: 64,
        description:
          'From the Location of a POST with Idempotency-Key: is this order the one that it asked for?',
      }),
    ),
  },
  { additionalProperties: false },
)

export function orderRoutes(app: App, context: ApiContext): void {
  app.post(
    '/v1/orders',
    {
      config: { access: WRITERS },
      schema: {
        tags: ['orders'],
        summary: 'Order',
        description: 'Takes Idempotency-Key: the same key gives the same orderId, and one order.',
        headers: IdempotencyHeaders,
        body: Wanted,
        response: {
          202: Placed,
          ...problems(
            'withToken',
            'withBody',
            'withAppend',
            'ORDERS_OFF',
            'TOTAL_DIFFERS',
            'ORDER_NOT_POSSIBLE',
            'IDEMPOTENCY_CONFLICT',
            'CART_EMPTY',
            'PERSONAL_DATA_OFF',
            'MASTER_KEY_MISSING',
            'ofOwner',
          ),
        },
      },
    },
    (request, reply) => {
      const { body, headers } = request
      checkSource(body)
      const here = () => place(context, request, reply, body, headers['idempotency-key'])
      // What is in a cart, its owner knows.
      return body.fromCart === undefined ? here() : fromOwner(context, request, reply, { here })
    },
  )
  app.get(
    '/v1/orders/:orderId',
    {
      config: { access: EVERYONE },
      schema: {
        tags: ['orders'],
        summary: 'Where an order is, what it costs, and what may be done with it',
        params: orderPath,
        querystring: Query,
        response: {
          200: OrderShape,
          ...problems('withToken', 'ORDERS_OFF', 'UNKNOWN_ORDER', 'IDEMPOTENCY_CONFLICT', 'ofOwner'),
        },
      },
    },
    (request, reply) => {
      takingOrders(context)
      const { params, query } = request
      return fromOwner(context, request, reply, {
        here: () => readOrder(context, request, reply, params.orderId, query),
      })
    },
  )
}

async function place(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  body: Wanted,
  key: string | undefined,
): Promise<Placed> {
  const { payByMs } = takingOrders(context)
  const topic = context.topics.orderCreated
  authorizeTopic(request.principal, topic.name)
  const { pointsToUse = 0, userCouponId = null, fromCart = false, shipTo } = body
  // Before anything is done for it: the cart may be another process's.
  const cart = fromCart ? (context.pipeline.cart(body.userId).value?.items ?? []) : undefined
  const orderId = key === undefined ? context.ids.next() : idFromKey(request.principal.name, key)
  // Whatever goes wrong from here on, the client gets the id to ask with.
  if (request.work !== undefined) request.work.members = { orderId }
  const asked = { userId: body.userId, items: body.items, userCouponId, pointsToUse }
  const hash = key === undefined ? null : wantedHash(asked)
  const before = hash === null ? undefined : earlier(context, orderId, hash)
  if (before !== undefined && before !== 'unknown') return placed(reply, { ...before, bodyHash: hash })
  checkAdmission(context, topic.name)
  const wanted = { ...asked, items: cart ?? body.items ?? [] }
  if (wanted.items.length === 0) throw cartEmpty(key)
  const items = pricedLines(context, wanted.items)
  const total = itemsTotal(items)
  checkTotal(body, total)
  // Of a repeat whose first is another process's, what is missing now may be what the first has.
  if (before === undefined) adviseAgainst(context, wanted, total)
  const { userId } = wanted
  const payBy = context.now() + payByMs
  const order = { orderId, userId, items, userCouponId, pointsToUse, currency: context.currency, payBy }
  await appendOrder(context, request, { ...order, bodyHash: hash }, { shipTo, fromCart })
  return placed(reply, { orderId, payBy, bodyHash: hash })
}

/** The hash goes with the place to ask: another process may have taken another body under the same key, and first. */
function placed(
  reply: FastifyReply,
  { orderId, payBy, bodyHash: hash }: Pick<OrderView, 'orderId' | 'payBy' | 'bodyHash'>,
): Placed {
  const query = hash === null ? '' : `?bodyHash=${hash}`
  reply.code(202).header('location', `/v1/orders/${orderId}${query}`)
  return { orderId, status: 'PENDING', payBy }
}

/** @throws ApiError `INVALID_REQUEST` unless the body says in one way what is wanted */
function checkSource({ items, fromCart }: Wanted): void {
  if ((items === undefined) !== (fromCart === undefined)) return
  const errors = [{ path: 'body.items', message: 'give items or fromCart, one of them' }]
  throw new ApiError('INVALID_REQUEST', 'See errors.', { errors })
}

/** A repeat may find the cart that the first one emptied. */
function cartEmpty(key: string | undefined): ApiError {
  const again = 'If this was sent before, ask with the orderId what became of it.'
  return new ApiError('CART_EMPTY', key === undefined ? 'Nothing was ordered.' : again)
}

/** As the client asked for it; without items where they are those of the cart. */
type Asked = Omit<WantedOrder, 'items'> & { readonly items: WantedOrder['items'] | undefined }

/** Of no address: what is sealed must not be guessed at by its hash. */
function wantedHash({ userId, items, userCouponId, pointsToUse }: Asked): string {
  const lines = items?.flatMap(({ productId, quantity: units }) => [productId, String(units)]) ?? ['cart']
  return bodyHash([userId, userCouponId ?? '', String(pointsToUse), ...lines])
}

/**
 * The order that this key made already; `unknown` where another process would know it.
 * @throws ApiError `IDEMPOTENCY_CONFLICT` where that one is another
 */
function earlier({ pipeline }: ApiContext, orderId: string, hash: string): OrderView | 'unknown' | undefined {
  let first: OrderView | undefined
  try {
    first = pipeline.order(orderId).value
  } catch (error) {
    if (isStreamsError(error, 'TASK_NOT_HERE')) return 'unknown'
    throw error
  }
  checkSameBody(first, hash)
  return first
}

/** @throws ApiError `IDEMPOTENCY_CONFLICT`: of two orders under one key the first in the log counts, and it is another */
function checkSameBody(first: OrderView | undefined, hash: string | undefined): void {
  if (!isOther(first, hash)) return
  throw new ApiError('IDEMPOTENCY_CONFLICT', 'The key was used for another order.')
}

function isOther(first: OrderView | undefined, hash: string | undefined): boolean {
  const known = first?.bodyHash ?? null
  return hash !== undefined && known !== null && known !== hash
}

function checkTotal({ expectedTotal }: Wanted, total: number): void {
  if (expectedTotal === undefined || expectedTotal === total) return
  throw new ApiError('TOTAL_DIFFERS', `The items cost ${total}. Nothing was ordered.`, {
    members: { total },
  })
}

/** Where it stays until somebody does something. */
const RESTING: ReadonlySet<OrderState> = new Set([
  'AWAITING_PAYMENT',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
  'NEEDS_ATTENTION',
])

async function readOrder(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  orderId: string,
  { wait, after, bodyHash: hash }: Static<typeof Query>,
): Promise<OrderShape> {
  const timeoutMs = wait === undefined ? 0 : parseWait(wait, context.limits, undefined)
  const { work } = request
  if (work !== undefined) work.waitMs = timeoutMs
  const enough = (order: OrderView | undefined): boolean => {
    if (order === undefined) return false
    if (isOther(order, hash)) return true
    return after === undefined ? RESTING.has(order.state) : order.revision > after
  }
  const { pipeline, gate } = context
  const until = (signal?: AbortSignal) => pipeline.orderUntil(orderId, enough, { timeoutMs, signal })
  if (timeoutMs > 0 && !enough(pipeline.order(orderId).value)) {
    await (work === undefined ? until() : gate.wait(work, timeoutMs, until))
  }
  const { value, positions } = pipeline.order(orderId)
  showPositions(reply, positions)
  reply.header('cache-control', 'no-store')
  if (value === undefined) throw unknownOrder()
  checkSameBody(value, hash)
  return showOrder(value)
}
