/**
 * I1, I2, I5, I6, I7, I9 and I15 of one coupon, with I8 of `quota-shards.ts`. Pure: its row and a fact come in; the row
 * after it and what it proves go out.
 *
 * A verdict says by which revision of the campaign it was decided. So whatever arrives first, verdict or campaign, the
 * two are compared once both are there, and never with a revision that was not in force. Until then a revision's row
 * holds the extremes of what was decided by it, which is all that the comparison needs.
 */
import type { Campaign, CouponIssued, CouponWatch, QuotaState, RevisionWatch } from '../../schemas/index.ts'
import { digestOf } from './digest.ts'
import type { CouponFact, Place } from './facts.ts'
import { ofCoupon, type Violation } from './invariants.ts'
import { watchShard, watchSplit } from './quota-shards.ts'
import { revisionOf, sameQuotaOrLess, withRevision } from './revisions.ts'

export const unseenCoupon: CouponWatch = Object.freeze({
  revisions: [],
  sequence: 0,
  sequenceBefore: 0,
  campaignRead: -1,
  campaignRevision: 0,
  quotaRead: -1,
  quotaRevision: 0,
  quotaDigest: '',
  splits: [],
  reports: [],
})

/** What else is known where a verdict is judged. */
export interface Surroundings {
  readonly place: Place
  /** Coupons that a watched user has with this one; nothing of users who are not watched. */
  readonly ofUser: number | undefined
  /** No coupon of this partition was deleted before it was read. */
  readonly fromTheFirst: boolean
}

interface Watched {
  readonly watch: CouponWatch
  readonly found: readonly Violation[]
}

/** The very row that came in where the fact changes nothing. */
export function watchCoupon(watch: CouponWatch, fact: CouponFact, around: Surroundings): Watched {
  switch (fact.kind) {
    case 'CAMPAIGN':
      return both(watchCampaign(watch, fact.value, around.place), (row) =>
        watchSplit(row, fact.value, around.place),
      )
    case 'QUOTA':
      return both(watchQuota(watch, fact.value, around.place), (row) =>
        watchShard(row, fact.value, around.place),
      )
    case 'ISSUED':
      return watchIssue(watch, fact.value, around)
    case 'REJECTED': {
      const { couponId, reason, sourceOffset, campaignRevision } = fact.value
      if (reason !== 'SOLD_OUT' || sourceOffset !== around.place.lineage?.cause?.offset)
        return { watch, found: [] }
      return watchSoldOut(watch, couponId, sourceOffset, campaignRevision)
    }
    case 'REQUEST':
      return { watch, found: [] }
  }
}

function both(first: Watched, next: (watch: CouponWatch) => Watched): Watched {
  const { watch, found } = next(first.watch)
  return { watch, found: [...first.found, ...found] }
}

// --- campaigns and reports

function watchCampaign(watch: CouponWatch, campaign: Campaign, { offset }: Place): Watched {
  const { couponId, revision, quota, perUserLimit, opensAt, closesAt } = campaign
  if (offset <= watch.campaignRead) return { watch, found: [] }
  const read: CouponWatch = {
    ...watch,
    campaignRead: offset,
    campaignRevision: Math.max(revision, watch.campaignRevision),
  }
  const before = revisionOf(read, revision)
  const digest = digestOf([quota, perUserLimit, opensAt, closesAt, campaign.status])
  // The same state again is no other state.
  if (before?.known === true && before.digest === digest) return { watch: read, found: [] }
  if (revision <= watch.campaignRevision) {
    const detail = `campaign revision ${revision} after ${watch.campaignRevision}`
    return { watch: read, found: [ofCoupon('I15', couponId, detail)] }
  }
  if (before === undefined) return { watch: read, found: [] }
  const now = { ...before, known: true, quota, perUserLimit, opensAt, closesAt, digest }
  const after = withRevision(read, now)
  return {
    watch: after,
    found: [
      ...brokenPromises(couponId, now),
      ...loweredTooFar(couponId, after, now),
      ...overtakenAround(couponId, after, now),
    ],
  }
}

