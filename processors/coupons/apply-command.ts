/** Applies an operator's command to a campaign, remembers what became of it, and tells the new state. */
import {
  type Campaign,
  type CampaignCommands,
  type CampaignCounters,
  type QuotaState,
  shardKey,
} from '../../schemas/index.ts'
import type { KeyValueStore } from '../../state/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import { keyFault } from '../ids.ts'
import { decideCommand, remember } from './decide-command.ts'
import { initialCounters } from './evolve.ts'
import { quotaState, reported, underQuota } from './quota.ts'
import { SHARD } from './verdict.ts'

/** The stores that commands and requests share, by couponId. */
export interface Campaigns {
  readonly campaigns: KeyValueStore<string, Campaign>
  readonly counters: KeyValueStore<string, CampaignCounters>
}

/** What commands use; `topologies/coupon-issuance.ts` gives it. */
export interface CommandContext {
  readonly stores: Campaigns & { readonly commands: KeyValueStore<string, CampaignCommands> }
  readonly emit: {
    readonly campaign: (couponId: string, campaign: Campaign) => void
    readonly quota: (key: string, quota: QuotaState) => void
  }
  deadLetter(reason: string, message: string): void
}

/** Every command gets an outcome in the store `campaign-commands`, or is a dead letter. */
export function applyCommand(record: StreamRecord<string, Campaign>, context: CommandContext): void {
  const { key: couponId, value: command, origin } = record
  const fault = keyFault(couponId, 'couponId', command.couponId)
  if (fault !== undefined) return context.deadLetter(fault.reason, fault.message)
  const { campaigns, counters, commands } = context.stores

  const before = campaigns.get(couponId)
  const counted = counters.get(couponId) ?? initialCounters
  const decision = decideCommand(before, counted.issued, command)
  commands.put(couponId, remember(commands.get(couponId), origin.offset, decision, before))
  if (decision.outcome === 'REFUSED' || decision.campaign === before) return

  const { campaign } = decision
  campaigns.put(couponId, campaign)
  context.emit.campaign(couponId, campaign)
  if (command.operation !== 'PUT') return
  const after = reported(underQuota(counted, campaign.quota, origin.appendTime))
  counters.put(couponId, after)
  context.emit.quota(shardKey(couponId, SHARD), quotaState(campaign, after))
}
