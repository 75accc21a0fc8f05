/**
 * News from payment provider and courier: what was signed goes into the log, once the log has it the answer is 202. What
 * it means is the gateway's business (docs/providers.md), for which the same news twice, late or out of order is no news.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, type TSchema, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { DeliveryCallResult, PaymentCallResult } from '../../schemas/index.ts'
import type { AppendRecord } from '../../streams/index.ts'
import type { ApiContext, App } from '../context.ts'
import { ApiError } from '../errors.ts'
import { strictJson } from '../json-body.ts'
import { appendOne, checkAdmission, recordOf } from '../log-writer.ts'
import { count, OrderId, problems } from '../shapes.ts'
import { fieldProblems } from '../validation.ts'
import { checkSignature, SIGNATURE_HEADER, type WebhookTerms } from '../webhook-signature.ts'
import { paymentNewsExample, shipmentNewsExample } from './examples.ts'

/** News are small; an answer with a provider's whole object in it is not what is wanted here. */
const BODY_BYTES = 64 * 1024

const name = (description: string) => Type.String({ minLength: 1, maxLength: 200, description })
const Key = Type.Optional(name('The Idempotency-Key that the shop sent; absent: it asked for nothing.'))
const Code = Type.Optional(
  Type.String({ pattern: '^[A-Za-z0-9_.-]{1,64}$', description: 'Why it failed: stable, no free text.' }),
)
const eventId = name('Of this message; the same when it is sent again.')

// Providers add fields; what is not known here is passed over.
const PaymentNews = Type.Object(
  {
    type: Type.Enum(['charge.updated', 'refund.updated']),
    eventId,
    orderId: OrderId,
    idempotencyKey: Key,
    refundId: Type.Optional(name('Of a refund: as the shop sent it.')),
    status: Type.Enum(['SUCCEEDED', 'FAILED', 'PENDING']),
    paymentKey: name("The payment's name at the provider."),
    amount: count(1, { description: 'Minor units.' }),
    currency: Type.String({ pattern: '^[A-Z]{3}$' }),
    code: Code,
  },
  { examples: [paymentNewsExample] },
)
const ShipmentNews = Type.Object(
  {
    type: Type.Literal('shipment.updated'),
    eventId,
    orderId: OrderId,
    idempotencyKey: name('The Idempotency-Key that the shop sent.'),
    status: Type.Enum(['ACCEPTED', 'STARTED', 'DELIVERED', 'FAILED', 'CANCELLED']),
    deliveryId: name("The shipment's name at the courier."),
    code: Code,
  },
  { examples: [shipmentNewsExample] },
)
const Accepted = Type.Object(
  {
    eventId: Type.String(),
    status: Type.Enum(['ACCEPTED', 'IGNORED'], { description: 'IGNORED: of a type that is not known here.' }),
  },
  { description: 'The log has it.', examples: [{ eventId: 'evt-1', status: 'ACCEPTED' }] },
)
type Accepted = Static<typeof Accepted>

interface Hook<S extends TSchema> {
  readonly path: string
  readonly summary: string
  readonly news: S
  readonly types: readonly string[]
  readonly terms: WebhookTerms | undefined
  readonly record: (news: Static<S>, request: FastifyRequest) => AppendRecord
}

export function webhookRoutes(app: App, context: ApiContext): void {
  const { webhooks } = context
  // A scope of its own: bodies come as the bytes that were signed.
  void app.register((scope: App, _options, done) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, bytes, parsed) =>
      parsed(null, bytes),
    )
    addHook(scope, context, {
      path: 'payments',
      summary: 'What a payment provider tells of a charge or refund',
      news: PaymentNews,
      types: ['charge.updated', 'refund.updated'],
      terms: webhooks?.payments,
      record: (news, request) =>
        recordOf(context, request, context.topics.paymentCallResult, paymentResult(news, context)),
    })
    addHook(scope, context, {
      path: 'deliveries',
      summary: 'What a courier tells of a shipment',
      news: ShipmentNews,
      types: ['shipment.updated'],
      terms: webhooks?.deliveries,
      record: (news, request) =>
        recordOf(context, request, context.topics.deliveryCallResult, deliveryResult(news)),
    })
    done()
  })
}

