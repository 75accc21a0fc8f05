/**
 * Asking for a coupon: the log takes the request, the issuer decides it later. `202` is ACCEPTED, never ISSUED.
 *
 * The door reads the campaign, but its view may be a moment old. So it says no only to a request that cannot have been
 * sent before; one with an id of its own may be a repeat, and only the issuer knows the verdict it got.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { RequestState } from '../../schemas/index.ts'
import { isStreamsError } from '../../streams/index.ts'
import { authorizeTopic } from '../access.ts'
import { type ApiContext, type App, EVERYONE, WRITERS } from '../context.ts'
import { ApiError } from '../errors.ts'
import { bodyHash, idFromKey } from '../ids.ts'
import { appendOne, checkAdmission, recordOf, showPositions } from '../log-writer.ts'
import { rejectMessages } from '../messages.ts'
import { fromOwner } from '../from-owner.ts'
import type { CampaignView, RequestQueue } from '../ports.ts'
import { count, CouponId, IdempotencyHeaders, problems, RequestId, Ticket, UserId } from '../shapes.ts'
import { formatTicket, parseTicket, parseWait, type TicketPlace } from '../ticket.ts'
import { acceptedExample, requestExamples } from './examples.ts'

/** Decisions per second assumed until some were measured. */
const ASSUMED_RATE = 1_000

const Asked = Type.Object(
  { userId: UserId, requestId: Type.Optional(RequestId) },
  { additionalProperties: false, examples: [{ userId: 'user-7' }] },
)
const Accepted = Type.Object(
  { requestId: RequestId, status: Type.Literal('ACCEPTED'), ticket: Ticket },
  {
    description: 'The log has the request. Ask at Location what became of it.',
    examples: [acceptedExample],
    headers: {
      location: { type: 'string', description: 'Where to ask what became of it.' },
      'retry-after': { type: 'integer', description: 'Seconds.' },
    },
  },
)
const status = Type.Enum(['ACCEPTED', 'ISSUED', 'REJECTED'])
const Verdict = Type.Object(
  {
    status,
    requestId: RequestId,
    ahead: Type.Optional(count(0, { description: 'ACCEPTED: requests before this one.' })),
    etaMs: Type.Optional(count(0, { description: 'ACCEPTED: an estimate.' })),
    userCouponId: Type.Optional(Type.String({ description: 'ISSUED.' })),
    sequence: Type.Optional(count(1, { description: 'ISSUED.' })),
    expiresAt: Type.Optional(Type.Integer({ description: 'ISSUED, if it expires: epoch milliseconds.' })),
    reason: Type.Optional(Type.Enum(Object.keys(rejectMessages), { description: 'REJECTED.' })),
    message: Type.Optional(Type.String({ description: 'REJECTED, for people.' })),
    existingUserCouponId: Type.Optional(Type.String({ description: 'DUPLICATE.' })),
  },
  { description: 'What became of the request.', examples: requestExamples },
)
type Verdict = Static<typeof Verdict>

const Query = Type.Object(
  {
    ticket: Type.Optional(
      Type.String({ description: 'From Location: partition.offset.', examples: ['3.41'] }),
    ),
    wait: Type.Optional(
      Type.String({
        description: 'How long to wait for a verdict: 500ms, 10s; at most 30s.',
        examples: ['10s'],
      }),
    ),
  },
  { additionalProperties: false },
)

