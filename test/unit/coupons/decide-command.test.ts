import { describe, expect, test } from 'vitest'
import { decideCommand, REMEMBERED_COMMANDS, remember } from '../../../processors/coupons/decide-command.ts'
import { MAX_ELIGIBLE_USERS, MAX_NAME_CHARS } from '../../../processors/coupons/campaign-definition.ts'
import type { Campaign, CampaignCommands, CampaignOperation, CampaignStatus } from '../../../schemas/index.ts'
import { campaign, CLOSES, command, OPENS } from './given.ts'

/** What a command makes of a campaign: `STATUS@revision`, or the code of its refusal. */
function outcome(before: Campaign | undefined, asked: Partial<Campaign>, issued = 0): string {
  const decision = decideCommand(before, issued, command(asked))
  if (decision.outcome === 'REFUSED') return decision.code
  return `${decision.campaign.status}@${decision.campaign.revision}`
}

describe('a PUT of a new campaign', () => {
  test('makes it what was asked for, at revision 1', () => {
    expect(decideCommand(undefined, 0, command({ seed: 'x', seedHash: 'y' }))).toEqual({
      outcome: 'APPLIED',
      campaign: campaign(),
    })
  })

  test.each<[CampaignStatus, string]>([
    ['DRAFT', 'DRAFT@1'],
    ['ACTIVE', 'ACTIVE@1'],
    ['PAUSED', 'STATUS_NOT_ALLOWED'],
    ['CLOSED', 'STATUS_NOT_ALLOWED'],
    ['UNKNOWN', 'STATUS_NOT_ALLOWED'],
  ])('with status %s: %s', (status, expected) => {
    expect(outcome(undefined, { status })).toBe(expected)
  })

  test('that was made from a revision that is not there', () => {
    expect(outcome(undefined, { revision: 3 })).toBe('REVISION_CONFLICT')
  })
})

describe('a definition', () => {
  const noUsers = { userIds: [] }
  const tooMany = { userIds: Array.from({ length: MAX_ELIGIBLE_USERS + 1 }, (_, i) => `u${i}`) }
  const discount = campaign().discount

  test.each<[string, Partial<Campaign>]>([
    ['INVALID_NAME', { name: 'x'.repeat(MAX_NAME_CHARS + 1) }],
    ['INVALID_QUOTA', { quota: -1 }],
    ['INVALID_PER_USER_LIMIT', { perUserLimit: 0 }],
    ['INVALID_PER_USER_LIMIT', { perUserLimit: 2 ** 31 }],
    ['INVALID_WINDOW', { opensAt: CLOSES }],
    ['INVALID_WINDOW', { opensAt: CLOSES + 1 }],
    ['INVALID_WINDOW', { opensAt: -1 }],
    ['INVALID_WINDOW', { closesAt: 8.64e15 + 1 }],
    ['INVALID_VALIDITY', { validForMs: 0 }],
    ['INVALID_VALIDITY', { validForMs: 8.64e15 }],
    ['INVALID_DISCOUNT', { discount: { ...discount, kind: 'UNKNOWN' } }],
    ['INVALID_DISCOUNT', { discount: { ...discount, value: 0 } }],
    ['INVALID_DISCOUNT', { discount: { ...discount, kind: 'PERCENT', value: 101 } }],
    ['INVALID_DISCOUNT', { discount: { ...discount, minOrderAmount: -1 } }],
    ['INVALID_DISCOUNT', { discount: { ...discount, maxDiscount: 0 } }],
    ['INVALID_ELIGIBILITY', { eligibility: noUsers }],
    ['INVALID_ELIGIBILITY', { eligibility: tooMany }],
    ['INVALID_ELIGIBILITY', { eligibility: { userIds: ['ann', ''] } }],
    ['INVALID_ELIGIBILITY', { eligibility: { userIds: ['x'.repeat(201)] } }],
    ['DRAW_NOT_SUPPORTED', { fairness: 'DRAW' }],
    ['INVALID_FAIRNESS', { fairness: 'UNKNOWN' }],
    ['SHARDS_NOT_SUPPORTED', { shards: 2 }],
    ['INVALID_SHARDS', { shards: 0 }],
  ])('is refused with %s: %o', (code, asked) => {
    expect(outcome(undefined, asked)).toBe(code)
    expect(outcome(campaign(), asked)).toBe(code)
  })

  test.each<[string, Partial<Campaign>]>([
    ['a quota of 0', { quota: 0 }],
    ['a window of one millisecond', { opensAt: CLOSES - 1 }],
    ['a window that is over', { opensAt: 0, closesAt: 1 }],
    ['a hundred per cent', { discount: { ...discount, kind: 'PERCENT', value: 100 } }],
    ['a validity of one millisecond', { validForMs: 1 }],
    ['a list of one user', { eligibility: { userIds: ['ann'] } }],
    ['a long name', { name: 'x'.repeat(MAX_NAME_CHARS) }],
  ])('may have %s', (_, asked) => {
    expect(outcome(undefined, asked)).toBe('ACTIVE@1')
  })
})

