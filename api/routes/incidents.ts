/** What the sentinel and the order saga found. */
import { type Static, Type } from 'typebox'
import type { Incident } from '../../schemas/index.ts'
import { type ApiContext, type App, READERS } from '../context.ts'
import { ApiError } from '../errors.ts'
import { count, Millis, problems } from '../shapes.ts'

const MAX_INCIDENTS = 1_000

const IncidentShape = Type.Object({
  invariant: Type.String({ description: 'I1, I2 …' }),
  subject: Type.String({ description: "A couponId, a board's key, or a partition as topic-partition." }),
  couponId: Type.Optional(Type.String()),
  status: Type.Enum(['OPEN', 'RESOLVED']),
  detail: Type.String({ description: 'For people: the last of what was found.' }),
  occurrences: count(0, { description: 'How often it was found, since ever.' }),
  openedAt: Millis,
  lastSeenAt: Millis,
  resolvedAt: Type.Optional(Millis),
  position: Type.Object({ topic: Type.String(), partition: count(0), offset: count(0) }),
  pauseRequested: Type.Boolean({ description: 'Whether the campaign was asked to pause.' }),
})

const List = Type.Object(
  { incidents: Type.Array(IncidentShape) },
  {
    description: 'The last seen first, 1,000 at most.',
    examples: [
      {
        incidents: [
          {
            invariant: 'I6',
            subject: 'spring',
            couponId: 'spring',
            status: 'OPEN',
            detail: 'number 18 where 17 was due',
            occurrences: 1,
            openedAt: 1_767_225_600_000,
            lastSeenAt: 1_767_225_600_000,
            position: { topic: 'coupon.issued', partition: 2, offset: 17 },
            pauseRequested: false,
          },
        ],
      },
    ],
  },
)

export function incidentRoutes(app: App, { pipeline }: ApiContext): void {
  app.get(
    '/v1/ops/incidents',
    {
      config: { access: READERS },
      schema: {
        tags: ['operations'],
        summary:
          'Invariants that the facts do not keep, as the sentinel found them, and orders that need attention',
        querystring: Type.Object(
          { status: Type.Optional(Type.Enum(['OPEN', 'RESOLVED'], { description: 'Absent: both.' })) },
          { additionalProperties: false },
        ),
        response: { 200: List, ...problems('withToken', 'NOT_WATCHED', 'STORE_UNAVAILABLE') },
      },
    },
    (request, reply) => {
      const found = pipeline.incidents()
      if (found === undefined) throw new ApiError('NOT_WATCHED', 'Off: sentinel.enabled and orders.enabled.')
      const { status } = request.query
      const shown = found.map(showIncident).filter((one) => status === undefined || one.status === status)
      reply.header('cache-control', 'no-store')
      void reply.send({ incidents: shown.slice(0, MAX_INCIDENTS) })
    },
  )
}

function showIncident(incident: Incident): Static<typeof IncidentShape> {
  const { invariant, subject, couponId, status, detail, occurrences, openedAt, lastSeenAt } = incident
  const { resolvedAt, topic, partition, offset, pauseRequested } = incident
  return {
    invariant,
    subject,
    ...(couponId !== null && { couponId }),
    // A status of a later version is not known to be over.
    status: status === 'RESOLVED' ? status : 'OPEN',
    detail,
    occurrences,
    openedAt,
    lastSeenAt,
    ...(resolvedAt !== null && { resolvedAt }),
    position: { topic, partition, offset },
    pauseRequested,
  }
}
