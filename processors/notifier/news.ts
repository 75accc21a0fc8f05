/**
 * What a user is told of, and what each piece of news says. Pure. Nothing personal is in it: ids, codes, numbers.
 *
 * | fact | kind |
 * | --- | --- |
 * | `coupon.issued` | `COUPON_ISSUED` |
 * | `coupon.issue.rejected` | `COUPON_REJECTED` |
 * | `coupon.used` | `COUPON_USED` |
 * | `point.earned` | `POINTS_EARNED` |
 * | `order.status` | `ORDER_STATUS` |
 */
import type {
  CouponIssued,
  CouponIssueRejected,
  CouponUsed,
  OrderStatus,
  PointEarned,
  UserNews,
} from '../../schemas/index.ts'

export interface NewsMessage {
  readonly userId: string
  readonly news: UserNews
}

export function issuedNews(fact: CouponIssued): NewsMessage {
  const { userId, couponId, requestId, userCouponId, issuedAt, expiresAt } = fact
  return news(userId, { kind: 'COUPON_ISSUED', at: issuedAt, couponId, requestId, userCouponId, expiresAt })
}

export function rejectedNews(fact: CouponIssueRejected): NewsMessage {
  const { userId, couponId, requestId, reason, existingUserCouponId, rejectedAt } = fact
  const about = { couponId, requestId, reason, userCouponId: existingUserCouponId }
  return news(userId, { kind: 'COUPON_REJECTED', at: rejectedAt, ...about })
}

export function usedNews(fact: CouponUsed): NewsMessage {
  const { userId, orderId, couponId, userCouponId, discountAmount, usedAt } = fact
  return news(userId, { kind: 'COUPON_USED', at: usedAt, orderId, couponId, userCouponId, discountAmount })
}

export function earnedNews({ userId, orderId, points, earnedAt, expiresAt }: PointEarned): NewsMessage {
  return news(userId, { kind: 'POINTS_EARNED', at: earnedAt, orderId, points, expiresAt })
}

/** The note is for who runs the shop, and step and attempt are how it works inside: no news. */
export function statusNews({ userId, orderId, state, returnState, revision, at }: OrderStatus): NewsMessage {
  return news(userId, { kind: 'ORDER_STATUS', at, orderId, state, returnState, revision })
}

function news(userId: string, told: Pick<UserNews, 'kind' | 'at'> & Partial<UserNews>): NewsMessage {
  return { userId, news: { ...NOTHING, ...told } }
}

const NOTHING = {
  couponId: null,
  requestId: null,
  userCouponId: null,
  reason: null,
  orderId: null,
  state: null,
  returnState: null,
  revision: null,
  points: null,
  discountAmount: null,
  expiresAt: null,
} as const