describe('an edit', () => {
  const before = campaign({ revision: 4 })

  test.each<[string, Partial<Campaign>]>([
    ['name', { name: 'Late spring' }],
    ['quota', { quota: 11 }],
    ['perUserLimit', { perUserLimit: 2 }],
    ['opensAt', { opensAt: OPENS - 1 }],
    ['closesAt', { closesAt: CLOSES + 1 }],
    ['validForMs', { validForMs: 1 }],
    ['discount', { discount: { ...before.discount, maxDiscount: 1 } }],
    ['discount value', { discount: { ...before.discount, value: 501 } }],
    ['discount kind', { discount: { ...before.discount, kind: 'PERCENT', value: 50 } }],
    ['discount minimum', { discount: { ...before.discount, minOrderAmount: 1 } }],
    ['eligibility', { eligibility: { userIds: ['ann'] } }],
  ])('of the %s is the next revision', (_, asked) => {
    const decision = decideCommand(before, 0, command(asked))
    expect(decision).toEqual({ outcome: 'APPLIED', campaign: { ...before, ...asked, revision: 5 } })
  })

  test('that asks for what is there already changes nothing', () => {
    const decision = decideCommand(before, 0, command({ revision: 2 }))
    expect(decision).toEqual({ outcome: 'APPLIED', campaign: before })
    expect(decision.outcome === 'APPLIED' && decision.campaign).toBe(before)
  })

  test('of the same list of users in a new object changes nothing', () => {
    const listed = campaign({ revision: 4, eligibility: { userIds: ['ann', 'bob'] } })
    expect(outcome(listed, { eligibility: { userIds: ['ann', 'bob'] } })).toBe('ACTIVE@4')
    expect(outcome(listed, { eligibility: { userIds: ['ann', 'zoe'] } })).toBe('ACTIVE@5')
    expect(outcome(listed, { eligibility: { userIds: ['ann'] } })).toBe('ACTIVE@5')
    expect(outcome(listed, { eligibility: null })).toBe('ACTIVE@5')
  })

  test('may lower the quota to what is issued and no further (I9)', () => {
    expect(outcome(before, { quota: 7 }, 7)).toBe('ACTIVE@5')
    expect(outcome(before, { quota: 6 }, 7)).toBe('QUOTA_BELOW_ISSUED')
  })

  test('made from the present revision, or from none, is applied; from another it is not', () => {
    expect(outcome(before, { quota: 20, revision: 4 })).toBe('ACTIVE@5')
    expect(outcome(before, { quota: 20, revision: 0 })).toBe('ACTIVE@5')
    expect(outcome(before, { quota: 20, revision: 3 })).toBe('REVISION_CONFLICT')
    expect(outcome(before, { quota: 20, revision: 5 })).toBe('REVISION_CONFLICT')
  })
})

