/**
 * A verdict as others see it. The two records are functions of (couponId, requestId, stored verdict) alone, so saying a
 * verdict again gives the same bytes (I4).
 */
import type { CouponIssued, CouponIssueRejected, RejectReason, RequestState } from '../../schemas/index.ts'

/** Campaigns have one shard. */
export const SHARD = 0

/**
 * `<couponId>-<sequence>`, for example `spring-17`. Unique because a sequence has no dash and is given once per coupon
 * (I6). It is a name, not a secret: only its owner may use it (I10).
 */
export function userCouponId(couponId: string, sequence: number): string {
  return `${couponId}-${sequence}`
}

/** The verdict ISSUED; `verdict.reason` must be null. */
export function issuedRecord(couponId: string, requestId: string, verdict: RequestState): CouponIssued {
  return {
    requestId,
    couponId,
    userCouponId: verdict.userCouponId ?? userCouponId(couponId, verdict.sequence),
    userId: verdict.userId,
    sequence: verdict.sequence,
    shard: SHARD,
    sourceOffset: verdict.sourceOffset,
    issuedAt: verdict.decidedAt,
    expiresAt: verdict.expiresAt,
    campaignRevision: verdict.campaignRevision,
    discount: null,
  }
}

/** The verdict REJECTED for `reason`, which is that of the verdict. */
export function rejectedRecord(
  couponId: string,
  requestId: string,
  verdict: RequestState,
  reason: RejectReason,
): CouponIssueRejected {
  return {
    requestId,
    couponId,
    userId: verdict.userId,
    reason,
    existingUserCouponId: verdict.userCouponId,
    sourceOffset: verdict.sourceOffset,
    rejectedAt: verdict.decidedAt,
    campaignRevision: verdict.campaignRevision,
  }
}
