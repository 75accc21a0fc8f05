/** A user's points: what there is, how it came about, and what operators grant. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { PointEntry } from '../../schemas/index.ts'
import { audit } from '../audit.ts'
import { ADMINS, type ApiContext, type App, READERS } from '../context.ts'
import { fromOwner } from '../from-owner.ts'
import { idFromKey } from '../ids.ts'
import {
  actedBy,
  appendOne,
  applied,
  checkAdmission,
  pending,
  recordOf,
  showPositions,
  whileHere,
} from '../log-writer.ts'
import { checkOutcome } from '../outcome.ts'
import { takingOrders } from '../order-terms.ts'
import { count, IdempotencyHeaders, Instant, Millis, parseInstant, problems, UserId } from '../shapes.ts'
import { grantExample, pointsExample } from './examples.ts'

const SAFE = Number.MAX_SAFE_INTEGER
const points = Type.Integer({ minimum: -SAFE, maximum: SAFE, description: 'Negative: taken off.' })
const Entry = Type.Object({
  kind: Type.Enum(['GRANTED', 'TAKEN', 'EARNED', 'SPENT', 'RESTORED', 'EXPIRED', 'CLAWED_BACK', 'UNKNOWN']),
  points,
  balance: count(0, { description: 'After it.' }),
  at: Millis,
  reference: Type.String({ description: 'What it was for.' }),
})
const Account = Type.Object(
  {
    userId: UserId,
    balance: count(0),
    items: Type.Array(Entry, { description: 'Of the ledger, the newest first.' }),
    cursor: Type.Optional(Type.String({ description: 'Of the next page; absent on the last.' })),
  },
  { description: 'What the user has, and one page of the ledger.', examples: [pointsExample] },
)
const Adjust = Type.Object(
  {
    points,
    expiresAt: Type.Optional(Instant),
    reason: Type.Optional(Type.String({ maxLength: 500, description: 'For people; no personal data.' })),
  },
  { additionalProperties: false, examples: [{ points: 500, reason: 'apology' }] },
)
const Adjusted = Type.Object(
  { userId: UserId, adjustId: Type.String(), points, balance: count(0) },
  { description: 'The points as they are now.', examples: [grantExample] },
)
const path = Type.Object({ userId: UserId })

export function pointRoutes(app: App, context: ApiContext): void {
  const { defaultPageItems, maxPageItems } = context.limits
  const Query = Type.Object(
    {
      limit: Type.Optional(
        Type.Integer({ minimum: 1, maximum: maxPageItems, description: `Default ${defaultPageItems}.` }),
      ),
      cursor: Type.Optional(Type.String({ description: 'From the page before.' })),
    },
    { additionalProperties: false },
  )
  app.get(
    '/v1/users/:userId/points',
    {
      config: { access: READERS },
      schema: {
        tags: ['users'],
        summary: "A user's points and their ledger",
        params: path,
        querystring: Query,
        response: { 200: Account, ...problems('withToken', 'ofOwner', 'ORDERS_OFF', 'INVALID_CURSOR') },
      },
    },
    (request, reply) => {
      takingOrders(context)
      const { params, query } = request
      return fromOwner(context, request, reply, {
        here: () => readPoints(context, reply, params.userId, query),
      })
    },
  )
  app.post(
    '/v1/users/:userId/points',
    {
      config: { access: ADMINS },
      schema: {
        tags: ['users'],
        summary: 'Grant points, or take some off; answers once they are booked',
        description: 'Takes Idempotency-Key: with the same key it counts once.',
        params: path,
        headers: IdempotencyHeaders,
        body: Adjust,
        response: {
          200: Adjusted,
          ...problems(
            'withToken',
            'withBody',
            'withAppend',
            'ofOwner',
            'ORDERS_OFF',
            'COMMAND_PENDING',
            'COMMAND_REFUSED',
            'IDEMPOTENCY_CONFLICT',
          ),
        },
      },
    },
    (request, reply) => {
      takingOrders(context)
      const { params, body, headers } = request
      const key = headers['idempotency-key']
      const adjustId = key === undefined ? context.ids.next() : idFromKey(request.principal.name, key)
      const asked = { userId: params.userId, adjustId, ...body }
      return fromOwner(context, request, reply, { here: () => adjust(context, request, reply, asked) })
    },
  )
}

async function readPoints(
  { pipeline, cursors, limits }: ApiContext,
  reply: FastifyReply,
  userId: string,
  { limit = limits.defaultPageItems, cursor }: { readonly limit?: number; readonly cursor?: string },
): Promise<Static<typeof Account>> {
  const list = ['user-points', userId]
  const after = cursor === undefined ? undefined : cursors.open(list, cursor)
  const { value: balance } = pipeline.points(userId)
  const { value, positions } = await pipeline.pointEntries(userId, { limit, after })
  showPositions(reply, positions)
  reply.header('cache-control', 'no-store')
  const account = { userId, balance, items: value.items.map(showEntry) }
  return value.next === undefined ? account : { ...account, cursor: cursors.seal(list, value.next) }
}

function showEntry({ kind, points: amount, balance, at, reference }: PointEntry) {
  return { kind, points: amount, balance, at, reference }
}

interface Asked extends Static<typeof Adjust> {
  readonly userId: string
  readonly adjustId: string
}

/** Throws `TASK_NOT_HERE` before it appends: whoever has the points does the whole of it. */
async function adjust(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { userId, adjustId, points: amount, expiresAt, reason = '' }: Asked,
): Promise<Static<typeof Adjusted>> {
  const { pipeline, topics } = context
  const topic = topics.pointAdjustRequested
  const expiry = expiresAt === undefined ? null : parseInstant(expiresAt, 'body.expiresAt')
  if (request.work !== undefined) request.work.waitMs = context.limits.commandWaitMs
  const { value: balance } = pipeline.points(userId)
  checkAdmission(context, topic.name)
  await audit(context, request, {
    action: 'points.adjust',
    target: userId,
    before: { balance },
    after: { adjustId, points: amount, expiresAt: expiry, reason },
  })
  const value = { adjustId, userId, amount, expiresAt: expiry, reason }
  const record = await appendOne(context, actedBy(recordOf(context, request, topic, value), request))
  await applied(context, request, record)
  return whileHere(record, () => {
    const outcome = pipeline.pointAdjustment(userId, adjustId)
    if (outcome === undefined) throw pending(record, 'What became of it is not known; read the points.')
    checkOutcome(outcome, amount)
    const now = pipeline.points(userId)
    showPositions(reply, now.positions)
    return { userId, adjustId, points: amount, balance: now.value }
  })
}
