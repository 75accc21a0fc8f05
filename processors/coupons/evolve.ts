/** What a decision changes. Pure: rows in, rows out; an absent row stays as it is. */
import type {
  Campaign,
  CampaignCounters,
  ClaimState,
  RejectReason,
  RequestState,
} from '../../schemas/index.ts'
import type { Decision } from './decide.ts'

/** The counters of a coupon that nobody has asked for. */
export const initialCounters: CampaignCounters = Object.freeze({
  issued: 0,
  soldOutAt: null,
  quotaRevision: 0,
  idempotencyConflict: 0,
  requestIdConflict: 0,
  unknownCoupon: 0,
  unknownUser: 0,
  notOpen: 0,
  closed: 0,
  paused: 0,
  notEligible: 0,
  duplicate: 0,
  soldOut: 0,
})

type Count = Exclude<keyof CampaignCounters, 'issued' | 'soldOutAt' | 'quotaRevision'>

/** Which counter a rejection adds to. */
const countOf: Readonly<Record<Exclude<RejectReason, 'UNKNOWN'>, Count>> = {
  IDEMPOTENCY_CONFLICT: 'idempotencyConflict',
  REQUEST_ID_CONFLICT: 'requestIdConflict',
  UNKNOWN_COUPON: 'unknownCoupon',
  UNKNOWN_USER: 'unknownUser',
  NOT_OPEN: 'notOpen',
  CLOSED: 'closed',
  PAUSED: 'paused',
  NOT_ELIGIBLE: 'notEligible',
  DUPLICATE: 'duplicate',
  SOLD_OUT: 'soldOut',
}

export interface Changes {
  readonly counters: CampaignCounters | undefined
  readonly claim: ClaimState | undefined
  readonly request: RequestState | undefined
}

const nothing: Changes = Object.freeze({ counters: undefined, claim: undefined, request: undefined })

/** The rows after a decision; `counters` and `claim` as they were before it. */
export function evolve(
  { kind, verdict }: Decision,
  counters: CampaignCounters,
  claim: ClaimState | undefined,
  campaign: Campaign | undefined,
): Changes {
  if (kind === 'REPEATED') return nothing
  const request = kind === 'NEW' ? verdict : undefined
  const { reason, sequence, userCouponId, decidedAt } = verdict
  if (reason !== null) return { counters: rejectionCounted(counters, reason), claim: undefined, request }
  const soldOutAt = campaign !== undefined && sequence >= campaign.quota ? decidedAt : null
  return {
    counters: { ...counters, issued: sequence, soldOutAt },
    claim: { issued: (claim?.issued ?? 0) + 1, userCouponId },
    request,
  }
}

function rejectionCounted(counters: CampaignCounters, reason: RejectReason): CampaignCounters | undefined {
  if (reason === 'UNKNOWN') return undefined
  const count = countOf[reason]
  const after: { -readonly [F in keyof CampaignCounters]: CampaignCounters[F] } = { ...counters }
  after[count] += 1
  return after
}