function addHook<S extends TSchema>(app: App, context: ApiContext, hook: Hook<S>): void {
  const check = Compile(hook.news)
  const read = strictJson(app)
  app.post(
    `/v1/webhooks/${hook.path}`,
    {
      bodyLimit: BODY_BYTES,
      config: {
        access: 'public',
        bodyIsEvent: true,
        // The body is judged as bytes first, not by the server's validator.
        swaggerTransform: ({ schema, url }: { schema: object; url: string }) => ({
          schema: { ...schema, body: { content: { 'application/json': { schema: hook.news } } } },
          url,
        }),
      },
      schema: {
        tags: ['webhooks'],
        summary: hook.summary,
        description: `Signed: \`${SIGNATURE_HEADER}: t=<seconds>,v1=<HMAC-SHA256 of "seconds.body", hexadecimal>\`.`,
        security: [],
        response: {
          202: Accepted,
          ...problems(
            'withBody',
            'withAppend',
            'BAD_SIGNATURE',
            'WEBHOOKS_OFF',
            'INVALID_EVENT',
            'WRONG_CURRENCY',
          ),
        },
      },
    },
    async (request, reply: FastifyReply): Promise<Accepted> => {
      const { terms } = hook
      if (terms === undefined) throw new ApiError('WEBHOOKS_OFF', 'Nobody can be told from a stranger here.')
      const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
      checkSignature(terms, request.headers[SIGNATURE_HEADER], bytes, context.now())
      const json = await read(request, bytes)
      reply.code(202)
      const unknown = unknownType(json, hook.types)
      if (unknown !== undefined) return { eventId: unknown, status: 'IGNORED' }
      if (!check.Check(json)) {
        const errors = fieldProblems('body', check.Errors(json))
        throw new ApiError('INVALID_EVENT', 'See errors.', { errors })
      }
      const record = hook.record(json, request)
      checkAdmission(context, record.topic)
      await appendOne(context, record)
      return { eventId: (json as { readonly eventId: string }).eventId, status: 'ACCEPTED' }
    },
  )
}

/** The eventId of news of a type that only later versions know: it must not be sent again and again. */
function unknownType(json: unknown, types: readonly string[]): string | undefined {
  const { type, eventId: id } = (json ?? {}) as { readonly type?: unknown; readonly eventId?: unknown }
  return typeof type === 'string' && !types.includes(type) && typeof id === 'string' ? id : undefined
}

/** @throws ApiError `WRONG_CURRENCY` */
function paymentResult(news: Static<typeof PaymentNews>, { currency }: ApiContext): PaymentCallResult {
  if (news.currency !== currency) {
    const errors = [{ path: 'body.currency', message: `must be ${currency}` }]
    throw new ApiError('WRONG_CURRENCY', 'See errors.', { errors })
  }
  return {
    kind: news.type === 'refund.updated' ? 'REFUND' : 'CHARGE',
    orderId: news.orderId,
    idempotencyKey: news.idempotencyKey ?? null,
    attempt: 0,
    status: news.status,
    paymentKey: news.paymentKey,
    refundId: news.refundId ?? null,
    amount: news.amount,
    code: news.code ?? null,
    retryAfterMs: null,
    eventId: news.eventId,
  }
}

function deliveryResult(news: Static<typeof ShipmentNews>): DeliveryCallResult {
  return {
    kind: 'SHIPMENT',
    orderId: news.orderId,
    idempotencyKey: news.idempotencyKey,
    attempt: 0,
    status: news.status,
    deliveryId: news.deliveryId,
    code: news.code ?? null,
    retryAfterMs: null,
    eventId: news.eventId,
  }
}
