/** Random histories of a coupon shop: what happens, in which order, and how the engine is disturbed meanwhile. */
import fc from 'fast-check'
import type { Campaign, CouponIssueRequested } from '../../schemas/index.ts'
import { command, requested } from '../unit/coupons/given.ts'

export const START = Date.UTC(2026, 0, 1)

/** Each command and request is appended one millisecond after the one before. */
export type Step =
  | { readonly kind: 'command'; readonly value: Campaign }
  | { readonly kind: 'request'; readonly value: CouponIssueRequested }
  /** What was appended so many steps ago comes again. */
  | { readonly kind: 'again'; readonly back: number }
  /** What was appended so far is processed and committed. */
  | { readonly kind: 'settle' }
  /** Some of what was appended so far is processed, none of it committed, and everything starts anew. */
  | { readonly kind: 'crash' }
  | { readonly kind: 'wait'; readonly ms: number }

const coupons = ['spring', 'summer', 'autumn']
const users = ['ann', 'bob', 'cid', 'dan', 'eve']

const couponId = fc.constantFrom(...coupons)
const after = (min: number, max: number) => fc.integer({ min, max }).map((ms) => START + ms)

/** Mostly a campaign that can be, rarely one that is refused. */
const put: fc.Arbitrary<Campaign> = fc
  .record({
    couponId,
    quota: fc.integer({ min: -1, max: 8 }),
    perUserLimit: fc.constantFrom(1, 1, 2, 3, 0),
    opensAt: after(0, 30),
    closesAt: after(25, 300),
    validForMs: fc.option(fc.integer({ min: 1, max: 1_000 })),
    eligibility: fc.option(fc.record({ userIds: fc.subarray(users, { minLength: 1 }) }), { freq: 3 }),
    status: fc.constantFrom<Campaign['status'][]>('ACTIVE', 'ACTIVE', 'ACTIVE', 'DRAFT', 'PAUSED'),
    shards: fc.constantFrom(1, 1, 1, 1, 2),
    revision: fc.constantFrom(0, 0, 0, 1, 2),
  })
  .map((changes) => command({ ...changes, eligibility: changes.eligibility }))

const statusChange: fc.Arbitrary<Campaign> = fc
  .record({
    couponId,
    operation: fc.constantFrom<Campaign['operation'][]>(
      'PAUSE',
      'PAUSE',
      'RESUME',
      'RESUME',
      'RESUME',
      'CLOSE',
    ),
  })
  .map(command)

/** From few users and under few ids, so that repeats and conflicts happen by themselves. */
const ask: fc.Arbitrary<CouponIssueRequested> = fc
  .record({
    couponId,
    userId: fc.constantFrom(...users),
    requestId: fc.integer({ min: 0, max: 30 }).map((n) => `r${n}`),
    bodyHash: fc.constantFrom(null, null, null, 'h1', 'h2'),
    shard: fc.integer({ min: 0, max: 3 }),
    acceptedAt: after(-1_000, 1_000),
  })
  .map(requested)

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 16, arbitrary: ask.map((value): Step => ({ kind: 'request', value })) },
  { weight: 3, arbitrary: put.map((value): Step => ({ kind: 'command', value })) },
  { weight: 1, arbitrary: statusChange.map((value): Step => ({ kind: 'command', value })) },
  { weight: 2, arbitrary: fc.nat(20).map((back): Step => ({ kind: 'again', back })) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'settle' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'crash' }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 40 }).map((ms): Step => ({ kind: 'wait', ms })) },
)

/** Begins with campaigns that are open, so that most requests are about something. */
export const histories: fc.Arbitrary<readonly Step[]> = fc
  .tuple(
    fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 2, maxLength: 2 }),
    fc.array(step, { maxLength: 90, size: 'max' }),
  )
  .map(([quotas, steps]) => {
    const opened = quotas.map((quota, i): Step => {
      const window = { opensAt: START, closesAt: START + 200 }
      return { kind: 'command', value: command({ couponId: coupons[i] ?? '', quota, ...window }) }
    })
    return [...opened, ...steps]
  })