/** What was decided by a revision before it was read. */
function brokenPromises(couponId: string, now: RevisionWatch): Violation[] {
  if (now.topSequence === 0) return []
  return [
    ...checkQuota(couponId, now, now.topSequence),
    ...checkLimit(couponId, now, now.topOfUser),
    ...checkWindow(couponId, now, now.firstIssuedAt),
    ...(now.lastIssuedAt === now.firstIssuedAt ? [] : checkWindow(couponId, now, now.lastIssuedAt)),
  ]
}

/** I9, when the edit is read after what was issued before it. */
function loweredTooFar(
  couponId: string,
  watch: CouponWatch,
  { revision, quota }: RevisionWatch,
): Violation[] {
  const earlier = watch.revisions.filter((each) => each.revision < revision)
  const issued = Math.max(watch.sequenceBefore, ...earlier.map(({ topSequence }) => topSequence))
  return issued > quota ? [edited(couponId, revision, quota, issued)] : []
}

/** I5, for verdicts whose revisions could not be compared before this one was known. */
function overtakenAround(couponId: string, watch: CouponWatch, { revision }: RevisionWatch): Violation[] {
  return watch.revisions
    .filter((each) => each.revision >= revision && each.lastIssued >= 0)
    .flatMap((later) => overtaken(couponId, watch, later.lastIssued, later.revision, revision))
}

function watchQuota(watch: CouponWatch, report: QuotaState, { offset }: Place): Watched {
  const { couponId, shard, quota, issued, revision } = report
  if (shard !== 0 || offset <= watch.quotaRead) return { watch, found: [] }
  const digest = digestOf([quota, issued, report.exhausted, report.exhaustedAt])
  const found: Violation[] = []
  const again = revision === watch.quotaRevision && digest === watch.quotaDigest
  if (revision <= watch.quotaRevision && !again)
    found.push(ofCoupon('I15', couponId, `quota report ${revision} after ${watch.quotaRevision}`))
  if (issued > quota)
    found.push(ofCoupon('I1', couponId, `${issued} of ${quota} issued, says quota report ${revision}`))
  return { watch: { ...watch, quotaRead: offset, quotaRevision: revision, quotaDigest: digest }, found }
}

// --- verdicts

function watchIssue(watch: CouponWatch, issued: CouponIssued, around: Surroundings): Watched {
  const { couponId, sequence, issuedAt, sourceOffset, campaignRevision } = issued
  const { place, ofUser, fromTheFirst } = around
  const cause = place.lineage?.cause
  if (sourceOffset !== cause?.offset) {
    const unheard = watch.sequence > 0 && sequence > watch.sequence
    const detail = `number ${sequence} is said again and was not said before`
    return { watch, found: unheard ? [ofCoupon('I4', couponId, detail)] : [] }
  }
  const found = [...checkSequence(watch, issued, fromTheFirst)]
  if (issuedAt !== cause.timestamp) {
    found.push(ofCoupon('I7', couponId, `number ${sequence} bears another time than its request`))
  }
  const counted = { ...watch, sequence: Math.max(watch.sequence, sequence) }
  const by = campaignRevision > 0 ? revisionOf(counted, campaignRevision) : undefined
  if (by === undefined) return { watch: counted, found }
  const isFirst = by.topSequence === 0
  const now: RevisionWatch = {
    ...by,
    topSequence: Math.max(by.topSequence, sequence),
    topOfUser: Math.max(by.topOfUser, ofUser ?? 0),
    firstIssuedAt: isFirst ? issuedAt : Math.min(by.firstIssuedAt, issuedAt),
    lastIssuedAt: isFirst ? issuedAt : Math.max(by.lastIssuedAt, issuedAt),
    lastIssued: Math.max(by.lastIssued, sourceOffset),
  }
  const after = withRevision(counted, now)
  if (by.known) {
    found.push(...checkQuota(couponId, by, sequence), ...checkWindow(couponId, by, issuedAt))
    if (ofUser !== undefined) found.push(...checkLimit(couponId, by, ofUser))
  }
  found.push(
    ...issuedBeforeEdit(couponId, after, campaignRevision, sequence),
    ...overtaken(couponId, after, sourceOffset, campaignRevision),
  )
  return { watch: after, found }
}

