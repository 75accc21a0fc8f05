/**
 * All rules over the facts of coupons, on whatever rows they are kept in: the sentinel's stores, or the maps of a test.
 *
 * A new rule is one more entry of `rules`; one that needs a row of its own brings it in `CouponRows`. Invariants: a
 * violation is only what the facts read so far prove; every fact is read once, whoever shows it again; rows per coupon
 * do not grow with its requests, but for those of the one in `watchOneIn` users and requests that I2 and I4 watch.
 */
import type { AnswerWatch, CouponWatch, WatchedRequest, WatchedUser } from '../../schemas/index.ts'
import { type Answer, noAnswers, type Progress, progressOf, watchAnswer } from './answers.ts'
import { unseenCoupon, watchCoupon } from './coupon-rules.ts'
import { digestOf, isWatched } from './digest.ts'
import { type CouponFact, isConflict, type Place, type Verdict } from './facts.ts'
import { ofCoupon, type Violation } from './invariants.ts'

/** As much of a store as the rules use. */
export interface Rows<K, V> {
  get(key: K): V | undefined
  put(key: K, value: V): void
}

export interface CouponRows {
  /** One row, under `ANSWERS`. */
  readonly answers: Rows<string, AnswerWatch>
  /** By couponId. */
  readonly coupons: Rows<string, CouponWatch>
  readonly users: Rows<[couponId: string, userId: string], WatchedUser>
  readonly requests: Rows<[couponId: string, requestId: string], WatchedRequest>
}

export interface CouponOptions {
  /** Of users and of requestIds one in so many is watched for I2 and I4; everything else is exact. */
  readonly watchOneIn: number
}

export const ANSWERS = 'answers'
const REQUESTS = 'coupon.issue.requested'
const ISSUED = 1

interface Judged {
  readonly fact: CouponFact
  readonly place: Place
  readonly rows: CouponRows
  readonly options: CouponOptions
}

type Rule = (judged: Judged) => readonly Violation[]

const rules: readonly Rule[] = [sameVerdict, promisesOfCoupon]

/** What a fact proves, after its rows are brought up to date. */
export function judgeCoupon(
  fact: CouponFact,
  place: Place,
  rows: CouponRows,
  options: CouponOptions,
): readonly Violation[] {
  const judged = { fact, place, rows, options }
  if (fact.kind === 'CAMPAIGN' || fact.kind === 'QUOTA') return rules.flatMap((rule) => rule(judged))
  const answer = answerOf(fact, place)
  if (answer === undefined) {
    const { couponId } = fact.value
    return [ofCoupon('I3', couponId, `the verdict at ${place.topic} ${place.offset} answers no request`)]
  }
  const { progress, found } = countAnswer(answer, rows)
  if (progress === 'KNOWN') return found
  if (progress === 'BEHIND') return [...found, ...saidAgain(judged)]
  const second = ofCoupon('I3', fact.value.couponId, `two verdicts on the request at ${answer.of}`)
  return [...found, ...(progress === 'SECOND' ? [second] : []), ...rules.flatMap((rule) => rule(judged))]
}

/** Which request the fact is, or answers; nothing for a verdict that no request of this partition caused. */
function answerOf(
  fact: Exclude<CouponFact, { kind: 'CAMPAIGN' | 'QUOTA' }>,
  place: Place,
): Answer | undefined {
  if (fact.kind === 'REQUEST') return { stream: 'REQUEST', of: place.offset, place }
  const cause = place.lineage?.cause
  if (cause?.topic !== REQUESTS || cause.partition !== place.partition) return undefined
  if (fact.value.sourceOffset > cause.offset) return undefined
  return { stream: fact.kind, of: cause.offset, place }
}

/** I3. */
function countAnswer(
  answer: Answer,
  { answers }: CouponRows,
): { progress: Progress; found: readonly Violation[] } {
  const before = answers.get(ANSWERS) ?? noAnswers
  const progress = progressOf(before, answer)
  const { watch, found } = watchAnswer(before, answer)
  if (watch !== before) answers.put(ANSWERS, watch)
  return { progress, found }
}

/**
 * A verdict on a request that its topic has passed: a replay says again what was said. Then it must be the same, and no
 * coupon may come of it.
 */
function saidAgain(judged: Judged): readonly Violation[] {
  const { fact, rows } = judged
  const found = sameVerdict(judged)
  if (found.length > 0 || fact.kind !== 'ISSUED') return found
  const { couponId, sequence } = fact.value
  const { sequence: last = 0 } = rows.coupons.get(couponId) ?? {}
  if (last === 0 || sequence <= last) return found
  return [ofCoupon('I3', couponId, `number ${sequence} was issued on a request that had its verdict`)]
}

/** I4: the verdict under a requestId is always the same. */
function sameVerdict({ fact, rows: { requests }, options }: Judged): readonly Violation[] {
  if (fact.kind !== 'ISSUED' && fact.kind !== 'REJECTED') return []
  const { couponId, requestId, sourceOffset } = fact.value
  if (isConflict(fact) || !isWatched(requestId, options.watchOneIn)) return []
  const key: [string, string] = [couponId, requestId]
  const digest = digestOf(contentOf(fact))
  const known = requests.get(key)
  if (known === undefined) requests.put(key, { digest })
  if (known === undefined || known.digest === digest) return []
  return [ofCoupon('I4', couponId, `the request first asked at ${sourceOffset} has two verdicts`)]
}

/** Everything that a verdict says, field by field: one that a later version adds does not change what was said. */
function contentOf(verdict: Verdict): readonly unknown[] {
  const { userId, sourceOffset, campaignRevision } = verdict.value
  const common = [userId, sourceOffset, campaignRevision]
  if (verdict.kind === 'ISSUED') {
    const { userCouponId, sequence, shard, issuedAt, expiresAt } = verdict.value
    return [...common, userCouponId, sequence, shard, issuedAt, expiresAt]
  }
  const { reason, existingUserCouponId, rejectedAt } = verdict.value
  return [...common, reason, existingUserCouponId, rejectedAt]
}

/** I1, I2, I5, I6, I7, I9, I15. */
function promisesOfCoupon({ fact, place, rows, options }: Judged): readonly Violation[] {
  if (fact.kind === 'REQUEST') return []
  const { couponId } = fact.value
  const before = rows.coupons.get(couponId) ?? unseenCoupon
  const ofUser = countOfUser(fact, place, rows, options)
  const fromTheFirst = rows.answers.get(ANSWERS)?.streams[ISSUED]?.first === 0
  const { watch, found } = watchCoupon(before, fact, { place, ofUser, fromTheFirst })
  if (watch !== before) rows.coupons.put(couponId, watch)
  return found
}

/** How many a watched user has with this coupon; what is only said again is none. */
function countOfUser(
  fact: CouponFact,
  { lineage }: Place,
  { users }: CouponRows,
  { watchOneIn }: CouponOptions,
): number | undefined {
  if (fact.kind !== 'ISSUED' || fact.value.sourceOffset !== lineage?.cause?.offset) return undefined
  const { couponId, userId } = fact.value
  if (!isWatched(userId, watchOneIn)) return undefined
  const issued = (users.get([couponId, userId])?.issued ?? 0) + 1
  users.put([couponId, userId], { issued })
  return issued
}
