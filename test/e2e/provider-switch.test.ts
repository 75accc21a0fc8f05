/** A shop that has taken orders with its sandboxes gets a payment provider and a courier over HTTP. */
import { expect, onTestFinished, test } from 'vitest'
import { ProviderServer } from '../support/provider/server.ts'
import { freshDirectory } from './command.ts'
import { call, openShop, orderIn } from './order-shop.ts'

const shipTo = { name: 'Ann Example', phone: '555-0100', zipcode: '00000', address: 'Nowhere 1' }
const items = [{ productId: 'mug', quantity: 1 }]

async function place(shop: Awaited<ReturnType<typeof openShop>>, key: string, userId = 'ann') {
  const { status, body } = await call(shop, 'POST', '/v1/orders', { userId, items, shipTo }, key)
  expect([status, body]).toEqual([202, expect.anything()])
  return String(body['orderId'])
}

test('orders that were paid and sent are charged and sent by nobody else; the open one is', async () => {
  const provider = await ProviderServer.open()
  onTestFinished(() => provider.close())
  const dataDir = freshDirectory()
  const played = await openShop({}, dataDir)
  await call(played, 'PUT', '/v1/products/mug', { title: 'Mug', price: 250, received: 100 }, 'mug')
  for (const key of ['first', 'second']) await orderIn(played, await place(played, key), 'COMPLETED')
  const open = await place(played, 'open', 'ann+unheard')
  await orderIn(played, open, 'AWAITING_PAYMENT')
  await played.close()
  const { url } = provider
  const shop = await openShop({ 'payments.url': url, 'deliveries.url': url }, dataDir)
  await orderIn(shop, open, 'COMPLETED')
  const next = await place(shop, 'third')
  await orderIn(shop, next, 'COMPLETED')
  expect(new Set(provider.asked.map(({ orderId }) => orderId))).toEqual(new Set([open, next]))
})
