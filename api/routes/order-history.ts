/** What happened to an order: its timeline, and its statuses as they come. */
import type { FastifyReply } from 'fastify'
import { type Static, Type } from 'typebox'
import type { OrderEvent, OrderState, RecordPlace } from '../../schemas/index.ts'
import { type ApiContext, type App, EVERYONE } from '../context.ts'
import { type EventBatch, type NextBatch, noSuchId, type StreamEvent, streamEvents } from '../event-stream.ts'
import { fromOwner } from '../from-owner.ts'
import { showPositions } from '../log-writer.ts'
import type {
  OrderStatusView,
  OrderTimeline,
  OrderView,
  TimelineAnswerView,
  TimelineStepView,
} from '../order-ports.ts'
import { takingOrders } from '../order-terms.ts'
import { count, Millis, OrderId, problems } from '../shapes.ts'
import { timelineExample } from './examples.ts'
import { knownOrder, orderPath, ReturnState, State, unknownOrder } from './order-shapes.ts'

const Place = Type.Object(
  { topic: Type.String(), partition: Type.Integer(), offset: Type.Integer(), timestamp: Millis },
  { description: 'Where the log has it.' },
)
const Passed = Type.Object({
  state: State,
  returnState: ReturnState,
  step: Type.Optional(Type.String()),
  attempt: Type.Optional(count(1)),
  note: Type.Optional(Type.String()),
  revision: count(0),
  at: Millis,
})
type Passed = Static<typeof Passed>
const Answer = Type.Object({
  status: Type.String(),
  reason: Type.Optional(Type.String()),
  at: Type.Integer({ description: 'When the order took it, epoch milliseconds.' }),
  position: Type.Optional(Place),
  cause: Type.Optional(
    Type.Unsafe<RecordPlace>({ ...Place, description: 'What its headers say it was made from.' }),
  ),
})
const Command = Type.Object({
  topic: Type.String(),
  attempt: count(1),
  epoch: count(0),
  sentAt: Millis,
  position: Type.Optional(Type.Unsafe<RecordPlace>({ ...Place, description: 'As its answer says.' })),
  answer: Type.Optional(Answer),
  durationMs: Type.Optional(Type.Integer({ description: 'From sending it to taking its answer.' })),
})
const Step = Type.Object({
  saga: Type.Enum(['ORDER', 'RETURN', 'STRAY']),
  id: Type.Optional(
    Type.String({ description: 'The returnId; of a payment that goes back, its paymentKey.' }),
  ),
  step: Type.String(),
  part: Type.Optional(Type.String({ description: 'Which of several commands, for example the productId.' })),
  way: Type.Enum(['DO', 'UNDO']),
  commands: Type.Array(Command),
  answers: Type.Array(Answer, {
    description: 'Those whose headers do not say which of the commands they answer.',
  }),
})
const Event = Type.Object({
  kind: Type.String({ description: 'CREATED, STOCK, …, CANCEL, REPAIR, TIMER.' }),
  status: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String()),
  at: Millis,
  position: Type.Optional(Place),
  cause: Type.Optional(Place),
  causationId: Type.Optional(Type.String()),
})
const Timeline = Type.Object(
  {
    orderId: OrderId,
    complete: Type.Boolean({ description: 'False: more happened than is kept.' }),
    states: Type.Array(Passed),
    steps: Type.Array(Step, { description: 'In the order in which they were begun.' }),
    events: Type.Array(Event, { description: 'What the order took, in its order, if it changed anything.' }),
  },
  { description: 'The timeline.', examples: [timelineExample] },
)
type Timeline = Static<typeof Timeline>

export function orderHistoryRoutes(app: App, context: ApiContext): void {
  app.get(
    '/v1/orders/:orderId/timeline',
    {
      config: { access: EVERYONE },
      schema: {
        tags: ['orders'],
        summary: 'Each step of an order: commands, answers, attempts, durations, positions',
        params: orderPath,
        response: { 200: Timeline, ...problems('withToken', 'ORDERS_OFF', 'UNKNOWN_ORDER', 'ofOwner') },
      },
    },
    (request, reply) => {
      takingOrders(context)
      const { orderId } = request.params
      return fromOwner(context, request, reply, { here: () => readTimeline(context, reply, orderId) })
    },
  )
  app.get(
    '/v1/orders/:orderId/events',
    {
      config: { access: EVERYONE },
      // A stream has no end to be told beforehand.
      exposeHeadRoute: false,
      schema: {
        tags: ['orders'],
        summary: 'The statuses of an order as they come; ends with the order',
        description:
          'Server-sent events `status`, the id being the revision. `Last-Event-ID` resumes after it.',
        params: orderPath,
        response: {
          200: Type.Unsafe({
            description: 'The stream.',
            content: { 'text/event-stream': { schema: { type: 'string' } } },
          }),
          204: Type.Null({ description: 'The order has ended, and there is nothing after that id.' }),
          ...problems('withToken', 'ORDERS_OFF', 'UNKNOWN_ORDER', 'ofOwner'),
        },
      },
    },
    (request, reply) => {
      takingOrders(context)
      return streamEvents(context, request, reply, statusesOf(context, request.params.orderId))
    },
  )
}

