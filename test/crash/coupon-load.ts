/**
 * People who ask for coupons, and what they remember: what was acknowledged, what was never answered (and is sent again
 * with the same ids), and every verdict that was ever read.
 */
import type { RequestState } from '../../schemas/index.ts'
import type { PlainRecord } from '../support/engine-shop.ts'
import type { Random } from '../support/random.ts'
import type { PlainCampaign } from './coupon-oracle.ts'

/** Every fifth request repeats an earlier one; every fourth of those under another user's name. */
const REPEAT = 0.2
const FOREIGN = 0.25

export interface Ask {
  readonly couponId: string
  readonly userId: string
  readonly requestId: string
}

export interface CouponSeason {
  readonly campaigns: readonly PlainCampaign[]
  /** Different users that ask for each coupon. */
  readonly users: number
}

export class CouponLoad {
  /** Asks whose answer was read. */
  readonly acknowledged: Ask[] = []
  readonly #random: Random
  readonly #season: CouponSeason
  /** Sent, and the connection broke. */
  #unanswered: Ask[] = []
  readonly #verdicts = new Map<string, string>()
  #made = 0

  constructor(season: CouponSeason, random: Random) {
    this.#season = season
    this.#random = random
  }

  /** Requests whose verdict was read at least once. */
  get decided(): number {
    return this.#verdicts.size
  }

  get unanswered(): number {
    return this.#unanswered.length
  }

  next(): Ask {
    const again = this.#unanswered.shift()
    if (again !== undefined) return again
    const random = this.#random
    if (this.acknowledged.length > 0 && random.chance(REPEAT)) {
      const before = random.pick(this.acknowledged)
      return random.chance(FOREIGN) ? { ...before, userId: this.#user() } : before
    }
    const { campaigns } = this.#season
    const [hot] = campaigns
    const roll = random.next()
    const couponId =
      roll < 0.7 && hot !== undefined
        ? hot.couponId
        : roll < 0.97
          ? random.pick(campaigns).couponId
          : 'nobody-knows'
    return { couponId, userId: this.#user(), requestId: `r${++this.#made}` }
  }

  #user(): string {
    return `u${this.#random.below(this.#season.users)}`
  }

  answered(asks: readonly Ask[]): void {
    this.acknowledged.push(...asks)
  }

  lost(asks: readonly Ask[]): void {
    this.#unanswered.push(...asks)
  }

  /** Remembers verdicts as they are read; complains about one that changed or is gone. */
  read(asks: readonly Ask[], verdicts: readonly (RequestState | null)[]): string[] {
    const complaints: string[] = []
    for (const [i, { couponId, requestId }] of asks.entries()) {
      const key = `${couponId} ${requestId}`
      const now = verdictText(verdicts[i] ?? null)
      const before = this.#verdicts.get(key)
      if (before !== undefined && before !== now)
        complaints.push(`the verdict on ${key} was ${before} and is ${now ?? 'gone'}`)
      if (now !== undefined) this.#verdicts.set(key, now)
    }
    return complaints
  }

  /** Asks whose verdict has been read, the newest first, `limit` at most. */
  known(limit: number): Ask[] {
    const known: Ask[] = []
    const random = this.#random
    const newest = this.acknowledged.slice(-limit / 2)
    for (let i = 0; i < limit / 2 && this.acknowledged.length > 0; i++)
      known.push(random.pick(this.acknowledged))
    return [...newest, ...known]
  }
}

export function requestRecord({ couponId, userId, requestId }: Ask): PlainRecord {
  const value = { requestId, couponId, userId, shard: 0, acceptedAt: 0, bodyHash: null }
  return { topic: 'coupon.issue.requested', key: couponId, value }
}

export function campaignRecord({ couponId, quota, perUserLimit }: PlainCampaign, now: number): PlainRecord {
  const value = {
    couponId,
    name: couponId,
    quota,
    perUserLimit,
    opensAt: now - 60_000,
    closesAt: now + 24 * 60 * 60_000,
    validForMs: null,
    discount: { kind: 'AMOUNT', value: 100, minOrderAmount: null, maxDiscount: null },
    eligibility: null,
    fairness: 'FIFO',
    shards: 1,
    status: 'ACTIVE',
    revision: 0,
    operation: 'PUT',
    seedHash: null,
    seed: null,
  }
  return { topic: 'coupon.campaign.requested', key: couponId, value }
}

function verdictText(state: RequestState | null): string | undefined {
  if (state === null) return undefined
  const { userId, reason, sequence, userCouponId, sourceOffset, decidedAt } = state
  const says = reason ?? `ISSUED #${sequence} ${userCouponId}`
  return `${userId} ${says} at ${sourceOffset} (${decidedAt})`
}
