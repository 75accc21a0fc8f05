/** Shop E: orders that are paid already, and a rush on a coupon. */
import { expect } from 'vitest'
import { topics } from '../../../schemas/index.ts'
import { bestSellers, couponIssuance } from '../../../topologies/index.ts'
import type { BoundShop, TheirMessage } from '../bound-shop.ts'
import { openCoupon, type ShopFlow, twiceInDisorder, unitsSold } from './given.ts'

const ASKED = 40
const QUOTA = 15

export const shopE: ShopFlow = {
  shop: 'e',
  profile: 'samples/shops/e/profile.json',
  topologies: () => [couponIssuance, bestSellers({ timeZone: 'UTC' })],
  async run(shop, disturb) {
    await sell(shop, disturb)
    await rush(shop, disturb)
  },
}

/** Returns may come before their sales. */
async function sell(shop: BoundShop, disturb: () => Promise<void>): Promise<void> {
  const paidAt = new Date(Date.now() - 60_000).toISOString()
  const sale = (orderId: string, ...items: object[]): TheirMessage => ({
    value: { orderId, userId: 1, paidAt, paidAmount: 20.34, items },
  })
  const back: TheirMessage = {
    value: {
      orderId: 'o2',
      userId: 1,
      returnId: 'r1',
      paidAt,
      returnedAt: new Date().toISOString(),
      refundAmount: '2.55',
      items: [{ lineNo: 1, productId: 'mug', quantity: 1, price: 2.55 }],
    },
  }
  const mug = { productId: 'mug', price: 2.55 }
  await shop.send('order-returned', back)
  await disturb()
  const sales = [
    sale('o1', { ...mug, quantity: 6 }, { productId: 'tin', quantity: 1, price: '5.04' }),
    sale('o2', { ...mug, quantity: 2 }),
  ]
  await shop.send(
    'order-confirmed',
    ...twiceInDisorder(sales, 7),
    sale('o3', { ...mug, price: 2.555, quantity: 1 }),
  )
  await shop.send('order-returned', back)
  await shop.settled()
  expect(await unitsSold(shop)).toEqual({ mug: 7, tin: 1 })
  expect(await shop.deadLetters('order-confirmed', 1)).toEqual([expect.stringContaining('$minor takes')])
  const amounts = (await shop.ours(topics.rankingSalesDelta, 0)).map(({ amount }) => amount)
  expect(amounts.reduce((sum, amount) => sum + amount, 0)).toBe(7 * 255 + 504)
}

/** One verdict for each request, and never more coupons than there are. */
async function rush(shop: BoundShop, disturb: () => Promise<void>): Promise<void> {
  await openCoupon(shop, 'spring', { quota: QUOTA })
  const asked = Array.from(
    { length: ASKED },
    (_, n): TheirMessage => ({
      key: 'spring',
      value: { requestId: `r${n}`, couponId: 'spring', userId: n },
    }),
  )
  const all = twiceInDisorder(asked, 8)
  await shop.send('coupon-issue', ...all.slice(0, ASKED))
  await disturb()
  await shop.send('coupon-issue', ...all.slice(ASKED))
  await shop.settled()
  const issued = await shop.theirs('coupon-issue-success', QUOTA)
  const refused = await shop.theirs('coupon-issue-failure', ASKED - QUOTA)
  const requests = (found: readonly TheirMessage[]) =>
    found.map(({ value }) => (value as { requestId: string }).requestId)
  // A request that came twice is answered twice, and with the same coupon.
  const coupons = issued.map(({ value }) => (value as { userCouponId: string }).userCouponId)
  expect(new Set(coupons).size).toBe(QUOTA)
  expect(new Set([...requests(issued), ...requests(refused)]).size).toBe(ASKED)
  const firsts = [...new Set(all.map(({ value }) => (value as { requestId: string }).requestId))]
  expect(new Set(requests(issued))).toEqual(new Set(firsts.slice(0, QUOTA)))
  expect(new Set(refused.map(({ key, value }) => `${key} ${(value as { reason: string }).reason}`))).toEqual(
    new Set(['spring SOLD_OUT']),
  )
}