async function readTimeline(context: ApiContext, reply: FastifyReply, orderId: string): Promise<Timeline> {
  const { value, positions } = await context.pipeline.orderTimeline(orderId)
  showPositions(reply, positions)
  reply.header('cache-control', 'no-store')
  if (value === undefined) throw unknownOrder()
  return showTimeline(orderId, value)
}

function showTimeline(orderId: string, { complete, events, steps }: OrderTimeline): Timeline {
  return {
    orderId,
    complete,
    states: events.flatMap(({ at, passed }) => passed.map((one) => showPassed({ ...one, at }))),
    steps: steps.map(showStep),
    events: events.map(showEvent),
  }
}

function showPassed({ state, returnState, step, attempt, note, revision, at }: OrderStatusView): Passed {
  return {
    state: state as OrderState,
    returnState: returnState as Passed['returnState'],
    ...(step !== '' && { step }),
    ...(attempt > 0 && { attempt }),
    ...(note !== null && { note }),
    revision,
    at,
  }
}

function showStep({ kind, id, step, part, undo, commands, answers }: TimelineStepView): Static<typeof Step> {
  return {
    saga: kind as Static<typeof Step>['saga'],
    ...(id !== '' && { id }),
    step,
    ...(part !== '' && { part }),
    way: undo ? 'UNDO' : 'DO',
    commands: commands.map(({ topic, attempt, epoch, sentAt, place, answer, durationMs }) => ({
      topic,
      attempt,
      epoch,
      sentAt,
      ...(place !== undefined && { position: place }),
      ...(answer !== undefined && { answer: showAnswer(answer) }),
      ...(durationMs !== undefined && { durationMs }),
    })),
    answers: answers.map(showAnswer),
  }
}

function showAnswer({ status, reason, at, place, cause }: TimelineAnswerView): Static<typeof Answer> {
  return {
    status,
    ...(reason !== null && { reason }),
    at,
    ...(place !== null && { position: place }),
    ...(cause !== null && { cause }),
  }
}

function showEvent({
  kind,
  status,
  reason,
  at,
  record,
  cause,
  causationId,
}: OrderEvent): Static<typeof Event> {
  return {
    kind,
    ...(status !== '' && { status }),
    ...(reason !== null && { reason }),
    at,
    ...(record !== null && { position: record }),
    ...(cause !== null && { cause }),
    ...(causationId !== null && { causationId }),
  }
}

/** After these there is nothing more to come but returns. */
const ENDED: ReadonlySet<string> = new Set(['COMPLETED', 'CANCELLED', 'FAILED'])

function statusesOf(context: ApiContext, orderId: string): NextBatch {
  const { pipeline } = context
  return async (lastId, { timeoutMs, signal }) => {
    const above = revisionOf(lastId)
    // Looked at before the news is read: what comes after is waited for next time.
    let order = knownOrder(context, orderId)
    let batch = batchOf(order, await pipeline.orderNews(orderId, above))
    if (batch.events.length === 0 && !batch.ended && timeoutMs > 0) {
      const { revision: seen } = order
      const news = (one: OrderView | undefined) => one === undefined || one.revision > seen
      await pipeline.orderUntil(orderId, news, { timeoutMs, signal })
      order = knownOrder(context, orderId)
      batch = batchOf(order, await pipeline.orderNews(orderId, above))
    }
    return batch
  }
}

/** @throws ApiError `INVALID_REQUEST` */
function revisionOf(lastId = '0'): number {
  if (/^\d{1,15}$/.test(lastId)) return Number(lastId)
  throw noSuchId()
}

function batchOf({ orderId, state }: OrderView, news: readonly OrderStatusView[]): EventBatch {
  const events = news.map((one): StreamEvent => {
    return { id: String(one.revision), event: 'status', data: { orderId, ...showPassed(one) } }
  })
  return { events, ended: ENDED.has(state) }
}