function watchSoldOut(watch: CouponWatch, couponId: string, offset: number, revision: number): Watched {
  const by = revision > 0 ? revisionOf(watch, revision) : undefined
  if (by === undefined || (by.firstSoldOut >= 0 && by.firstSoldOut <= offset)) return { watch, found: [] }
  const after = withRevision(watch, { ...by, firstSoldOut: offset })
  const found = after.revisions
    .filter((later) => later.revision >= revision && later.lastIssued > offset)
    .filter((later) => sameQuotaOrLess(after, revision, later.revision) === true)
    .map((later) => passedOver(couponId, offset, later.lastIssued))
  return { watch: after, found: found.slice(0, 1) }
}

/** I6. The first that is seen of a coupon is its number 1 only where nothing was deleted before. */
function checkSequence(watch: CouponWatch, { couponId, sequence }: CouponIssued, all: boolean): Violation[] {
  if (watch.sequence === 0 && !all) return []
  const next = watch.sequence + 1
  return sequence === next ? [] : [ofCoupon('I6', couponId, `number ${sequence} where ${next} was due`)]
}

function checkQuota(couponId: string, by: RevisionWatch, sequence: number): Violation[] {
  if (sequence <= by.quota) return []
  return [ofCoupon('I1', couponId, `number ${sequence} of ${by.quota} by revision ${by.revision}`)]
}

function checkLimit(couponId: string, by: RevisionWatch, ofUser: number): Violation[] {
  if (ofUser <= by.perUserLimit) return []
  const detail = `${ofUser} for one user, ${by.perUserLimit} allowed by revision ${by.revision}`
  return [ofCoupon('I2', couponId, detail)]
}

function checkWindow(couponId: string, by: RevisionWatch, issuedAt: number): Violation[] {
  if (by.opensAt <= issuedAt && issuedAt < by.closesAt) return []
  return [ofCoupon('I7', couponId, `issued at ${issuedAt}, outside the window of revision ${by.revision}`)]
}

/** I9, when the edit was read before what was issued by an earlier revision. */
function issuedBeforeEdit(
  couponId: string,
  watch: CouponWatch,
  revision: number,
  sequence: number,
): Violation[] {
  const edit = watch.revisions.find(
    (later) => later.revision > revision && later.known && later.quota < sequence,
  )
  return edit === undefined ? [] : [edited(couponId, edit.revision, edit.quota, sequence)]
}

function edited(couponId: string, revision: number, quota: number, issued: number): Violation {
  return ofCoupon('I9', couponId, `revision ${revision} allows ${quota}, and ${issued} were issued before it`)
}

/** I5: somebody earlier in the log was SOLD_OUT, and the quota was not raised since. */
function overtaken(
  couponId: string,
  watch: CouponWatch,
  offset: number,
  revision: number,
  through = Number.POSITIVE_INFINITY,
): Violation[] {
  const before = watch.revisions.find(
    (earlier) =>
      earlier.revision <= Math.min(revision, through) &&
      earlier.firstSoldOut >= 0 &&
      earlier.firstSoldOut < offset &&
      sameQuotaOrLess(watch, earlier.revision, revision) === true,
  )
  return before === undefined ? [] : [passedOver(couponId, before.firstSoldOut, offset)]
}

function passedOver(couponId: string, soldOut: number, issued: number): Violation {
  return ofCoupon('I5', couponId, `request ${soldOut} was SOLD_OUT and the later ${issued} issued`)
}
