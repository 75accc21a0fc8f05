/** Personal data through a whole shop on its embedded log: sealed on the way in, delivered, erased. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { MASTER_KEY_FILE } from '../../cli/pipeline/privacy/master-key.ts'
import type { Shop } from '../../cli/pipeline/shop.ts'
import { MasterKeys, type PrivacyKey, type Topic, topics, unseal } from '../../schemas/index.ts'
import { freshDirectory } from './command.ts'
import { call, openShop, orderIn, WAIT } from './order-shop.ts'
import { valuesOf } from '../support/read-all.ts'

const profile = { email: 'ann.secret@hidden.example', locale: 'en-ZW-hidden' }
const shipTo = {
  name: 'Ann Verysecret',
  phone: '555-0199-8877',
  zipcode: 'ZQX-4711',
  address: '1 Hidden Lane',
  addressDetail: 'behind the Concealed Gate',
  memo: 'ring thrice quietly',
}
const on = { 'orders.enabled': 'true' }

async function stock(shop: Shop): Promise<void> {
  const put = await call(shop, 'PUT', '/v1/products/mug', { title: 'Mug', price: 300, received: 10 })
  expect(put.status).toBe(200)
}

const values = <V>(shop: Shop, topic: Topic<V>) => valuesOf(shop.log, topic)

test('an order with an address is delivered by the courier, who cannot read it, and COMPLETED', async () => {
  const dataDir = freshDirectory()
  const shop = await openShop(on, dataDir)
  await stock(shop)
  const cart = { items: [{ productId: 'mug', quantity: 2 }] }
  expect(await call(shop, 'PUT', '/v1/users/ann/cart', cart)).toMatchObject({ status: 200, body: cart })
  const placed = await call(shop, 'POST', '/v1/orders', { userId: 'ann', fromCart: true, shipTo })
  expect(placed.status).toBe(202)
  const orderId = placed.body['orderId'] as string
  await orderIn(shop, orderId, 'COMPLETED')
  await expect
    .poll(async () => (await call(shop, 'GET', '/v1/users/ann/cart')).body, WAIT)
    .toEqual({ userId: 'ann', items: [] })

  const [delivery] = await values(shop, topics.deliveryRequested)
  expect(delivery).toMatchObject({ orderId, customerId: 'ann' })
  expect(await values(shop, topics.deliveryResult)).toMatchObject([{ status: 'STARTED' }])
  // Whoever has the key, the order and the user can open what the courier was given.
  const masterKeys = MasterKeys.parse(readFileSync(join(dataDir, MASTER_KEY_FILE), 'utf8').trim())
  expect(statSync(join(dataDir, MASTER_KEY_FILE)).mode & 0o777).toBe(0o600)
  const [key] = (await values(shop, topics.privacyKey)) as PrivacyKey[]
  const dataKey = masterKeys.unwrap('ann', key as PrivacyKey)
  const place = { kind: 'order.shipTo', userId: 'ann', orderId } as const
  expect(JSON.parse(unseal(dataKey, place, delivery?.shipTo as Buffer).toString())).toEqual(shipTo)
}, 120_000)

test('a profile is kept over a restart, and read with the same key', async () => {
  const dataDir = freshDirectory()
  const shop = await openShop(on, dataDir)
  expect((await call(shop, 'PUT', '/v1/users/ann', profile)).status).toBe(200)
  await shop.close()
  const again = await openShop(on, dataDir)
  expect(await call(again, 'GET', '/v1/users/ann')).toMatchObject({ status: 200, body: profile })
  await again.close()
  const other = await openShop({ ...on, 'privacy.masterKeys': 'cd'.repeat(32) }, dataDir)
  expect(await call(other, 'GET', '/v1/users/ann')).toMatchObject({
    status: 503,
    body: { code: 'MASTER_KEY_MISSING' },
  })
}, 120_000)
