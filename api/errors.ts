/**
 * The closed table of what the API answers when it does not do what was asked: code → status and title.
 *
 * Codes are stable and explained in `docs/http.md`; titles and details are for people and may change.
 */

const table = {
  INVALID_REQUEST: { status: 400, title: 'The request is not valid' },
  INVALID_JSON: { status: 400, title: 'The body is not JSON' },
  INVALID_CURSOR: { status: 400, title: 'The cursor is not one that this API gave' },
  INVALID_TICKET: { status: 400, title: 'The ticket is not one that this API gave' },
  INVALID_EVENT: { status: 400, title: 'The event does not fit its topic' },
  INVALID_CAMPAIGN: { status: 400, title: 'A campaign cannot be like that' },
  WRONG_CURRENCY: { status: 400, title: 'The shop has another currency' },
  UNAUTHENTICATED: { status: 401, title: 'A valid token is needed' },
  BAD_SIGNATURE: { status: 401, title: 'The signature does not hold' },
  FORBIDDEN: { status: 403, title: 'The token does not allow this' },
  HOST_NOT_LOCAL: { status: 403, title: 'Without tokens only this machine may ask' },
  NOT_A_PEER: { status: 403, title: 'The request is not from a process of this deployment' },
  CROSS_SITE: { status: 403, title: 'Another web site may not write here' },
  NOT_FOUND: { status: 404, title: 'There is nothing here' },
  UNKNOWN_COUPON: { status: 404, title: 'There is no such coupon' },
  UNKNOWN_REQUEST: { status: 404, title: 'There is no such request' },
  UNKNOWN_PRODUCT: { status: 404, title: 'There is no such product' },
  UNKNOWN_USER: { status: 404, title: 'There is no such user' },
  UNKNOWN_ORDER: { status: 404, title: 'There is no such order' },
  UNKNOWN_WINDOW: { status: 404, title: 'There is no such window' },
  UNKNOWN_CONNECTOR: { status: 404, title: 'There is no such connector' },
  UNKNOWN_DEAD_LETTER: { status: 404, title: 'There is no such dead letter' },
  UNKNOWN_TASK: { status: 404, title: 'There is no such task, or it is not paused' },
  UNKNOWN_TOPIC: { status: 404, title: 'No such topic takes events' },
  ORDERS_OFF: { status: 404, title: 'The shop takes no orders' },
  WEBHOOKS_OFF: { status: 404, title: 'No secret for these webhooks is configured' },
  MAIL_OFF: { status: 404, title: 'The shop sends no mails' },
  USER_EVENTS_OFF: { status: 404, title: 'Users are not told what concerns them' },
  NOT_WATCHED: { status: 404, title: 'The invariants are not watched' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'This resource has no such method' },
  REQUEST_TIMEOUT: { status: 408, title: 'The request came too slowly' },
  SOLD_OUT: { status: 409, title: 'All coupons have been given out' },
  CLOSED: { status: 409, title: 'The campaign has ended' },
  QUOTA_BELOW_ISSUED: { status: 409, title: 'More coupons are issued than the new quota allows' },
  CAMPAIGN_CLOSED: { status: 409, title: 'The campaign is closed for good' },
  STATUS_NOT_ALLOWED: { status: 409, title: 'The campaign cannot take this status from the one it has' },
  REVISION_CONFLICT: { status: 409, title: 'The campaign has changed since that revision' },
  TOTAL_DIFFERS: { status: 409, title: 'The order costs something else' },
  NOT_IN_THIS_STATE: { status: 409, title: 'The state of the order does not allow it' },
  REDRIVE_RUNNING: { status: 409, title: 'Dead letters of this topic are being sent back just now' },
  COMMAND_REFUSED: { status: 409, title: 'The command was refused' },
  BODY_TOO_LARGE: { status: 413, title: 'The body is too large' },
  RECORD_TOO_LARGE: { status: 413, title: 'The record is larger than the log takes' },
  URL_TOO_LONG: { status: 414, title: 'The URL is too long' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'This media type is not taken here' },
  IDEMPOTENCY_CONFLICT: { status: 422, title: 'Another body was sent with this Idempotency-Key' },
  ORDER_NOT_POSSIBLE: { status: 422, title: 'Something that the order needs is not there' },
  PERSONAL_DATA_OFF: { status: 422, title: 'Nothing can be sealed here, so no personal data is taken' },
  CART_EMPTY: { status: 422, title: 'There is nothing in the cart' },
  DRAW_NOT_SUPPORTED: { status: 422, title: 'Draws are not supported yet' },
  SHARDS_NOT_SUPPORTED: { status: 422, title: 'More than one shard is not supported yet' },
  RATE_LIMITED: { status: 429, title: 'Too many requests from this client' },
  HEADERS_TOO_LARGE: { status: 431, title: 'The headers are too large' },
  INTERNAL: { status: 500, title: 'Something went wrong here' },
  PEER_NOT_ALLOWED: { status: 502, title: 'The process that has the data may not be asked' },
  PEER_ANSWER_INVALID: { status: 502, title: 'What answered is not the process that has the data' },
  OVERLOADED: { status: 503, title: 'Too many requests at once' },
  BACK_PRESSURE: { status: 503, title: 'Processing is too far behind to take more' },
  LOG_UNAVAILABLE: { status: 503, title: 'The log does not take records just now' },
  STORE_UNAVAILABLE: { status: 503, title: 'The data is not here just now' },
  MASTER_KEY_MISSING: { status: 503, title: 'The key that this was sealed with is not configured here' },
  PEER_UNREACHABLE: { status: 503, title: 'The process that has the data cannot be reached' },
  COMMAND_PENDING: { status: 503, title: 'The command is in the log but has not been applied yet' },
  DEADLINE_EXCEEDED: {
    status: 503,
    title: 'The answer took too long; what became of the request is not known',
  },
  NOT_READY: { status: 503, title: 'Not ready' },
  CLOSING: { status: 503, title: 'The server is closing' },
  PEER_TIMEOUT: { status: 504, title: 'The process that has the data did not answer in time' },
} as const satisfies Record<string, { status: number; title: string }>

