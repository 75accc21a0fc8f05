/** JSON shapes that several routes share, as TypeBox schemas: types, validation and OpenAPI come from the same text. */
import { type Static, type TSchema, Type } from 'typebox'
import { ApiError, type ApiErrorCode, apiErrorTable } from './errors.ts'
import { PROBLEM_TYPE } from './problems.ts'

/** Ids of coupons, users, requests, products: what fits into a URL and a key without escaping. */
export const ID_PATTERN = '^[A-Za-z0-9._:@~+-]{1,200}$'
const id = (description: string, example: string) =>
  Type.String({ pattern: ID_PATTERN, description, examples: [example] })

export const CouponId = id('The campaign, and the coupon that it gives.', 'spring-10')
export const UserId = id('The user.', 'user-7')
export const RequestId = id('Unique within its coupon.', '0197a5d0-7c1e-7b6a-9f3e-2d1c0b9a8f7e')
export const ProductId = id('The product.', '85123A')

export const OrderId = id('The order.', '0197a5d0-7c1e-7b6a-9f3e-2d1c0b9a8f7e')

export const IdempotencyHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      pattern: '^[\\x20-\\x7e]{1,255}$',
      description: 'Makes it safe to send again. 1 to 255 printable ASCII characters.',
    }),
  ),
})

const SAFE = Number.MAX_SAFE_INTEGER
export const count = (minimum: number, options: { description?: string; examples?: number[] } = {}) =>
  Type.Integer({ minimum, maximum: SAFE, ...options })

/** A moment in an answer. */
export const Millis = Type.Integer({ description: 'Epoch milliseconds.', examples: [1_767_225_600_000] })

/** A moment in a request. */
export const Instant = Type.Union(
  [Type.Integer({ minimum: 0, maximum: 8.64e15 }), Type.String({ format: 'date-time' })],
  {
    description: 'Epoch milliseconds, or ISO 8601 with an offset.',
    examples: ['2026-01-01T00:00:00Z'],
  },
)

const iso =
  /^(\d{4}-\d{2}-\d{2})T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/

/** Epoch milliseconds of an {@link Instant}. @throws ApiError `INVALID_REQUEST` naming `path` */
export function parseInstant(value: number | string, path: string): number {
  if (typeof value === 'number') return value
  // A plus sign that was not escaped in a query arrives as a space.
  const text = value.replace(/ (?=\d{2}:\d{2}$)/, '+')
  const day = iso.exec(text)?.[1]
  if (day !== undefined && isDay(day)) return Date.parse(text)
  const message = 'must be epoch milliseconds or ISO 8601 with an offset, such as 2026-01-01T00:00:00Z'
  throw new ApiError('INVALID_REQUEST', 'See errors.', { errors: [{ path, message }] })
}

/** `2026-02-30` is none, though JavaScript takes it for 2 March. */
function isDay(day: string): boolean {
  const at = Date.parse(`${day}T00:00:00Z`)
  return Number.isFinite(at) && new Date(at).toISOString().startsWith(day)
}

const ErrorList = Type.Array(
  Type.Object({
    path: Type.String({ examples: ['body.discount.value'] }),
    message: Type.String(),
    line: Type.Optional(Type.Integer({ minimum: 1 })),
    code: Type.Optional(Type.String({ description: 'Of an order that cannot be: why, stable.' })),
  }),
)

export const ProblemShape = Type.Object(
  {
    type: Type.String({ description: 'urn:millrace:problem:<code>' }),
    title: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Type.Optional(Type.String()),
    code: Type.String({ enum: Object.keys(apiErrorTable), description: 'Stable.' }),
    instance: Type.Optional(Type.String({ description: 'The path that was asked.' })),
    errors: Type.Optional(ErrorList),
  },
  {
    $id: 'Problem',
    description: 'RFC 9457. Some codes have further members, such as requestId, position, reason.',
    examples: [
      {
        type: 'urn:millrace:problem:SOLD_OUT',
        title: apiErrorTable.SOLD_OUT.title,
        status: 409,
        code: 'SOLD_OUT',
        instance: '/v1/coupons/spring-10/requests',
      },
    ],
  },
)

const atTheDoor = [
  'INVALID_REQUEST',
  'HOST_NOT_LOCAL',
  'NOT_A_PEER',
  'URL_TOO_LONG',
  'RATE_LIMITED',
  'OVERLOADED',
  'INTERNAL',
  'CLOSING',
  'DEADLINE_EXCEEDED',
] as const
const withToken = ['UNAUTHENTICATED', 'FORBIDDEN'] as const
const withBody = ['INVALID_JSON', 'CROSS_SITE', 'BODY_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'] as const
/** What belongs to a task that another process may have. */
const ofOwner = [
  'STORE_UNAVAILABLE',
  'PEER_NOT_ALLOWED',
  'PEER_ANSWER_INVALID',
  'PEER_UNREACHABLE',
  'PEER_TIMEOUT',
] as const
const withAppend = ['BACK_PRESSURE', 'LOG_UNAVAILABLE', 'RECORD_TOO_LARGE'] as const
const groups = { withToken, withBody, withAppend, ofOwner } as const

/** Problem responses by status, for a route's schema: one call per route. Those that every route may give are in it. */
export function problems(...codes: readonly (ApiErrorCode | keyof typeof groups)[]): Record<number, TSchema> {
  const named = codes.flatMap((code): readonly ApiErrorCode[] =>
    code in groups ? groups[code as keyof typeof groups] : [code as ApiErrorCode],
  )
  const byStatus = new Map<number, ApiErrorCode[]>()
  for (const code of new Set<ApiErrorCode>([...atTheDoor, ...named])) {
    const { status } = apiErrorTable[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return Object.fromEntries([...byStatus].map(([status, each]) => [status, problemResponse(each)]))
}

function problemResponse(codes: readonly ApiErrorCode[]): TSchema {
  return Type.Unsafe({
    description: codes.map((code) => `${code}: ${apiErrorTable[code].title}.`).join(' '),
    content: { [PROBLEM_TYPE]: { schema: { $ref: 'Problem#' } } },
  })
}

export const Ticket = Type.Object(
  { topic: Type.String(), partition: Type.Integer(), offset: Type.Integer() },
  {
    description: "The request's place in the log.",
    examples: [{ topic: 'coupon.issue.requested', partition: 3, offset: 41 }],
  },
)
export type Ticket = Static<typeof Ticket>
