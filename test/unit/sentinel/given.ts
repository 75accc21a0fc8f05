/** `given(…facts).when(fact)` says what a fact proves after others; partitions and offsets are counted by themselves. */
import { type CouponFact, judgeCoupon, type Place, type Violation } from '../../../processors/index.ts'
import { topics } from '../../../schemas/index.ts'
import { couponRows } from '../../support/coupon-rows.ts'
import { campaign, OPENS, requested } from '../coupons/given.ts'

export interface Told {
  readonly fact: CouponFact
  /** Of the request that a verdict answers. */
  readonly answers?: number
  readonly eventId?: string
  /** Of its own; the next one of its topic unless told. */
  readonly offset?: number
}

const topicOf: Readonly<Record<CouponFact['kind'], string>> = {
  CAMPAIGN: topics.couponCampaign.name,
  QUOTA: topics.couponQuota.name,
  REQUEST: topics.couponIssueRequested.name,
  ISSUED: topics.couponIssued.name,
  REJECTED: topics.couponIssueRejected.name,
}

export function given(...before: readonly Told[]) {
  const rows = couponRows()
  const offsets = new Map<string, number>()
  const judge = (told: Told): readonly Violation[] => {
    const place = placeOf(told, offsets)
    return judgeCoupon(told.fact, place, rows, { watchOneIn: 1 })
  }
  const found = before.flatMap(judge)
  return {
    found: wordsOf(found),
    /** `I6 number 3 where 2 was due`, of the last of these facts. */
    when: (...facts: readonly Told[]): string[] => wordsOf(facts.map(judge).at(-1) ?? []),
    rows,
  }
}

export function revision(n: number, changes: Partial<ReturnType<typeof campaign>> = {}): Told {
  return { fact: { kind: 'CAMPAIGN', value: campaign({ revision: n, ...changes }) } }
}

export function report(n: number, issued: number, quota = 10): Told {
  const state = { couponId: 'spring', shard: 0, quota, issued, revision: n }
  return { fact: { kind: 'QUOTA', value: { ...state, exhausted: false, exhaustedAt: null } } }
}

export function request(n: number): Told {
  return { fact: { kind: 'REQUEST', value: requested({ requestId: `r${n}` }) }, offset: n }
}

/** Number `sequence` on request `at`, by revision 1, to a user of its own. */
export function issue(at: number, sequence: number, changes: object = {}, told: Partial<Told> = {}): Told {
  const ids = {
    requestId: `r${at}`,
    couponId: 'spring',
    userCouponId: `spring-${sequence}`,
    userId: `u${at}`,
  }
  const rest = {
    shard: 0,
    sourceOffset: at,
    issuedAt: OPENS,
    expiresAt: null,
    campaignRevision: 1,
    discount: null,
  }
  return { fact: { kind: 'ISSUED', value: { ...ids, sequence, ...rest, ...changes } }, answers: at, ...told }
}

export function reject(at: number, changes: object = {}, told: Partial<Told> = {}): Told {
  const ids = { requestId: `r${at}`, couponId: 'spring', userId: `u${at}`, existingUserCouponId: null }
  const rest = { reason: 'SOLD_OUT', sourceOffset: at, rejectedAt: OPENS, campaignRevision: 1 } as const
  return { fact: { kind: 'REJECTED', value: { ...ids, ...rest, ...changes } }, answers: at, ...told }
}

function placeOf({ fact, answers, eventId, offset }: Told, offsets: Map<string, number>): Place {
  const topic = topicOf[fact.kind]
  const own = offset ?? offsets.get(topic) ?? 0
  offsets.set(topic, own + 1)
  const lineage = { eventId: eventId ?? `${topic} ${own}` }
  if (answers === undefined) return { topic, partition: 0, offset: own, lineage }
  const cause = { topic: topics.couponIssueRequested.name, partition: 0, offset: answers, timestamp: OPENS }
  return { topic, partition: 0, offset: own, lineage: { ...lineage, cause } }
}

function wordsOf(found: readonly Violation[]): string[] {
  return found.map(({ invariant, detail }) => `${invariant} ${detail}`)
}
