/** Coupons and what is asked of them: ann's `spring-1`, 500 off, order `o1` of 3000, unless told. */
import type {
  CouponIssued,
  CouponRestore,
  CouponRevoke,
  CouponUse,
  Discount,
  UserCoupon,
} from '../../../schemas/index.ts'

export function discount(changes: Partial<Discount> = {}): Discount {
  return { kind: 'AMOUNT', value: 500, minOrderAmount: null, maxDiscount: null, ...changes }
}

export function issuedCoupon(changes: Partial<CouponIssued> = {}): CouponIssued {
  return {
    requestId: 'r1',
    couponId: 'spring',
    userCouponId: 'spring-1',
    userId: 'ann',
    sequence: 1,
    shard: 0,
    sourceOffset: 0,
    issuedAt: 1_000,
    expiresAt: null,
    campaignRevision: 1,
    discount: null,
    ...changes,
  }
}

export function userCoupon(changes: Partial<UserCoupon> = {}): UserCoupon {
  return {
    userCouponId: 'spring-1',
    couponId: 'spring',
    requestId: 'r1',
    status: 'ISSUED',
    issuedAt: 1_000,
    expiresAt: null,
    discount: discount(),
    orderId: null,
    revoked: false,
    ...changes,
  }
}

export function use(changes: Partial<CouponUse> = {}): CouponUse {
  const what = { orderId: 'o1', userId: 'ann', userCouponId: 'spring-1' }
  return { ...what, orderAmount: 3_000, epoch: 0, ...changes }
}

export function undo(changes: Partial<CouponRestore> = {}): CouponRestore {
  return { orderId: 'o1', userId: 'ann', userCouponId: 'spring-1', reason: null, epoch: 0, ...changes }
}

export function revocation(changes: Partial<CouponRevoke> = {}): CouponRevoke {
  return { userId: 'ann', userCouponId: 'spring-1', reason: null, ...changes }
}
