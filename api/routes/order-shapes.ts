/** JSON shapes of orders. */
import { type Static, Type } from 'typebox'
import type { ApiContext } from '../context.ts'
import { ApiError } from '../errors.ts'
import type { OrderView } from '../order-ports.ts'
import { count, ID_PATTERN, Millis, OrderId, ProductId, UserId } from '../shapes.ts'
import { orderExample } from './examples.ts'

export const orderPath = Type.Object({ orderId: OrderId })

/** A line of an order; as many units as a number counts exactly, in money too. */
export const quantity = Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1 })
export const lineNo = Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1 })
export const ReturnId = Type.String({ pattern: ID_PATTERN, description: 'Unique within its order.' })

const states = [
  'PENDING',
  'STOCK_RESERVED',
  'POINTS_DEDUCTED',
  'COUPON_USED',
  'AWAITING_PAYMENT',
  'PAID',
  'CONFIRMED',
  'DELIVERY_REQUESTED',
  'SHIPPED',
  'COMPLETED',
  'COMPENSATING',
  'CANCELLING',
  'REFUNDING',
  'CANCELLED',
  'FAILED',
  'NEEDS_ATTENTION',
  'UNKNOWN',
] as const
export const State = Type.Enum(states)

export const ReturnState = Type.Enum(['NONE', 'PARTIAL', 'FULL', 'UNKNOWN'])

const Line = Type.Object({
  lineNo,
  productId: ProductId,
  categoryId: Type.Optional(Type.String()),
  quantity,
  unitPrice: count(0),
})
const Return = Type.Object({
  returnId: ReturnId,
  status: Type.Enum(['RUNNING', 'DONE', 'NEEDS_ATTENTION']),
  items: Type.Array(Type.Object({ lineNo, quantity })),
  refundAmount: count(0, { description: 'Minor units.' }),
})

export const OrderShape = Type.Object(
  {
    orderId: OrderId,
    userId: UserId,
    state: State,
    returnState: ReturnState,
    step: Type.Optional(Type.String({ description: 'What it is at; absent between steps.' })),
    attempt: Type.Optional(count(1, { description: 'Of that step.' })),
    revision: count(0, { description: 'Grows with every change.' }),
    createdAt: Type.Optional(Millis),
    since: Type.Optional(Type.Integer({ description: 'When it came into its state, epoch milliseconds.' })),
    note: Type.Optional(Type.String({ description: 'For people: why it waits, or went back.' })),
    items: Type.Array(Line),
    amounts: Type.Object(
      { items: count(0), discount: count(0), points: count(0), final: count(0) },
      { description: 'Minor units: items − discount − points = final.' },
    ),
    currency: Type.String(),
    payBy: Millis,
    userCouponId: Type.Optional(Type.String()),
    paymentKey: Type.Optional(Type.String()),
    confirmedAt: Type.Optional(Millis),
    returns: Type.Array(Return),
    actions: Type.Array(Type.Enum(['pay', 'cancel', 'return']), {
      description: 'What a customer may do now.',
    }),
  },
  { description: 'The order.', examples: [orderExample] },
)
export type OrderShape = Static<typeof OrderShape>

export function showOrder(order: OrderView): OrderShape {
  const { orderId, userId, state, returnState, step, attempt, revision, createdAt, since, note, items } =
    order
  const { amounts, currency, payBy, userCouponId, paymentKey, confirmedAt, returns, actions } = order
  return {
    orderId,
    userId,
    state,
    returnState,
    ...(step !== '' && { step }),
    ...(attempt > 0 && { attempt }),
    revision,
    ...(createdAt > 0 && { createdAt, since }),
    ...(note !== null && { note }),
    items: items.map(({ categoryId, ...line }) => (categoryId === null ? line : { ...line, categoryId })),
    amounts,
    currency,
    payBy,
    ...(userCouponId !== null && { userCouponId }),
    ...(paymentKey !== null && { paymentKey }),
    ...(confirmedAt !== null && { confirmedAt }),
    returns: returns.map((one) => ({ ...one, items: one.items.map((line) => ({ ...line })) })),
    actions: [...actions],
  }
}

/** @throws ApiError `UNKNOWN_ORDER`; `TASK_NOT_HERE` where another process has it */
export function knownOrder({ pipeline }: ApiContext, orderId: string): OrderView {
  const { value } = pipeline.order(orderId)
  if (value === undefined) throw unknownOrder()
  return value
}

export function unknownOrder(): ApiError {
  return new ApiError('UNKNOWN_ORDER', 'No order has this orderId, or it is no longer known.')
}
