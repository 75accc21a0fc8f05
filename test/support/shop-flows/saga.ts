/** Shop C: coupons without keys, and orders whose undo is told without their ids. */
import { expect } from 'vitest'
import { topics } from '../../../schemas/index.ts'
import {
  bestSellers,
  catalog,
  couponIssuance,
  orders,
  points,
  stock,
  wallet,
} from '../../../topologies/index.ts'
import type { BoundShop, TheirMessage } from '../bound-shop.ts'
import {
  openCoupon,
  ordersAre,
  sameMembers,
  type ShopFlow,
  stockUp,
  twiceInDisorder,
  unitsSold,
} from './given.ts'

export const shopC: ShopFlow = {
  shop: 'c',
  profile: 'samples/shops/c/profile.json',
  topologies: () => [
    catalog,
    couponIssuance,
    wallet({ waitMs: 200 }),
    stock(),
    points(),
    orders({ currency: 'KRW' }),
    bestSellers({ timeZone: 'Asia/Seoul' }),
  ],
  async run(shop, disturb) {
    const [used, unused] = await issueCoupons(shop, disturb)
    await takeOrders(shop, used, disturb)
    await failAfterTheCoupon(shop, unused, disturb)
  },
}

interface Held {
  readonly userId: string
  readonly userCouponId: string
}

/** 3 coupons for 5 users who ask twice each; answers user 43's, who got one before, and somebody else's. */
async function issueCoupons(
  shop: BoundShop,
  disturb: () => Promise<void>,
): Promise<readonly [used: string, unused: Held]> {
  await openCoupon(shop, '5', { quota: 3 })
  await shop.send('coupon-issue-topic', { value: { userId: 43, couponId: 5 } })
  const [first] = await shop.ours(topics.couponIssued, 1)
  await disturb()
  const asked = [42, 43, 44, 45, 46].map((userId) => ({ value: { userId, couponId: 5 } }))
  await shop.send('coupon-issue-topic', ...twiceInDisorder(asked, 2), { value: { userId: 'no coupon' } })
  await shop.settled()
  const issued = await shop.ours(topics.couponIssued, 3)
  expect(new Set(issued.map(({ userId }) => userId)).size).toBe(3)
  // Who asks again is told the same again.
  expect(new Set(issued.map(({ userCouponId }) => userCouponId)).size).toBe(3)
  const rejected = await shop.ours(topics.couponIssueRejected, 2)
  expect(new Set(rejected.map(({ reason }) => reason))).toEqual(new Set(['SOLD_OUT']))
  expect(new Set(rejected.map(({ userId }) => userId)).size).toBe(2)
  expect(await shop.deadLetters('coupon-issue-topic', 1)).toEqual([
    'Rejected: coupon.issue.requested: couponId is missing',
  ])
  const other = issued.find(({ userId }) => userId !== '43')
  if (first === undefined || other === undefined) throw new Error('nobody else has a coupon')
  return [first.userCouponId, other]
}

async function takeOrders(
  shop: BoundShop,
  userCouponId: string,
  disturb: () => Promise<void>,
): Promise<void> {
  for (const userId of ['42', '43']) {
    const grant = { adjustId: 'welcome', userId, amount: 100_000, expiresAt: null, reason: '' }
    await shop.say(topics.pointAdjustRequested, grant)
  }
  await stockUp(shop, { 7: 10, 8: 5 })
  await shop.settled()
  const [tea, milk, gone] = [
    { productId: 7, price: 12500 },
    { productId: 8, price: 3000 },
    { productId: 9, price: 1 },
  ]
  const order = (
    orderId: number,
    userId: number,
    coupon: string | null,
    finalAmount: number,
    ...cartItems: object[]
  ): TheirMessage => {
    return { value: { orderId, userId, userCouponId: coupon, finalAmount, cartItems } }
  }
  const all = twiceInDisorder(
    [
      order(501, 42, null, 28_000, { ...tea, quantity: 2 }, { ...milk, quantity: 1 }),
      order(502, 42, null, 12_501, { ...tea, quantity: 1 }, { ...gone, quantity: 1 }),
      order(503, 77, null, 15_500, { ...tea, quantity: 1 }, { ...milk, quantity: 1 }),
      order(504, 42, 'not-mine', 12_500, { ...tea, quantity: 1 }),
      order(505, 43, userCouponId, 11_500, { ...tea, quantity: 1 }),
    ],
    3,
  )
  await shop.send('order-created-topic', ...all.slice(0, 5))
  await disturb()
  await shop.send('order-created-topic', ...all.slice(5))
  await ordersAre(shop, { 501: 'COMPLETED', 502: 'FAILED', 503: 'FAILED', 504: 'FAILED', 505: 'COMPLETED' })
  await shop.settled()

  const cart = (...items: object[]) => ({ cartItems: items })
  sameMembers(await shop.theirs('point-restore-topic', 1), [
    { key: '504', value: { userId: 42, amount: 12_500 } },
  ])
  sameMembers(await shop.theirs('stock-restore-topic', 2), [
    { key: '503', value: cart({ productId: 7, quantity: 1 }, { productId: 8, quantity: 1 }) },
    { key: '504', value: cart({ productId: 7, quantity: 1 }) },
  ])
  // Nobody's coupon had been used by an order that failed.
  expect(await shop.theirs('coupon-restore-topic', 0)).toEqual([])
  expect(await shop.ours(topics.couponUsed, 1)).toMatchObject([{ orderId: '505', userCouponId }])
  expect(await unitsSold(shop)).toEqual({ 7: 3, 8: 1 })
}

/** Points, coupon and stock were taken; what is left to pay is declined. Everything goes back, and is told. */
async function failAfterTheCoupon(
  shop: BoundShop,
  { userId, userCouponId }: Held,
  disturb: () => Promise<void>,
): Promise<void> {
  const grant = { adjustId: 'more', userId, amount: 5_000, expiresAt: null, reason: '' }
  await shop.say(topics.pointAdjustRequested, grant)
  const price = { productId: '7', title: 'Tea', categoryId: null, price: 12_500, currency: 'KRW' }
  await shop.say(topics.productCatalog, price)
  await shop.settled()
  const user = Number(userId)
  // Without a price: the catalogue has it.
  const cartItems = [{ productId: 7, quantity: 1 }]
  const order = { orderId: 506, userId: user, userCouponId, finalAmount: 5_000, cartItems }
  await shop.send('order-created-topic', { value: order }, { value: order })
  await ordersAre(shop, { 506: 'AWAITING_PAYMENT' })
  await disturb()
  const declined = { orderId: '506', paymentKey: 'none', amount: 6_500, failureCode: 'DECLINED' }
  await shop.say(topics.paymentResult, { ...declined, status: 'FAILED' })
  await ordersAre(shop, { 506: 'FAILED' })
  await shop.settled()
  const of506 = ({ key }: TheirMessage) => key === '506'
  expect((await shop.theirs('coupon-restore-topic', 1)).filter(of506)).toEqual([
    { key: '506', value: { userId: user, userCouponId } },
  ])
  expect((await shop.theirs('point-restore-topic', 2)).filter(of506)).toEqual([
    { key: '506', value: { userId: user, amount: 5_000 } },
  ])
  expect((await shop.theirs('stock-restore-topic', 3)).filter(of506)).toEqual([
    { key: '506', value: { cartItems: [{ productId: 7, quantity: 1 }] } },
  ])
}
