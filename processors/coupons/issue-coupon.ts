/**
 * The issuer: reads what is known, lets `decide` decide, stores what `evolve` says and sends the verdict. One task has
 * all requests of a coupon, in the order of the log, so one record after the other is all the locking there is.
 */
import {
  type CampaignCounters,
  type ClaimState,
  type CouponIssued,
  type CouponIssueRejected,
  type CouponIssueRequested,
  type QuotaState,
  type RequestState,
  shardKey,
} from '../../schemas/index.ts'
import type { KeyValueStore, TimerHandle } from '../../state/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import { type Fault, idFault, keyFault } from '../ids.ts'
import type { Campaigns } from './apply-command.ts'
import { decide } from './decide.ts'
import { evolve, initialCounters } from './evolve.ts'
import { QUOTA_REPORT_EVERY_MS, quotaState, reported } from './quota.ts'
import { issuedRecord, rejectedRecord, SHARD } from './verdict.ts'

/** What the issuer uses; `topologies/coupon-issuance.ts` gives it. */
export interface IssueContext {
  readonly stores: Campaigns & {
    readonly claims: KeyValueStore<[couponId: string, userId: string], ClaimState>
    readonly requests: KeyValueStore<[couponId: string, requestId: string], RequestState>
  }
  readonly emit: {
    readonly issued: (couponId: string, issued: CouponIssued, timestamp: number) => void
    readonly rejected: (couponId: string, rejected: CouponIssueRejected, timestamp: number) => void
    readonly quota: (key: string, quota: QuotaState) => void
  }
  readonly timers: { readonly quota: TimerHandle }
  readonly wallTime: number
  deadLetter(reason: string, message: string): void
}

/** Decides one request; emits exactly one verdict (I3), or one dead letter. */
export function issueCoupon(record: StreamRecord<string, CouponIssueRequested>, context: IssueContext): void {
  const { key: couponId, value } = record
  const fault = requestFault(couponId, value)
  if (fault !== undefined) return context.deadLetter(fault.reason, fault.message)
  const { requestId, userId, bodyHash } = value
  const { campaigns, counters, claims, requests } = context.stores

  const before = counters.get(couponId) ?? initialCounters
  const requestKey: [string, string] = [couponId, requestId]
  const claimKey: [string, string] = [couponId, userId]
  const known = requests.get(requestKey)
  const campaign = campaigns.get(couponId)
  // A look-up is most of what a decision costs: none is made that cannot matter.
  const claim = known !== undefined || campaign === undefined ? undefined : claims.get(claimKey)
  const { offset, appendTime: at } = record.origin
  const request = { requestId, couponId, userId, bodyHash, offset, at }
  const decision = decide({ known, campaign, claim, issued: before.issued }, request)
  const { verdict } = decision

  const changes = evolve(decision, before, claim, campaign)
  if (changes.request !== undefined) requests.put(requestKey, changes.request)
  if (changes.claim !== undefined) claims.put(claimKey, changes.claim)
  if (changes.counters !== undefined) counters.put(couponId, changes.counters)
  if (changes.claim !== undefined) reportQuota(couponId, changes.counters ?? before, context)

  const { reason, decidedAt } = verdict
  if (reason === null) context.emit.issued(couponId, issuedRecord(couponId, requestId, verdict), decidedAt)
  else context.emit.rejected(couponId, rejectedRecord(couponId, requestId, verdict, reason), decidedAt)
}

/** Ids that cannot be stored. The producer's shard and clock are only its guess: the issuer does not look at them. */
export function requestFault(
  key: string,
  { couponId, requestId, userId }: CouponIssueRequested,
): Fault | undefined {
  return keyFault(key, 'couponId', couponId) ?? idFault('requestId', requestId) ?? idFault('userId', userId)
}

/** After an issue: exhaustion is told at once, everything else a second later in one report. */
function reportQuota(couponId: string, counters: CampaignCounters, context: IssueContext): void {
  const { timers, wallTime } = context
  if (counters.soldOutAt !== null) {
    timers.quota.cancel(couponId)
    sendQuota(couponId, context)
  } else if (timers.quota.dueAt(couponId) === undefined) {
    timers.quota.schedule(couponId, wallTime + QUOTA_REPORT_EVERY_MS)
  }
}

/** Sends how much of the coupon is gone now; also what the durable timer `quota` of the coupon does. */
export function sendQuota(couponId: string, { stores, emit }: Pick<IssueContext, 'stores' | 'emit'>): void {
  const campaign = stores.campaigns.get(couponId)
  if (campaign === undefined) return
  const counters = reported(stores.counters.get(couponId) ?? initialCounters)
  stores.counters.put(couponId, counters)
  emit.quota(shardKey(couponId, SHARD), quotaState(campaign, counters))
}
