/** Streams of a whole shop: a request for a coupon, and a board, as they change. */
import { expect, test } from 'vitest'
import { EventReader } from '../api/event-reader.ts'
import { call, openShop } from './order-shop.ts'

test('a request is told its verdict, and a board its sales, as they come', async () => {
  const shop = await openShop({})
  const campaign = {
    name: 'Spring',
    quota: 1,
    opensAt: '2020-01-01T00:00:00Z',
    closesAt: '2099-01-01T00:00:00Z',
    discount: { kind: 'AMOUNT', value: 100 },
  }
  expect((await call(shop, 'PUT', '/v1/coupons/c1', campaign)).status).toBe(200)
  const asked = await call(shop, 'POST', '/v1/coupons/c1/requests', { userId: 'ann', requestId: 'r1' })
  expect(asked.status).toBe(202)
  const verdict = await EventReader.open(`${shop.url}/v1/coupons/c1/requests/r1/events`)
  await verdict.until()
  expect(verdict.data.at(-1)).toMatchObject({ status: 'ISSUED', sequence: 1 })

  const board = await EventReader.open(`${shop.url}/v1/rankings/day/events`)
  await board.until('"entries":[]')
  const now = Date.now()
  const sale = {
    orderId: 'o1',
    userId: 'ann',
    items: [{ lineNo: 1, productId: 'mug', categoryId: null, quantity: 3, unitPrice: 300 }],
    finalAmount: 900,
    currency: 'GBP',
    pointsUsed: 0,
    userCouponId: null,
    paidAt: now,
    confirmedAt: now,
  }
  expect((await call(shop, 'POST', '/v1/events/order.confirmed', sale)).status).toBe(202)
  await board.until('"productId":"mug"')
  expect(board.data.at(-1)).toMatchObject({ entries: [{ rank: 1, productId: 'mug', quantity: 3 }] })
  await board.cancel()
}, 120_000)
