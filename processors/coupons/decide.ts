/**
 * Who gets a coupon: the rules of a first-come-first-served campaign, and nothing else.
 *
 * Pure: the facts come in, the verdict goes out. What the verdict changes is `evolve.ts`'s, what it looks like on a
 * topic is `verdict.ts`'s, where the facts are kept is the processor's.
 */
import type { Campaign, ClaimState, Eligibility, RejectReason, RequestState } from '../../schemas/index.ts'
import { userCouponId } from './verdict.ts'

/** A request as the log has it. */
export interface CouponRequest {
  readonly requestId: string
  readonly couponId: string
  readonly userId: string
  readonly bodyHash: string | null
  /** Its offset: its place in the queue. */
  readonly offset: number
  /** When the log took it, epoch milliseconds: the only time that the rules know (I7). */
  readonly at: number
}

/** What is known when a request is decided. */
export interface Facts {
  /** The verdict already given under this requestId, if there is one. */
  readonly known: RequestState | undefined
  readonly campaign: Campaign | undefined
  /** What the user already has of this coupon. */
  readonly claim: ClaimState | undefined
  /** How many of this coupon are gone. */
  readonly issued: number
}

/**
 * - `NEW`: decided now; the verdict is kept under the requestId.
 * - `REPEATED`: asked before; the verdict is the one given then (I4).
 * - `CONFLICT`: another request has this id; the verdict is for this record only, the one kept stays.
 */
export interface Decision {
  readonly kind: 'NEW' | 'REPEATED' | 'CONFLICT'
  readonly verdict: RequestState
}

/** Decides one request. A rejection has the first reason that holds, in the order of `docs/coupons.md`. */
export function decide(facts: Facts, request: CouponRequest): Decision {
  const { known, campaign } = facts
  if (known !== undefined) {
    const conflict = conflictWith(known, request)
    if (conflict === undefined) return { kind: 'REPEATED', verdict: known }
    return { kind: 'CONFLICT', verdict: rejected(request, conflict, null) }
  }
  if (campaign === undefined) return { kind: 'NEW', verdict: rejected(request, 'UNKNOWN_COUPON', null) }
  const reason = refusal(campaign, facts, request)
  if (reason === undefined) return { kind: 'NEW', verdict: issued(campaign, facts.issued + 1, request) }
  const existing = reason === 'DUPLICATE' ? (facts.claim?.userCouponId ?? null) : null
  return { kind: 'NEW', verdict: rejected(request, reason, existing, campaign.revision) }
}

/** A requestId belongs to the first user and body that came with it. */
function conflictWith(known: RequestState, request: CouponRequest): RejectReason | undefined {
  const bothHashed = known.bodyHash !== null && request.bodyHash !== null
  if (bothHashed && known.bodyHash !== request.bodyHash) return 'IDEMPOTENCY_CONFLICT'
  return known.userId === request.userId ? undefined : 'REQUEST_ID_CONFLICT'
}

function refusal(campaign: Campaign, facts: Facts, { userId, at }: CouponRequest): RejectReason | undefined {
  const { status } = campaign
  if (status === 'DRAFT' || at < campaign.opensAt) return 'NOT_OPEN'
  if (status === 'CLOSED' || at >= campaign.closesAt) return 'CLOSED'
  // A status from a later version of this program is none in which to give anything away.
  if (status !== 'ACTIVE') return 'PAUSED'
  if (campaign.eligibility !== null && !isEligible(campaign.eligibility, userId)) return 'NOT_ELIGIBLE'
  if (facts.claim !== undefined && facts.claim.issued >= campaign.perUserLimit) return 'DUPLICATE'
  if (facts.issued >= campaign.quota) return 'SOLD_OUT'
  return undefined
}

function issued(campaign: Campaign, sequence: number, request: CouponRequest): RequestState {
  return {
    userId: request.userId,
    reason: null,
    userCouponId: userCouponId(request.couponId, sequence),
    sequence,
    sourceOffset: request.offset,
    decidedAt: request.at,
    expiresAt: campaign.validForMs === null ? null : request.at + campaign.validForMs,
    bodyHash: request.bodyHash,
    campaignRevision: campaign.revision,
  }
}

function rejected(
  request: CouponRequest,
  reason: RejectReason,
  existing: string | null,
  campaignRevision = 0,
): RequestState {
  return {
    userId: request.userId,
    reason,
    userCouponId: existing,
    sequence: 0,
    sourceOffset: request.offset,
    decidedAt: request.at,
    expiresAt: null,
    bodyHash: request.bodyHash,
    campaignRevision,
  }
}

/** The list as a set, made once per list: it may name thousands and is asked for every request. */
const members = new WeakMap<Eligibility, ReadonlySet<string>>()

function isEligible(eligibility: Eligibility, userId: string): boolean {
  let set = members.get(eligibility)
  if (set === undefined) members.set(eligibility, (set = new Set(eligibility.userIds)))
  return set.has(userId)
}
