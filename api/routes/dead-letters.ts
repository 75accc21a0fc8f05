/** Dead letters: looked at, and sent back; and tasks that their flood has paused. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { audit } from '../audit.ts'
import { ADMINS, type ApiContext, type App } from '../context.ts'
import { ApiError } from '../errors.ts'
import { fromOwner } from '../from-owner.ts'
import type { DeadLetterFilter, RedriveReport } from '../ports.ts'
import { count, Instant, Millis, parseInstant, problems } from '../shapes.ts'
import { deadLetterExample, redriveExample } from './examples.ts'

const TopicName = Type.String({
  pattern: '^[A-Za-z0-9._-]{1,249}$',
  description: 'The topic that they come from, or that of the dead letters.',
  examples: ['order.confirmed'],
})
const ErrorName = Type.String({
  minLength: 1,
  maxLength: 200,
  description: 'Class of the failure, exactly.',
  examples: ['DeserializationError'],
})
/** In a path, where all is text. */
const Digits = Type.String({ pattern: '^\\d{1,15}$', examples: ['0'] })
const Place = Type.Object({ topic: Type.String(), partition: count(0), offset: count(0) })

const filters = {
  error: Type.Optional(ErrorName),
  from: Type.Optional(Instant),
  to: Type.Optional(Instant),
  key: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
}
const state = Type.Enum(['waiting', 'sent', 'all'], {
  description: 'Those not sent back yet, those that were, or all. Default waiting.',
})

const Filter = Type.Object(
  {
    topic: TopicName,
    ...filters,
    partition: Type.Optional(count(0, { description: 'Of the dead letter.' })),
    offset: Type.Optional(count(0, { description: 'Of the dead letter.' })),
  },
  { additionalProperties: false },
)

const summary = {
  deadLetter: Place,
  original: Type.Optional(Place),
  dialect: Type.Enum(['streams', 'connect', 'spring', 'unknown']),
  error: Type.String(),
  consumer: Type.Optional(Type.String()),
  timestamp: Millis,
  key: Type.Optional(Type.String({ description: 'Absent where it does not look like an id.' })),
  keyBytes: count(0),
  valueBytes: count(0),
  state: Type.Enum(['waiting', 'begun', 'sent']),
  redriven: Type.Optional(Place),
}
const Letters = Type.Object(
  {
    items: Type.Array(Type.Object(summary)),
    cursor: Type.Optional(Type.String({ description: 'Of the next page; absent on the last.' })),
  },
  {
    description: 'One page, by topic, partition and offset. It may be short and have a next one.',
    examples: [{ items: [deadLetterExample] }],
  },
)
const Letter = Type.Object(
  {
    ...summary,
    headers: Type.Array(
      Type.Object({ name: Type.String(), bytes: count(0), hex: Type.Optional(Type.String()) }),
    ),
    value: Type.Optional(Type.Unknown({ description: 'typed only.' })),
    keyHex: Type.Optional(Type.String({ description: 'raw only.' })),
    valueHex: Type.Optional(Type.String({ description: 'raw only.' })),
    message: Type.Optional(Type.String({ description: 'raw only: it may quote the record.' })),
    stacktrace: Type.Optional(Type.String({ description: 'raw only.' })),
  },
  {
    description: 'The dead letter.',
    examples: [{ ...deadLetterExample, headers: [{ name: '__streams.errors.topic', bytes: 15 }] }],
  },
)
const Causes = Type.Object(
  {
    causes: Type.Array(
      Type.Object({
        topic: Type.String(),
        error: Type.String(),
        count: count(1),
        earliest: Millis,
        latest: Millis,
      }),
    ),
    complete: Type.Boolean({ description: 'false: there are more than were counted.' }),
  },
  {
    description: 'How many wait, by topic and error, most first.',
    examples: [
      {
        causes: [
          { topic: 'order.confirmed', error: 'DeserializationError', count: 3, earliest: 1, latest: 2 },
        ],
        complete: true,
      },
    ],
  },
)
const Redrive = Type.Object(
  {
    filter: Filter,
    dryRun: Type.Optional(Type.Boolean({ description: 'Count, and send nothing. Default false.' })),
    ignoreEarlier: Type.Optional(
      Type.Boolean({
        description:
          'Earlier ones of a key that the filter leaves out hold back no later ones. Default false.',
      }),
    ),
  },
  {
    additionalProperties: false,
    examples: [{ filter: { topic: 'order.confirmed', error: 'DeserializationError' }, dryRun: true }],
  },
)
const Report = Type.Object(
  {
    dryRun: Type.Boolean(),
    matched: count(0, { description: 'Meant by the filter and not sent before.' }),
    already: count(0, { description: 'Sent by an earlier call.' }),
    sent: count(0, {
      description: 'Sent by this one; done + again + waiting, and what an earlier one began.',
    }),
    done: count(0, { description: 'Processed.' }),
    again: count(0, { description: 'Dead letters again.' }),
    waiting: count(0, { description: 'Not processed yet.' }),
    held: count(0, { description: 'Not sent: an earlier one of the key is not done.' }),
    unroutable: count(0, { description: 'Cannot go back: its topic is not known, or it is gone.' }),
    left: count(0, { description: 'Not sent yet: ask again. In a dry run: what would be sent.' }),
    complete: Type.Boolean({ description: 'Nothing is waiting or left.' }),
  },
  { description: 'What this call did.', examples: [redriveExample] },
)
const Resumed = Type.Object(
  {
    task: Type.String(),
    topic: Type.String({ description: 'Whose dead letters flooded.' }),
    records: count(0),
    deadLetters: count(0),
  },
  {
    description: 'Why the task was paused; it goes on.',
    examples: [{ task: 'best-sellers.0_3', topic: 'order.confirmed', records: 200, deadLetters: 100 }],
  },
)

