import { describe, expect, test } from 'vitest'
import type { Campaign } from '../../../schemas/index.ts'
import { campaign, CLOSES, given, OPENS, rejection } from './given.ts'

const reasonOf = (
  facts: Parameters<typeof given>[0],
  asked: Parameters<ReturnType<typeof given>['when']>[0],
) => given(facts).when(asked).verdict.reason

describe('an open campaign', () => {
  test('issues the next coupon in sequence', () => {
    expect(given({ issued: 4 }).when()).toEqual({
      kind: 'NEW',
      verdict: rejection({ reason: null, userCouponId: 'spring-5', sequence: 5 }),
    })
  })

  test('lets a coupon expire its validity after the request was taken', () => {
    const week = 7 * 86_400_000
    const { verdict } = given({ campaign: campaign({ validForMs: week }) }).when({ at: OPENS + 5 })
    expect(verdict).toMatchObject({ decidedAt: OPENS + 5, expiresAt: OPENS + 5 + week })
  })

  test('gives the last coupon and no more', () => {
    expect(given({ issued: 9 }).when().verdict).toMatchObject({ reason: null, sequence: 10 })
    expect(given({ issued: 10 }).when()).toEqual({ kind: 'NEW', verdict: rejection({ reason: 'SOLD_OUT' }) })
  })

  test('with a quota of 0 is sold out from the start', () => {
    expect(reasonOf({ campaign: campaign({ quota: 0 }) }, {})).toBe('SOLD_OUT')
  })

  test('goes on issuing after a raise of the quota', () => {
    const raised = campaign({ quota: 12 })
    expect(given({ campaign: raised, issued: 10 }).when().verdict).toMatchObject({ sequence: 11 })
  })
})

describe('the window is [opensAt, closesAt) by the append time (I7)', () => {
  test.each<[string, number, string | null]>([
    ['before it opens', OPENS - 1, 'NOT_OPEN'],
    ['in its first millisecond', OPENS, null],
    ['in its last millisecond', CLOSES - 1, null],
    ['at closesAt', CLOSES, 'CLOSED'],
    ['long after', CLOSES * 2, 'CLOSED'],
  ])('%s', (_, at, reason) => {
    expect(reasonOf({}, { at })).toBe(reason)
  })
})

describe('the status', () => {
  test.each<[Campaign['status'], number, string | null]>([
    ['DRAFT', OPENS, 'NOT_OPEN'],
    ['DRAFT', CLOSES, 'NOT_OPEN'],
    ['ACTIVE', OPENS, null],
    ['PAUSED', OPENS, 'PAUSED'],
    ['PAUSED', OPENS - 1, 'NOT_OPEN'],
    ['PAUSED', CLOSES, 'CLOSED'],
    ['CLOSED', OPENS, 'CLOSED'],
    ['CLOSED', OPENS - 1, 'NOT_OPEN'],
    ['UNKNOWN', OPENS, 'PAUSED'],
  ])('%s at %i answers %s', (status, at, reason) => {
    expect(reasonOf({ campaign: campaign({ status }) }, { at })).toBe(reason)
  })
})

describe('who may take part', () => {
  const members = campaign({ eligibility: { userIds: ['bob', 'ann'] } })

  test('a listed user', () => {
    expect(reasonOf({ campaign: members }, { userId: 'ann' })).toBe(null)
  })

  test('nobody else', () => {
    expect(reasonOf({ campaign: members }, { userId: 'eve' })).toBe('NOT_ELIGIBLE')
  })

  test('nobody that a newer list left out', () => {
    const edited = { ...members, eligibility: { userIds: ['bob'] } }
    expect(reasonOf({ campaign: members }, {})).toBe(null)
    expect(reasonOf({ campaign: edited }, {})).toBe('NOT_ELIGIBLE')
  })
})

