/** Best-seller boards. */
import { hash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { RankingSnapshot } from '../../schemas/index.ts'
import { type ApiContext, type App, EVERYONE } from '../context.ts'
import { ApiError } from '../errors.ts'
import { showPositions } from '../log-writer.ts'
import { fromCopy, fromOwner } from '../from-owner.ts'
import type { BoardQuery, ProductPort, RankingMetric, RankingWindow } from '../ports.ts'
import { count, Millis, parseInstant, problems } from '../shapes.ts'
import { boardExample } from './examples.ts'

const WINDOWS: readonly string[] = ['hour', 'day', 'week'] satisfies readonly RankingWindow[]
const LAST_INSTANT = 8.64e15

const Entry = Type.Object({
  rank: count(1, { description: 'Equal scores share a rank: 1, 1, 3.' }),
  productId: Type.String(),
  title: Type.Optional(Type.String()),
  score: count(1),
  quantity: Type.Integer(),
  amount: Type.Integer({ description: 'Minor units.' }),
  previousRank: Type.Optional(
    count(1, { description: 'In the preceding window. Absent: it was not on the board.' }),
  ),
})

const Board = Type.Object(
  {
    window: Type.String(),
    start: Millis,
    end: Millis,
    metric: Type.String(),
    category: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'null: all products.' }),
    timeZone: Type.String(),
    watermark: Type.Integer({
      description: 'How far sales are counted, by their own time. Epoch milliseconds.',
    }),
    revision: count(0),
    final: Type.Boolean({ description: 'The window is closed.' }),
    corrected: Type.Boolean({ description: 'A return changed it after it was final.' }),
    lateCount: count(0),
    entries: Type.Array(Entry),
  },
  {
    description: 'The board.',
    examples: [boardExample],
    headers: { etag: { type: 'string', description: 'For If-None-Match.' } },
  },
)
type Board = Static<typeof Board>

export const rankingPath = Type.Object({
  window: Type.String({ description: WINDOWS.join(', '), examples: ['day'] }),
})

/** Which board, and how much of it. */
export function rankingQuery({ defaultBoardEntries, maxPageItems }: ApiContext['limits']) {
  return Type.Object(
    {
      at: Type.Optional(
        Type.String({
          description:
            'A moment inside the window: ISO 8601 with an offset, or epoch milliseconds. Absent: now.',
          examples: ['2026-03-01T12:00:00Z'],
        }),
      ),
      metric: Type.Optional(Type.Enum(['quantity', 'amount'], { description: 'Default quantity.' })),
      limit: Type.Optional(
        Type.Integer({ minimum: 1, maximum: maxPageItems, description: `Default ${defaultBoardEntries}.` }),
      ),
    },
    { additionalProperties: false },
  )
}

export function rankingRoutes(app: App, context: ApiContext): void {
  const { defaultBoardEntries } = context.limits
  app.get(
    '/v1/rankings/:window',
    {
      config: { access: EVERYONE },
      schema: {
        tags: ['rankings'],
        summary: 'The best-selling products of an hour, a day or a week',
        params: rankingPath,
        querystring: rankingQuery(context.limits),
        headers: Type.Object({
          'if-none-match': Type.Optional(Type.String({ description: 'The ETag of the answer before.' })),
        }),
        response: {
          200: Board,
          304: Type.Null({ description: 'The board is as it was.' }),
          ...problems('withToken', 'UNKNOWN_WINDOW', 'ofOwner'),
        },
      },
    },
    async (request, reply) => {
      const { at, metric = 'quantity', limit = defaultBoardEntries } = request.query
      const query = boardQuery(context, request.params.window, at, metric)
      const board = await fromOwner(context, request, reply, {
        here: () => readBoard(context, reply, query, limit),
        copy: () => readCopy(context, reply, query, limit),
      })
      if (board !== undefined) sendBoard(request, reply, board)
    },
  )
}

/** @throws ApiError `UNKNOWN_WINDOW`, `INVALID_REQUEST` */
export function boardQuery(
  { now }: ApiContext,
  window: string,
  at: string | undefined,
  metric: RankingMetric,
): BoardQuery {
  if (!isWindow(window)) throw new ApiError('UNKNOWN_WINDOW', `There are ${WINDOWS.join(', ')}.`)
  return { window, metric, category: null, at: at === undefined ? now() : parseAt(at) }
}

function isWindow(window: string): window is RankingWindow {
  return WINDOWS.includes(window)
}

function parseAt(text: string): number {
  const ms = Number(text)
  return /^\d{1,16}$/.test(text) && ms <= LAST_INSTANT ? ms : parseInstant(text, 'query.at')
}

async function readBoard(
  { pipeline }: ApiContext,
  reply: FastifyReply,
  query: BoardQuery,
  limit: number,
): Promise<Board> {
  const { value, positions } = await pipeline.board(query)
  showPositions(reply, positions)
  return showBoard(pipeline, value, limit)
}

function readCopy(
  { pipeline }: ApiContext,
  reply: FastifyReply,
  query: BoardQuery,
  limit: number,
): Board | undefined {
  const copy = pipeline.copies?.board(query)
  if (copy === undefined) return undefined
  showPositions(reply, copy.positions)
  fromCopy(reply)
  return showBoard(pipeline, copy.value, limit)
}

/** @throws ApiError `UNKNOWN_WINDOW` where there is none any more */
export function showBoard(pipeline: ProductPort, value: RankingSnapshot | undefined, limit: number): Board {
  if (value === undefined) throw new ApiError('UNKNOWN_WINDOW', 'Boards of that time are no longer kept.')
  const entries = value.entries.slice(0, limit)
  const titles = pipeline.titles(entries.map(({ productId }) => productId))
  const { window, start, end, metric, category, timeZone, watermark, revision, final, corrected, lateCount } =
    value
  const shown = entries.map((entry, i) => showEntry(entry, titles[i]))
  return {
    window,
    start,
    end,
    metric,
    category,
    timeZone,
    watermark,
    revision,
    final,
    corrected,
    lateCount,
    entries: shown,
  }
}

function showEntry(
  entry: RankingSnapshot['entries'][number],
  title: string | undefined,
): Board['entries'][number] {
  const { previousRank, productId, ...rest } = entry
  return {
    productId,
    ...rest,
    ...(title !== undefined && { title }),
    ...(previousRank !== null && { previousRank }),
  }
}

/** The tag is a hash of the very text, so whatever changes in it, a title too, changes the tag. */
function sendBoard(request: FastifyRequest, reply: FastifyReply, board: Board): void {
  const text = reply.serialize(board) as string
  const etag = `"${hash('sha256', text, 'base64url').slice(0, 22)}"`
  reply.headers({ etag, 'cache-control': 'no-cache' })
  if (matches(request.headers['if-none-match'], etag)) void reply.code(304).send()
  else void reply.type('application/json; charset=utf-8').send(text)
}

function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  const tags = header.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes('*') || tags.includes(etag)
}
