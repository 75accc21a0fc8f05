/** A request for a coupon as it moves up in its queue, until its verdict. */
import { Type } from 'typebox'
import { type ApiContext, type App, EVERYONE } from '../context.ts'
import { type EventBatch, type NextBatch, noSuchId, streamEvents } from '../event-stream.ts'
import { CouponId, problems, RequestId } from '../shapes.ts'
import { parseTicket, type TicketPlace } from '../ticket.ts'
import { placeIn, queueOf, showVerdict, unknownRequest } from './requests.ts'

/** Between two positions that are told. */
const POSITION_EVERY_MS = 1_000
/** Id of the last event; a position has the offset before which all is decided. */
const VERDICT = 'verdict'
const NOTHING: EventBatch = Object.freeze({ events: [], ended: false })

export function requestEventRoutes(app: App, context: ApiContext): void {
  app.get(
    '/v1/coupons/:couponId/requests/:requestId/events',
    {
      config: { access: EVERYONE },
      // A stream has no end to be told beforehand.
      exposeHeadRoute: false,
      schema: {
        tags: ['coupons'],
        summary: 'The place of a request in its queue, then its verdict',
        description:
          'Server-sent events: `position` (with a ticket), at most one a second; `issued` or `rejected` ends the ' +
          'stream. `Last-Event-ID` resumes after it.',
        params: Type.Object({ couponId: CouponId, requestId: RequestId }),
        querystring: Type.Object(
          {
            ticket: Type.Optional(
              Type.String({ description: 'From Location: partition.offset.', examples: ['3.41'] }),
            ),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Unsafe({
            description: 'The stream.',
            content: { 'text/event-stream': { schema: { type: 'string' } } },
          }),
          204: Type.Null({ description: 'The verdict was told.' }),
          ...problems('withToken', 'UNKNOWN_REQUEST', 'UNKNOWN_COUPON', 'ofOwner', 'INVALID_TICKET'),
        },
      },
    },
    (request, reply) => {
      const { couponId, requestId } = request.params
      const asked = { couponId, requestId, ticket: parseTicket(request.query.ticket) }
      return streamEvents(context, request, reply, eventsOf(context, asked))
    },
  )
}

interface Asked {
  readonly couponId: string
  readonly requestId: string
  readonly ticket: TicketPlace | undefined
}

/**
 * The queue is read before the verdict: a decision may be committed between the two, and in this order it is seen.
 * Without a ticket everything is waited for that the log had at first: what then has no verdict was never sent.
 */
function eventsOf(context: ApiContext, asked: Asked): NextBatch {
  const { pipeline } = context
  const { couponId, ticket } = asked
  let target = ticket === undefined ? undefined : ticket.offset + 1
  return async (lastId, { timeoutMs, signal }) => {
    const told = processedOf(lastId)
    const known = verdictOf(context, asked, lastId)
    if (known !== undefined) return known
    let queue = await queueOf(context, couponId, ticket)
    const offset = (target ??= queue.end)
    if (queue.processed < offset && timeoutMs > 0) {
      const { topic, partition } = queue
      const wait = { timeoutMs: Math.min(timeoutMs, POSITION_EVERY_MS), signal }
      await pipeline.reached({ topic, partition, offset }, wait)
      queue = await queueOf(context, couponId, ticket)
    }
    const verdict = verdictOf(context, asked, lastId)
    if (verdict !== undefined) return verdict
    if (queue.processed >= offset) throw unknownRequest(context, couponId)
    if (ticket === undefined || queue.processed === told) return NOTHING
    const data = { requestId: asked.requestId, ...placeIn(queue, ticket) }
    return { events: [{ id: String(queue.processed), event: 'position', data }], ended: false }
  }
}

function verdictOf({ pipeline }: ApiContext, asked: Asked, lastId: string | undefined) {
  const { couponId, requestId } = asked
  const { value } = pipeline.couponRequest(couponId, requestId)
  if (value === undefined) return undefined
  if (lastId === VERDICT) return { events: [], ended: true }
  const data = showVerdict(requestId, value)
  return { events: [{ id: VERDICT, event: data.status.toLowerCase(), data }], ended: true }
}

/** Of the position that was told last. @throws ApiError `INVALID_REQUEST` */
function processedOf(lastId: string | undefined): number | undefined {
  if (lastId === undefined || lastId === VERDICT) return undefined
  if (/^\d{1,15}$/.test(lastId)) return Number(lastId)
  throw noSuchId()
}