export function requestRoutes(app: App, context: ApiContext): void {
  app.post(
    '/v1/coupons/:couponId/requests',
    {
      config: { access: WRITERS },
      schema: {
        tags: ['coupons'],
        summary: 'Ask for a coupon',
        description: 'Takes Idempotency-Key: the same key gives the same requestId, and so the same verdict.',
        params: Type.Object({ couponId: CouponId }),
        headers: IdempotencyHeaders,
        body: Asked,
        response: {
          202: Accepted,
          ...problems(
            'withToken',
            'withBody',
            'withAppend',
            'UNKNOWN_COUPON',
            'SOLD_OUT',
            'CLOSED',
            'IDEMPOTENCY_CONFLICT',
          ),
        },
      },
    },
    (request, reply) => {
      const { params, body, headers } = request
      return ask(context, request, reply, { ...params, ...body, key: headers['idempotency-key'] })
    },
  )
  app.get(
    '/v1/coupons/:couponId/requests/:requestId',
    {
      config: { access: EVERYONE },
      schema: {
        tags: ['coupons'],
        summary: 'What became of a request',
        params: Type.Object({ couponId: CouponId, requestId: RequestId }),
        querystring: Query,
        response: {
          200: Verdict,
          ...problems('withToken', 'UNKNOWN_REQUEST', 'UNKNOWN_COUPON', 'ofOwner', 'INVALID_TICKET'),
        },
      },
    },
    (request, reply) => {
      const looked = { ...request.params, ...request.query }
      return fromOwner(context, request, reply, { here: () => look(context, request, reply, looked) })
    },
  )
}

interface Ask extends Static<typeof Asked> {
  readonly couponId: string
  readonly key: string | undefined
}

async function ask(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { couponId, userId, requestId: givenId, key }: Ask,
): Promise<Static<typeof Accepted>> {
  const topic = context.topics.couponIssueRequested
  authorizeTopic(request.principal, topic.name)
  const derived = givenId === undefined && key !== undefined
  const requestId = givenId ?? (derived ? idFromKey(request.principal.name, key) : context.ids.next())
  // Whatever goes wrong from here on, the client gets the id to ask again with.
  if (request.work !== undefined) request.work.members = { requestId }
  checkAdmission(context, topic.name)
  const hash = derived ? bodyHash([couponId, userId]) : null
  checkCampaign(context, couponId, givenId !== undefined || derived)
  if (hash !== null) checkSameBody(context, couponId, requestId, hash)
  const value = { requestId, couponId, userId, shard: 0, acceptedAt: context.now(), bodyHash: hash }
  const { partition, offset } = await appendOne(context, recordOf(context, request, topic, value))
  reply.code(202).headers({
    location: `/v1/coupons/${couponId}/requests/${requestId}?ticket=${formatTicket({ partition, offset })}`,
    'retry-after': '1',
  })
  return { requestId, status: 'ACCEPTED', ticket: { topic: topic.name, partition, offset } }
}

/** @throws ApiError `UNKNOWN_COUPON`, and for a request that is surely new `CLOSED`, `SOLD_OUT` */
function checkCampaign(context: ApiContext, couponId: string, mayBeRepeat: boolean): void {
  const view = viewAtTheDoor(context, couponId)
  if (view === undefined || mayBeRepeat) return
  const { campaign, issued, soldOutAt } = view
  const late = context.now() >= campaign.closesAt + context.limits.doorClockSkewMs
  if (campaign.status === 'CLOSED' || late) throw new ApiError('CLOSED', rejectMessages.CLOSED)
  if (soldOutAt !== null && issued >= campaign.quota) throw new ApiError('SOLD_OUT', rejectMessages.SOLD_OUT)
}

/**
 * The log takes requests also while nobody knows the campaign here; the issuer does. A copy that does not have the
 * campaign says nothing: it may have been made this moment.
 */
function viewAtTheDoor({ pipeline }: ApiContext, couponId: string): CampaignView | undefined {
  let view: CampaignView | undefined
  try {
    view = pipeline.campaign(couponId).value
  } catch (error) {
    if (isStreamsError(error, 'TASK_NOT_HERE')) return pipeline.copies?.campaign(couponId)?.value
    throw error
  }
  if (view === undefined) throw new ApiError('UNKNOWN_COUPON', 'No campaign has this couponId.')
  return view
}

/** Where the first body is known already, say so at once; else the issuer says IDEMPOTENCY_CONFLICT. */
function checkSameBody({ pipeline }: ApiContext, couponId: string, requestId: string, hash: string): void {
  let known: RequestState | undefined
  try {
    known = pipeline.couponRequest(couponId, requestId).value
  } catch (error) {
    if (isStreamsError(error, 'TASK_NOT_HERE')) return
    throw error
  }
  if (known === undefined || known.bodyHash === null || known.bodyHash === hash) return
  throw new ApiError('IDEMPOTENCY_CONFLICT', rejectMessages.IDEMPOTENCY_CONFLICT)
}

