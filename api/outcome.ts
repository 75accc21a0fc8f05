/** What became of an operator's adjustment of stock or points. */
import type { Adjustment } from '../schemas/index.ts'
import { ApiError } from './errors.ts'

/** @throws ApiError `IDEMPOTENCY_CONFLICT` where the id was used for another amount, `COMMAND_REFUSED` */
export function checkOutcome({ amount, reason }: Adjustment, asked: number): void {
  if (amount !== asked) throw new ApiError('IDEMPOTENCY_CONFLICT', `The key was used for ${amount}.`)
  if (reason === null) return
  throw new ApiError('COMMAND_REFUSED', 'Nothing was changed.', { members: { reason } })
}