describe('perUserLimit (I2)', () => {
  const one = { issued: 1, userCouponId: 'spring-3' }

  test('a user with one is a DUPLICATE and is told which one', () => {
    const { kind, verdict } = given({ claim: one, issued: 3 }).when()
    expect({ kind, verdict }).toEqual({
      kind: 'NEW',
      verdict: rejection({ reason: 'DUPLICATE', userCouponId: 'spring-3' }),
    })
  })

  test('a user may have as many as the limit says', () => {
    const two = campaign({ perUserLimit: 2 })
    expect(reasonOf({ campaign: two, claim: one, issued: 3 }, {})).toBe(null)
    expect(reasonOf({ campaign: two, claim: { ...one, issued: 2 }, issued: 3 }, {})).toBe('DUPLICATE')
  })

  test('a lowered limit takes nothing back and gives nothing more', () => {
    expect(reasonOf({ claim: { issued: 3, userCouponId: 'spring-9' }, issued: 9 }, {})).toBe('DUPLICATE')
  })
})

describe('the first reason that holds', () => {
  const known = rejection({ userId: 'bob', reason: 'PAUSED', bodyHash: 'a' })
  const claim = { issued: 1, userCouponId: 'spring-1' }
  const nobody = { userIds: ['zoe'] }
  const paused = campaign({ status: 'PAUSED', eligibility: nobody, quota: 1 })
  // Each row drops the reason of the row before it.
  test.each<[string, Parameters<typeof given>[0], Parameters<typeof reasonOf>[1]]>([
    ['IDEMPOTENCY_CONFLICT', { known, campaign: undefined }, { bodyHash: 'b' }],
    ['REQUEST_ID_CONFLICT', { known, campaign: undefined }, { bodyHash: 'a' }],
    ['UNKNOWN_COUPON', { campaign: undefined, claim, issued: 1 }, { at: OPENS - 1 }],
    ['NOT_OPEN', { campaign: { ...paused, status: 'CLOSED' }, claim, issued: 1 }, { at: OPENS - 1 }],
    ['CLOSED', { campaign: paused, claim, issued: 1 }, { at: CLOSES }],
    ['PAUSED', { campaign: paused, claim, issued: 1 }, {}],
    ['NOT_ELIGIBLE', { campaign: { ...paused, status: 'ACTIVE' }, claim, issued: 1 }, {}],
    ['DUPLICATE', { campaign: campaign({ quota: 1 }), claim, issued: 1 }, {}],
    ['SOLD_OUT', { campaign: campaign({ quota: 1 }), issued: 1 }, {}],
  ])('%s', (reason, facts, asked) => {
    expect(reasonOf(facts, asked)).toBe(reason)
  })
})

describe('a requestId that is known (I4)', () => {
  const first = given().when().verdict
  const later = { at: CLOSES + 1, offset: 99 }

  test('from the same user has the verdict of the first time, whatever happened since', () => {
    const closed = campaign({ status: 'CLOSED' })
    const decision = given({ known: first, campaign: closed, issued: 10 }).when(later)
    expect(decision.kind).toBe('REPEATED')
    expect(decision.verdict).toBe(first)
  })

  test('is rejected again even when it would be issued now', () => {
    const early = given().when({ at: OPENS - 1 }).verdict
    expect(given({ known: early }).when().verdict).toBe(early)
  })

  test('from another user is a conflict of that record alone', () => {
    const decision = given({ known: first }).when({ userId: 'eve', offset: 8 })
    expect(decision).toEqual({
      kind: 'CONFLICT',
      verdict: rejection({
        userId: 'eve',
        reason: 'REQUEST_ID_CONFLICT',
        sourceOffset: 8,
        campaignRevision: 0,
      }),
    })
  })

  test.each<[string, string | null, string | null, string]>([
    ['another body', 'a', 'b', 'CONFLICT'],
    ['the same body', 'a', 'a', 'REPEATED'],
    ['a body known only now', null, 'b', 'REPEATED'],
    ['a body known only then', 'a', null, 'REPEATED'],
  ])('with %s', (_, then, now, kind) => {
    const kept = { ...first, bodyHash: then }
    expect(given({ known: kept }).when({ ...later, bodyHash: now }).kind).toBe(kind)
  })
})
