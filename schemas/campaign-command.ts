/** A command on a campaign of which only couponId and operation are read, and the ground on which a PUT is built. */
import type { Campaign, CampaignOperation } from './generated/coupon.ts'

export function campaignCommand(couponId: string, operation: CampaignOperation): Campaign {
  return {
    couponId,
    name: '',
    quota: 0,
    perUserLimit: 1,
    opensAt: 0,
    closesAt: 0,
    validForMs: null,
    discount: { kind: 'AMOUNT', value: 0, minOrderAmount: null, maxDiscount: null },
    eligibility: null,
    fairness: 'FIFO',
    shards: 1,
    status: 'DRAFT',
    revision: 0,
    operation,
    seedHash: null,
    seed: null,
  }
}
