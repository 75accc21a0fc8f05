import { describe, expect, test } from 'vitest'
import { type Campaign, topics } from '../../schemas/index.ts'
import type { DriverOptions } from '../../testing/index.ts'
import { couponUseStore, wallet, walletStore } from '../../topologies/index.ts'
import { DAY, modes, Service, START } from '../support/services.ts'
import { campaign } from '../unit/coupons/given.ts'
import { discount, issuedCoupon, revocation, undo, use } from '../unit/wallet/given.ts'

const { couponCampaign, couponIssued, couponUseRequested, couponRestoreRequested, couponRevokeRequested } =
  topics
const WAIT = 5_000

class Purse {
  readonly service: Service

  constructor(service: Service) {
    this.service = service
  }

  static async open(mode: Partial<DriverOptions> = {}): Promise<Purse> {
    const service = wallet({ waitMs: WAIT, keepMs: DAY, keepDoneMs: 2 * DAY })
    return new Purse(await Service.open(service, { partitions: 3, ...mode }))
  }

  send: Service['send'] = (topic, ...values) => this.service.send(topic, ...values)

  /** The campaign `spring`, and coupons of it for ann. */
  async issue(
    changes: Parameters<typeof issuedCoupon>[0] = {},
    terms: Partial<Campaign> = {},
  ): Promise<void> {
    await this.send(couponCampaign, campaign(terms))
    await this.send(couponIssued, issuedCoupon({ issuedAt: START, ...changes }))
  }

  /** `o1 USED 500`. */
  get answers(): string[] {
    return this.service
      .read(topics.couponUseResult)
      .map(({ orderId, status, discountAmount, reason }) => words(orderId, status, discountAmount, reason))
  }

  get restored(): string[] {
    return this.service.read(topics.restoreResult).map(({ orderId, status }) => words(orderId, status))
  }

  get used(): string[] {
    return this.service
      .read(topics.couponUsed)
      .map(({ orderId, userCouponId, discountAmount }) => words(orderId, userCouponId, discountAmount))
  }

  /** `USED o1`. */
  coupon(userCouponId = 'spring-1', userId = 'ann'): string | undefined {
    const store = this.service.driver.store(this.service.topology, walletStore)
    const { value } = store.get([userId, userCouponId], userId)
    return value === undefined ? undefined : words(value.status, value.orderId)
  }

  order(orderId: string) {
    return this.service.driver.store(this.service.topology, couponUseStore).get(['ann', orderId], 'ann').value
  }
}

function words(...parts: (string | number | null)[]): string {
  return parts.filter((part) => part !== null).join(' ')
}

