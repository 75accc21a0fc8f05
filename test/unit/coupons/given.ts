/** Facts to test the coupon rules with: a campaign that is open, a request that would be issued. */
import type { CouponRequest, Facts } from '../../../processors/coupons/decide.ts'
import { decide } from '../../../processors/coupons/decide.ts'
import type { Campaign, CouponIssueRequested, RequestState } from '../../../schemas/index.ts'

export const OPENS = 1_000_000
export const CLOSES = 2_000_000

/** An ACTIVE campaign of 10 coupons, one per user, open in [OPENS, CLOSES). */
export function campaign(changes: Partial<Campaign> = {}): Campaign {
  return {
    couponId: 'spring',
    name: 'Spring sale',
    quota: 10,
    perUserLimit: 1,
    opensAt: OPENS,
    closesAt: CLOSES,
    validForMs: null,
    discount: { kind: 'AMOUNT', value: 500, minOrderAmount: null, maxDiscount: null },
    eligibility: null,
    fairness: 'FIFO',
    shards: 1,
    status: 'ACTIVE',
    revision: 1,
    operation: 'PUT',
    seedHash: null,
    seed: null,
    ...changes,
  }
}

/** A command as an operator's first one: revision 0. */
export function command(changes: Partial<Campaign> = {}): Campaign {
  return campaign({ revision: 0, ...changes })
}

/** ann asks for `spring` while it is open. */
export function request(changes: Partial<CouponRequest> = {}): CouponRequest {
  return {
    requestId: 'r1',
    couponId: 'spring',
    userId: 'ann',
    bodyHash: null,
    offset: 7,
    at: OPENS,
    ...changes,
  }
}

/** The same as the record on `coupon.issue.requested`. */
export function requested(changes: Partial<CouponIssueRequested> = {}): CouponIssueRequested {
  return {
    requestId: 'r1',
    couponId: 'spring',
    userId: 'ann',
    shard: 0,
    acceptedAt: 0,
    bodyHash: null,
    ...changes,
  }
}

/** A rejection of `request()`. */
export function rejection(changes: Partial<RequestState>): RequestState {
  return {
    userId: 'ann',
    reason: null,
    userCouponId: null,
    sequence: 0,
    sourceOffset: 7,
    decidedAt: OPENS,
    expiresAt: null,
    bodyHash: null,
    campaignRevision: 1,
    ...changes,
  }
}

/** `given(facts).when(request)` decides; what is not given is an open campaign and a user without coupons. */
export function given(facts: Partial<Facts> = {}) {
  const all: Facts = { known: undefined, campaign: campaign(), claim: undefined, issued: 0, ...facts }
  return { when: (changes: Partial<CouponRequest> = {}) => decide(all, request(changes)) }
}
