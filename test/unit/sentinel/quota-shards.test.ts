import { describe, expect, test } from 'vitest'
import type { QuotaState } from '../../../schemas/index.ts'
import { unseenCoupon } from '../../../processors/sentinel/coupon-rules.ts'
import { MAX_SPLITS, watchShard, watchSplit } from '../../../processors/sentinel/quota-shards.ts'
import { campaign } from '../coupons/given.ts'

type Told = { readonly quota: number; readonly shards: number } | Partial<QuotaState>
const COMMANDS = 'coupon.campaign.requested'

/** Each fact with the topic and offset of its cause. */
function given(...facts: readonly (readonly [Told, topic: string, offset: number])[]) {
  let watch = unseenCoupon
  const found = facts.flatMap(([told, topic, offset], i) => {
    const cause = { topic, partition: 0, offset, timestamp: 0 }
    const place = { topic: 't', partition: 0, offset: i, lineage: { eventId: `${i}`, cause } }
    const report = { couponId: 'spring', shard: 0, quota: 10, issued: 0, revision: 1, exhausted: false }
    const next =
      'shards' in told
        ? watchSplit(watch, campaign(told), place)
        : watchShard(watch, { ...report, exhaustedAt: null, ...told }, place)
    watch = next.watch
    return next.found.map(({ invariant, detail }) => `${invariant} ${detail}`)
  })
  return { found, watch }
}

describe('I8', () => {
  test('one shard has what the campaign has, in either order', () => {
    const whole = [{ quota: 10, shards: 1 }, COMMANDS, 4] as const
    const part = [{ quota: 9 }, COMMANDS, 4] as const
    const words = ['I8 9 on 1 of 1 shards, and 10 in the campaign']
    expect(given(whole, part).found).toEqual(words)
    expect(given(part, whole).found).toEqual(words)
    expect(given(whole, [{ quota: 10 }, COMMANDS, 4]).found).toEqual([])
  })

  test('three shards add up; nothing is said before all were read, unless it is too much already', () => {
    const whole = [{ quota: 10, shards: 3 }, COMMANDS, 4] as const
    const part = (shard: number, quota: number) => [{ shard, quota }, COMMANDS, 4] as const
    expect(given(part(0, 4), whole, part(1, 3), part(2, 3)).found).toEqual([])
    expect(given(part(0, 4), whole, part(1, 3)).found).toEqual([])
    expect(given(part(0, 4), whole, part(1, 3), part(2, 2)).found).toEqual([
      'I8 9 on 3 of 3 shards, and 10 in the campaign',
    ])
    expect(given(part(0, 8), part(1, 3), whole).found).toHaveLength(1)
  })

  test('what another command made is not compared', () => {
    expect(given([{ quota: 10, shards: 1 }, COMMANDS, 4], [{ quota: 9 }, COMMANDS, 5]).found).toEqual([])
  })

  test('between commands a shard keeps its quota, but for transfers', () => {
    const first = [{ quota: 10, revision: 1 }, COMMANDS, 4] as const
    const next = (revision: number, topic: string) => [{ quota: 7, revision }, topic, 9] as const
    expect(given(first, next(2, 'coupon.issue.requested')).found).toEqual([
      'I8 shard 0 has 7 in report 2, and 10 in the one before',
    ])
    expect(given(first, next(2, 'coupon.quota.transfer')).found).toEqual([])
    // A report is missing, perhaps by a command.
    expect(given(first, next(3, 'coupon.issue.requested')).found).toEqual([])
    expect(given(first, [{ quota: 10, revision: 1 }, 'coupon.issue.requested', 9]).found).toEqual([])
  })

  test('few commands are kept', () => {
    const commands = Array.from({ length: 9 }, (_, n) => [{ quota: n, shards: 1 }, COMMANDS, n] as const)
    expect(given(...commands).watch.splits.map(({ command }) => command)).toEqual([5, 6, 7, 8])
    expect(MAX_SPLITS).toBe(4)
  })
})
