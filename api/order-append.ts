/**
 * Appends an order with what belongs to it, one after the other: first the key that its address is sealed with, where it
 * is the first of the user; then the order; then the cart that it empties.
 *
 * | a crash after | leaves |
 * | --- | --- |
 * | the key | a key that has sealed nothing yet |
 * | the order | a cart that still has what was ordered |
 */
import type { FastifyRequest } from 'fastify'
import type { OrderCreated } from '../schemas/index.ts'
import type { ApiContext } from './context.ts'
import { appendInOrder, recordOf } from './log-writer.ts'
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
    await appendInOrder(context, [record(null), ...cart])
    return
  }
  await pipeline.sealed(userId, (seal, fresh) => {
    const sealed = seal({ kind: 'order.shipTo', orderId }, JSON.stringify(shipTo))
    const rest = [record(sealed), ...cart] as const
    if (fresh === undefined) return appendInOrder(context, rest)
    return appendInOrder(context, [recordOf(context, request, topics.privacyKey, fresh), ...rest])
  })
}
