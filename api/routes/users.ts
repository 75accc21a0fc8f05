/**
 * What the shop knows about a user, sealed in the log and opened for who may read it; and the erasure of it.
 *
 * Erasing deletes the user's key. What was sealed with it, in the profile and in every order's address, stays where it
 * is and cannot be read; decisions that were made do not change (`docs/privacy.md`).
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { UserProfile } from '../../schemas/index.ts'
import { audit } from '../audit.ts'
import { type ApiContext, type App, SERVICES } from '../context.ts'
import { ApiError } from '../errors.ts'
import { fromOwner } from '../from-owner.ts'
import {
  actedBy,
  appendInOrder,
  appendOne,
  applied,
  checkAdmission,
  recordOf,
  showPositions,
  tombstoneOf,
  whileHere,
} from '../log-writer.ts'
import { takingOrders } from '../order-terms.ts'
import { problems, UserId } from '../shapes.ts'
import type { Open } from '../user-ports.ts'
import { Erased, ProfileBody, ProfileShape } from './user-shapes.ts'

const path = Type.Object({ userId: UserId })

export function userRoutes(app: App, context: ApiContext): void {
  app.get(
    '/v1/users/:userId',
    {
      config: { access: SERVICES },
      schema: {
        tags: ['users'],
        summary: 'What the shop knows about a user',
        params: path,
        response: {
          200: ProfileShape,
          ...problems(
            'withToken',
            'ofOwner',
            'ORDERS_OFF',
            'UNKNOWN_USER',
            'PERSONAL_DATA_OFF',
            'MASTER_KEY_MISSING',
          ),
        },
      },
    },
    (request, reply) => {
      takingOrders(context)
      const { userId } = request.params
      return fromOwner(context, request, reply, { here: () => readProfile(context, reply, userId) })
    },
  )
  app.put(
    '/v1/users/:userId',
    {
      config: { access: SERVICES },
      schema: {
        tags: ['users'],
        summary: 'Say what the shop knows about a user; answers once queries see it',
        params: path,
        body: ProfileBody,
        response: {
          200: ProfileShape,
          ...problems(
            'withToken',
            'withBody',
            'withAppend',
            'ofOwner',
            'ORDERS_OFF',
            'PERSONAL_DATA_OFF',
            'MASTER_KEY_MISSING',
            'COMMAND_PENDING',
          ),
        },
      },
    },
    (request, reply) => {
      takingOrders(context)
      const { params, body } = request
      return fromOwner(context, request, reply, {
        here: () => putProfile(context, request, reply, params.userId, body),
      })
    },
  )
  addErasure(app, context)
}

function addErasure(app: App, context: ApiContext): void {
  app.delete(
    '/v1/users/:userId/personal-data',
    {
      config: { access: SERVICES },
      schema: {
        tags: ['users'],
        summary: 'Erase what identifies a person; answers once nothing of it can be read',
        description: 'Safe to send again. What is written of the user afterwards is sealed with another key.',
        params: path,
        response: {
          200: Erased,
          ...problems('withToken', 'withAppend', 'ofOwner', 'CROSS_SITE', 'ORDERS_OFF', 'COMMAND_PENDING'),
        },
      },
    },
    (request, reply) => {
      takingOrders(context)
      const { userId } = request.params
      return fromOwner(context, request, reply, { here: () => erase(context, request, userId) })
    },
  )
}

function readProfile(context: ApiContext, reply: FastifyReply, userId: string): ProfileShape {
  const { pipeline } = context
  const { value: profile, positions } = pipeline.profile(userId)
  showPositions(reply, positions)
  reply.header('cache-control', 'no-store')
  if (profile === undefined) throw new ApiError('UNKNOWN_USER', 'No user has this userId.')
  return showProfile(profile, pipeline.opener(userId))
}

function showProfile({ userId, email, locale }: UserProfile, open: Open): ProfileShape {
  const shown = {
    ...(email !== null && { email: open({ kind: 'user.email' }, email) }),
    ...(locale !== null && { locale: open({ kind: 'user.locale' }, locale) }),
  }
  const known = Object.entries(shown).filter(([, text]) => text !== undefined)
  const erased = known.length < Object.keys(shown).length
  return { userId, ...Object.fromEntries(known), ...(erased && { erased }) }
}

/** Throws `TASK_NOT_HERE` before it appends: whoever has the profile does the whole of it. */
async function putProfile(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  userId: string,
  { email, locale }: Static<typeof ProfileBody>,
): Promise<ProfileShape> {
  const { pipeline, topics } = context
  if (request.work !== undefined) request.work.waitMs = context.limits.commandWaitMs
  pipeline.profile(userId)
  checkAdmission(context, topics.userProfile.name)
  const record = await pipeline.sealed(userId, (seal, fresh) => {
    const profile = {
      userId,
      email: email === undefined ? null : seal({ kind: 'user.email' }, email),
      locale: locale === undefined ? null : seal({ kind: 'user.locale' }, locale),
    }
    const put = recordOf(context, request, topics.userProfile, profile)
    if (fresh === undefined) return appendOne(context, put)
    return appendInOrder(context, [recordOf(context, request, topics.privacyKey, fresh), put])
  })
  await applied(context, request, record)
  return whileHere(record, () => {
    showPositions(reply, pipeline.profile(userId).positions)
    reply.header('cache-control', 'no-store')
    return { userId, ...(email !== undefined && { email }), ...(locale !== undefined && { locale }) }
  })
}

/** Throws `TASK_NOT_HERE` before it appends: whoever has the user's key does the whole of it. */
async function erase(
  context: ApiContext,
  request: FastifyRequest,
  userId: string,
): Promise<Static<typeof Erased>> {
  const { pipeline, topics } = context
  if (request.work !== undefined) request.work.waitMs = context.limits.commandWaitMs
  pipeline.hasKey(userId)
  // A right that does not wait for a backlog: no admission is asked for.
  await audit(context, request, { action: 'user.erase', target: userId })
  await pipeline.erasing(userId)
  const at = context.now()
  const end = actedBy(tombstoneOf(context, request, topics.privacyKey, userId), request)
  const record = await appendOne(context, end)
  await applied(context, request, record)
  pipeline.erased()
  return { userId, status: 'ERASED', at }
}
