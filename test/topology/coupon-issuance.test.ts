import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { topics } from '../../schemas/index.ts'
import type { ReadRecord } from '../../testing/index.ts'
import { CouponShop, MINUTE, modes, START } from './coupon-driver.ts'

const plain = (records: ReadRecord<string, unknown>[]) =>
  records.map(({ key, value }) => [key, { ...value! }])

describe.each(modes)('%s', (_, mode) => {
  let shop: CouponShop
  beforeEach(async () => {
    shop = await CouponShop.open(mode)
  })
  afterEach(() => shop.driver.close())

  test('first come, first served, until nothing is left', async () => {
    await shop.command({ quota: 3 })
    await shop.ask('ann bob cid dan eve')
    expect(shop.issued).toEqual(['ann #1', 'bob #2', 'cid #3'])
    expect(shop.rejected).toEqual(['dan SOLD_OUT', 'eve SOLD_OUT'])
    expect(shop.counters()).toMatchObject({ issued: 3, soldOut: 2, soldOutAt: START })
    expect(shop.claim('cid')).toMatchObject({ issued: 1, userCouponId: 'spring-3' })
    expect(shop.claim('dan')).toBeUndefined()
  })

  test('a verdict says who, what, where and when', async () => {
    await shop.command({ validForMs: MINUTE })
    await shop.driver.advanceWallTime(5)
    await shop.ask('ann')
    await shop.ask('ann', { requestId: 'again' })
    const places = { requestId: 'ann', couponId: 'spring', userId: 'ann' }
    expect(plain(shop.driver.read(topics.couponIssued))).toEqual([
      [
        'spring',
        {
          ...places,
          userCouponId: 'spring-1',
          sequence: 1,
          shard: 0,
          sourceOffset: 0,
          issuedAt: START + 5,
          expiresAt: START + 5 + MINUTE,
          campaignRevision: 1,
          discount: null,
        },
      ],
    ])
    expect(plain(shop.driver.read(topics.couponIssueRejected))).toEqual([
      [
        'spring',
        {
          ...places,
          requestId: 'again',
          reason: 'DUPLICATE',
          existingUserCouponId: 'spring-1',
          sourceOffset: 1,
          rejectedAt: START + 5,
          campaignRevision: 1,
        },
      ],
    ])
  })

  test('the window is by the time of the log, whatever a producer claims (I7)', async () => {
    await shop.command({ opensAt: START + 10, closesAt: START + 20 })
    const claim = (userId: string, timestamp: number) => {
      const value = { requestId: userId, couponId: 'spring', userId, shard: 3, acceptedAt: timestamp }
      return shop.driver.pipe(
        topics.couponIssueRequested,
        'spring',
        { ...value, bodyHash: null },
        { timestamp },
      )
    }
    await shop.driver.advanceWallTime(9)
    await claim('early', START + 15)
    await shop.driver.advanceWallTime(1)
    await claim('first', START)
    await shop.driver.advanceWallTime(9)
    await claim('last', START + 25)
    await shop.driver.advanceWallTime(1)
    await claim('late', START + 15)
    expect(shop.issued).toEqual(['first #1', 'last #2'])
    expect(shop.rejected).toEqual(['early NOT_OPEN', 'late CLOSED'])
  })

  test('a requestId that comes again is answered with the same bytes and counted once (I4)', async () => {
    await shop.command({ quota: 2, validForMs: MINUTE })
    await shop.ask('ann')
    await shop.ask('ann', { requestId: 'twice' })
    const before = shop.counters()
    await shop.driver.advanceWallTime(7)
    await shop.command({ operation: 'CLOSE' })
    await shop.ask('ann')
    await shop.ask('ann', { requestId: 'twice' })
    for (const topic of [topics.couponIssued, topics.couponIssueRejected]) {
      const [first, again, ...rest] = shop.driver.read<string, unknown>(topic)
      expect(rest).toEqual([])
      expect(again?.record.value).toEqual(first?.record.value)
      expect(again?.timestamp).toBe(first?.timestamp)
    }
    expect(shop.counters()).toEqual(before)
  })

  test('a requestId belongs to its first user', async () => {
    await shop.command()
    await shop.ask('ann', { requestId: 'r' })
    await shop.ask('eve', { requestId: 'r' })
    expect(shop.rejected).toEqual(['eve REQUEST_ID_CONFLICT'])
    expect(shop.verdict('r')).toMatchObject({ userId: 'ann', sequence: 1 })
    expect(shop.claim('eve')).toBeUndefined()
    await shop.ask('ann', { requestId: 'r', bodyHash: 'h' })
    expect(shop.issued).toEqual(['ann #1', 'ann #1'])
  })

  test('the same requestId may be used for another coupon', async () => {
    await shop.command()
    await shop.command({ couponId: 'summer' })
    await shop.ask('ann')
    await shop.ask('ann', { couponId: 'summer' })
    expect(shop.issued).toEqual(['ann #1', 'ann #1'])
  })

  test('requests for a coupon that there is not are answered and remembered', async () => {
    await shop.ask('ann')
    await shop.command()
    await shop.ask('ann')
    await shop.ask('ann', { requestId: 'new' })
    expect(shop.rejected).toEqual(['ann UNKNOWN_COUPON', 'ann UNKNOWN_COUPON'])
    expect(shop.issued).toEqual(['ann #1'])
    expect(shop.counters()).toMatchObject({ unknownCoupon: 1, issued: 1 })
  })

  test('a pause and a close hold from the next request on', async () => {
    await shop.command({ status: 'DRAFT' })
    await shop.ask('a')
    await shop.command({ status: 'ACTIVE' })
    await shop.ask('b')
    await shop.command({ operation: 'PAUSE' })
    await shop.ask('c')
    await shop.command({ operation: 'RESUME' })
    await shop.ask('d')
    await shop.command({ operation: 'CLOSE' })
    await shop.ask('e')
    await shop.command({ operation: 'RESUME' })
    await shop.ask('f')
    expect(shop.issued).toEqual(['b #1', 'd #2'])
    expect(shop.rejected).toEqual(['a NOT_OPEN', 'c PAUSED', 'e CLOSED', 'f CLOSED'])
    expect(shop.outcomes()).toEqual([
      'APPLIED@1',
      'APPLIED@2',
      'APPLIED@3',
      'APPLIED@4',
      'APPLIED@5',
      'CAMPAIGN_CLOSED@5',
    ])
  })

  test('a raised quota goes on where the old one ended; a quota never falls below what is issued (I9)', async () => {
    await shop.command({ quota: 2 })
    await shop.ask('a b c')
    await shop.command({ quota: 1 })
    await shop.command({ quota: 3 })
    expect(shop.counters()).toMatchObject({ issued: 2, soldOutAt: null })
    await shop.ask('d e')
    await shop.command({ quota: 3, name: 'renamed' })
    expect(shop.issued).toEqual(['a #1', 'b #2', 'd #3'])
    expect(shop.rejected).toEqual(['c SOLD_OUT', 'e SOLD_OUT'])
    expect(shop.outcomes()).toEqual(['APPLIED@1', 'QUOTA_BELOW_ISSUED@1', 'APPLIED@2', 'APPLIED@3'])
  })

  test('a campaign is told when it changes, and only then', async () => {
    await shop.command()
    await shop.command()
    await shop.command({ quota: -1 })
    await shop.command({ operation: 'PAUSE' })
    await shop.command({ operation: 'PAUSE' })
    const states = shop.driver.read(topics.couponCampaign)
    expect(states.map(({ value }) => `${value?.status}@${value?.revision}`)).toEqual(['ACTIVE@1', 'PAUSED@2'])
    expect(shop.driver.latest(topics.couponCampaign).get('spring')).toEqual(shop.campaign())
    expect(shop.outcomes()).toEqual(['APPLIED@1', 'APPLIED@1', 'INVALID_QUOTA@1', 'APPLIED@2', 'APPLIED@2'])
  })

  test('a refused command on a coupon that there is not has an outcome and makes no campaign', async () => {
    await shop.command({ shards: 2 })
    await shop.command({ operation: 'CLOSE' })
    expect(shop.outcomes()).toEqual(['SHARDS_NOT_SUPPORTED@0', 'UNKNOWN_COUPON@0'])
    expect(shop.campaign()).toBeUndefined()
    expect(shop.driver.read(topics.couponCampaign)).toEqual([])
  })

  test('the quota is told at edits, at most once a second while coupons go, and at exhaustion at once', async () => {
    await shop.command({ quota: 5 })
    expect(shop.quota).toEqual(['0/5'])
    await shop.ask('a b')
    await shop.driver.advanceWallTime(900, 100)
    expect(shop.quota).toEqual(['0/5'])
    await shop.ask('c')
    await shop.driver.advanceWallTime(100)
    expect(shop.quota).toEqual(['0/5', '3/5'])
    await shop.driver.advanceWallTime(10_000)
    expect(shop.quota).toEqual(['0/5', '3/5'])
    await shop.ask('d e f')
    expect(shop.quota).toEqual(['0/5', '3/5', '5/5!'])
    await shop.driver.advanceWallTime(10_000)
    await shop.command({ quota: 6 })
    await shop.driver.advanceWallTime(10_000)
    expect(shop.quota).toEqual(['0/5', '3/5', '5/5!', '5/6'])
    const reports = shop.driver.read(topics.couponQuota)
    expect(reports.map(({ key, value }) => [key, value?.revision])).toEqual([
      ['spring#0', 1],
      ['spring#0', 2],
      ['spring#0', 3],
      ['spring#0', 4],
    ])
    expect(reports[2]?.value?.exhaustedAt).toBe(shop.verdict('e')?.decidedAt)
  })

  test('a pause tells the campaign, not the quota', async () => {
    await shop.command()
    await shop.command({ operation: 'PAUSE' })
    expect(shop.quota).toEqual(['0/10'])
  })
})

describe('over several partitions', () => {
  const coupons = ['spring', 'summer', 'autumn', 'winter', 'a#0', 'a#1']

  test('everything of a coupon is in one partition, its quota too', async () => {
    const shop = await CouponShop.open({ partitions: 4 })
    for (const couponId of coupons) {
      await shop.command({ couponId, quota: 1 })
      await shop.ask('ann bob', { couponId })
    }
    const requests = shop.driver.read(topics.couponIssueRequested)
    const home = new Map(requests.map(({ key, partition }) => [key, partition]))
    for (const topic of [
      topics.couponCampaign,
      topics.couponIssued,
      topics.couponIssueRejected,
      topics.couponQuota,
    ]) {
      const found = shop.driver.read<string, { couponId: string }>(topic)
      expect(new Set(found.map(({ value }) => value?.couponId))).toEqual(new Set(coupons))
      for (const { value, partition } of found) expect(partition).toBe(home.get(value?.couponId ?? ''))
    }
    expect(new Set(home.values()).size).toBeGreaterThan(1)
    await shop.driver.close()
  })
})
