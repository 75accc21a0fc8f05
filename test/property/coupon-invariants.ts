/**
 * What must hold of every history, whatever the rules are: read off inputs and outputs alone. Each check throws what it
 * found.
 */
import type { Campaign, CouponIssued, CouponIssueRejected } from '../../schemas/index.ts'
import { type Input, placeOf, type Played, type Verdict } from './coupon-played.ts'

type Request = Extract<Input, { kind: 'request' }>

interface Decided {
  readonly request: Request
  readonly verdict: Verdict
}

export const invariants: Readonly<Record<string, (played: Played) => void>> = {
  'I1 issued(coupon) ≤ quota at every offset': (played) => {
    for (const { request, issued, nth } of issues(played)) {
      const campaign = inForce(played, request)
      if (campaign === undefined || nth > campaign.quota)
        throw broken('over quota', { request, issued, campaign })
    }
  },
  'I2 at most perUserLimit issues per (coupon, user)': (played) => {
    const all = issues(played)
    for (const { request, issued } of all) {
      const own = all.filter((each) => sameUser(each.issued, issued) && each.request.at <= request.at)
      const limit = inForce(played, request)?.perUserLimit ?? 0
      if (own.length > limit) throw broken('too many for one user', { request, own, limit })
    }
  },
  'I3 every accepted request gets exactly one decision': ({ inputs, verdicts }) => {
    const requests = inputs.filter((input) => input.kind === 'request').map(placeOf)
    const causes = verdicts.map(({ cause }) => cause)
    if (requests.toSorted().join() !== causes.toSorted().join())
      throw broken('not one each', { requests, causes })
  },
  'I4 same requestId, same decision, byte for byte': (played) => {
    const first = new Map<string, Decided>()
    for (const decided of decisions(played)) {
      const { request, verdict } = decided
      const { couponId, requestId, userId, bodyHash } = request.value
      const known = first.get(`${couponId}/${requestId}`)
      if (known === undefined) {
        first.set(`${couponId}/${requestId}`, decided)
        continue
      }
      const before = known.request.value
      const sameBody = before.bodyHash === null || bodyHash === null || before.bodyHash === bodyHash
      const same = verdict.bytes.equals(known.verdict.bytes) && verdict.timestamp === known.verdict.timestamp
      if (before.userId === userId && sameBody && !same) throw broken('another verdict', { known, decided })
      if ((before.userId !== userId || !sameBody) && !isConflict(verdict))
        throw broken('no conflict', { known, decided })
    }
  },
  'I5 between two raises nobody earlier is SOLD_OUT while a later one is issued': (played) => {
    const all = firstDecisions(played)
    for (const { request, verdict } of all) {
      if (verdict.rejected?.reason !== 'SOLD_OUT') continue
      const raise = nextRaise(played, request)
      const later = all.find(
        (each) =>
          each.verdict.issued?.couponId === request.value.couponId &&
          each.request.at > request.at &&
          each.request.at < raise,
      )
      if (later !== undefined) throw broken('overtaken', { request, later })
    }
  },
  'I6 sequence numbers are dense 1..n per shard': (played) => {
    for (const { issued, nth } of issues(played)) {
      if (issued.sequence !== nth || issued.shard !== 0) throw broken('a gap', { issued, nth })
    }
  },
  'I7 none outside [opensAt, closesAt) by the append time': (played) => {
    for (const { request, issued } of issues(played)) {
      const campaign = inForce(played, request)
      const inside =
        campaign !== undefined && campaign.opensAt <= request.at && request.at < campaign.closesAt
      if (!inside || issued.issuedAt !== request.at) throw broken('outside', { request, issued, campaign })
    }
  },
  'I9 an edit never lowers the quota below what is issued': (played) => {
    const all = issues(played)
    for (const { at, value } of played.campaigns) {
      const before = all.filter(({ request }) => request.value.couponId === value.couponId && request.at < at)
      if (value.quota < before.length) throw broken('too low', { value, issued: before.length })
    }
  },
  'a revision grows by one with every campaign state, and with every report of a quota': (played) => {
    const next = new Map<string, number>()
    const grow = (key: string, revision: number) => {
      if (revision !== (next.get(key) ?? 1)) throw broken('revision', { key, revision })
      next.set(key, revision + 1)
    }
    for (const { value } of played.campaigns) grow(`campaign ${value.couponId}`, value.revision)
    for (const quota of played.quotas) grow(`quota ${quota.couponId}`, quota.revision)
  },
}

function decisions({ inputs, verdicts }: Played): Decided[] {
  const byCause = new Map(verdicts.map((verdict) => [verdict.cause, verdict]))
  return inputs.flatMap((request) => {
    const verdict = request.kind === 'request' ? byCause.get(placeOf(request)) : undefined
    return request.kind === 'request' && verdict !== undefined ? [{ request, verdict }] : []
  })
}

/** Without those that only say a verdict again. */
function firstDecisions(played: Played): Decided[] {
  return decisions(played).filter(({ request, verdict }) => {
    const said: CouponIssued | CouponIssueRejected | undefined = verdict.issued ?? verdict.rejected
    return said?.sourceOffset === request.offset
  })
}

/** Issues in the order of the log; `nth` is which one of its coupon each is. */
function issues(played: Played): { request: Request; issued: CouponIssued; nth: number }[] {
  const counts = new Map<string, number>()
  return firstDecisions(played).flatMap(({ request, verdict: { issued } }) => {
    if (issued === undefined) return []
    const nth = (counts.get(issued.couponId) ?? 0) + 1
    counts.set(issued.couponId, nth)
    return [{ request, issued, nth }]
  })
}

function inForce({ campaigns }: Played, { value, at }: Request): Campaign | undefined {
  return campaigns.findLast((each) => each.value.couponId === value.couponId && each.at < at)?.value
}

/** When the coupon's quota was raised next. */
function nextRaise({ campaigns }: Played, { value, at }: Request): number {
  const own = campaigns.filter((each) => each.value.couponId === value.couponId)
  const raise = own.find((each, i) => each.at > at && each.value.quota > (own[i - 1]?.value.quota ?? 0))
  return raise?.at ?? Number.POSITIVE_INFINITY
}

function sameUser(a: CouponIssued, b: CouponIssued): boolean {
  return a.couponId === b.couponId && a.userId === b.userId
}

function isConflict({ rejected }: Verdict): boolean {
  return rejected?.reason === 'REQUEST_ID_CONFLICT' || rejected?.reason === 'IDEMPOTENCY_CONFLICT'
}

function broken(what: string, found: unknown): Error {
  return new Error(`${what}: ${JSON.stringify(found)}`)
}
