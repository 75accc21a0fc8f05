/** All that concerns a user of a whole shop, as it comes, over restarts. */
import { expect, test } from 'vitest'
import type { Shop } from '../../cli/pipeline/shop.ts'
import { EventReader } from '../api/event-reader.ts'
import { freshDirectory } from './command.ts'
import { call, openShop } from './order-shop.ts'

const ON = { 'notifier.enabled': 'true' }
const PATH = '/v1/users/ann/events'
const campaign = {
  name: 'Spring',
  quota: 9,
  opensAt: '2020-01-01T00:00:00Z',
  closesAt: '2099-01-01T00:00:00Z',
  discount: { kind: 'AMOUNT', value: 100 },
}

/** `id event` of each. */
function toldBy({ text }: EventReader): string[] {
  return [...text.matchAll(/^id: (.*)\nevent: (.*)$/gm)].map(([, id, event]) => `${id} ${event}`)
}

function sequencesOf({ data }: EventReader): unknown[] {
  return data.map(({ sequence }) => sequence)
}

async function askFor(shop: Shop, requestId: string): Promise<void> {
  const asked = await call(shop, 'POST', '/v1/coupons/c1/requests', { userId: 'ann', requestId })
  expect(asked.status).toBe(202)
}

/** Ann gets a coupon and uses it on an order; all that she is told of it. */
async function shopping(shop: Shop): Promise<EventReader> {
  expect((await call(shop, 'PUT', '/v1/coupons/c1', campaign)).status).toBe(200)
  await call(shop, 'PUT', '/v1/products/mug', { title: 'Blue mug', price: 30_000, received: 9 })
  const reader = await EventReader.open(shop.url + PATH)
  await askFor(shop, 'r1')
  await reader.until('event: coupon-issued')
  const { userCouponId } = reader.data[0] ?? {}
  const items = [{ productId: 'mug', quantity: 1 }]
  const placed = await call(shop, 'POST', '/v1/orders', { userId: 'ann', items, userCouponId })
  expect(placed.status).toBe(202)
  await reader.until('event: points-earned')
  await reader.until('"state":"COMPLETED"')
  await reader.until('event: coupon-used')
  const order = { orderId: placed.body['orderId'] }
  expect(reader.data).toContainEqual(expect.objectContaining({ ...order, userCouponId, discountAmount: 100 }))
  expect(reader.data).toContainEqual(expect.objectContaining({ ...order, points: 299 }))
  // A stream that does not wait for news says that it lives again and again.
  expect(reader.text.split('\n').filter((line) => line.startsWith(':')).length).toBeLessThan(10)
  await reader.cancel()
  return reader
}

test('a user is told of coupons, points and orders, and after a restart goes on behind what was read', async () => {
  const dataDir = freshDirectory()
  const first = await openShop(ON, dataDir)
  const before = await shopping(first)
  const ids = toldBy(before)
  expect(sequencesOf(before)).toEqual(ids.map((_, index) => index + 1))
  await first.close()

  const second = await openShop(ON, dataDir)
  const after = await EventReader.open(second.url + PATH, ids[1]?.split(' ')[0])
  await askFor(second, 'r2')
  await after.until('event: coupon-rejected')
  expect(toldBy(after).slice(0, -1)).toEqual(ids.slice(2))
  expect(after.data.at(-1)).toMatchObject({ sequence: ids.length + 1, requestId: 'r2', reason: 'DUPLICATE' })
  await after.cancel()
  await second.close()
}, 120_000)

test('off and on again, the numbers begin anew, and who was told of others hears of it', async () => {
  const dataDir = freshDirectory()
  const on = await openShop(ON, dataDir)
  const last = toldBy(await shopping(on)).at(-1) ?? ''
  await on.close()
  const off = await openShop({}, dataDir)
  expect(await call(off, 'GET', PATH)).toMatchObject({ status: 404, body: { code: 'USER_EVENTS_OFF' } })
  await off.close()

  const again = await openShop(ON, dataDir)
  const reader = await EventReader.open(again.url + PATH, last.split(' ')[0])
  await reader.until('event: points-earned')
  expect(reader.text).toMatch(/event: gap\ndata: \{"first":1\}/)
  await reader.cancel()
  await again.close()
}, 120_000)
