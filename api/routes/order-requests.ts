/** What is asked of an order: that it is paid, called off, or that goods come back. The saga decides; `202` is ACCEPTED. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { audit } from '../audit.ts'
import type { AppendRecord } from '../../streams/index.ts'
import { type ApiContext, type App, SERVICES } from '../context.ts'
import { ApiError } from '../errors.ts'
import { fromOwner } from '../from-owner.ts'
import { idFromKey } from '../ids.ts'
import { actedBy, appendOne, checkAdmission, recordOf } from '../log-writer.ts'
import { takingOrders } from '../order-terms.ts'
import type { OrderAction, OrderView } from '../order-ports.ts'
import { count, IdempotencyHeaders, OrderId, problems } from '../shapes.ts'
import { returnAcceptedExample } from './examples.ts'
import { knownOrder, lineNo, orderPath, quantity, ReturnId, State } from './order-shapes.ts'

const reason = Type.Optional(Type.String({ maxLength: 500, description: 'For people; no personal data.' }))
const Paid = Type.Object(
  {
    paymentKey: Type.String({
      minLength: 1,
      maxLength: 200,
      description: "The payment's name at the provider.",
    }),
    amount: count(0, { description: 'Minor units.' }),
    status: Type.Optional(Type.Enum(['SUCCESS', 'FAILED'], { description: 'SUCCESS unless told.' })),
    failureCode: Type.Optional(Type.String({ maxLength: 200 })),
  },
  { additionalProperties: false, examples: [{ paymentKey: 'pay-1', amount: 4_90 }] },
)
const CalledOff = Type.Object({ reason }, { additionalProperties: false, examples: [{ reason: 'too late' }] })
const Back = Type.Object(
  {
    returnId: Type.Optional(ReturnId),
    items: Type.Array(Type.Object({ lineNo, quantity }, { additionalProperties: false }), {
      minItems: 1,
      maxItems: 200,
    }),
    reason,
  },
  { additionalProperties: false, examples: [{ items: [{ lineNo: 1, quantity: 1 }] }] },
)
const Accepted = Type.Object(
  {
    orderId: OrderId,
    status: Type.Literal('ACCEPTED'),
    state: State,
    returnId: Type.Optional(ReturnId),
  },
  {
    description: 'The log has it; the state is the one before it.',
    examples: [returnAcceptedExample],
    headers: { location: { type: 'string', description: 'Where to ask what became of it.' } },
  },
)
type Accepted = Static<typeof Accepted>

const PROBLEMS = problems(
  'withToken',
  'withBody',
  'withAppend',
  'ofOwner',
  'ORDERS_OFF',
  'UNKNOWN_ORDER',
  'NOT_IN_THIS_STATE',
)

export function orderRequestRoutes(app: App, context: ApiContext): void {
  app.post(
    '/v1/orders/:orderId/payments',
    {
      config: { access: SERVICES },
      schema: {
        tags: ['orders'],
        summary: 'What a payment provider says of an order that waits for its payment',
        params: orderPath,
        body: Paid,
        response: { 202: Accepted, ...PROBLEMS },
      },
    },
    (request, reply) =>
      onOrder(context, request, reply, (order) => pay(context, request, order, request.body)),
  )
  app.post(
    '/v1/orders/:orderId/cancel',
    {
      config: { access: SERVICES },
      schema: {
        tags: ['orders'],
        summary: 'Call an order off',
        params: orderPath,
        body: Type.Optional(CalledOff),
        response: { 202: Accepted, ...PROBLEMS },
      },
    },
    (request, reply) =>
      onOrder(context, request, reply, (order) => cancel(context, request, order, request.body?.reason)),
  )
  app.post(
    '/v1/orders/:orderId/returns',
    {
      config: { access: SERVICES },
      schema: {
        tags: ['orders'],
        summary: 'Goods of an order come back',
        description: 'Takes Idempotency-Key: the same key gives the same returnId, and one return.',
        params: orderPath,
        headers: IdempotencyHeaders,
        body: Back,
        response: { 202: Accepted, ...PROBLEMS },
      },
    },
    (request, reply) => {
      const key = request.headers['idempotency-key']
      return onOrder(context, request, reply, (order) => takeBack(context, request, order, request.body, key))
    },
  )
}

/** What is to be appended, and what the answer says of it; no record: it was done before. */
interface Asked {
  readonly record?: AppendRecord | undefined
  readonly returnId?: string | undefined
  /** For the audit, where an operator asks. */
  readonly action: string
  readonly after?: object | undefined
}

