/** Best-seller boards as they change. */
import { hash } from 'node:crypto'
import { Type } from 'typebox'
import { type ApiContext, type App, EVERYONE } from '../context.ts'
import { type NextBatch, streamEvents } from '../event-stream.ts'
import type { BoardQuery } from '../ports.ts'
import { problems } from '../shapes.ts'
import { boardQuery, rankingPath, rankingQuery, showBoard } from './rankings.ts'

const ID_CHARS = 22

export function rankingEventRoutes(app: App, context: ApiContext): void {
  const { defaultBoardEntries } = context.limits
  app.get(
    '/v1/rankings/:window/events',
    {
      config: { access: EVERYONE },
      // A stream has no end to be told beforehand.
      exposeHeadRoute: false,
      schema: {
        tags: ['rankings'],
        summary: 'The board as it changes, of the window that is now where `at` does not name another',
        description:
          'Server-sent events `board`, each the whole board; the first is as it stands. The id is a hash of it: after ' +
          '`Last-Event-ID` it is told again only where it changed.',
        params: rankingPath,
        querystring: rankingQuery(context.limits),
        response: {
          200: Type.Unsafe({
            description: 'The stream.',
            content: { 'text/event-stream': { schema: { type: 'string' } } },
          }),
          ...problems('withToken', 'UNKNOWN_WINDOW', 'ofOwner'),
        },
      },
    },
    (request, reply) => {
      const { at, metric = 'quantity', limit = defaultBoardEntries } = request.query
      const query = () => boardQuery(context, request.params.window, at, metric)
      return streamEvents(context, request, reply, boardsOf(context, query, limit))
    },
  )
}

function boardsOf({ pipeline }: ApiContext, query: () => BoardQuery, limit: number): NextBatch {
  const eventOf = (value: Parameters<typeof showBoard>[1]) => {
    const data = showBoard(pipeline, value, limit)
    return { id: hash('sha256', JSON.stringify(data), 'base64url').slice(0, ID_CHARS), event: 'board', data }
  }
  return async (lastId, { timeoutMs, signal }) => {
    let event = eventOf((await pipeline.board(query())).value)
    if (event.id === lastId && timeoutMs > 0) {
      const news = (value: Parameters<typeof showBoard>[1]) => (event = eventOf(value)).id !== lastId
      await pipeline.boardUntil(query, news, { timeoutMs, signal })
    }
    return { events: event.id === lastId ? [] : [event], ended: false }
  }
}
