/** Connectors: how far they are, and whether they may go on. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { audit } from '../audit.ts'
import type { ConnectorReport } from '../connector-port.ts'
import { ADMINS, type ApiContext, type App, READERS } from '../context.ts'
import { ApiError } from '../errors.ts'
import { appendOne, recordOf } from '../log-writer.ts'
import { count, problems } from '../shapes.ts'

const example = {
  name: 'mail',
  state: 'running' as const,
  breaker: 'closed' as const,
  tasks: [
    {
      name: 'connector-mail.0_0',
      partition: 0,
      inputs: [{ topic: 'mail.requested', partition: 0, position: 17, lagRecords: 0 }],
    },
  ],
}

const ConnectorShape = Type.Object(
  {
    name: Type.String(),
    state: Type.Enum(['joining', 'running', 'paused', 'failed', 'stopped']),
    breaker: Type.Enum(['closed', 'open', 'half-open'], {
      description: 'Open: the target was not there several times in a row, and is left alone for a while.',
    }),
    tasks: Type.Array(
      Type.Object({
        name: Type.String(),
        partition: count(0),
        failure: Type.Optional(Type.String({ description: 'Why it does not run any more.' })),
        inputs: Type.Array(
          Type.Object({
            topic: Type.String(),
            partition: count(0),
            position: count(0, { description: 'The next offset to be delivered.' }),
            lagRecords: count(0, {
              description: 'Records that are there and not delivered yet, a batch under way among them.',
            }),
          }),
        ),
      }),
    ),
    waitingRows: Type.Optional(
      count(0, {
        description:
          'Of the outbox, whose input is a table: rows that are not published, counted up to 100,000 every few seconds where its task runs.',
      }),
    ),
  },
  {
    description: 'A connector, with its tasks in the process that was asked.',
    examples: [example],
  },
)

const List = Type.Object(
  { connectors: Type.Array(ConnectorShape) },
  {
    description: 'The connectors of the process that was asked.',
    examples: [{ connectors: [example] }],
  },
)

export function connectorRoutes(app: App, context: ApiContext): void {
  listRoute(app, context)
  switchRoute(app, context, 'pause', 'Nothing more is delivered, in any process, until it is resumed')
  switchRoute(app, context, 'resume', 'It goes on, in every process')
}

function listRoute(app: App, { pipeline }: ApiContext): void {
  app.get(
    '/v1/ops/connectors',
    {
      config: { access: READERS },
      schema: {
        tags: ['operations'],
        summary: 'Connectors, how far they are and whether their targets are there',
        response: { 200: List, ...problems('withToken', 'STORE_UNAVAILABLE') },
      },
    },
    async (_request, reply) => {
      const connectors = await pipeline.connectors()
      reply.header('cache-control', 'no-store')
      return { connectors: connectors.map(show) }
    },
  )
}

function switchRoute(app: App, context: ApiContext, action: 'pause' | 'resume', summary: string): void {
  app.post(
    `/v1/ops/connectors/:connector/${action}`,
    {
      config: { access: ADMINS },
      schema: {
        tags: ['operations'],
        summary,
        params: Type.Object({ connector: Type.String({ maxLength: 100 }) }),
        response: {
          200: ConnectorShape,
          ...problems('withToken', 'CROSS_SITE', 'withAppend', 'UNKNOWN_CONNECTOR', 'STORE_UNAVAILABLE'),
        },
      },
    },
    (request, reply) => turn(context, request, reply, action),
  )
}

async function turn(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  action: 'pause' | 'resume',
): Promise<Static<typeof ConnectorShape>> {
  const { pipeline, topics } = context
  const { connector } = request.params as { connector: string }
  const paused = action === 'pause'
  const before = pipeline.isConnectorPaused(connector)
  if (before === undefined) throw unknown()
  if (before !== paused) {
    await audit(context, request, {
      action: `connector.${action}`,
      target: connector,
      before: { paused: before },
      after: { paused },
    })
    const value = { connector, paused, at: context.now() }
    await appendOne(context, recordOf(context, request, topics.opsConnector, value))
    pipeline.setConnectorPaused(connector, paused)
  }
  const found = (await pipeline.connectors()).find(({ name }) => name === connector)
  if (found === undefined) throw unknown()
  reply.header('cache-control', 'no-store')
  return show(found)
}

function show({ tasks, ...rest }: ConnectorReport): Static<typeof ConnectorShape> {
  return {
    ...rest,
    tasks: tasks.map(({ failure, inputs, ...task }) => ({
      ...task,
      ...(failure !== undefined && { failure }),
      inputs: [...inputs],
    })),
  }
}

function unknown(): ApiError {
  return new ApiError('UNKNOWN_CONNECTOR', 'GET /v1/ops/connectors has their names.')
}
