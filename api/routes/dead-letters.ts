/** Dead letters: looked at, and sent back; and tasks that their flood has paused. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { audit } from '../audit.ts'
import { ADMINS, type ApiContext, type App } from '../context.ts'
import { ApiError } from '../errors.ts'
import { fromOwner } from '../from-owner.ts'
import type { DeadLetterFilter } from '../ports.ts'
import { parseInstant, problems } from '../shapes.ts'
import {
  Causes,
  Digits,
  filters,
  Letter,
  Letters,
  Redrive,
  Report,
  Resumed,
  state,
  TopicName,
} from './dead-letter-shapes.ts'

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
  { filter: given, dryRun = false, ignoreEarlier = false, ends }: Static<typeof Redrive>,
): Promise<Static<typeof Report>> {
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
    pipeline.redrive({ filter, dryRun, ignoreEarlier, ends }, { timeoutMs, signal })
  const { work } = request
  const report = work === undefined ? await redrive() : await gate.wait(work, timeoutMs, redrive)
  if (report === undefined) throw redriveRunning()
  return { dryRun, ...report, ends: [...report.ends] }
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