describe.each(modes)('I10 a coupon, %s', (_, mode) => {
  test('is used by one order, and told', async () => {
    const purse = await Purse.open(mode)
    await purse.issue()
    await purse.send(couponUseRequested, use(), use(), use({ orderId: 'o2' }))
    expect(purse.answers.sort()).toEqual(['o1 USED 500', 'o1 USED 500', 'o2 REJECTED ALREADY_USED'])
    expect(purse.used).toEqual(['o1 spring-1 500'])
    expect(purse.coupon()).toBe('USED o1')
    await purse.service.close()
  })

  test('is restored once per use, and may be used again then', async () => {
    const purse = await Purse.open(mode)
    await purse.issue()
    await purse.send(couponUseRequested, use())
    await purse.send(couponRestoreRequested, undo(), undo())
    expect(purse.restored).toEqual(['o1 RESTORED', 'o1 ALREADY'])
    expect(purse.coupon()).toBe('ISSUED')
    await purse.send(couponUseRequested, use({ orderId: 'o2' }))
    await purse.send(couponRestoreRequested, undo())
    expect(purse.coupon()).toBe('USED o2')
    await purse.send(couponUseRequested, use())
    expect(purse.answers.filter((answer) => answer.startsWith('o1'))).toEqual(['o1 USED 500', 'o1 CANCELLED'])
    await purse.service.close()
  })

  test('is not used by an order that was undone before, until an operator raises the epoch', async () => {
    const purse = await Purse.open(mode)
    await purse.issue()
    await purse.send(couponRestoreRequested, undo())
    await purse.send(couponUseRequested, use(), use({ epoch: 1 }), use({ epoch: 2 }))
    expect(purse.answers).toEqual(['o1 CANCELLED', 'o1 USED 500', 'o1 USED 500'])
    expect(purse.used).toEqual(['o1 spring-1 500'])
    await purse.service.close()
  })

  test('that comes after its use is waited for: who asked first gets it', async () => {
    const purse = await Purse.open(mode)
    await purse.send(couponUseRequested, use({ orderId: 'o9' }), use(), use({ orderId: 'o9' }))
    expect(purse.answers).toEqual([])
    await purse.issue()
    expect(purse.answers.sort()).toEqual(['o1 REJECTED ALREADY_USED', 'o9 USED 500'])
    await purse.service.driver.advanceWallTime(WAIT, WAIT)
    expect(purse.answers).toHaveLength(2)
    await purse.service.close()
  })

  test('that does not come in time is unknown, also to who owns another', async () => {
    const purse = await Purse.open(mode)
    await purse.issue({ userId: 'bob' })
    await purse.send(couponUseRequested, use())
    await purse.service.driver.advanceWallTime(WAIT, WAIT)
    expect(purse.answers).toEqual(['o1 REJECTED UNKNOWN_COUPON'])
    await purse.send(couponUseRequested, use())
    expect(purse.answers).toEqual(['o1 REJECTED UNKNOWN_COUPON', 'o1 REJECTED UNKNOWN_COUPON'])
    expect(purse.coupon('spring-1', 'bob')).toBe('ISSUED')
    await purse.service.close()
  })

  test('is not given to an order that was undone while it waited', async () => {
    const purse = await Purse.open(mode)
    await purse.send(couponUseRequested, use())
    await purse.send(couponRestoreRequested, undo())
    expect([...purse.answers, ...purse.restored]).toEqual(['o1 CANCELLED', 'o1 RESTORED'])
    await purse.issue()
    expect(purse.coupon()).toBe('ISSUED')
    expect(purse.answers).toHaveLength(1)
    await purse.service.close()
  })

  test('is answered for the use that asked for it, also when the answer comes by another record or by a timer', async () => {
    const purse = await Purse.open(mode)
    await purse.send(couponUseRequested, use({ orderId: 'comes' }))
    await purse.send(couponUseRequested, use({ orderId: 'undone', userCouponId: 'spring-8' }))
    await purse.send(couponUseRequested, use({ orderId: 'late', userCouponId: 'spring-9' }))
    await purse.issue()
    await purse.send(couponRestoreRequested, undo({ orderId: 'undone', userCouponId: 'spring-8' }))
    await purse.service.driver.advanceWallTime(WAIT, WAIT)
    const { driver } = purse.service
    const asked = new Map(
      driver.read(couponUseRequested).map(({ value, record }) => [value?.orderId, record]),
    )
    const answers = driver.read(topics.couponUseResult)
    expect(new Set(answers.map(({ value }) => value?.orderId))).toEqual(new Set(asked.keys()))
    for (const { value, record } of answers) {
      const { topic, partition, offset, timestamp, lineage } = asked.get(value?.orderId) ?? record
      const cause = { topic, partition, offset, timestamp }
      expect(record.lineage).toMatchObject({ cause, causationId: lineage?.eventId })
    }
    const [restored] = driver.read(topics.restoreResult)
    expect(restored?.record.lineage?.cause?.topic).toBe(couponRestoreRequested.name)
    await purse.service.close()
  })

  test('expires in its time, and when it comes back after it', async () => {
    const purse = await Purse.open(mode)
    await purse.issue({ expiresAt: START + 10_000 })
    await purse.send(couponIssued, issuedCoupon({ userCouponId: 'spring-2', expiresAt: START + 10_000 }))
    await purse.send(couponUseRequested, use())
    await purse.service.driver.advanceWallTime(10_000)
    expect([purse.coupon(), purse.coupon('spring-2')]).toEqual(['USED o1', 'EXPIRED'])
    await purse.send(couponRestoreRequested, undo())
    await purse.send(couponUseRequested, use({ orderId: 'o2' }))
    expect(purse.coupon()).toBe('EXPIRED')
    expect(purse.answers).toContain('o2 REJECTED EXPIRED')
    await purse.service.close()
  })

  test('that is revoked is used by nobody; one in use is revoked when it comes back', async () => {
    const purse = await Purse.open(mode)
    await purse.issue()
    await purse.send(couponIssued, issuedCoupon({ userCouponId: 'spring-2' }))
    await purse.send(couponUseRequested, use({ userCouponId: 'spring-2' }))
    await purse.send(
      couponRevokeRequested,
      revocation(),
      revocation({ userCouponId: 'spring-2' }),
      revocation(),
      revocation({ userCouponId: 'spring-9' }),
    )
    expect([purse.coupon(), purse.coupon('spring-2')]).toEqual(['REVOKED', 'USED o1'])
    await purse.send(couponUseRequested, use({ orderId: 'o2' }))
    await purse.send(couponRestoreRequested, undo({ userCouponId: 'spring-2' }))
    expect(purse.coupon('spring-2')).toBe('REVOKED')
    expect(purse.answers).toContain('o2 REJECTED REVOKED')
    expect(purse.service.dropped).toEqual(['NothingToRevoke'])
    expect(purse.service.deadLetters(couponRevokeRequested as never)).toEqual([
      'UnknownCoupon: there is no such coupon in the wallet',
    ])
    await purse.service.close()
  })

  test('waits for the revision of the campaign that it was issued by', async () => {
    const purse = await Purse.open(mode)
    await purse.send(couponIssued, issuedCoupon({ issuedAt: START, campaignRevision: 2 }))
    await purse.send(couponCampaign, campaign({ revision: 1 }))
    expect(purse.coupon()).toBeUndefined()
    const richer = discount({ kind: 'PERCENT', value: 50, maxDiscount: 1_000 })
    await purse.send(couponCampaign, campaign({ revision: 3, discount: richer }))
    await purse.send(couponIssued, issuedCoupon({ userCouponId: 'spring-2', campaignRevision: 3 }))
    await purse.send(
      couponUseRequested,
      use(),
      use({ orderId: 'o2', userCouponId: 'spring-2', orderAmount: 999 }),
    )
    expect(purse.answers.sort()).toEqual(['o1 USED 1000', 'o2 USED 499'])
    await purse.service.close()
  })

  test('that is told again changes nothing', async () => {
    const purse = await Purse.open(mode)
    await purse.issue()
    await purse.send(couponUseRequested, use())
    await purse.send(couponIssued, issuedCoupon())
    expect(purse.coupon()).toBe('USED o1')
    await purse.service.close()
  })
})

