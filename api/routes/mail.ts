/** Addresses that mails came back from: who has one, and letting mails go there again. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { audit } from '../audit.ts'
import { ADMINS, type ApiContext, type App, READERS } from '../context.ts'
import { ApiError } from '../errors.ts'
import { appendOne, tombstoneOf } from '../log-writer.ts'
import type { SuppressedMail } from '../mail-port.ts'
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
  { userId: Type.String(), status: Type.Enum(['RELEASED']) },
  {
    description: 'Mails go there again.',
    examples: [{ userId: 'ann', status: 'RELEASED' as const }],
  },
)

export function mailRoutes(app: App, context: ApiContext): void {
  app.get(
    '/v1/ops/mail/suppressed',
    {
      config: { access: READERS },
      schema: {
        tags: ['operations'],
        summary: 'Users whose addresses mails came back from',
        response: { 200: List, ...problems('withToken', 'MAIL_OFF', 'STORE_UNAVAILABLE') },
      },
    },
    (_request, reply) => {
      const all = [...suppressedOf(context)].sort((a, b) => b.at - a.at)
      reply.header('cache-control', 'no-store')
      void reply.send({ suppressed: all })
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
          ...problems(
            'withToken',
            'CROSS_SITE',
            'withAppend',
            'MAIL_OFF',
            'NOT_SUPPRESSED',
            'STORE_UNAVAILABLE',
          ),
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
  const before = suppressedOf(context).find((one) => one.userId === userId)
  if (before === undefined) throw new ApiError('NOT_SUPPRESSED', 'GET /v1/ops/mail/suppressed has them.')
  await audit(context, request, { action: 'mail.release', target: userId, before })
  await appendOne(context, tombstoneOf(context, request, context.topics.mailSuppressed, userId))
  reply.header('cache-control', 'no-store')
  return { userId, status: 'RELEASED' }
}

function suppressedOf({ pipeline }: ApiContext): readonly SuppressedMail[] {
  const all = pipeline.suppressedMails()
  if (all === undefined) throw new ApiError('MAIL_OFF', 'Off: mail.transport, or orders.enabled.')
  return all
}
