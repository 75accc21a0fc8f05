/** Personal data through a whole shop on its embedded log: sealed on the way in, delivered, erased. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SWEEP_DUE } from '../../cli/pipeline/privacy/embedded-eraser.ts'
import { eraseAgain, ERASURES_FILE } from '../../cli/pipeline/privacy/erasures.ts'
import { MASTER_KEY_FILE } from '../../cli/pipeline/privacy/master-key.ts'
import type { Shop } from '../../cli/pipeline/shop.ts'
import { MasterKeys, type PrivacyKey, type Topic, topics, unseal } from '../../schemas/index.ts'
import { freshDirectory, run } from './command.ts'
import { call, openShop, orderIn, WAIT } from './order-shop.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { filesWith, middleOf, rowsOf } from '../support/directory-bytes.ts'
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

/** The wrapped key of the only user. */
async function keyIn(shop: Shop): Promise<Buffer> {
  const [key] = await values(shop, topics.privacyKey)
  return (key as PrivacyKey).key
}

test('an erasure takes the key out of every file; what it sealed stays and cannot be read', async () => {
  const dataDir = freshDirectory()
  const shop = await openShop(on, dataDir)
  await stock(shop)
  await call(shop, 'PUT', '/v1/users/ann', profile)
  const items = [{ productId: 'mug', quantity: 1 }]
  const placed = await call(shop, 'POST', '/v1/orders', { userId: 'ann', items, shipTo })
  const orderId = placed.body['orderId'] as string
  await orderIn(shop, orderId, 'COMPLETED')
  const key = await keyIn(shop)
  expect(await filesWith(dataDir, middleOf(key))).not.toEqual([])

  const erased = await call(shop, 'DELETE', '/v1/users/ann/personal-data')
  expect(erased).toMatchObject({ status: 200, body: { userId: 'ann', status: 'ERASED' } })
  expect((await call(shop, 'GET', '/v1/users/ann')).body).toEqual({ userId: 'ann', erased: true })
  await expect.poll(() => filesWith(dataDir, middleOf(key)), WAIT).toEqual([])
  expect(await values(shop, topics.privacyKey)).toEqual([])
  expect(await values(shop, topics.opsAudit)).toContainEqual(
    expect.objectContaining({ action: 'user.erase', target: 'ann' }),
  )
  const [created] = await values(shop, topics.orderCreated)
  expect(created?.shipTo).not.toBeNull()
  // Nothing that was decided changes.
  expect(await orderIn(shop, orderId, 'COMPLETED')).toMatchObject({ amounts: { final: 300 } })
  const again = await call(shop, 'PUT', '/v1/users/ann', { email: 'new@hidden.example' })
  expect(again.status).toBe(200)
  await shop.close()
  expect((await rowsOf(dataDir)).some((row) => row.includes(key))).toBe(false)
  const reopened = await openShop(on, dataDir)
  expect((await call(reopened, 'GET', '/v1/users/ann')).body).toEqual({
    userId: 'ann',
    email: 'new@hidden.example',
  })
}, 120_000)

test('what a crash left of a deleted key, the next start takes out', async () => {
  const dataDir = freshDirectory()
  const shop = await openShop(on, dataDir)
  await call(shop, 'PUT', '/v1/users/ann', profile)
  const key = await keyIn(shop)
  await shop.close()
  const log = await openEmbeddedLog({
    directory: dataDir,
    application: 'millrace',
    housekeepingIntervalMs: 0,
  })
  await eraseAgain(log, [{ userId: 'ann', at: Date.now() }])
  await log.putSetting(SWEEP_DUE, true)
  await log.close()
  expect(await filesWith(dataDir, middleOf(key))).not.toEqual([])
  const again = await openShop(on, dataDir)
  await expect.poll(() => filesWith(dataDir, middleOf(key)), WAIT).toEqual([])
  expect((await call(again, 'GET', '/v1/users/ann')).body).toEqual({ userId: 'ann', erased: true })
}, 120_000)

test('a backup without keys of users brings nobody back, and says nothing of it', async () => {
  const [dataDir, backup, back] = [freshDirectory(), freshDirectory(), freshDirectory()]
  const shop = await openShop(on, dataDir)
  expect((await run(['backup', backup, '--data-dir', dataDir])).code).toBe(0)
  await shop.close()
  const { code, stdout, stderr } = await run(['restore', backup, '--data-dir', back])
  expect([code, stdout + stderr]).toEqual([0, expect.not.stringContaining('rased')])
}, 120_000)

test('a backup from before an erasure brings the person back, unless the list of erasures is given', async () => {
  const dataDir = freshDirectory()
  const [backup, back, gone] = [freshDirectory(), freshDirectory(), freshDirectory()]
  const key = 'cd'.repeat(32)
  const settings = { ...on, 'privacy.masterKeys': key }
  const shop = await openShop(settings, dataDir)
  for (const user of ['ann', 'bob']) await call(shop, 'PUT', `/v1/users/${user}`, profile)
  const made = await run(['backup', backup, '--data-dir', dataDir])
  expect(made.code).toBe(0)
  await call(shop, 'DELETE', '/v1/users/ann/personal-data')
  await shop.close()

  const without = await run(['restore', backup, '--data-dir', back])
  expect([without.code, without.stdout + without.stderr]).toEqual([0, expect.stringContaining('--erasures')])
  const list = join(dataDir, ERASURES_FILE)
  const restored = await run(['restore', backup, '--data-dir', gone, '--erasures', list, '--json'])
  expect([restored.code, JSON.parse(restored.stdout)]).toEqual([0, expect.objectContaining({ erased: 1 })])
  const wrong = await run(['restore', backup, '--data-dir', freshDirectory(), '--erasures', backup])
  expect(wrong.code).not.toBe(0)

  const open = async (directory: string, user: string) => {
    const again = await openShop(settings, directory)
    const { body } = await call(again, 'GET', `/v1/users/${user}`)
    await again.close()
    return body
  }
  expect(await open(back, 'ann')).toEqual({ userId: 'ann', ...profile })
  expect(await open(gone, 'bob')).toEqual({ userId: 'bob', ...profile })
  expect(await open(gone, 'ann')).toEqual({ userId: 'ann', erased: true })
  expect(readFileSync(join(gone, ERASURES_FILE), 'utf8')).toBe(readFileSync(list, 'utf8'))
}, 180_000)
