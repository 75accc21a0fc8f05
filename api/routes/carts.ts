/** A user's cart: what the client last said it is. Nothing is promised about prices or stock before it is ordered. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { CartItem } from '../../schemas/index.ts'
import { authorizeTopic } from '../access.ts'
import { type ApiContext, type App, EVERYONE, WRITERS } from '../context.ts'
import { ApiError } from '../errors.ts'
import { fromOwner } from '../from-owner.ts'
import { appendOne, applied, checkAdmission, recordOf, showPositions, whileHere } from '../log-writer.ts'
import { takingOrders } from '../order-terms.ts'
import { problems, UserId } from '../shapes.ts'
import { CartBody, CartShape } from './user-shapes.ts'

const path = Type.Object({ userId: UserId })
const written = problems('withToken', 'withBody', 'withAppend', 'ofOwner', 'ORDERS_OFF', 'COMMAND_PENDING')

export function cartRoutes(app: App, context: ApiContext): void {
  app.get(
    '/v1/users/:userId/cart',
    {
      config: { access: EVERYONE },
      schema: {
        tags: ['users'],
        summary: "A user's cart",
        params: path,
        response: { 200: CartShape, ...problems('withToken', 'ofOwner', 'ORDERS_OFF') },
      },
    },
    (request, reply) => {
      takingOrders(context)
      const { userId } = request.params
      return fromOwner(context, request, reply, { here: () => readCart(context, reply, userId) })
    },
  )
  app.put(
    '/v1/users/:userId/cart',
    {
      config: { access: WRITERS },
      schema: {
        tags: ['users'],
        summary: 'Say what is in a cart; answers once queries see it',
        params: path,
        body: CartBody,
        response: { 200: CartShape, ...written },
      },
    },
    (request, reply) => putCart(context, request, reply, request.params.userId, request.body),
  )
  app.delete(
    '/v1/users/:userId/cart',
    {
      config: { access: WRITERS },
      schema: {
        tags: ['users'],
        summary: 'Empty a cart',
        params: path,
        response: { 200: CartShape, ...written },
      },
    },
    (request, reply) => putCart(context, request, reply, request.params.userId, { items: [] }),
  )
}

function readCart({ pipeline }: ApiContext, reply: FastifyReply, userId: string): CartShape {
  const { value, positions } = pipeline.cart(userId)
  showPositions(reply, positions)
  reply.header('cache-control', 'no-store')
  const items = (value?.items ?? []).map(({ productId, quantity }) => ({ productId, quantity }))
  return { userId, items }
}

function putCart(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  userId: string,
  { items }: Static<typeof CartBody>,
): Promise<CartShape | undefined> {
  takingOrders(context)
  authorizeTopic(request.principal, context.topics.cartChanged.name)
  checkLines(items)
  return fromOwner(context, request, reply, {
    here: () => change(context, request, reply, { userId, items }),
  })
}

/** Throws `TASK_NOT_HERE` before it appends: whoever has the cart does the whole of it. */
async function change(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  cart: CartShape,
): Promise<CartShape> {
  const { pipeline, topics, limits } = context
  if (request.work !== undefined) request.work.waitMs = limits.commandWaitMs
  pipeline.cart(cart.userId)
  checkAdmission(context, topics.cartChanged.name)
  const record = await appendOne(context, recordOf(context, request, topics.cartChanged, cart))
  await applied(context, request, record)
  return whileHere(record, () => readCart(context, reply, cart.userId))
}

function checkLines(items: readonly CartItem[]): void {
  const seen = new Set<string>()
  const errors = items.flatMap(({ productId }, index) => {
    if (!seen.has(productId)) {
      seen.add(productId)
      return []
    }
    return [{ path: `body.items.${index}.productId`, message: 'is in the cart already' }]
  })
  if (errors.length > 0) throw new ApiError('INVALID_REQUEST', 'See errors.', { errors })
}
