/** A shop with topics of its own, run by the program: its messages by HTTP, addresses opened on the way out. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Shop } from '../../cli/pipeline/shop.ts'
import { jsonSerde } from '../../connectors/bindings/external.ts'
import { topics } from '../../schemas/index.ts'
import { valuesOf } from '../support/read-all.ts'
import { freshDirectory, ROOT, run } from './command.ts'
import { call, openShop, orderIn, WAIT } from './order-shop.ts'

const profileOf = (shop: string) => join(ROOT, `samples/shops/${shop}/profile.json`)
const shipTo = {
  name: 'Kim Verysecret',
  phone: '010-5550-199',
  zipcode: '04524',
  address: 'Hidden-daero 110',
  addressDetail: '1F',
  memo: 'ring thrice',
}

const said = (shop: Shop, topic: string) =>
  valuesOf(shop.log, { ...topics.orderCompleted, name: topic, value: jsonSerde } as never) as Promise<
    unknown[]
  >

test('shop D: an order by HTTP goes through the services of the shop, which get its address', async () => {
  const settings = {
    'bindings.profiles': profileOf('d'),
    'shop.currency': 'KRW',
    'orders.sandboxes': 'false',
  }
  const shop = await openShop(settings)
  await call(shop, 'PUT', '/v1/products/mug', { title: 'Mug', price: 12_500, received: 10 })
  const order = { userId: 'kim', items: [{ productId: 'mug', quantity: 2 }], shipTo }
  const { body } = await call(shop, 'POST', '/v1/orders', order)
  const orderId = body['orderId'] as string
  await expect
    .poll(() => said(shop, 'stock-response-topic'), WAIT)
    .toEqual([{ orderId, productId: 'mug', status: 'SUCCESS', message: 'reserved' }])

  await orderIn(shop, orderId, 'AWAITING_PAYMENT')
  const paid = { orderId, paymentKey: 'p1', amount: 25_000, status: 'SUCCESS' }
  expect(await call(shop, 'POST', '/v1/events/payment-success-topic', paid)).toMatchObject({ status: 202 })
  const { memo: deliveryMemo, ...address } = shipTo
  await expect
    .poll(() => said(shop, 'delivery-request-topic'), WAIT)
    .toEqual([{ orderId, customerId: 'kim', ...address, deliveryMemo }])
  const [sealed] = await valuesOf(shop.log, topics.deliveryRequested)
  expect(sealed?.shipTo?.toString('latin1')).not.toContain('Verysecret')

  const started = { orderId, deliveryId: 'd1', status: 'STARTED' }
  await call(shop, 'POST', '/v1/events/delivery-start-topic?key=any', started)
  await orderIn(shop, orderId, 'COMPLETED')
  await expect
    .poll(() => said(shop, 'order-completed-topic'), WAIT)
    .toMatchObject([{ orderId, status: 'COMPLETED' }])
}, 120_000)

test('shop C: a message by HTTP keeps its bytes, and is refused where its numbers would change', async () => {
  const shop = await openShop({ 'bindings.profiles': profileOf('c'), 'shop.currency': 'KRW' })
  const path = '/v1/events/coupon-issue-topic'
  const long = '{"userId":9007199254740993,"couponId":5}'
  expect(await call(shop, 'POST', path, long)).toMatchObject({
    status: 400,
    body: { code: 'INVALID_EVENT', errors: [{ message: expect.stringContaining('send bytes') as string }] },
  })
  const sent = await fetch(`${shop.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: long,
  })
  expect(sent.status).toBe(202)
  await expect
    .poll(() => valuesOf(shop.log, topics.couponIssueRequested), WAIT)
    .toMatchObject([{ userId: '9007199254740993', couponId: '5' }])
  const connectors = await call(shop, 'GET', '/v1/ops/connectors')
  expect(JSON.stringify(connectors.body)).toContain('binding-c-coupon-issue')
  // What a profile only writes is not written from outside.
  expect(await call(shop, 'POST', '/v1/events/stock-restore-topic', {})).toMatchObject({ status: 404 })
}, 120_000)

test('what did not fit is found, and sent back when the profile is mended', async () => {
  const dataDir = freshDirectory()
  const file = join(freshDirectory(), 'shop.json')
  const write = (userId: string): void => {
    const fields = { requestId: "'r' & $id(u)", couponId: '$id(c)', userId }
    const writes = [{ to: 'coupon.issue.requested', fields }]
    const bindings = [{ name: 'ask', direction: 'in', from: 'their.asks', writes }]
    writeFileSync(file, JSON.stringify({ shop: 'x', topics: { 'their.asks': {} }, bindings }))
  }
  write('$id(who)')
  const settings = { 'bindings.profiles': file }
  const first = await openShop(settings, dataDir)
  await call(first, 'POST', '/v1/events/their.asks?key=k', { u: 42, c: 5 })
  const waiting = async (shop: Shop) =>
    (await call(shop, 'GET', '/v1/ops/dlq?topic=their.asks')).body['items']
  await expect
    .poll(() => waiting(first), WAIT)
    .toMatchObject([{ error: 'Rejected', state: 'waiting', key: 'k' }])
  await first.close()

  write('$id(u)')
  const shop = await openShop(settings, dataDir)
  const redrive = await call(shop, 'POST', '/v1/ops/dlq/redrive', {
    filter: { topic: 'their.asks' },
    dryRun: false,
  })
  expect(redrive).toMatchObject({ status: 200 })
  await expect
    .poll(() => valuesOf(shop.log, topics.couponIssueRequested), WAIT)
    .toMatchObject([{ userId: '42' }])
  expect(await call(shop, 'GET', '/v1/ops/dlq?topic=their.asks&state=waiting')).toMatchObject({
    body: { items: [] },
  })
}, 120_000)

test('a shop whose profile is wrong does not start, and says what is', async () => {
  const directory = freshDirectory()
  const file = join(directory, 'wrong.json')
  writeFileSync(file, '{"shop": "x", "topics": {"theirs": {}}, "bindings": []}')
  const args = [
    'start',
    '--port',
    '0',
    '--data-dir',
    join(directory, 'data'),
    '--set',
    `bindings.profiles=${file}`,
  ]
  const { code, stderr } = await run(args)
  expect(stderr).toContain(`${file}: bindings: must be a list, not empty`)
  expect(code).toBe(2)
}, 120_000)
