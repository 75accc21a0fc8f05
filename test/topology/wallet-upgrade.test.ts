/** Wallets that an earlier program filled, which only collected coupons: what this one makes of them. */
import { describe, expect, test } from 'vitest'
import { type CouponIssued, topics } from '../../schemas/index.ts'
import { processor, shape, topology } from '../../streams/index.ts'
import { couponIssuance, WALLET, wallet, walletStore } from '../../topologies/index.ts'
import { Service } from '../support/services.ts'
import { campaign } from '../unit/coupons/given.ts'
import { issuedCoupon, use } from '../unit/wallet/given.ts'

const { couponCampaign, couponIssued, couponUseRequested, couponUseResult } = topics

/** The topology as it was: the same name, one store and one input in each part. */
const collecting = topology(WALLET, (t) => {
  const collector = processor({
    name: 'wallet-keeper',
    input: shape<string, CouponIssued>(),
    stores: { wallet: walletStore },
    process: ({ value }, { stores }) => {
      const { userCouponId, couponId, requestId, issuedAt, expiresAt } = value
      const terms = { discount: null, orderId: null, revoked: false }
      const coupon = { userCouponId, couponId, requestId, issuedAt, expiresAt, ...terms }
      stores.wallet.put([value.userId, userCouponId], { ...coupon, status: 'ISSUED' })
    },
  })
  t.stream(couponIssued)
    .selectKey(({ userId }) => userId)
    .repartition({ name: 'issued-by-user', key: couponIssued.key, value: couponIssued.value })
    .process(collector)
})

describe.each(['log', 'task'] as const)('where state lives in the %s', (stateHome) => {
  const topologies = [couponIssuance, collecting]

  async function upgraded(): Promise<Service> {
    const service = await Service.open(collecting, { partitions: 3, stateHome, topologies })
    await service.send(couponCampaign, campaign())
    await service.send(couponIssued, issuedCoupon())
    await service.driver.restart([couponIssuance, wallet()])
    return service
  }

  test('coupons of before are there, and new ones have the discount of their campaign, which is read from its beginning', async () => {
    const service = await upgraded()
    await service.send(couponIssued, issuedCoupon({ userCouponId: 'spring-2' }))
    const { value } = await service.driver
      .store(wallet(), walletStore)
      .page('ann', { prefix: ['ann'], limit: 10 })
    expect(value.map(([, { userCouponId, status }]) => `${userCouponId} ${status}`)).toEqual([
      'spring-1 ISSUED',
      'spring-2 ISSUED',
    ])
    await service.send(couponUseRequested, use({ orderId: 'o2', userCouponId: 'spring-2' }))
    expect(service.read(couponUseResult)).toMatchObject([
      { orderId: 'o2', status: 'USED', discountAmount: 500 },
    ])
    await service.close()
  })
})
