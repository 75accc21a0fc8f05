/** What a campaign may look like, whatever the campaign was before. Pure. */
import type { Campaign, Discount } from '../../schemas/index.ts'
import { MAX_ID_CHARS } from '../ids.ts'

/** UTF-16 units of a campaign's name. */
export const MAX_NAME_CHARS = 500
/** Users in an eligibility list. */
export const MAX_ELIGIBLE_USERS = 10_000
/** The last instant that a date can show: 13 September 275760, epoch milliseconds. */
const LAST_INSTANT = 8.64e15
/** A user's coupons are counted in an Avro int. */
const MAX_PER_USER = 2 ** 31 - 1

export const definitionFaults = [
  'INVALID_NAME',
  'INVALID_QUOTA',
  'INVALID_PER_USER_LIMIT',
  'INVALID_WINDOW',
  'INVALID_VALIDITY',
  'INVALID_DISCOUNT',
  'INVALID_ELIGIBILITY',
  'INVALID_FAIRNESS',
  'DRAW_NOT_SUPPORTED',
  'INVALID_SHARDS',
  'SHARDS_NOT_SUPPORTED',
] as const
export type DefinitionFault = (typeof definitionFaults)[number]

/** The first fault of what was asked for; nothing when a campaign can be like that. */
export function definitionFault(asked: Campaign): DefinitionFault | undefined {
  const { quota, perUserLimit, opensAt, closesAt, validForMs, fairness, shards } = asked
  if (asked.name.length > MAX_NAME_CHARS) return 'INVALID_NAME'
  if (quota < 0) return 'INVALID_QUOTA'
  if (perUserLimit < 1 || perUserLimit > MAX_PER_USER) return 'INVALID_PER_USER_LIMIT'
  if (!(0 <= opensAt && opensAt < closesAt && closesAt <= LAST_INSTANT)) return 'INVALID_WINDOW'
  if (validForMs !== null && !(1 <= validForMs && closesAt + validForMs <= LAST_INSTANT))
    return 'INVALID_VALIDITY'
  if (!isDiscount(asked.discount)) return 'INVALID_DISCOUNT'
  if (asked.eligibility !== null && !isUserList(asked.eligibility.userIds)) return 'INVALID_ELIGIBILITY'
  if (fairness === 'DRAW') return 'DRAW_NOT_SUPPORTED'
  if (fairness !== 'FIFO') return 'INVALID_FAIRNESS'
  if (shards > 1) return 'SHARDS_NOT_SUPPORTED'
  return shards === 1 ? undefined : 'INVALID_SHARDS'
}

function isDiscount({ kind, value, minOrderAmount, maxDiscount }: Discount): boolean {
  if (kind !== 'AMOUNT' && kind !== 'PERCENT') return false
  if (value < 1 || (kind === 'PERCENT' && value > 100)) return false
  return (minOrderAmount ?? 0) >= 0 && (maxDiscount ?? 1) >= 1
}

/** An empty list would shut everybody out; whoever wants that pauses the campaign. */
function isUserList(userIds: readonly string[]): boolean {
  if (userIds.length === 0 || userIds.length > MAX_ELIGIBLE_USERS) return false
  return userIds.every((userId) => userId.length > 0 && userId.length <= MAX_ID_CHARS)
}

/** Whether two campaigns promise the same; status, revision and operation do not count. */
export function sameDefinition(a: Campaign, b: Campaign): boolean {
  return (
    a.name === b.name &&
    a.quota === b.quota &&
    a.perUserLimit === b.perUserLimit &&
    a.opensAt === b.opensAt &&
    a.closesAt === b.closesAt &&
    a.validForMs === b.validForMs &&
    a.discount.kind === b.discount.kind &&
    a.discount.value === b.discount.value &&
    a.discount.minOrderAmount === b.discount.minOrderAmount &&
    a.discount.maxDiscount === b.discount.maxDiscount &&
    sameUsers(a.eligibility?.userIds, b.eligibility?.userIds)
  )
}

function sameUsers(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.length === b.length && a.every((userId, i) => userId === b[i])
}
