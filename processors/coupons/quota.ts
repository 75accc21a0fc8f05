/** How much of a coupon is gone, as `coupon.quota` tells it. Pure. */
import type { Campaign, CampaignCounters, QuotaState } from '../../schemas/index.ts'
import { SHARD } from './verdict.ts'

/** Between two reports of a coupon that is being issued lie at least this many milliseconds of wall time. */
export const QUOTA_REPORT_EVERY_MS = 1_000

/** The counters once one more report is out. */
export function reported(counters: CampaignCounters): CampaignCounters {
  return { ...counters, quotaRevision: counters.quotaRevision + 1 }
}

/** The report that `counters.quotaRevision` numbers. */
export function quotaState(campaign: Campaign, counters: CampaignCounters): QuotaState {
  return {
    couponId: campaign.couponId,
    shard: SHARD,
    quota: campaign.quota,
    issued: counters.issued,
    exhausted: counters.soldOutAt !== null,
    exhaustedAt: counters.soldOutAt,
    revision: counters.quotaRevision,
  }
}

/** The counters under an edited quota: sold out from `at` on when nothing is left, not sold out when some are (again). */
export function underQuota(counters: CampaignCounters, quota: number, at: number): CampaignCounters {
  const soldOutAt = counters.issued >= quota ? (counters.soldOutAt ?? at) : null
  return { ...counters, soldOutAt }
}
