/**
 * I25: recognisable people go through a whole shop, on every way in that there is, valid and not; then everything that
 * came out of it is searched for them.
 */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { filesWith, rowsOf } from '../support/directory-bytes.ts'
import { freshDirectory, startShopWith, stop } from './command.ts'
import { call, WAIT } from './order-shop.ts'

const profile = { email: 'zelda.quixote@hidden.example', locale: 'xq-Zzyx' }
const shipTo = {
  name: 'Zelda Quixote-Personal',
  phone: '+44 20 7946 0123',
  zipcode: 'ZQX 4711',
  address: '17 Unmistakable Crescent',
  addressDetail: 'behind the Concealed Gate',
  memo: 'ring thrice quietly',
}
/** In requests that are refused. */
const refused = {
  email: 'refused.person@hidden.example',
  name: 'Refused Person-Personal',
  address: '3 Rejected Street',
}
/** What a producer writes where it does not belong: in the log for good, and shown to nobody. */
const rogue = 'rogue.person@hidden.example'

const never = [...Object.values(profile), ...Object.values(shipTo), ...Object.values(refused)]

test('I25: no personal data in log lines, metrics, answers, dead letters or the data directory', async () => {
  const dataDir = freshDirectory()
  const env = { MILLRACE_ORDERS_ENABLED: 'true', MILLRACE_LOG_LEVEL: 'trace', MILLRACE_LOG_FORMAT: 'json' }
  const shop = await startShopWith(env, dataDir)
  const answers: string[] = []
  const send = async (method: string, path: string, body?: object | string, key?: string) => {
    const reply = await call(shop, method, path, body, key)
    answers.push(JSON.stringify(reply.body))
    return reply
  }

  await send('PUT', '/v1/products/mug', { title: 'Mug', price: 300, received: 10 })
  const put = await call(shop, 'PUT', '/v1/users/zelda', profile)
  expect(put).toMatchObject({ status: 200, body: profile })
  const wanted = { userId: 'zelda', items: [{ productId: 'mug', quantity: 1 }], shipTo }
  const placed = await send('POST', '/v1/orders', wanted, 'key-1')
  expect(placed.status).toBe(202)
  const path = `/v1/orders/${String(placed.body['orderId'])}`
  const look = async () => (await send('GET', `${path}?wait=10s`)).body
  await expect.poll(look, WAIT).toMatchObject({ state: 'COMPLETED' })
  await send('POST', '/v1/orders', { ...wanted, items: [{ productId: 'mug', quantity: 2 }] }, 'key-1')

  const bad = { ...shipTo, name: refused.name, address: refused.address }
  const invalid: readonly [string, string, object | string][] = [
    ['POST', '/v1/orders', { ...wanted, shipTo: { ...bad, zipcode: 5 } }],
    ['POST', '/v1/orders', { ...wanted, shipTo: `${refused.name}, ${refused.address}` }],
    ['POST', '/v1/orders', { ...wanted, items: [{ productId: 'none', quantity: 1 }], shipTo: bad }],
    ['POST', '/v1/orders', { ...wanted, expectedTotal: 1, shipTo: bad }],
    ['POST', '/v1/orders', `{"shipTo": {"name": "${refused.name}"`],
    ['PUT', '/v1/users/zelda', { email: refused.email, name: refused.name }],
    ['PUT', '/v1/users/zelda', { email: [refused.email] }],
    ['POST', '/v1/events/order.created', { orderId: 'o', shipTo: refused.address }],
    ['POST', '/v1/events/order.created', { orderId: 'o', address: refused.address }],
    ['POST', '/v1/events/user.profile', { userId: 'zelda', email: refused.email }],
  ]
  for (const [method, url, body] of invalid) {
    expect((await send(method, url, body)).status).toBeGreaterThanOrEqual(400)
  }
  // An order without items is a dead letter, whatever else is in it.
  const empty = {
    orderId: 'o-rogue',
    userId: 'zelda',
    items: [],
    currency: 'GBP',
    payBy: Date.now() + 60_000,
  }
  const taken = await call(shop, 'POST', '/v1/events/order.created', { ...empty, userCouponId: rogue })
  expect(taken.status).toBe(202)
  const letters = async () => (await send('GET', '/v1/ops/dlq?topic=order.created')).body['items'] as object[]
  await expect.poll(letters, WAIT).toHaveLength(1)
  const [letter] = (await letters()) as { deadLetter: { topic: string; partition: number; offset: number } }[]
  const { topic, partition, offset } = letter?.deadLetter ?? { topic: '', partition: 0, offset: 0 }
  for (const show of ['preview', 'typed']) {
    const view = await send('GET', `/v1/ops/dlq/${topic}/${partition}/${offset}?show=${show}`)
    expect(view.status).toBe(200)
  }
  for (const url of [
    `${path}/timeline`,
    '/v1/orders?userId=zelda',
    '/v1/ops/topology',
    '/v1/ops/incidents',
    '/v1/ops/dlq/causes',
  ])
    await send('GET', url)
  const metrics = await (await fetch(`${shop.url}/metrics`)).text()
  expect(await call(shop, 'GET', '/v1/users/zelda')).toMatchObject({ status: 200, body: profile })
  const { stdout, stderr } = await stop(shop)

  // The search finds what is there.
  expect(stderr).toContain('ready')
  expect(metrics).toContain('millrace_')
  const rows = await rowsOf(dataDir)
  const holders = (text: string) => rows.filter((row) => row.includes(text)).length
  expect(holders('zelda')).toBeGreaterThan(0)
  expect(holders(rogue)).toBeGreaterThan(0)

  const said = [stdout, stderr, metrics, ...answers].join('\n')
  expect([...never, rogue].filter((text) => said.includes(text))).toEqual([])
  // Rows hold keys, values and headers of every record, of dead letters too, and every store.
  expect(never.filter((text) => holders(text) > 0)).toEqual([])
  // A mail is what is sent to the person.
  const mails = join(dataDir, 'mail')
  for (const text of never) {
    const files = await filesWith(dataDir, Buffer.from(text))
    expect(files.filter((path) => !path.startsWith(mails))).toEqual([])
  }
}, 180_000)
