/** Probes, metrics, time, the live graph, and the API's own description. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { audit } from '../audit.ts'
import { ADMINS, type ApiContext, type App, READERS } from '../context.ts'
import { ApiError } from '../errors.ts'
import type { Probe, TimeReport } from '../ports.ts'
import { Millis, problems } from '../shapes.ts'

const JSON_TYPE = 'application/json; charset=utf-8'

const Health = Type.Object(
  {
    status: Type.Enum(['ok', 'degraded'], { description: 'degraded: it serves, and somebody should look.' }),
    checks: Type.Array(
      Type.Object({
        name: Type.String(),
        ok: Type.Boolean(),
        degraded: Type.Optional(Type.Boolean()),
        detail: Type.Optional(Type.String()),
      }),
    ),
  },
  { description: 'All is well.', examples: [{ status: 'ok', checks: [{ name: 'log', ok: true }] }] },
)

const Time = Type.Object(
  {
    now: Millis,
    iso: Type.String({ format: 'date-time' }),
    frozen: Type.Boolean({ description: 'Expiries wait because the clocks disagree.' }),
  },
  {
    description: 'The time.',
    examples: [{ now: 1_767_225_600_000, iso: '2026-01-01T00:00:00.000Z', frozen: false }],
  },
)

const text = (type: string, description: string) => ({
  description,
  content: { [type]: { schema: { type: 'string' } } },
})

export function operationRoutes(app: App, context: ApiContext): void {
  probeRoute(app, context, '/livez', 'live', 'The process can go on')
  probeRoute(app, context, '/readyz', 'ready', 'It can serve')
  probeRoute(app, context, '/startupz', 'startup', 'Start-up and restores are done')
  metricsRoute(app, context)
  timeRoute(app, context)
  thawRoute(app, context)
  topologyRoute(app, context)
  openapiRoute(app)
}

function probeRoute(app: App, context: ApiContext, url: string, probe: Probe, summary: string): void {
  app.get(
    url,
    {
      config: { access: 'probe' },
      schema: {
        tags: ['operations'],
        summary,
        security: [],
        response: { 200: Health, ...problems('NOT_READY') },
      },
    },
    (_request, reply) => {
      reply.header('cache-control', 'no-store')
      void reply.send(checkHealth(context, probe))
    },
  )
}

function checkHealth({ pipeline, isClosing }: ApiContext, probe: Probe): Static<typeof Health> {
  const checks = pipeline.health(probe).map(({ name, ok, degraded, detail }) => ({
    name,
    ok,
    ...(degraded === true && { degraded }),
    ...(detail !== undefined && { detail }),
  }))
  // A closing server still lives, but takes no more requests.
  if (probe === 'ready' && isClosing()) checks.push({ name: 'server', ok: false, detail: 'closing' })
  const failing = checks.filter(({ ok }) => !ok)
  if (failing.length === 0) {
    const isDegraded = checks.some((check) => 'degraded' in check)
    return { status: isDegraded ? 'degraded' : 'ok', checks }
  }
  const detail = `Failing: ${failing.map(({ name }) => name).join(', ')}.`
  throw new ApiError('NOT_READY', detail, { members: { checks }, retryAfterMs: 1_000 })
}

function metricsRoute(app: App, { pipeline }: ApiContext): void {
  app.get(
    '/metrics',
    {
      config: { access: READERS },
      schema: {
        tags: ['operations'],
        summary: 'Metrics for Prometheus',
        response: { 200: text('text/plain', "Prometheus' text format."), ...problems('withToken') },
      },
    },
    async (_request, reply) => {
      const { contentType, body } = await pipeline.metrics()
      sendText(reply, contentType, body)
    },
  )
}

function timeRoute(app: App, { pipeline }: ApiContext): void {
  app.get(
    '/time',
    {
      config: { access: 'public' },
      schema: {
        tags: ['operations'],
        summary: 'What time it is here, for countdowns',
        security: [],
        response: { 200: Time, ...problems() },
      },
    },
    (_request, reply) => {
      reply.header('cache-control', 'no-store')
      void reply.send(timeOf(pipeline.time()))
    },
  )
}

function timeOf({ now, frozen }: TimeReport): Static<typeof Time> {
  return { now, iso: new Date(now).toISOString(), frozen }
}

function thawRoute(app: App, context: ApiContext): void {
  app.post(
    '/v1/ops/clock/thaw',
    {
      config: { access: ADMINS },
      schema: {
        tags: ['operations'],
        summary: 'The system clock of this process is right: let its expiries go on',
        response: { 200: Time, ...problems('withToken', 'CROSS_SITE', 'withAppend') },
      },
    },
    (request, reply) => thaw(context, request, reply),
  )
}

async function thaw(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Static<typeof Time>> {
  const { pipeline } = context
  const before = timeOf(pipeline.time())
  if (before.frozen) {
    await audit(context, request, { action: 'clock.thaw', target: 'clock', before })
    pipeline.thawClocks()
  }
  reply.header('cache-control', 'no-store')
  return timeOf(pipeline.time())
}

function topologyRoute(app: App, { pipeline }: ApiContext): void {
  app.get(
    '/v1/ops/topology',
    {
      config: { access: READERS },
      schema: {
        tags: ['operations'],
        summary: 'The graph that runs, with rates, lag and store sizes',
        querystring: Type.Object(
          {
            format: Type.Optional(
              Type.Enum(['json', 'describe', 'mermaid'], { description: 'Default json.' }),
            ),
          },
          { additionalProperties: false },
        ),
        response: {
          200: {
            description: "The graph. describe: Kafka Streams' text format.",
            content: {
              'application/json': { schema: { type: 'object', additionalProperties: true } },
              'text/plain': { schema: { type: 'string' } },
            },
          },
          ...problems('withToken'),
        },
      },
    },
    (request, reply) => {
      const { format = 'json' } = request.query
      if (format === 'json') sendText(reply, JSON_TYPE, JSON.stringify(pipeline.topologyJson()))
      else sendText(reply, 'text/plain; charset=utf-8', pipeline.topologyText(format))
    },
  )
}

function openapiRoute(app: App): void {
  let document: string | undefined
  app.get(
    '/openapi.json',
    {
      config: { access: 'public' },
      schema: {
        tags: ['operations'],
        summary: 'This description',
        security: [],
        response: {
          200: {
            description: 'OpenAPI 3.1.',
            content: { 'application/json': { schema: { type: 'object', additionalProperties: true } } },
          },
          ...problems(),
        },
      },
    },
    (_request, reply) => {
      sendText(reply, JSON_TYPE, (document ??= JSON.stringify(app.swagger())))
    },
  )
}

/** Text goes out as it is: a schema would only make it again. */
function sendText(reply: FastifyReply, type: string, body: string): void {
  void reply.type(type).send(body)
}
