/** What a failure says of the target and of the records. */
import { Unavailable } from './connector.ts'
import type { FailureKind } from './hooks.ts'

/** Codes of Node, of undici and of drivers for: nobody answered, or no more. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_SOCKET',
])
const DEPTH_LIMIT = 5

/** A delivery that took too long. */
export class DeliveryTimeout extends Error {
  override readonly name = 'DeliveryTimeout'

  constructor(ms: number) {
    super(`not delivered within ${ms} ms`)
  }
}

/** The target is not to be used any more: a delivery goes on although it was told to end, or what it knows is void. */
export class DeliveryStuck extends Error {
  override readonly name = 'DeliveryStuck'
  readonly reaction = 'restore'
}

export function kindOf(error: unknown): FailureKind {
  if (error instanceof DeliveryTimeout || error instanceof DeliveryStuck) return 'timeout'
  return isUnavailable(error) ? 'unavailable' : 'failed'
}

/** Nothing is wrong with the records. Looks at causes as well: `fetch` wraps them. */
export function isUnavailable(error: unknown): boolean {
  let at: unknown = error
  for (let depth = 0; depth < DEPTH_LIMIT && at instanceof Error; depth++) {
    if (at instanceof Unavailable) return true
    if ('code' in at && typeof at.code === 'string' && UNREACHABLE.has(at.code)) return true
    at = at instanceof AggregateError ? at.errors[0] : at.cause
  }
  return false
}

export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
