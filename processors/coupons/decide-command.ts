/**
 * What an operator may do to a campaign. Pure: the campaign and a command come in, the campaign after it goes out.
 *
 * Status, and the commands that move it (all others leave it, or are refused):
 *
 *     (none) ── PUT ──► DRAFT ── PUT with ACTIVE ──► ACTIVE ◄── PAUSE / RESUME ──► PAUSED
 *     (none) ── PUT with ACTIVE ───────────────────► ACTIVE
 *     DRAFT, ACTIVE, PAUSED ── CLOSE ──► CLOSED, for good
 *
 * What these rules keep: an edit never lowers the quota below what is issued (I9); nothing reopens after CLOSED; the
 * revision grows by one with every change and only then; a command that finds what it asks for changes nothing and is
 * APPLIED, so a command may be sent again.
 */
import type {
  Campaign,
  CampaignCommand,
  CampaignCommands,
  CampaignOperation,
  CampaignStatus,
} from '../../schemas/index.ts'
import { definitionFault, definitionFaults, sameDefinition } from './campaign-definition.ts'

/** Why a command may be refused: stable codes, listed in `docs/coupons.md`. */
export const commandCodes = [
  'UNKNOWN_OPERATION',
  'UNKNOWN_COUPON',
  'CAMPAIGN_CLOSED',
  'STATUS_NOT_ALLOWED',
  'REVISION_CONFLICT',
  'QUOTA_BELOW_ISSUED',
  ...definitionFaults,
] as const
export type CommandCode = (typeof commandCodes)[number]

/** `campaign` is what it is now; the very object that came in when nothing changed. */
export type CommandDecision =
  | { readonly outcome: 'APPLIED'; readonly campaign: Campaign }
  | { readonly outcome: 'REFUSED'; readonly code: CommandCode }

/** Commands whose outcome is remembered per coupon. */
export const REMEMBERED_COMMANDS = 16

/** @param issued how many of the coupon are gone */
export function decideCommand(
  campaign: Campaign | undefined,
  issued: number,
  command: Campaign,
): CommandDecision {
  const { operation } = command
  if (operation === 'UNKNOWN') return refused('UNKNOWN_OPERATION')
  if (operation === 'PUT') return decidePut(campaign, issued, command)
  if (campaign === undefined) return refused('UNKNOWN_COUPON')
  return decideStatus(campaign, operation)
}

function decidePut(campaign: Campaign | undefined, issued: number, asked: Campaign): CommandDecision {
  if (campaign?.status === 'CLOSED') return refused('CAMPAIGN_CLOSED')
  const fault = definitionFault(asked)
  if (fault !== undefined) return refused(fault)
  const status = statusAfterPut(campaign?.status, asked.status)
  if (status === undefined) return refused('STATUS_NOT_ALLOWED')
  if (campaign?.status === status && sameDefinition(campaign, asked)) return applied(campaign)
  const revision = campaign?.revision ?? 0
  // 0 says nothing; any other revision is the one that the operator saw.
  if (asked.revision !== 0 && asked.revision !== revision) return refused('REVISION_CONFLICT')
  if (asked.quota < issued) return refused('QUOTA_BELOW_ISSUED')
  return applied(withRevision(asked, status, revision + 1))
}

/**
 * A PUT opens a campaign that is new or a draft when it says ACTIVE. DRAFT is also what a PUT says that does not speak of
 * the status. Pausing, resuming and closing are commands of their own, so an edit of a paused campaign leaves it paused.
 */
function statusAfterPut(
  status: CampaignStatus | undefined,
  asked: CampaignStatus,
): CampaignStatus | undefined {
  const opens = asked === 'ACTIVE'
  if (status === undefined || status === 'DRAFT') return opens || asked === 'DRAFT' ? asked : undefined
  return opens || asked === 'DRAFT' || asked === status ? status : undefined
}

function decideStatus(campaign: Campaign, operation: 'PAUSE' | 'RESUME' | 'CLOSE'): CommandDecision {
  const target = STATUS_AFTER[operation]
  if (campaign.status === target) return applied(campaign)
  if (campaign.status === 'CLOSED') return refused('CAMPAIGN_CLOSED')
  if (campaign.status === 'DRAFT' && operation !== 'CLOSE') return refused('STATUS_NOT_ALLOWED')
  return applied(withRevision(campaign, target, campaign.revision + 1))
}

const STATUS_AFTER = { PAUSE: 'PAUSED', RESUME: 'ACTIVE', CLOSE: 'CLOSED' } as const satisfies Partial<
  Record<CampaignOperation, CampaignStatus>
>

/** Fields that speak of commands or of draws have their defaults in a campaign's state. */
function withRevision(campaign: Campaign, status: CampaignStatus, revision: number): Campaign {
  return { ...campaign, status, revision, operation: 'PUT', seedHash: null, seed: null }
}

function applied(campaign: Campaign): CommandDecision {
  return { outcome: 'APPLIED', campaign }
}

function refused(code: CommandCode): CommandDecision {
  return { outcome: 'REFUSED', code }
}

/** The outcomes with one more; the oldest goes when there are too many. */
export function remember(
  commands: CampaignCommands | undefined,
  offset: number,
  decision: CommandDecision,
  campaign: Campaign | undefined,
): CampaignCommands {
  const { outcome } = decision
  const code = outcome === 'REFUSED' ? decision.code : null
  const revision = (outcome === 'APPLIED' ? decision.campaign : campaign)?.revision ?? 0
  const command: CampaignCommand = { offset, outcome, code, revision }
  return { recent: [...(commands?.recent ?? []), command].slice(-REMEMBERED_COMMANDS) }
}
