/** Producers' own events: one Avro datum, one JSON value, or a batch of lines. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { AppendRecord } from '../../streams/index.ts'
import { audit } from '../audit.ts'
import { type ApiContext, type App, WRITERS } from '../context.ts'
import { ApiError } from '../errors.ts'
import { type EventDoor, EventDoors, fromLines, type Writing } from '../event-doors.ts'
import { parseJsonBodies } from '../json-body.ts'
import { checkAdmission } from '../log-writer.ts'
import { count, problems } from '../shapes.ts'
import { eventsExample } from './examples.ts'

const AVRO_TYPES = ['application/vnd.confluent.avro', 'application/octet-stream']
/** Keys of a batch that its audit names at most. */
const AUDITED_KEYS = 100
const LINE_TYPES = ['application/x-ndjson']

/** A body as its media type says it is to be read. */
type EventBody =
  | { readonly kind: 'avro' | 'lines'; readonly bytes: Buffer }
  | { readonly kind: 'json'; readonly json: unknown }

const Written = Type.Object(
  {
    topic: Type.String(),
    count: count(1),
    positions: Type.Array(
      Type.Object({ partition: Type.Integer(), offset: Type.Integer(), eventId: Type.String() }),
      { description: 'In the order of the events.' },
    ),
  },
  { description: 'The log has the events.', examples: [eventsExample] },
)

const documentedBody = {
  content: {
    'application/json': {
      schema: {
        type: 'object',
        description: "The topic's record as Avro's JSON encoding, or with plain values in unions.",
        examples: [{ requestId: 'r-1', couponId: 'spring-10', userId: 'user-7' }],
      },
    },
    'application/x-ndjson': {
      schema: { type: 'string', description: 'One such object per line; all are taken or none.' },
    },
    ...Object.fromEntries(
      AVRO_TYPES.map((type) => [
        type,
        {
          schema: {
            type: 'string',
            contentMediaType: type,
            description: 'One Avro datum in Confluent framing.',
          },
        },
      ]),
    ),
  },
}

export function eventRoutes(app: App, context: ApiContext): void {
  const doors = new EventDoors(context.topics, {
    orders: context.orders !== undefined,
    external: context.external,
  })
  // A scope of its own: these media types are taken nowhere else.
  void app.register((scope: App, _options, done) => {
    addParsers(scope)
    addRoute(scope, context, doors)
    done()
  })
}

function addRoute(app: App, context: ApiContext, doors: EventDoors): void {
  app.post(
    '/v1/events/:topic',
    {
      config: {
        access: WRITERS,
        bodyIsEvent: true,
        // The body is checked against the topic's schema, not by the server's validator.
        swaggerTransform: ({ schema, url }: { schema: object; url: string }) => ({
          schema: { ...schema, body: documentedBody },
          url,
        }),
      },
      schema: {
        tags: ['events'],
        summary: 'Write events of your own',
        description: `Topics: ${doors.names.join(', ')}; which of them, the token says.`,
        params: Type.Object({ topic: Type.String({ examples: ['order.confirmed'] }) }),
        querystring: Type.Object(
          {
            key: Type.Optional(
              Type.String({
                description:
                  'Refuse an event whose key is another; the key of an event of a topic of others.',
              }),
            ),
          },
          { additionalProperties: false },
        ),
        response: {
          202: Written,
          ...problems(
            'withToken',
            'withBody',
            'withAppend',
            'UNKNOWN_TOPIC',
            'STORE_UNAVAILABLE',
            'INVALID_EVENT',
            'WRONG_CURRENCY',
            'INVALID_JSON',
            'INVALID_REQUEST',
          ),
        },
      },
    },
    (request, reply) => {
      const door = doors.open(request.params.topic, request.principal)
      return write(context, request, reply, door, request.query.key)
    },
  )
}

function addParsers(app: App): void {
  parseJsonBodies(app, (json) => ({ kind: 'json', json }) satisfies EventBody)
  const asBytes = (kind: 'avro' | 'lines') => {
    return (_request: FastifyRequest, bytes: Buffer, done: (error: null, body: EventBody) => void) =>
      done(null, { kind, bytes })
  }
  app.addContentTypeParser(AVRO_TYPES, { parseAs: 'buffer' }, asBytes('avro'))
  app.addContentTypeParser(LINE_TYPES, { parseAs: 'buffer' }, asBytes('lines'))
}

async function write(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  door: EventDoor,
  key: string | undefined,
): Promise<Static<typeof Written>> {
  checkAdmission(context, door.name)
  const records = read(door, request.body as EventBody | undefined, { context, request, key })
  if (door.isForOperators) {
    const keys = [...new Set(records.map((record) => String(record.key)))]
    const after = { events: records.length, keys: keys.slice(0, AUDITED_KEYS) }
    await audit(context, request, { action: 'events.write', target: door.name, after })
  }
  const results = await context.pipeline.append(records)
  const positions = results.map(({ partition, offset }, i) => {
    return { partition, offset, eventId: records[i]?.lineage.eventId ?? '' }
  })
  reply.code(202)
  return { topic: door.name, count: positions.length, positions }
}

function read(door: EventDoor, body: EventBody | undefined, write: Writing): readonly AppendRecord[] {
  if (body === undefined) throw new ApiError('UNSUPPORTED_MEDIA_TYPE', 'The request has no body.')
  switch (body.kind) {
    case 'avro':
      return [door.fromAvro(body.bytes, write)]
    case 'json':
      return [door.fromJson(body.json, write)]
    case 'lines':
      return fromLines(door, body.bytes, write)
  }
}
