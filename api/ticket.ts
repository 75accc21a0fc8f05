/** What stands in a request's query: its place in the log, and how long to wait. */
import { ApiError } from './errors.ts'
import type { ApiLimits } from './limits.ts'

/** A place in `coupon.issue.requested`. */
export interface TicketPlace {
  readonly partition: number
  readonly offset: number
}

export function formatTicket({ partition, offset }: TicketPlace): string {
  return `${partition}.${offset}`
}

/** @throws ApiError `INVALID_TICKET` */
export function parseTicket(text: string | undefined): TicketPlace | undefined {
  if (text === undefined) return undefined
  const [, partition, offset] = /^(\d{1,9})\.(\d{1,15})$/.exec(text) ?? []
  if (partition === undefined || offset === undefined) {
    throw new ApiError('INVALID_TICKET', 'A ticket is partition.offset, as in the Location of the 202.')
  }
  return { partition: Number(partition), offset: Number(offset) }
}

/**
 * Milliseconds to wait. Without a ticket there is nothing to say of an undecided request, so it is waited for by default.
 * @throws ApiError `INVALID_REQUEST`
 */
export function parseWait(
  text: string | undefined,
  limits: ApiLimits,
  ticket: TicketPlace | undefined,
): number {
  if (text === undefined) return ticket === undefined ? Math.min(limits.ticketlessWaitMs, limits.waitMs) : 0
  const [, digits, unit] = /^(\d{1,6})(ms|s)$/.exec(text) ?? []
  const ms = Number(digits) * (unit === 's' ? 1_000 : 1)
  if (digits !== undefined && ms <= limits.waitMs) return ms
  const message = `must be a number with ms or s, at most ${limits.waitMs}ms`
  throw new ApiError('INVALID_REQUEST', 'See errors.', { errors: [{ path: 'query.wait', message }] })
}