test('more coupons than a page holds wait for their campaign, and more uses for their coupon', async () => {
  const purse = await Purse.open()
  const count = 205
  for (let i = 0; i < count; i++) {
    const userCouponId = `spring-${i}`
    await purse.send(couponIssued, issuedCoupon({ userCouponId }))
    await purse.send(couponUseRequested, use({ orderId: `o${i}`, userCouponId: 'spring-0' }))
  }
  await purse.send(couponCampaign, campaign())
  const { value } = await purse.service.driver
    .store(purse.service.topology, walletStore)
    .page('ann', { prefix: ['ann'], limit: 1_000 })
  expect(value).toHaveLength(count)
  expect(purse.answers).toHaveLength(count)
  expect(purse.answers.filter((answer) => answer.endsWith('USED 500'))).toEqual(['o0 USED 500'])
  await purse.service.close()
})

test('a use is forgotten a while after it came to nothing, and later when it did not', async () => {
  const purse = await Purse.open()
  await purse.issue()
  await purse.send(couponUseRequested, use(), use({ orderId: 'o2' }))
  await purse.service.driver.advanceWallTime(DAY, DAY)
  expect([purse.order('o1')?.epoch, purse.order('o2')]).toEqual([0, undefined])
  await purse.service.driver.advanceWallTime(DAY, DAY)
  expect(purse.order('o1')).toBeUndefined()
  expect(purse.coupon()).toBe('USED o1')
  await purse.service.close()
})

test.each([
  ['under another key', 'bob', use(), 'KeyMismatch'],
  ['of no coupon', 'ann', use({ userCouponId: '' }), 'InvalidId'],
  ['for no order', 'ann', use({ orderId: '' }), 'InvalidId'],
  ['for an order of less than nothing', 'ann', use({ orderAmount: -1 }), 'InvalidAmount'],
])('a use %s is a dead letter', async (_name, key, command, reason) => {
  const purse = await Purse.open()
  await purse.service.driver.pipe(couponUseRequested, key, command)
  expect(purse.service.deadLetters(couponUseRequested as never)[0]).toMatch(`${reason}: `)
  await purse.service.close()
})

test.each([{ waitMs: 0 }, { keepMs: 0 }])('%o is refused', (rules) => {
  expect(() => wallet(rules)).toThrow(RangeError)
})
