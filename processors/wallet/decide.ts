/**
 * What may be done with a coupon. Pure: the coupon, what is known of the order and a command come in; the answer and the
 * rows after it go out.
 *
 * Status of a coupon (I10); a coupon of another status than ISSUED is used by nobody:
 *
 *     ISSUED ── use ──► USED ── restore ──► ISSUED, EXPIRED if its time is over, REVOKED if it was revoked
 *     ISSUED ── its time is over ──► EXPIRED
 *     ISSUED ── revoke ──► REVOKED
 */
import type {
  CouponUse,
  CouponUseState,
  CouponUseStatus,
  RestoreStatus,
  UserCoupon,
} from '../../schemas/index.ts'
import { doKind, noEpochs, stands, undoKind } from '../../streams/kit/index.ts'
import { discountOf } from './discount.ts'

/** Why a coupon is not used: stable codes, listed in `docs/orders.md`. The first that holds. */
export type CouponReason =
  | 'UNKNOWN_COUPON'
  | 'ALREADY_USED'
  | 'REVOKED'
  | 'EXPIRED'
  | 'UNKNOWN_DISCOUNT'
  | 'BELOW_MINIMUM'

export interface UseAnswer {
  readonly status: Exclude<CouponUseStatus, 'UNKNOWN'>
  readonly discountAmount: number | null
  readonly reason: CouponReason | null
}

/** Rows after a decision; the very ones that came in where nothing changed. */
export interface UseDecision {
  /** Absent: it waits, and whoever asked is answered later. */
  readonly answer: UseAnswer | undefined
  readonly use: CouponUseState
  readonly coupon: UserCoupon | undefined
}

export const initialUse: CouponUseState = Object.freeze({
  ...noEpochs,
  userCouponId: '',
  orderAmount: 0,
  askedAt: 0,
  waiting: false,
  discountAmount: 0,
  command: null,
  reason: null,
})

/**
 * @param coupon absent: it is not in the wallet, perhaps not yet
 * @param at append time of the command
 */
export function decideUse(
  coupon: UserCoupon | undefined,
  use: CouponUseState,
  { orderId, userCouponId, orderAmount, epoch }: Omit<CouponUse, 'userId'>,
  at: number,
): UseDecision {
  const kind = doKind(use, epoch)
  if (kind === 'CANCELLED') return { answer: cancelled, use, coupon }
  if (kind === 'REPEAT') return { answer: answerOf(use), use, coupon }
  if (isUsed(use)) {
    const adopted = { ...use, epoch }
    return { answer: answerOf(adopted), use: adopted, coupon }
  }
  const { undone } = use
  const asked: CouponUseState = { ...initialUse, undone, epoch, userCouponId, orderAmount, askedAt: at }
  return coupon === undefined
    ? { answer: undefined, use: { ...asked, waiting: true }, coupon }
    : settle(coupon, orderId, asked)
}

/** The coupon that a use waits for has come. */
export function settle(coupon: UserCoupon, orderId: string, asked: CouponUseState): UseDecision {
  const { orderAmount, askedAt } = asked
  const use = { ...asked, waiting: false, command: null }
  const { discount } = coupon
  const reason = refusal(coupon, orderAmount, askedAt)
  if (reason !== undefined || discount === null) {
    const rejected = { ...use, reason: reason ?? 'UNKNOWN_DISCOUNT' }
    return { answer: answerOf(rejected), use: rejected, coupon }
  }
  const used = { ...use, discountAmount: discountOf(discount, orderAmount) }
  return { answer: answerOf(used), use: used, coupon: { ...coupon, status: 'USED', orderId } }
}

/** The coupon that a use waited for has not come in time. */
export function giveUp(asked: CouponUseState): { readonly answer: UseAnswer; readonly use: CouponUseState } {
  const use = { ...asked, waiting: false, command: null, reason: 'UNKNOWN_COUPON' }
  return { answer: { status: 'REJECTED', discountAmount: null, reason: 'UNKNOWN_COUPON' }, use }
}

function refusal(coupon: UserCoupon, orderAmount: number, at: number): CouponReason | undefined {
  const { status, discount } = coupon
  if (status === 'USED') return 'ALREADY_USED'
  if (status === 'REVOKED') return 'REVOKED'
  // A status from a later version of this program is none in which to give anything away.
  if (status !== 'ISSUED' || isOver(coupon, at)) return 'EXPIRED'
  if (discount === null || discount.kind === 'UNKNOWN') return 'UNKNOWN_DISCOUNT'
  return orderAmount < (discount.minOrderAmount ?? 0) ? 'BELOW_MINIMUM' : undefined
}

export interface RestoreDecision {
  readonly status: Exclude<RestoreStatus, 'UNKNOWN'>
  readonly use: CouponUseState
  readonly coupon: UserCoupon | undefined
  /** The answer that a use which waits gets now. */
  readonly answer?: UseAnswer
}

/** The order is undone; `coupon` is the one that the order's use is about. */
export function decideRestore(
  coupon: UserCoupon | undefined,
  use: CouponUseState,
  { epoch, userCouponId }: { readonly epoch: number; readonly userCouponId: string },
  at: number,
): RestoreDecision {
  if (undoKind(use, epoch) === 'ALREADY') return { status: 'ALREADY', use, coupon }
  const undone: CouponUseState = { ...use, userCouponId: use.userCouponId || userCouponId, undone: epoch }
  if (use.waiting) {
    return {
      status: 'RESTORED',
      use: { ...undone, waiting: false, command: null },
      coupon,
      answer: cancelled,
    }
  }
  if (!isUsed(use) || coupon === undefined) return { status: 'RESTORED', use: undone, coupon }
  const status = coupon.revoked ? 'REVOKED' : isOver(coupon, at) ? 'EXPIRED' : 'ISSUED'
  return { status: 'RESTORED', use: undone, coupon: { ...coupon, status, orderId: null } }
}

/** The very coupon that came in when there is nothing to revoke. */
export function revoke(coupon: UserCoupon): UserCoupon {
  if (coupon.status === 'ISSUED') return { ...coupon, status: 'REVOKED', revoked: true }
  return coupon.status === 'USED' && !coupon.revoked ? { ...coupon, revoked: true } : coupon
}

/** The very coupon that came in when its time is not over, or it is not there to be used. */
export function expire(coupon: UserCoupon, now: number): UserCoupon {
  return coupon.status === 'ISSUED' && isOver(coupon, now) ? { ...coupon, status: 'EXPIRED' } : coupon
}

/** Whether the order uses a coupon. */
export function isUsed(use: CouponUseState): boolean {
  return stands(use) && !use.waiting && use.reason === null
}

function isOver({ expiresAt }: UserCoupon, at: number): boolean {
  return expiresAt !== null && expiresAt <= at
}

const cancelled: UseAnswer = { status: 'CANCELLED', discountAmount: null, reason: null }

function answerOf({ waiting, reason, discountAmount }: CouponUseState): UseAnswer | undefined {
  if (waiting) return undefined
  if (reason === null) return { status: 'USED', discountAmount, reason: null }
  return { status: 'REJECTED', discountAmount: null, reason: reason as CouponReason }
}