/** Whoever has the order does the whole of it. */
function onOrder(
  context: ApiContext,
  request: FastifyRequest<{ Params: Static<typeof orderPath> }>,
  reply: FastifyReply,
  ask: (order: OrderView) => Asked,
): Promise<Accepted | undefined> {
  takingOrders(context)
  return fromOwner(context, request, reply, {
    async here(): Promise<Accepted> {
      const order = knownOrder(context, request.params.orderId)
      const { record, returnId, action, after } = ask(order)
      const { orderId, state } = order
      if (record !== undefined) {
        checkAdmission(context, record.topic)
        // A service does what customers and providers say; an operator does it on their own word.
        const isOperator = request.principal.role === 'admin'
        if (isOperator) await audit(context, request, { action, target: orderId, before: { state }, after })
        await appendOne(context, record)
      }
      reply.code(202).header('location', `/v1/orders/${orderId}`)
      const accepted = { orderId, status: 'ACCEPTED' as const, state }
      return returnId === undefined ? accepted : { ...accepted, returnId }
    },
  })
}

/** @throws ApiError `NOT_IN_THIS_STATE` */
function checkAllowed({ state, actions }: OrderView, action: OrderAction): void {
  if (actions.includes(action)) return
  throw new ApiError('NOT_IN_THIS_STATE', `An order in ${state} cannot take this.`, { members: { state } })
}

function pay(
  context: ApiContext,
  request: FastifyRequest,
  order: OrderView,
  { paymentKey, amount, status = 'SUCCESS', failureCode }: Static<typeof Paid>,
): Asked {
  const action = 'order.pay'
  if (order.paymentKey === paymentKey) return { action }
  checkAllowed(order, 'pay')
  const { orderId } = order
  const value = { orderId, paymentKey, amount, status, failureCode: failureCode ?? null }
  const record = recordOf(context, request, context.topics.paymentResult, value)
  return { record, action, after: { paymentKey, amount, status } }
}

function cancel(context: ApiContext, request: FastifyRequest, order: OrderView, why = ''): Asked {
  const action = 'order.cancel'
  if (order.calledOff) return { action }
  checkAllowed(order, 'cancel')
  const value = { orderId: order.orderId, reason: why, actor: request.principal.name }
  const record = recordOf(context, request, context.topics.orderCancelRequested, value)
  return { record: actedBy(record, request), action, after: { reason: why } }
}

function takeBack(
  context: ApiContext,
  request: FastifyRequest,
  order: OrderView,
  { returnId: given, items, reason: why = '' }: Static<typeof Back>,
  key: string | undefined,
): Asked {
  const derived = key === undefined ? context.ids.next() : idFromKey(request.principal.name, key)
  const returnId = given ?? derived
  const action = 'order.return'
  if (order.returns.some((one) => one.returnId === returnId)) return { returnId, action }
  checkAllowed(order, 'return')
  checkUnits(order, items)
  const value = { orderId: order.orderId, returnId, items, reason: why, actor: request.principal.name }
  const record = recordOf(context, request, context.topics.orderReturnRequested, value)
  return { record: actedBy(record, request), returnId, action, after: { returnId, items, reason: why } }
}

/** The saga counts again: another return may be on its way. @throws ApiError `INVALID_REQUEST` */
function checkUnits(order: OrderView, items: Static<typeof Back>['items']): void {
  const errors = items.flatMap((item, index) => {
    const sold = order.items.find((line) => line.lineNo === item.lineNo)?.quantity ?? 0
    const back = order.returns.flatMap((one) => one.items).filter((line) => line.lineNo === item.lineNo)
    const left = sold - back.reduce((sum, line) => sum + line.quantity, 0)
    const twice = items.findIndex((other) => other.lineNo === item.lineNo) < index
    if (twice) return [{ path: `body.items.${index}.lineNo`, message: 'is named twice' }]
    if (item.quantity <= left) return []
    return [{ path: `body.items.${index}.quantity`, message: `is more than is left of it, ${left}` }]
  })
  if (errors.length > 0) throw new ApiError('INVALID_REQUEST', 'See errors.', { errors })
}
