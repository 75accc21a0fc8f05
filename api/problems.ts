/** Turns whatever was thrown into a problem document. Nothing of an unknown error gets outside. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { DeserializationError, JsonValueError, SerializationError } from '../schemas/index.ts'
import { isStreamsError, type Reaction, reactionOf, type StreamsError } from '../streams/index.ts'
import { ApiError, type FieldProblem, problemOf, retryAfterSeconds } from './errors.ts'
import { fieldProblems } from './validation.ts'

export const PROBLEM_TYPE = 'application/problem+json'
/** A path that was refused for its length is not sent back whole. */
const MAX_INSTANCE_CHARS = 512
const RETRY_SOON_MS = 1_000
const RETRY_LATER_MS = 10_000
/** What another try may find mended. */
const PASSING: ReadonlySet<Reaction> = new Set(['retry', 'restore'])

/** Answers `request` with the problem that `error` is. */
export function sendProblem(error: ApiError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { headers, retryAfterMs } = error.options
  if (headers !== undefined) reply.headers(headers)
  if (retryAfterMs !== undefined) reply.header('retry-after', retryAfterSeconds(retryAfterMs))
  // What is left of a body that was refused is not worth reading.
  if (error.code === 'BODY_TOO_LARGE') reply.header('connection', 'close')
  const path = pathOf(request.raw.url).slice(0, MAX_INSTANCE_CHARS)
  const problem = { ...problemOf(error, path), ...request.work?.members }
  // A string, so that members the route's response schema does not know are kept.
  return reply.code(error.status).type(PROBLEM_TYPE).send(JSON.stringify(problem))
}

/** @returns the error as the API tells it; `INTERNAL` for all that is not known here */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (isStreamsError(error)) return fromStreams(error)
  if (error instanceof JsonValueError) return invalidEvent(error, error.problems.map(inBody))
  if (error instanceof SerializationError) {
    return invalidEvent(error, [inBody({ path: error.path, message: error.message })])
  }
  if (error instanceof DeserializationError) return fromDeserialization(error)
  // Of what the log stands on: a broker that is away, for example.
  if (PASSING.has(reactionOf(error)))
    return unavailable('LOG_UNAVAILABLE', 'Try again with the same ids.', 'LOG_BUSY', RETRY_SOON_MS, error)
  if (error instanceof Error) return fromFastify(error as FastifyError)
  return internal(error)
}

function fromStreams(error: StreamsError): ApiError {
  const { code } = error
  switch (code) {
    case 'LOG_BUSY':
    case 'LOG_WRITE_FAILED':
    case 'APPEND_UNKNOWN':
    case 'LOG_CLOSED':
      return unavailable('LOG_UNAVAILABLE', 'Try again with the same ids.', code, RETRY_SOON_MS, error)
    case 'LOG_FULL':
      return unavailable('LOG_UNAVAILABLE', 'The log has reached its limit.', code, RETRY_LATER_MS, error)
    case 'TASK_NOT_HERE':
      return unavailable('STORE_UNAVAILABLE', 'Its task is being restored.', code, RETRY_SOON_MS, error)
    case 'RECORD_TOO_LARGE':
      return new ApiError('RECORD_TOO_LARGE', 'Send less in one record.', { cause: error })
    default:
      return internal(error)
  }
}

function unavailable(
  code: 'LOG_UNAVAILABLE' | 'STORE_UNAVAILABLE',
  detail: string,
  reason: string,
  retryAfterMs: number,
  cause: unknown,
): ApiError {
  return new ApiError(code, detail, { retryAfterMs, members: { reason }, cause })
}

function fromDeserialization(error: DeserializationError): ApiError {
  if (error.retriable) {
    const detail = 'Its schema is being loaded.'
    return unavailable('STORE_UNAVAILABLE', detail, error.code, RETRY_SOON_MS, error)
  }
  return invalidEvent(error, [{ path: 'body', message: error.message }])
}

function invalidEvent(cause: Error, errors: readonly FieldProblem[]): ApiError {
  return new ApiError('INVALID_EVENT', 'See errors.', { errors, cause })
}

function inBody({ path, message }: FieldProblem): FieldProblem {
  return { path: path === '' ? 'body' : `body.${path}`, message }
}

function fromFastify(error: FastifyError): ApiError {
  if (error.validation !== undefined) {
    const errors = fieldProblems(error.validationContext ?? 'body', error.validation)
    return new ApiError('INVALID_REQUEST', 'See errors.', { errors, cause: error })
  }
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ApiError('BODY_TOO_LARGE', 'Send less in one request.', { cause: error })
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_EMPTY_TYPE':
      return new ApiError('UNSUPPORTED_MEDIA_TYPE', 'See /openapi.json for what is taken.', { cause: error })
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return new ApiError('INVALID_JSON', 'The body could not be parsed.', { cause: error })
    default:
  }
  // The client went away in the middle of its body, and so gets no answer either.
  if (error.code === 'ECONNRESET') {
    return new ApiError('INVALID_REQUEST', 'The body did not come to its end.', { cause: error })
  }
  // The parser's own errors have no code.
  if (error instanceof SyntaxError && error.statusCode === 400) {
    return new ApiError('INVALID_JSON', 'The body could not be parsed.', { cause: error })
  }
  const clientsFault =
    error.code?.startsWith('FST_') && error.statusCode !== undefined && error.statusCode < 500
  if (clientsFault) {
    return new ApiError('INVALID_REQUEST', 'The request could not be read.', { cause: error })
  }
  return internal(error)
}

function internal(cause: unknown): ApiError {
  return new ApiError('INTERNAL', 'The error was recorded.', { cause })
}

export function pathOf(url: string | undefined): string {
  const path = url ?? '/'
  const query = path.indexOf('?')
  return query < 0 ? path : path.slice(0, query)
}
