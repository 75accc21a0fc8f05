/** Addresses that mails came back from: who has one, and letting mails go there again. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { audit } from '../audit.ts'
import { ADMINS, type ApiContext, type App, READERS } from '../context.ts'
import { ApiError } from '../errors.ts'
import { appendOne, tombstoneOf } from '../log-writer.ts'
import type { SuppressedMails } from '../mail-port.ts'
import { Millis, problems } from '../shapes.ts'

const Suppressed = Type.Object({
  userId: Type.String(),
  reason: Type.String({ description: "The mail server's codes." }),
  mailId: Type.String({ description: 'The mail that came back.' }),
  at: Millis,
})

const example = { userId: 'ann', reason: '550 5.1.1', mailId: '0f3a', at: 1_767_225_600_000 }

const List = Type.Object(
  { suppressed: Type.Array(Suppressed) },
  { description: 'The last one first. No address: it is sealed.', examples: [{ suppressed: [example] }] },
)

const Released = Type.Object(
  {
    userId: Type.String(),
    status: Type.Enum(['RELEASED']),
    known: Type.Boolean({
      description:
        'Whether it was known here that a mail to this user came back; of very many, the oldest are not.',
    }),
  },
  {
    description: 'Mails go there again.',
    examples: [{ userId: 'ann', status: 'RELEASED' as const, known: true }],
  },
)

export function mailRoutes(app: App, context: ApiContext): void {
  const { defaultPageItems, maxPageItems } = context.limits
  app.get(
    '/v1/ops/mail/suppressed',
    {
      config: { access: READERS },
      schema: {
        tags: ['operations'],
        summary: 'Users whose addresses mails came back from',
        querystring: Type.Object(
          {
            limit: Type.Optional(
              Type.Integer({
                minimum: 1,
                maximum: maxPageItems,
                description: `Default ${defaultPageItems}.`,
              }),
            ),
          },
          { additionalProperties: false },
        ),
        response: { 200: List, ...problems('withToken', 'MAIL_OFF', 'STORE_UNAVAILABLE') },
      },
    },
    (request, reply) => {
      const { limit = defaultPageItems } = request.query
      const suppressed = [...suppressedOf(context).newest(limit)]
      reply.header('cache-control', 'no-store')
      void reply.send({ suppressed })
    },
  )
  app.post(
    '/v1/ops/mail/suppressed/:userId/release',
    {
      config: { access: ADMINS },
      schema: {
        tags: ['operations'],
        summary: 'Let mails go to the address of a user again',
        params: Type.Object({ userId: Type.String({ maxLength: 200 }) }),
        response: {
          200: Released,
          ...problems('withToken', 'CROSS_SITE', 'withAppend', 'MAIL_OFF', 'STORE_UNAVAILABLE'),
        },
      },
    },
    (request, reply) => release(context, request, reply),
  )
}

async function release(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Static<typeof Released>> {
  const { userId } = request.params as { userId: string }
  const before = suppressedOf(context).of(userId)
  await audit(context, request, { action: 'mail.release', target: userId, before })
  await appendOne(context, tombstoneOf(context, request, context.topics.mailSuppressed, userId))
  reply.header('cache-control', 'no-store')
  return { userId, status: 'RELEASED', known: before !== undefined }
}

function suppressedOf({ pipeline }: ApiContext): SuppressedMails {
  const all = pipeline.suppressedMails()
  if (all === undefined) throw new ApiError('MAIL_OFF', 'Off: mail.transport, or orders.enabled.')
  return all
}
