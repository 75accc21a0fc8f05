/**
 * Lists of orders. Orders are spread over the processes of a deployment: each answers for what it has, the one that was
 * asked puts it together, and says which partitions nobody answered for. A list is never shorter without a word.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { type ApiContext, type App, READERS } from '../context.ts'
import { mergeStretches, type OrderStretch } from '../order-list.ts'
import type { OrderList, OrderListing, OrderPlace, OrderQuery } from '../order-ports.ts'
import { takingOrders } from '../order-terms.ts'
import { count, Millis, OrderId, problems, UserId } from '../shapes.ts'
import { orderListExample } from './examples.ts'
import { ReturnState, State } from './order-shapes.ts'

const OK = 200

const Listed = Type.Object({
  orderId: OrderId,
  userId: UserId,
  state: State,
  since: Type.Integer({ description: 'When it came into its state, epoch milliseconds.' }),
  createdAt: Millis,
  returnState: ReturnState,
  step: Type.Optional(Type.String()),
  attempt: Type.Optional(count(1)),
  revision: count(0),
  note: Type.Optional(Type.String()),
  currency: Type.String(),
  final: count(0, { description: 'What it costs, minor units.' }),
})
type Listed = Static<typeof Listed>

const List = Type.Object(
  {
    items: Type.Array(Listed),
    cursor: Type.Optional(Type.String({ description: 'Of the next page; absent on the last.' })),
    partitions: Type.Object({
      count: count(1, { description: 'Over how many the orders are spread.' }),
      missing: Type.Array(Type.Integer(), {
        description: 'Those that nobody answered for: their orders are not among the items. Ask again.',
      }),
    }),
  },
  { description: 'One page of the list.', examples: [orderListExample] },
)
type List = Static<typeof List>

export function orderListRoutes(app: App, context: ApiContext): void {
  const { defaultPageItems, maxPageItems } = context.limits
  const Query = Type.Object(
    {
      state: Type.Optional(State),
      userId: Type.Optional(UserId),
      stuckForMs: Type.Optional(
        count(0, { description: 'Only orders that have not ended and are in their state for so long.' }),
      ),
      limit: Type.Optional(
        Type.Integer({ minimum: 1, maximum: maxPageItems, description: `Default ${defaultPageItems}.` }),
      ),
      cursor: Type.Optional(Type.String({ description: 'From the page before.' })),
    },
    { additionalProperties: false },
  )
  app.get(
    '/v1/orders',
    {
      config: { access: READERS },
      schema: {
        tags: ['orders'],
        summary: 'Orders: of a user the newest first, else the longest in their state first',
        querystring: Query,
        response: {
          200: List,
          ...problems('withToken', 'ORDERS_OFF', 'INVALID_CURSOR', 'STORE_UNAVAILABLE'),
        },
      },
    },
    (request, reply) => list(context, request, reply, request.query),
  )
}

interface Asked {
  readonly state?: Static<typeof State>
  readonly userId?: string
  readonly stuckForMs?: number
  readonly limit?: number
  readonly cursor?: string
}

async function list(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { state, userId, stuckForMs, limit = context.limits.defaultPageItems, cursor }: Asked,
): Promise<List> {
  takingOrders(context)
  const name = ['orders', state ?? '', userId ?? '', String(stuckForMs ?? '')]
  const after = cursor === undefined ? undefined : openPlace(context, name, cursor)
  const stuckSince = stuckForMs === undefined ? undefined : context.now() - stuckForMs
  const query: OrderQuery = { state, userId, stuckSince, limit, after }
  const { partitions: total, elsewhere, ...here } = await context.pipeline.orderList(query)
  const own = { items: here.items.map(showListing), end: here.end }
  const others = await askOthers(context, request, elsewhere, { name, query })
  const { items, end } = mergeStretches([own, ...others.parts], query)
  reply.header('cache-control', 'no-store')
  return {
    items: items.map(({ shown }) => shown),
    ...(end !== undefined && { cursor: context.cursors.seal(name, JSON.stringify([end.at, end.orderId])) }),
    partitions: { count: total, missing: others.missing },
  }
}

interface Item {
  readonly place: OrderPlace
  readonly shown: Listed
}

/** What the other processes have of the list, and the partitions that are in no answer. */
async function askOthers(
  context: ApiContext,
  request: FastifyRequest,
  elsewhere: OrderList['elsewhere'],
  { name, query }: { readonly name: readonly string[]; readonly query: OrderQuery },
): Promise<{ readonly parts: readonly OrderStretch<Item>[]; readonly missing: number[] }> {
  const { peers, limits } = context
  const mayPass = peers.mayPass(request)
  const addresses = new Set(
    elsewhere.flatMap(({ address }) => (mayPass && address !== undefined ? [address] : [])),
  )
  const answers = await peers.askAll(request, [...addresses], limits.peerAnswerMs)
  const lists = new Map<string, List>()
  for (const [address, { status, body }] of answers) {
    if (status === OK) lists.set(address, JSON.parse(body.toString('utf8')) as List)
  }
  const missing = elsewhere.flatMap(({ partition, address = '' }) => {
    const { partitions } = lists.get(address) ?? {}
    return partitions === undefined || partitions.missing.includes(partition) ? [partition] : []
  })
  const parts = [...lists.values()].map(({ items, cursor }) => ({
    items: items.map((shown) => ({ place: placeOf(shown, query), shown })),
    end: cursor === undefined ? undefined : openPlace(context, name, cursor),
  }))
  return { parts, missing }
}

function placeOf({ orderId, since, createdAt }: Listed, { userId }: OrderQuery): OrderPlace {
  return { at: userId === undefined ? since : createdAt, orderId }
}

function openPlace({ cursors }: ApiContext, name: readonly string[], cursor: string): OrderPlace {
  const [at, orderId] = JSON.parse(cursors.open(name, cursor)) as [at: number, orderId: string]
  return { at, orderId }
}

function showListing({ place, order }: OrderListing): Item {
  const { orderId, userId, state, since, createdAt, returnState, step, attempt, revision, note, currency } =
    order
  const shown = {
    orderId,
    userId,
    state,
    since,
    createdAt,
    returnState,
    ...(step !== '' && { step }),
    ...(attempt > 0 && { attempt }),
    revision,
    ...(note !== null && { note }),
    currency,
    final: order.amounts.final,
  }
  return { place, shown }
}
