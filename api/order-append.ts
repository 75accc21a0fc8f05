/**
 * Appends an order with all that must be in the log with it, as one: the key that its address is sealed with, where it
 * is the first of the user, and the cart that it empties. A crash leaves all of it or nothing.
 */
import type { FastifyRequest } from 'fastify'
import type { OrderCreated } from '../schemas/index.ts'
import type { ApiContext } from './context.ts'
import { recordOf } from './log-writer.ts'
import type { ShipTo } from './routes/user-shapes.ts'

export interface OrderExtras {
  readonly shipTo: ShipTo | undefined
  /** The cart is empty afterwards. */
  readonly fromCart: boolean
}

export async function appendOrder(
  context: ApiContext,
  request: FastifyRequest,
  order: Omit<OrderCreated, 'shipTo'>,
  { shipTo, fromCart }: OrderExtras,
): Promise<void> {
  const { pipeline, topics } = context
  const { orderId, userId } = order
  const record = (sealed: Buffer | null) =>
    recordOf(context, request, topics.orderCreated, { ...order, shipTo: sealed })
  const cart = fromCart ? [recordOf(context, request, topics.cartChanged, { userId, items: [] })] : []
  if (shipTo === undefined) {
    await pipeline.append([record(null), ...cart])
    return
  }
  await pipeline.sealed(userId, (seal, fresh) => {
    const sealed = seal({ kind: 'order.shipTo', orderId }, JSON.stringify(shipTo))
    const key = fresh === undefined ? [] : [recordOf(context, request, topics.privacyKey, fresh)]
    return pipeline.append([...key, record(sealed), ...cart])
  })
}
