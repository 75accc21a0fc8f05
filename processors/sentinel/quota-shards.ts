/**
 * I8: the quotas of a campaign's shards add up to the campaign's. Pure; written over the set of shards, whose number is
 * the campaign's.
 *
 * Campaign and reports are two topics, read in any interleaving, so a report is never compared with whatever campaign was
 * read last. But a command makes the campaign's new state and a report of each shard at once, and all of them name it as
 * their cause: those are compared, once all of them are there. Between two commands only a transfer moves quota.
 */
import type { Campaign, CouponWatch, QuotaState, ShardWatch, SplitWatch } from '../../schemas/index.ts'
import type { Place } from './facts.ts'
import { ofCoupon, type Violation } from './invariants.ts'

/** Commands kept per coupon; what older ones made is not compared any more. */
export const MAX_SPLITS = 4
/** Shards of a coupon whose last report is kept. */
export const MAX_SHARDS = 64

const COMMANDS = 'coupon.campaign.requested'
const TRANSFERS = 'coupon.quota.transfer'

interface Watched {
  readonly watch: CouponWatch
  readonly found: readonly Violation[]
}

/** The campaign as a command left it. */
export function watchSplit(watch: CouponWatch, campaign: Campaign, { lineage }: Place): Watched {
  const { couponId, quota, shards } = campaign
  const cause = lineage?.cause
  if (cause?.topic !== COMMANDS) return { watch, found: [] }
  return compared(watch, couponId, { ...splitBy(watch, cause.offset), quota, shards })
}

/** A shard's report. */
export function watchShard(watch: CouponWatch, report: QuotaState, { lineage }: Place): Watched {
  const { couponId, shard, quota, revision } = report
  const before = watch.reports.find((each) => each.shard === shard)
  if (before !== undefined && revision <= before.revision) return { watch, found: [] }
  const now: ShardWatch = { shard, quota, revision }
  const others = watch.reports.filter((each) => each.shard !== shard)
  const kept = others.length < MAX_SHARDS || before !== undefined
  const after = kept ? { ...watch, reports: [...others, now] } : watch
  const cause = lineage?.cause
  if (cause?.topic === COMMANDS) {
    const split = splitBy(watch, cause.offset)
    const parts = [...split.parts.filter((each) => each.shard !== shard), now]
    return compared(after, couponId, { ...split, parts })
  }
  const moved = cause?.topic !== TRANSFERS && before !== undefined && before.quota !== quota
  // Where a report is missing between the two, the quota may have changed by it.
  if (!moved || revision !== before.revision + 1) return { watch: after, found: [] }
  const detail = `shard ${shard} has ${quota} in report ${revision}, and ${before.quota} in the one before`
  return { watch: after, found: [ofCoupon('I8', couponId, detail)] }
}

function splitBy({ splits }: CouponWatch, command: number): SplitWatch {
  const known = splits.find((split) => split.command === command)
  return known ?? { command, quota: -1, shards: 1, parts: [] }
}

/** With the split as it is now, and what it proves. */
function compared(watch: CouponWatch, couponId: string, split: SplitWatch): Watched {
  const { command, quota, shards, parts } = split
  const others = watch.splits.filter((each) => each.command !== command)
  const splits = [...others, split].toSorted((a, b) => a.command - b.command).slice(-MAX_SPLITS)
  const after = { ...watch, splits }
  const sum = parts.reduce((total, part) => total + part.quota, 0)
  const right = parts.length < shards ? sum <= quota : sum === quota
  if (quota < 0 || right) return { watch: after, found: [] }
  const detail = `${sum} on ${parts.length} of ${shards} shards, and ${quota} in the campaign`
  return { watch: after, found: [ofCoupon('I8', couponId, detail)] }
}
