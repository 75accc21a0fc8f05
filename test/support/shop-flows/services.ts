/** Shop D: `order-created` asks for stock; stock, payment and delivery answer on topics of their own. */
import { expect } from 'vitest'
import { topics } from '../../../schemas/index.ts'
import { catalog, orders, stock } from '../../../topologies/index.ts'
import type { BoundShop, TheirMessage } from '../bound-shop.ts'
import { ordersAre, sameMembers, type ShopFlow, stockUp, twiceInDisorder } from './given.ts'

const id = (kind: string, number: number): string => `${kind}0000000-0000-4000-8000-00000000000${number}`
const [PAID, SCARCE, DECLINED, UNSENT, STRANGE, ADDRESSED, UNKNOWN] = [1, 2, 3, 4, 5, 6, 9].map((n) =>
  id('a', n),
) as [string, string, string, string, string, string, string]
const [TEA, MILK, GONE, NOWHERE] = [1, 2, 3, 4].map((n) => id('b', n)) as [string, string, string, string]

/** Where order `ADDRESSED` goes, as whoever has the keys opens it. */
export const ADDRESS = {
  name: 'Kim',
  phone: '010',
  zipcode: '04524',
  address: 'Sejong-daero 110',
  addressDetail: '1F',
  memo: 'door',
}

export const shopD: ShopFlow = {
  shop: 'd',
  profile: 'samples/shops/d/profile.json',
  topologies: () => [catalog, stock(), orders({ currency: 'KRW' })],
  async run(shop, disturb) {
    await askForStock(shop, disturb)
    await pay(shop, disturb)
    await deliver(shop, disturb)
  },
}

async function askForStock(shop: BoundShop, disturb: () => Promise<void>): Promise<void> {
  for (const [productId, price] of [
    [TEA, 12_500],
    [MILK, 3_000],
    [GONE, 100],
  ] as const) {
    await shop.say(topics.productCatalog, { productId, title: '', categoryId: null, price, currency: 'KRW' })
  }
  await stockUp(shop, { [TEA]: 10, [MILK]: 5 })
  await disturb()
  const order = (orderId: string, ...products: (readonly [string, number])[]): TheirMessage => ({
    key: orderId,
    value: { orderId, products: products.map(([productId, quantity]) => ({ productId, quantity })) },
  })
  const all = twiceInDisorder(
    [
      order(PAID, [TEA, 2], [MILK, 1]),
      order(SCARCE, [TEA, 1], [GONE, 1]),
      order(DECLINED, [TEA, 1]),
      order(UNSENT, [TEA, 1]),
      order(STRANGE, [NOWHERE, 1]),
    ],
    4,
  )
  await shop.send('order-created', ...all)
  await ordersAre(shop, {
    [PAID]: 'AWAITING_PAYMENT',
    [SCARCE]: 'FAILED',
    [DECLINED]: 'AWAITING_PAYMENT',
    [UNSENT]: 'AWAITING_PAYMENT',
    [STRANGE]: 'FAILED',
  })
  await shop.settled()
  const answer = (orderId: string, productId: string, message = 'reserved') => ({
    key: orderId,
    value: { orderId, productId, status: message === 'reserved' ? 'SUCCESS' : 'FAILED', message },
  })
  sameMembers(await shop.theirs('stock-response-topic', 7), [
    answer(PAID, TEA),
    answer(PAID, MILK),
    answer(SCARCE, TEA),
    answer(SCARCE, GONE, 'UNKNOWN_PRODUCT'),
    answer(DECLINED, TEA),
    answer(UNSENT, TEA),
    // Nobody may wait for an answer for ever.
    answer(STRANGE, NOWHERE, 'UNKNOWN_PRODUCT'),
  ])
}

async function pay(shop: BoundShop, disturb: () => Promise<void>): Promise<void> {
  const payment = (orderId: string, amount: number, status = 'SUCCESS'): TheirMessage => ({
    value: { orderId, paymentKey: `key of ${orderId}`, amount, status },
  })
  const all = [
    payment(PAID, 28_000),
    { value: { orderId: DECLINED, paymentKey: null, amount: null, status: 'FAILED' } },
    payment(UNSENT, 12_500),
    payment(UNKNOWN, 5),
  ]
  await shop.send('payment-success-topic', ...twiceInDisorder(all, 5), payment(PAID, 28_000, 'MAYBE'), {
    value: { orderId: PAID, paymentKey: null, amount: 28_000, status: 'SUCCESS' },
  })
  await disturb()
  await ordersAre(shop, {
    [PAID]: 'DELIVERY_REQUESTED',
    [DECLINED]: 'FAILED',
    [UNSENT]: 'DELIVERY_REQUESTED',
  })
  // What nobody ordered goes back.
  const refunds = await shop.ours(topics.paymentRefundRequested, 1)
  expect(refunds).toMatchObject([{ orderId: UNKNOWN, amount: 5 }])
  expect((await shop.deadLetters('payment-success-topic', 2)).toSorted()).toEqual([
    expect.stringContaining('Rejected: payment.result: paymentKey'),
    'Rejected: payment.result: status must be one of SUCCESS, FAILED',
  ])
  const restored = await shop.ours(topics.restoreResult, 2)
  sameMembers(
    restored.filter(({ productId }) => productId === TEA).map(({ orderId }) => orderId),
    [SCARCE, DECLINED],
  )
}

async function deliver(shop: BoundShop, disturb: () => Promise<void>): Promise<void> {
  await shop.say(topics.deliveryRequested, {
    orderId: ADDRESSED,
    customerId: 'ann',
    shipTo: Buffer.from('sealed'),
    epoch: 0,
  })
  const nowhere = (orderId: string) => ({
    key: orderId,
    value: { orderId, customerId: `customer-of-${orderId}` },
  })
  const { memo: deliveryMemo, ...address } = ADDRESS
  sameMembers(
    (await shop.theirs('delivery-request-topic', 3)).map(sorted),
    [
      nowhere(PAID),
      nowhere(UNSENT),
      { key: ADDRESSED, value: { orderId: ADDRESSED, customerId: 'ann', ...address, deliveryMemo } },
    ].map(sorted),
  )
  await disturb()
  const start = (orderId: string, status: string): TheirMessage => ({
    value: { orderId, deliveryId: `of ${orderId}`, status },
  })
  await shop.send(
    'delivery-start-topic',
    ...twiceInDisorder([start(PAID, 'STARTED'), start(UNSENT, 'FAILED')], 6),
  )
  await ordersAre(shop, { [PAID]: 'COMPLETED', [UNSENT]: 'REFUNDING' })
  const [refund] = await shop.ours(topics.paymentRefundRequested, 1, ({ orderId }) => orderId === UNSENT)
  if (refund === undefined) throw new Error('no refund')
  await shop.say(topics.paymentRefundResult, { ...refund, status: 'REFUNDED', reason: null })
  await ordersAre(shop, { [UNSENT]: 'FAILED' })
  await shop.settled()
  expect(await shop.theirs('order-completed-topic', 1)).toMatchObject([
    { key: PAID, value: { orderId: PAID, status: 'COMPLETED' } },
  ])
}

function sorted({ key, value }: TheirMessage) {
  const fields = Object.entries(value as object).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return { key, value: Object.fromEntries(fields) as unknown }
}
