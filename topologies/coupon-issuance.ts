/**
 * First come, first served: commands and requests of a coupon meet in one task, which decides them in the order of the
 * log. The two inputs are co-partitioned by couponId and both carry the log's append time.
 */
import { applyCommand, issueCoupon, sendQuota } from '../processors/index.ts'
import {
  type Campaign,
  type CampaignCommands,
  campaignCommandsSchema,
  type CampaignCounters,
  campaignCountersSchema,
  campaignSchema,
  type ClaimState,
  claimStateSchema,
  type CouponIssued,
  type CouponIssueRejected,
  type CouponIssueRequested,
  type QuotaState,
  type RequestState,
  requestStateSchema,
  stateSerde,
  topics,
  upcastOf,
} from '../schemas/index.ts'
import { keys, keyValueStore } from '../state/index.ts'
import { partitionFor, processor, shape, topology } from '../streams/index.ts'

/** Campaigns as they are, by couponId. */
export const campaignStore = keyValueStore<Campaign>({
  name: 'campaigns',
  value: stateSerde(campaignSchema),
  version: campaignSchema.version,
})

/** What was decided so far, by couponId; also of coupons that there are not. */
export const counterStore = keyValueStore<CampaignCounters>({
  name: 'counters',
  value: stateSerde(campaignCountersSchema),
  version: campaignCountersSchema.version,
})

/** Outcomes of the last 16 commands, by couponId. */
export const commandStore = keyValueStore<CampaignCommands>({
  name: 'campaign-commands',
  value: stateSerde(campaignCommandsSchema),
  version: campaignCommandsSchema.version,
})

/** What a user has of a coupon, by (couponId, userId). */
export const claimStore = keyValueStore<ClaimState, [couponId: string, userId: string]>({
  name: 'claims',
  key: keys.tuple(keys.string, keys.string),
  value: stateSerde(claimStateSchema),
  version: claimStateSchema.version,
  lookups: 'mostly-absent',
})

/** The verdict on every request, by (couponId, requestId). */
export const requestStore = keyValueStore<RequestState, [couponId: string, requestId: string]>({
  name: 'requests',
  key: keys.tuple(keys.string, keys.string),
  value: stateSerde(requestStateSchema),
  version: requestStateSchema.version,
  upcast: upcastOf(requestStateSchema),
  lookups: 'mostly-absent',
})

const campaigns = { campaigns: campaignStore, counters: counterStore }

const campaignCommands = processor({
  name: 'campaign-commands',
  input: shape<string, Campaign>(),
  stores: { ...campaigns, commands: commandStore },
  outputs: { campaign: shape<string, Campaign>(), quota: shape<string, QuotaState>() },
  process: applyCommand,
})

const issuer = processor({
  name: 'issuer',
  input: shape<string, CouponIssueRequested>(),
  stores: { ...campaigns, claims: claimStore, requests: requestStore },
  outputs: {
    issued: shape<string, CouponIssued>(),
    rejected: shape<string, CouponIssueRejected>(),
    quota: shape<string, QuotaState>(),
  },
  timers: { quota: 'wall' },
  process: issueCoupon,
  onTimer: { quota: sendQuota },
})

/** A command that says nothing, or for nobody, is a fault of whoever sent it. */
const commandSource = { onNullKey: 'dead-letter', onNullValue: 'dead-letter' } as const

export const couponIssuance = topology('coupon-issuance', (t) => {
  const commands = t.stream(topics.couponCampaignRequested, commandSource).process(campaignCommands)
  const verdicts = t.stream(topics.couponIssueRequested, commandSource).process(issuer)
  commands.campaign.to(topics.couponCampaign)
  verdicts.issued.to(topics.couponIssued)
  verdicts.rejected.to(topics.couponIssueRejected)
  commands.quota.merge(verdicts.quota).to(topics.couponQuota, {
    partition: ({ value }, partitions) => shardPartition(value.couponId, value.shard, partitions),
  })
})

/** Where a shard of a coupon lives: the coupon's own partition, then the next ones. */
export function shardPartition(couponId: string, shard: number, partitions: number): number {
  return (partitionFor(Buffer.from(couponId), partitions) + shard) % partitions
}