export type ApiErrorCode = keyof typeof table

export const apiErrorTable: Readonly<Record<ApiErrorCode, { status: number; title: string }>> = table

/** One thing wrong with a request. */
export interface FieldProblem {
  /** Where: `body.discount.value`, `query.limit`, `path.couponId`; empty for the whole. */
  readonly path: string
  readonly message: string
  /** Line of a batch, from 1. */
  readonly line?: number
  /** Of an order that cannot be: why, stable. */
  readonly code?: string
}

/** An RFC 9457 document; further members stand beside these. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail?: string
  readonly code: string
  readonly instance?: string
  readonly errors?: readonly FieldProblem[]
  readonly [member: string]: unknown
}

export interface ApiErrorOptions {
  readonly cause?: unknown
  readonly errors?: readonly FieldProblem[]
  /** Becomes `Retry-After`, in whole seconds, at least one. */
  readonly retryAfterMs?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Further members of the problem document. */
  readonly members?: Readonly<Record<string, unknown>>
}

/** What a handler throws. `detail` is for people and goes to the client. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: ApiErrorCode
  readonly detail: string
  readonly options: ApiErrorOptions

  constructor(code: ApiErrorCode, detail: string, options: ApiErrorOptions = {}) {
    super(`${code}: ${detail}`, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.detail = detail
    this.options = options
  }

  get status(): number {
    return table[this.code].status
  }
}

/** @param instance the path that was asked, without the query */
export function problemOf(error: ApiError, instance?: string): Problem {
  const { status, title } = table[error.code]
  return {
    type: `urn:millrace:problem:${error.code}`,
    title,
    status,
    detail: error.detail,
    code: error.code,
    ...(instance !== undefined && { instance }),
    ...(error.options.errors !== undefined && { errors: error.options.errors }),
    ...error.options.members,
  }
}

/** Whole seconds for `Retry-After`, at least one. */
export function retryAfterSeconds(ms: number): string {
  return String(Math.max(1, Math.ceil(ms / 1_000)))
}

export function isApiErrorCode(code: string): code is ApiErrorCode {
  return Object.hasOwn(table, code)
}
