/** Shops A and B: an OrderCompletedEvent earns points, marks the coupon as used, is mailed, and counts in the boards. */
import { expect } from 'vitest'
import { topics } from '../../../schemas/index.ts'
import { bestSellers, couponIssuance, mailer, points, wallet } from '../../../topologies/index.ts'
import type { BoundShop, TheirMessage } from '../bound-shop.ts'
import { issue, openCoupon, sameMembers, type ShopFlow, twiceInDisorder, unitsSold } from './given.ts'

const SEOUL_MS = 9 * 3_600_000
const topologies = () => [
  couponIssuance,
  wallet(),
  points(),
  mailer({ currency: 'KRW' }),
  bestSellers({ timeZone: 'Asia/Seoul' }),
]

export const shopA: ShopFlow = {
  shop: 'a',
  profile: 'samples/shops/a/profile.json',
  topologies,
  async run(shop, disturb) {
    await completeOrders(shop, 'shop-a', disturb)
  },
}

export const shopB: ShopFlow = {
  shop: 'b',
  profile: 'samples/shops/b/profile.json',
  topologies,
  async run(shop, disturb) {
    const completedAt = await completeOrders(shop, 'shop-b', disturb)
    const earned = await shop.theirs('shop-b.point.earned', 2)
    const earnedAt = new Date(completedAt).toISOString()
    sameMembers(earned, [
      { key: '42', value: { userId: 42, orderId: 1001, points: 280, earnedAt } },
      { key: '43', value: { userId: 43, orderId: 1002, points: 115, earnedAt } },
    ])
    const used = await shop.theirs('shop-b.coupon.used', 1)
    expect(used).toMatchObject([
      { key: '43', value: { userId: 43, orderId: 1002, couponId: 5, discountAmount: 1000 } },
    ])
  },
}

/** Doubled and out of order; answers when the orders were completed. */
async function completeOrders(
  shop: BoundShop,
  prefix: string,
  disturb: () => Promise<void>,
): Promise<number> {
  await openCoupon(shop, '5')
  const { userCouponId } = await issue(shop, '5', '43')
  await disturb()
  const completedAt = Date.now() - 60_000
  // As Java writes a local time.
  const local = new Date(completedAt + SEOUL_MS).toISOString().slice(0, -1)
  const event = (orderId: number, more: object): TheirMessage => ({
    value: { orderId, completedAt: local, ...more },
  })
  const tea = { productId: 7, price: 12500 }
  const events = [
    event(1001, {
      userId: 42,
      userCouponId: null,
      finalAmount: 28000,
      items: [
        { ...tea, quantity: 2 },
        { productId: 8, quantity: 1, price: 3000 },
      ],
    }),
    event(1002, { userId: 43, userCouponId, finalAmount: 11500, items: [{ ...tea, quantity: 1 }] }),
    // Half a won, and nobody's.
    event(1003, { userId: 44, finalAmount: 0.5, items: [] }),
    event(1004, { items: [] }),
  ]
  const all = twiceInDisorder(events, 1)
  await shop.send(`${prefix}.order.completed`, ...all.slice(0, 4))
  await disturb()
  await shop.send(`${prefix}.order.completed`, ...all.slice(4))
  await shop.settled()

  const earned = await shop.ours(topics.pointEarned, 2)
  sameMembers(
    earned.map(({ orderId, points: sum }) => [orderId, sum]),
    [
      ['1001', 280],
      ['1002', 115],
    ],
  )
  const used = await shop.ours(topics.couponUsed, 1)
  expect(used).toMatchObject([{ orderId: '1002', userId: '43', userCouponId, discountAmount: 1000 }])
  expect(await unitsSold(shop)).toEqual({ 7: 3, 8: 1 })
  const mails = await shop.ours(topics.mailRequested, 2, ({ orderId }) => orderId !== '')
  sameMembers(
    mails.map(({ orderId, userId, amount }) => [orderId, userId, amount]),
    [
      ['1001', '42', 28_000],
      ['1002', '43', 11_500],
    ],
  )
  sameMembers(await shop.deadLetters(`${prefix}.order.completed`, 4), [
    ...Array<string>(2).fill(
      'Rejected: order.completed: finalAmount: $minor takes a decimal with no more digits than the currency has',
    ),
    ...Array<string>(2).fill('Rejected: order.completed: userId is missing; finalAmount is missing'),
  ])
  return completedAt
}
