import { describe, expect, test } from 'vitest'
import { topics } from '../../schemas/index.ts'
import { CouponShop, MINUTE, modes, START } from './coupon-driver.ts'

describe.each(modes)('%s', (_, mode) => {
  test('a wallet holds all coupons of its user, from every partition, and no others', async () => {
    const shop = await CouponShop.open({ partitions: 3, ...mode })
    await shop.command({ perUserLimit: 2, validForMs: MINUTE })
    await shop.command({ couponId: 'summer' })
    await shop.ask('ann bob annie')
    await shop.ask('ann', { requestId: 'second' })
    await shop.ask('ann', { couponId: 'summer' })
    expect(await shop.wallet('ann')).toEqual([
      { ...issued('spring', 1, 'ann'), expiresAt: START + MINUTE },
      { ...issued('spring', 4, 'second'), expiresAt: START + MINUTE },
      issued('summer', 1, 'ann'),
    ])
    expect(await shop.wallet('bob')).toMatchObject([{ userCouponId: 'spring-2' }])
    expect(await shop.wallet('annie')).toMatchObject([{ userCouponId: 'spring-3' }])
    expect(await shop.wallet('nobody')).toEqual([])
    await shop.driver.close()
  })

  test('a verdict that is said again, or delivered again, changes no wallet', async () => {
    const shop = await CouponShop.open(mode)
    await shop.command()
    await shop.ask('ann ann')
    expect(shop.issued).toEqual(['ann #1', 'ann #1'])
    const [record] = shop.driver.read(topics.couponIssued)
    await shop.driver.pipe(topics.couponIssued, 'spring', { ...record!.value!, issuedAt: START + 1 })
    expect(await shop.wallet('ann')).toEqual([issued('spring', 1, 'ann')])
    await shop.driver.close()
  })
})

function issued(couponId: string, sequence: number, requestId: string) {
  const userCouponId = `${couponId}-${sequence}`
  const discount = { kind: 'AMOUNT', value: 500, minOrderAmount: null, maxDiscount: null }
  const terms = { discount, orderId: null, revoked: false }
  return { userCouponId, couponId, requestId, status: 'ISSUED', issuedAt: START, expiresAt: null, ...terms }
}