describe('the status', () => {
  const quota = 20
  const rows: [CampaignStatus, CampaignOperation, Partial<Campaign>, string][] = [
    ['DRAFT', 'PUT', { quota, status: 'DRAFT' }, 'DRAFT@5'],
    ['DRAFT', 'PUT', { quota, status: 'ACTIVE' }, 'ACTIVE@5'],
    ['DRAFT', 'PUT', { status: 'ACTIVE' }, 'ACTIVE@5'],
    ['DRAFT', 'PUT', { status: 'PAUSED' }, 'STATUS_NOT_ALLOWED'],
    ['DRAFT', 'PAUSE', {}, 'STATUS_NOT_ALLOWED'],
    ['DRAFT', 'RESUME', {}, 'STATUS_NOT_ALLOWED'],
    ['DRAFT', 'CLOSE', {}, 'CLOSED@5'],
    ['ACTIVE', 'PUT', { quota, status: 'DRAFT' }, 'ACTIVE@5'],
    ['ACTIVE', 'PUT', { quota, status: 'PAUSED' }, 'STATUS_NOT_ALLOWED'],
    ['ACTIVE', 'PUT', { quota, status: 'CLOSED' }, 'STATUS_NOT_ALLOWED'],
    ['ACTIVE', 'PUT', { quota, status: 'UNKNOWN' }, 'STATUS_NOT_ALLOWED'],
    ['ACTIVE', 'PAUSE', {}, 'PAUSED@5'],
    ['ACTIVE', 'RESUME', {}, 'ACTIVE@4'],
    ['ACTIVE', 'CLOSE', {}, 'CLOSED@5'],
    ['PAUSED', 'PUT', { quota, status: 'DRAFT' }, 'PAUSED@5'],
    ['PAUSED', 'PUT', { quota, status: 'ACTIVE' }, 'PAUSED@5'],
    ['PAUSED', 'PUT', { quota, status: 'PAUSED' }, 'PAUSED@5'],
    ['PAUSED', 'PUT', { quota, status: 'CLOSED' }, 'STATUS_NOT_ALLOWED'],
    ['PAUSED', 'PAUSE', {}, 'PAUSED@4'],
    ['PAUSED', 'RESUME', {}, 'ACTIVE@5'],
    ['PAUSED', 'CLOSE', {}, 'CLOSED@5'],
    ['CLOSED', 'PUT', { quota, status: 'ACTIVE' }, 'CAMPAIGN_CLOSED'],
    ['CLOSED', 'PUT', { status: 'CLOSED' }, 'CAMPAIGN_CLOSED'],
    ['CLOSED', 'PAUSE', {}, 'CAMPAIGN_CLOSED'],
    ['CLOSED', 'RESUME', {}, 'CAMPAIGN_CLOSED'],
    ['CLOSED', 'CLOSE', {}, 'CLOSED@4'],
  ]
  test.each(rows)('%s: %s %o is %s', (status, operation, asked, expected) => {
    expect(outcome(campaign({ status, revision: 4 }), { ...asked, operation })).toBe(expected)
  })

  test('is moved only by a known operation, of a campaign that is there', () => {
    expect(outcome(campaign(), { operation: 'UNKNOWN' })).toBe('UNKNOWN_OPERATION')
    for (const operation of ['PAUSE', 'RESUME', 'CLOSE'] as const) {
      expect(outcome(undefined, { operation })).toBe('UNKNOWN_COUPON')
    }
  })

  test('changes alone: PAUSE reads nothing of the command but its couponId', () => {
    const before = campaign({ revision: 4 })
    const decision = decideCommand(before, 0, command({ operation: 'PAUSE', quota: -1, name: 'other' }))
    expect(decision).toEqual({ outcome: 'APPLIED', campaign: { ...before, status: 'PAUSED', revision: 5 } })
  })
})

describe('outcomes', () => {
  const refusal = { outcome: 'REFUSED', code: 'INVALID_QUOTA' } as const

  test('say what became of a command and at which revision', () => {
    const first = remember(undefined, 3, { outcome: 'APPLIED', campaign: campaign() }, undefined)
    expect(remember(first, 9, refusal, campaign({ revision: 6 }))).toEqual({
      recent: [
        { offset: 3, outcome: 'APPLIED', code: null, revision: 1 },
        { offset: 9, outcome: 'REFUSED', code: 'INVALID_QUOTA', revision: 6 },
      ],
    })
  })

  test('of a coupon that there is not have revision 0', () => {
    expect(remember(undefined, 3, refusal, undefined).recent[0]?.revision).toBe(0)
  })

  test('are kept for the last 16 commands', () => {
    let commands: CampaignCommands | undefined
    for (let offset = 0; offset < 40; offset++) commands = remember(commands, offset, refusal, undefined)
    const offsets = commands?.recent.map((each) => each.offset)
    expect(offsets).toEqual(Array.from({ length: REMEMBERED_COMMANDS }, (_, i) => 24 + i))
  })
})