interface Looked extends Static<typeof Query> {
  readonly couponId: string
  readonly requestId: string
}

/**
 * The verdict; or with a ticket the place in the queue. Without one, everything the log had when it was asked is
 * waited for: a request that then has no verdict was never sent.
 *
 * A verdict that is known is given without a look at the queue: the log may be out of reach. Else the queue is always read
 * before the verdict: a decision may be committed between the two, and in this order it is seen.
 */
async function look(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { couponId, requestId, ticket: ticketText, wait: waitText }: Looked,
): Promise<Verdict> {
  const ticket = parseTicket(ticketText)
  const waitMs = parseWait(waitText, context.limits, ticket)
  if (request.work !== undefined) request.work.waitMs = waitMs
  const known = verdictOf(context, reply, couponId, requestId)
  if (known !== undefined) return known
  let queue = await queueOf(context, couponId, ticket)
  const target = ticket === undefined ? queue.end : ticket.offset + 1
  if (queue.processed < target && waitMs > 0) {
    await reach(context, request, queue, target, waitMs)
    queue = await queueOf(context, couponId, ticket)
  }
  const verdict = verdictOf(context, reply, couponId, requestId)
  if (verdict !== undefined) return verdict
  if (ticket === undefined || queue.processed >= target) throw unknownRequest(context, couponId)
  reply.header('retry-after', '1')
  return { status: 'ACCEPTED', requestId, ...placeIn(queue, ticket) }
}

/** How many are before the ticket's request, and how long they will take. */
export function placeIn({ processed, ratePerSecond }: RequestQueue, { offset }: TicketPlace) {
  const ahead = offset - processed
  return { ahead, etaMs: Math.ceil((ahead / (ratePerSecond || ASSUMED_RATE)) * 1_000) }
}

function verdictOf(
  { pipeline }: ApiContext,
  reply: FastifyReply,
  couponId: string,
  requestId: string,
): Verdict | undefined {
  const { value, positions } = pipeline.couponRequest(couponId, requestId)
  showPositions(reply, positions)
  reply.header('cache-control', 'no-store')
  return value === undefined ? undefined : showVerdict(requestId, value)
}

/** @throws ApiError `INVALID_TICKET` */
export async function queueOf(
  context: ApiContext,
  couponId: string,
  ticket?: TicketPlace,
): Promise<RequestQueue> {
  const queue = await context.pipeline.requestQueue(couponId, ticket?.partition)
  if (queue !== undefined) return queue
  throw new ApiError('INVALID_TICKET', 'No request for this coupon has such a ticket.')
}

async function reach(
  { gate, pipeline }: ApiContext,
  { work }: FastifyRequest,
  { topic, partition }: RequestQueue,
  offset: number,
  timeoutMs: number,
): Promise<void> {
  const wait = (signal?: AbortSignal) => pipeline.reached({ topic, partition, offset }, { timeoutMs, signal })
  await (work === undefined ? wait() : gate.wait(work, timeoutMs, wait))
}

export function unknownRequest({ pipeline }: ApiContext, couponId: string): ApiError {
  if (pipeline.campaign(couponId).value === undefined) {
    return new ApiError('UNKNOWN_COUPON', 'No campaign has this couponId.')
  }
  return new ApiError('UNKNOWN_REQUEST', 'Nobody sent it, or its verdict is no longer kept.')
}

export function showVerdict(requestId: string, state: RequestState): Verdict {
  const { reason, userCouponId, sequence, expiresAt } = state
  if (reason === null) {
    const base = { status: 'ISSUED' as const, requestId, userCouponId: userCouponId ?? '', sequence }
    return expiresAt === null ? base : { ...base, expiresAt }
  }
  const base = { status: 'REJECTED' as const, requestId, reason, message: rejectMessages[reason] }
  return userCouponId === null ? base : { ...base, existingUserCouponId: userCouponId }
}
