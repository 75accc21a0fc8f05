/** Operators' repairs of orders that need somebody, on record before they take effect (I26). */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { audit } from '../audit.ts'
import { ADMINS, type ApiContext, type App } from '../context.ts'
import { ApiError } from '../errors.ts'
import { fromOwner } from '../from-owner.ts'
import { actedBy, appendOne, applied, checkAdmission, recordOf, whileHere } from '../log-writer.ts'
import { takingOrders } from '../order-terms.ts'
import type { OrderRepairs } from '../order-ports.ts'
import { OrderId, problems } from '../shapes.ts'
import { repairExample } from './examples.ts'
import { orderPath, State, unknownOrder } from './order-shapes.ts'

const ACTIONS = {
  retry: ['RETRY', 'Send once more what an order is stuck at'],
  resume: ['RESUME', 'Go on with an order as if what it is stuck at had been done'],
  compensate: ['COMPENSATE', 'Undo an order'],
  resolve: ['RESOLVE', 'End an order as it is: it was settled by hand'],
} as const
type Action = keyof typeof ACTIONS

const Reason = Type.Object(
  { reason: Type.Optional(Type.String({ maxLength: 500, description: 'For people; no personal data.' })) },
  { additionalProperties: false, examples: [{ reason: 'the courier answered by phone' }] },
)
const actionShape = Type.Enum(['retry', 'resume', 'compensate', 'resolve'])
const Repaired = Type.Object(
  {
    orderId: OrderId,
    action: actionShape,
    state: Type.Optional(State),
    actions: Type.Array(actionShape, { description: 'What an operator may do now.' }),
  },
  {
    description: 'The saga took it. No state: there are only payments that no order asked for.',
    examples: [repairExample],
  },
)
type Repaired = Static<typeof Repaired>

export function orderRepairRoutes(app: App, context: ApiContext): void {
  for (const action of ['retry', 'resume', 'compensate', 'resolve'] as const) {
    app.post(
      `/v1/ops/orders/:orderId/${action}`,
      {
        config: { access: ADMINS },
        schema: {
          tags: ['operations'],
          summary: ACTIONS[action][1],
          params: orderPath,
          body: Type.Optional(Reason),
          response: {
            200: Repaired,
            ...problems(
              'withToken',
              'withBody',
              'withAppend',
              'ofOwner',
              'COMMAND_PENDING',
              'ORDERS_OFF',
              'UNKNOWN_ORDER',
              'NOT_IN_THIS_STATE',
            ),
          },
        },
      },
      (request, reply) => {
        takingOrders(context)
        const asked = { orderId: request.params.orderId, action, reason: request.body?.reason ?? '' }
        return fromOwner(context, request, reply, { here: () => repair(context, request, reply, asked) })
      },
    )
  }
}

interface Asked {
  readonly orderId: string
  readonly action: Action
  readonly reason: string
}

/** Throws `TASK_NOT_HERE` before it appends: whoever has the order does the whole of it. */
async function repair(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { orderId, action, reason }: Asked,
): Promise<Repaired> {
  const topic = context.topics.orderRepairRequested
  const { state, actions } = repairsOf(context, orderId)
  if (!actions.includes(action)) {
    const detail = `Allowed now: ${actions.join(', ') || 'nothing'}.`
    throw new ApiError('NOT_IN_THIS_STATE', detail, { members: { state, actions } })
  }
  if (request.work !== undefined) request.work.waitMs = context.limits.commandWaitMs
  checkAdmission(context, topic.name)
  await audit(context, request, {
    action: `order.${action}`,
    target: orderId,
    before: { state },
    after: { reason },
  })
  const value = { orderId, action: ACTIONS[action][0], reason, actor: request.principal.name }
  const record = await appendOne(context, actedBy(recordOf(context, request, topic, value), request))
  await applied(context, request, record)
  reply.header('cache-control', 'no-store')
  return whileHere(record, () => {
    const now = repairsOf(context, orderId)
    const repaired = { orderId, action, actions: [...now.actions] }
    return now.state === undefined ? repaired : { ...repaired, state: now.state }
  })
}

function repairsOf({ pipeline }: ApiContext, orderId: string): OrderRepairs {
  const { value } = pipeline.orderRepairs(orderId)
  if (value === undefined) throw unknownOrder()
  return value
}
