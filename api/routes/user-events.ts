/** All that concerns a user, as it comes. */
import { Type } from 'typebox'
import type { UserNews } from '../../schemas/index.ts'
import { type ApiContext, type App, READERS } from '../context.ts'
import { ApiError } from '../errors.ts'
import { type EventBatch, type NextBatch, noSuchId, type StreamEvent, streamEvents } from '../event-stream.ts'
import type { NewsPlace, UserNewsView } from '../news-port.ts'
import { problems, UserId } from '../shapes.ts'

export function userEventRoutes(app: App, context: ApiContext): void {
  app.get(
    '/v1/users/:userId/events',
    {
      config: { access: READERS },
      // A stream has no end to be told beforehand.
      exposeHeadRoute: false,
      schema: {
        tags: ['users'],
        summary: 'All that concerns a user, as it comes: coupons, points, orders',
        description:
          'Server-sent events `coupon-issued`, `coupon-rejected`, `coupon-used`, `points-earned` and ' +
          '`order-status`, numbered by `sequence`. First what is kept, oldest first; `Last-Event-ID` resumes after ' +
          'it. `gap`: what lies between that and `first` is forgotten. The stream has no end.',
        params: Type.Object({ userId: UserId }),
        response: {
          200: Type.Unsafe({
            description: 'The stream.',
            content: { 'text/event-stream': { schema: { type: 'string' } } },
          }),
          ...problems('withToken', 'USER_EVENTS_OFF', 'ofOwner'),
        },
      },
    },
    (request, reply) => {
      if (!context.userEvents)
        throw new ApiError('USER_EVENTS_OFF', 'Users are told nothing here: notifier.enabled.')
      return streamEvents(context, request, reply, newsOf(context, request.params.userId))
    },
  )
}

function newsOf({ pipeline }: ApiContext, userId: string): NextBatch {
  return async (lastId, { timeoutMs, signal }) => {
    const after = placeOf(lastId)
    let news = await pipeline.userNews(userId, after)
    if (news.length === 0 && timeoutMs > 0) {
      await pipeline.userNewsUntil(userId, after, { timeoutMs, signal })
      news = await pipeline.userNews(userId, after)
    }
    return batchOf(after, news)
  }
}

/** @throws ApiError `INVALID_REQUEST` */
function placeOf(lastId: string | undefined): NewsPlace | undefined {
  if (lastId === undefined) return undefined
  const [, begun, sequence] = /^(\d{1,15})\.(\d{1,15})$/.exec(lastId) ?? []
  if (begun === undefined) throw noSuchId()
  return { begun: Number(begun), sequence: Number(sequence) }
}

function batchOf(after: NewsPlace | undefined, news: readonly UserNewsView[]): EventBatch {
  const [first] = news
  const gap = after === undefined || first === undefined || follows(after, first.place) ? [] : [gapTo(first)]
  return { events: [...gap, ...news.map(eventOf)], ended: false }
}

function follows(after: NewsPlace, { begun, sequence }: NewsPlace): boolean {
  return begun === after.begun && sequence === after.sequence + 1
}

function gapTo({ place: { begun, sequence } }: UserNewsView): StreamEvent {
  return { id: idOf({ begun, sequence: sequence - 1 }), event: 'gap', data: { first: sequence } }
}

function eventOf({ place, news }: UserNewsView): StreamEvent {
  const event = news.kind.toLowerCase().replaceAll('_', '-')
  return { id: idOf(place), event, data: { sequence: place.sequence, ...shown(news) } }
}

/** Only the fields that it has; the kind is the event's name. */
function shown(news: UserNews): object {
  return Object.fromEntries(Object.entries(news).filter(([name, value]) => name !== 'kind' && value !== null))
}

function idOf({ begun, sequence }: NewsPlace): string {
  return `${begun}.${sequence}`
}