export function deadLetterRoutes(app: App, context: ApiContext): void {
  listRoute(app, context)
  causesRoute(app, context)
  showRoute(app, context)
  redriveRoute(app, context)
  resumeRoute(app, context)
}

function listRoute(app: App, context: ApiContext): void {
  const { defaultPageItems, maxPageItems } = context.limits
  app.get(
    '/v1/ops/dlq',
    {
      config: { access: ADMINS },
      schema: {
        tags: ['operations'],
        summary: 'Dead letters, without what is in them',
        querystring: Type.Object(
          {
            topic: Type.Optional(TopicName),
            ...filters,
            state: Type.Optional(state),
            limit: Type.Optional(
              Type.Integer({
                minimum: 1,
                maximum: maxPageItems,
                description: `Default ${defaultPageItems}.`,
              }),
            ),
            cursor: Type.Optional(Type.String({ description: 'From the page before.' })),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Letters,
          ...problems('withToken', 'UNKNOWN_DEAD_LETTER', 'STORE_UNAVAILABLE', 'INVALID_CURSOR'),
        },
      },
    },
    async (request, reply) => {
      const { limit = defaultPageItems, cursor, ...query } = request.query
      const filter = filterOf(context, query, 'query')
      const list = ['dead-letters', JSON.stringify(filter)]
      const after = cursor === undefined ? undefined : context.cursors.open(list, cursor)
      const { items, next } = await context.pipeline.deadLetters(filter, { limit, after })
      reply.header('cache-control', 'no-store')
      return {
        items: [...items],
        ...(next !== undefined && { cursor: context.cursors.seal(list, next) }),
      }
    },
  )
}

function causesRoute(app: App, context: ApiContext): void {
  app.get(
    '/v1/ops/dlq/causes',
    {
      config: { access: ADMINS },
      schema: {
        tags: ['operations'],
        summary: 'Dead letters counted by topic and error',
        querystring: Type.Object(
          { topic: Type.Optional(TopicName), ...filters, state: Type.Optional(state) },
          { additionalProperties: false },
        ),
        response: { 200: Causes, ...problems('withToken', 'UNKNOWN_DEAD_LETTER', 'STORE_UNAVAILABLE') },
      },
    },
    async (request, reply) => {
      const { causes, complete } = await context.pipeline.deadLetterCauses(
        filterOf(context, request.query, 'query'),
      )
      reply.header('cache-control', 'no-store')
      return { causes: [...causes], complete }
    },
  )
}

function showRoute(app: App, context: ApiContext): void {
  app.get(
    '/v1/ops/dlq/:topic/:partition/:offset',
    {
      config: { access: ADMINS },
      schema: {
        tags: ['operations'],
        summary: 'One dead letter',
        description: 'raw shows everything, personal data too, and is on record in ops.audit.',
        params: Type.Object({ topic: TopicName, partition: Digits, offset: Digits }),
        querystring: Type.Object(
          {
            show: Type.Optional(
              Type.Enum(['preview', 'typed', 'raw'], {
                description: 'typed: the fields of the value, personal ones masked. Default preview.',
              }),
            ),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Letter,
          ...problems('withToken', 'withAppend', 'UNKNOWN_DEAD_LETTER', 'STORE_UNAVAILABLE'),
        },
      },
    },
    async (request, reply) => {
      const [partition, offset] = [Number(request.params.partition), Number(request.params.offset)]
      const { show = 'preview' } = request.query
      const source = sourceOf(context, request.params.topic)
      const at = { topic: `${source}.dlq`, partition, offset }
      if (show === 'raw')
        await audit(context, request, { action: 'dlq.show', target: `${at.topic}|${partition}|${offset}` })
      const letter = await context.pipeline.deadLetter(at, show)
      if (letter === undefined) throw unknownLetter('Nothing is kept at this position.')
      reply.header('cache-control', 'no-store')
      return { ...letter, headers: [...letter.headers] }
    },
  )
}

function redriveRoute(app: App, context: ApiContext): void {
  app.post(
    '/v1/ops/dlq/redrive',
    {
      config: { access: ADMINS },
      schema: {
        tags: ['operations'],
        summary: 'Send dead letters back to their topics, those of a key one after the other',
        description: 'Ask again until it is complete: what was sent once is not sent again.',
        body: Redrive,
        response: {
          200: Report,
          ...problems(
            'withToken',
            'withBody',
            'withAppend',
            'ofOwner',
            'UNKNOWN_DEAD_LETTER',
            'REDRIVE_RUNNING',
          ),
        },
      },
    },
    (request, reply) =>
      fromOwner(context, request, reply, { here: () => runRedrive(context, request, request.body) }),
  )
}

async function runRedrive(
  context: ApiContext,
  request: FastifyRequest,
  { filter: given, dryRun = false, ignoreEarlier = false }: Static<typeof Redrive>,
): Promise<RedriveReport & { dryRun: boolean }> {
  const { pipeline, gate, limits } = context
  const topic = sourceOf(context, given.topic)
  const filter = { ...filterOf(context, given, 'body.filter'), topic }
  const timeoutMs = limits.redriveWaitMs
  if (request.work !== undefined) request.work.waitMs = timeoutMs
  if (pipeline.isRedriving(topic)) throw redriveRunning()
  if (!dryRun)
    await audit(context, request, {
      action: 'dlq.redrive',
      target: topic,
      after: { ...given, ignoreEarlier },
    })
  const redrive = (signal?: AbortSignal) =>
    pipeline.redrive({ filter, dryRun, ignoreEarlier }, { timeoutMs, signal })
  const { work } = request
  const report = work === undefined ? await redrive() : await gate.wait(work, timeoutMs, redrive)
  if (report === undefined) throw redriveRunning()
  return { dryRun, ...report }
}

function resumeRoute(app: App, context: ApiContext): void {
  app.post(
    '/v1/ops/tasks/:task/resume',
    {
      config: { access: ADMINS },
      schema: {
        tags: ['operations'],
        summary: 'Let a task go on that dead letters have paused',
        params: Type.Object({
          task: Type.String({
            pattern: '^[A-Za-z0-9._-]{1,200}\\.\\d{1,4}_\\d{1,5}$',
            examples: ['best-sellers.0_3'],
          }),
        }),
        response: {
          200: Resumed,
          ...problems('withToken', 'CROSS_SITE', 'withAppend', 'ofOwner', 'UNKNOWN_TASK'),
        },
      },
    },
    (request, reply) => fromOwner(context, request, reply, { here: () => resume(context, request, reply) }),
  )
}

async function resume(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Static<typeof Resumed>> {
  const { task } = request.params as { task: string }
  const paused = context.pipeline.pausedTask(task)
  if (paused === undefined) throw new ApiError('UNKNOWN_TASK', '/readyz names the tasks that are paused.')
  await audit(context, request, { action: 'task.resume', target: task, before: paused })
  context.pipeline.resumeTask(task)
  reply.header('cache-control', 'no-store')
  return paused
}

type GivenFilter = Omit<DeadLetterFilter, 'from' | 'to'> & {
  readonly from?: number | string
  readonly to?: number | string
}

/** @throws ApiError `INVALID_REQUEST`, `UNKNOWN_DEAD_LETTER` */
function filterOf(context: ApiContext, given: GivenFilter, path: string): DeadLetterFilter {
  const { topic, from, to, ...rest } = given
  return {
    ...rest,
    ...(topic !== undefined && { topic: sourceOf(context, topic) }),
    ...(from !== undefined && { from: parseInstant(from, `${path}.from`) }),
    ...(to !== undefined && { to: parseInstant(to, `${path}.to`) }),
  }
}

function sourceOf({ pipeline }: ApiContext, topic: string): string {
  const source = pipeline.deadLetterTopic(topic)
  if (source === undefined) throw unknownLetter('No topic of this name has dead letters.')
  return source
}

function unknownLetter(detail: string): ApiError {
  return new ApiError('UNKNOWN_DEAD_LETTER', detail)
}

function redriveRunning(): ApiError {
  return new ApiError('REDRIVE_RUNNING', 'Wait for its end, then ask again.', { retryAfterMs: 1_000 })
}
