import { describe, expect, test } from 'vitest'
import { evolve, initialCounters } from '../../../processors/coupons/evolve.ts'
import { quotaState, reported, underQuota } from '../../../processors/coupons/quota.ts'
import { issuedRecord, rejectedRecord } from '../../../processors/coupons/verdict.ts'
import type { CampaignCounters, RejectReason } from '../../../schemas/index.ts'
import { campaign, given, OPENS, rejection } from './given.ts'

const issuedSoFar = (issued: number): CampaignCounters => ({ ...initialCounters, issued })

describe('what a verdict changes', () => {
  test('an issue: the count, the claim, the request', () => {
    const decision = given({ issued: 4 }).when()
    expect(evolve(decision, issuedSoFar(4), undefined, campaign())).toEqual({
      counters: issuedSoFar(5),
      claim: { issued: 1, userCouponId: 'spring-5' },
      request: decision.verdict,
    })
  })

  test('the claim counts what the user had before', () => {
    const claim = { issued: 2, userCouponId: 'spring-2' }
    const open = campaign({ perUserLimit: 3 })
    const decision = given({ campaign: open, claim, issued: 4 }).when()
    expect(evolve(decision, issuedSoFar(4), claim, open).claim).toEqual({
      issued: 3,
      userCouponId: 'spring-5',
    })
  })

  test('the last coupon: sold out since that request', () => {
    const decision = given({ issued: 9 }).when({ at: OPENS + 3 })
    const { counters } = evolve(decision, issuedSoFar(9), undefined, campaign())
    expect(counters).toEqual({ ...issuedSoFar(10), soldOutAt: OPENS + 3 })
  })

  test.each<[RejectReason, keyof CampaignCounters]>([
    ['IDEMPOTENCY_CONFLICT', 'idempotencyConflict'],
    ['REQUEST_ID_CONFLICT', 'requestIdConflict'],
    ['UNKNOWN_COUPON', 'unknownCoupon'],
    ['UNKNOWN_USER', 'unknownUser'],
    ['NOT_OPEN', 'notOpen'],
    ['CLOSED', 'closed'],
    ['PAUSED', 'paused'],
    ['NOT_ELIGIBLE', 'notEligible'],
    ['DUPLICATE', 'duplicate'],
    ['SOLD_OUT', 'soldOut'],
  ])('%s is counted as %s and claims nothing', (reason, counter) => {
    const verdict = rejection({ reason })
    expect(evolve({ kind: 'NEW', verdict }, issuedSoFar(3), undefined, campaign())).toEqual({
      counters: { ...issuedSoFar(3), [counter]: 1 },
      claim: undefined,
      request: verdict,
    })
  })

  test('a conflict is counted and leaves the stored verdict', () => {
    const known = given().when().verdict
    const decision = given({ known, issued: 1 }).when({ userId: 'eve' })
    expect(evolve(decision, issuedSoFar(1), undefined, campaign())).toEqual({
      counters: { ...issuedSoFar(1), requestIdConflict: 1 },
      claim: undefined,
      request: undefined,
    })
  })

  test('a repeated request changes nothing', () => {
    const known = given().when().verdict
    const decision = given({ known, issued: 1 }).when()
    expect(evolve(decision, issuedSoFar(1), { issued: 1, userCouponId: 'spring-1' }, campaign())).toEqual({
      counters: undefined,
      claim: undefined,
      request: undefined,
    })
  })
})

describe('the records of a verdict', () => {
  test('ISSUED', () => {
    const { verdict } = given({ campaign: campaign({ validForMs: 60_000 }), issued: 4 }).when()
    expect(issuedRecord('spring', 'r1', verdict)).toEqual({
      requestId: 'r1',
      couponId: 'spring',
      userCouponId: 'spring-5',
      userId: 'ann',
      sequence: 5,
      shard: 0,
      sourceOffset: 7,
      issuedAt: OPENS,
      expiresAt: OPENS + 60_000,
      campaignRevision: 1,
      discount: null,
    })
  })

  test('REJECTED', () => {
    const claim = { issued: 1, userCouponId: 'spring-3' }
    const { verdict } = given({ claim, issued: 3 }).when()
    expect(rejectedRecord('spring', 'r1', verdict, 'DUPLICATE')).toEqual({
      requestId: 'r1',
      couponId: 'spring',
      userId: 'ann',
      reason: 'DUPLICATE',
      existingUserCouponId: 'spring-3',
      sourceOffset: 7,
      rejectedAt: OPENS,
      campaignRevision: 1,
    })
  })
})

describe('the quota', () => {
  const soldOut = { ...issuedSoFar(10), soldOutAt: 5 }

  test.each<[string, CampaignCounters, number, number | null]>([
    ['raised above what is issued is open again', soldOut, 11, null],
    ['raised by nothing stays sold out since then', soldOut, 10, 5],
    ['lowered to what is issued is sold out from now on', issuedSoFar(10), 10, 99],
    ['lowered to more than is issued is open', issuedSoFar(9), 10, null],
    ['of 0 is sold out at once', initialCounters, 0, 99],
  ])('%s', (_, counters, quota, soldOutAt) => {
    expect(underQuota(counters, quota, 99)).toEqual({ ...counters, soldOutAt })
  })

  test('is reported with a revision that grows', () => {
    const counters = reported(reported(soldOut))
    expect(quotaState(campaign(), counters)).toEqual({
      couponId: 'spring',
      shard: 0,
      quota: 10,
      issued: 10,
      exhausted: true,
      exhaustedAt: 5,
      revision: 2,
    })
  })
})
