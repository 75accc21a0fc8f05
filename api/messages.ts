/** What a person is told about a rejected request; clients go by the reason. */
import type { RejectReason } from '../schemas/index.ts'

export const rejectMessages: Readonly<Record<RejectReason, string>> = Object.freeze({
  UNKNOWN: 'The request was refused.',
  IDEMPOTENCY_CONFLICT: 'Another request was sent with this Idempotency-Key before.',
  REQUEST_ID_CONFLICT: 'Another user has a request with this id.',
  UNKNOWN_COUPON: 'There is no such coupon.',
  UNKNOWN_USER: 'There is no such user.',
  NOT_OPEN: 'The coupons are not given out yet.',
  CLOSED: 'The coupons are not given out any more.',
  PAUSED: 'The coupons are not given out just now.',
  NOT_ELIGIBLE: 'These coupons are for other users.',
  DUPLICATE: 'The user has as many of these coupons as one user may get.',
  SOLD_OUT: 'All coupons have been given out.',
})
