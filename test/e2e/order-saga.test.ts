/** A shop that takes orders, on its embedded log with the sandboxes: HTTP in, the saga through all services, HTTP out. */
import { expect, onTestFinished, test } from 'vitest'
import { Shop } from '../../cli/pipeline/shop.ts'
import { loadConfig } from '../../config/index.ts'
import { freshDirectory, run } from './command.ts'

const DAY_MS = 86_400_000
const WAIT = { timeout: 30_000, interval: 100 }

interface Reply {
  readonly status: number
  readonly body: Record<string, unknown>
}

async function open(settings: Readonly<Record<string, string>>, dataDir = freshDirectory()): Promise<Shop> {
  const all = { dataDir, 'http.port': '0', 'logging.level': 'silent', ...settings }
  const flags = Object.fromEntries(Object.entries(all).map(([key, text]) => [key, { text, flag: '--set' }]))
  const { config } = loadConfig({ env: {}, cwd: '/', flags })
  const shop = await Shop.open({ config, version: '0', signal: new AbortController().signal })
  onTestFinished(() => shop.close())
  return shop
}

async function call(shop: Shop, method: string, path: string, body?: object, key?: string): Promise<Reply> {
  const headers = {
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(key !== undefined && { 'idempotency-key': key }),
  }
  const given = body === undefined ? {} : { body: JSON.stringify(body) }
  const response = await fetch(`${shop.url}${path}`, { method, headers, ...given })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

async function order(shop: Shop, body: object, key?: string): Promise<string> {
  const { status, body: placed } = await call(shop, 'POST', '/v1/orders', body, key)
  expect([status, placed]).toMatchObject([202, { status: 'PENDING', payBy: expect.any(Number) }])
  return placed['orderId'] as string
}

/** The order once it is in the state; says which one it has stopped in otherwise. */
async function orderIn(shop: Shop, orderId: string, state: string): Promise<Record<string, unknown>> {
  const look = async () => (await call(shop, 'GET', `/v1/orders/${orderId}?wait=10s`)).body
  await expect.poll(look, WAIT).toMatchObject({ state })
  return look()
}

const stockOf = async (shop: Shop, productId: string): Promise<unknown> => {
  return (await call(shop, 'GET', `/v1/products/${productId}`)).body['stock']
}
const pointsOf = async (shop: Shop, userId: string): Promise<unknown> => {
  return (await call(shop, 'GET', `/v1/users/${userId}/points`)).body['balance']
}
const couponOf = async (shop: Shop, userId: string): Promise<Record<string, unknown> | undefined> => {
  const { body } = await call(shop, 'GET', `/v1/users/${userId}/coupons`)
  return (body['items'] as Record<string, unknown>[])[0]
}

/** Mugs at 3.00, ten of them; 10 % for Ann, and 500 points. */
async function fill(shop: Shop): Promise<string> {
  const mug = { title: 'Mug', price: 300, received: 10 }
  const put = await call(shop, 'PUT', '/v1/products/mug', mug)
  const stock = { received: 10, available: 10, reserved: 0, sold: 0 }
  expect([put.status, put.body]).toMatchObject([200, { productId: 'mug', stock }])
  // The same again is no further delivery.
  expect((await call(shop, 'PUT', '/v1/products/mug', mug)).body['stock']).toEqual(stock)
  const grant = await call(shop, 'POST', '/v1/users/ann/points', { points: 500 }, 'grant-1')
  expect([grant.status, grant.body]).toMatchObject([200, { balance: 500 }])
  await call(shop, 'POST', '/v1/users/ann/points', { points: 500 }, 'grant-1')
  expect(await pointsOf(shop, 'ann')).toBe(500)
  return couponForAnn(shop)
}

/** One of a campaign of 10 %, in her wallet. */
async function couponForAnn(shop: Shop): Promise<string> {
  const now = Date.now()
  const campaign = { quota: 10, opensAt: now - DAY_MS, closesAt: now + DAY_MS }
  await call(shop, 'PUT', '/v1/coupons/spring', { ...campaign, discount: { kind: 'PERCENT', value: 10 } })
  await call(shop, 'POST', '/v1/coupons/spring/requests', { userId: 'ann', requestId: 'r1' })
  const verdict = await call(shop, 'GET', '/v1/coupons/spring/requests/r1?wait=10s')
  await expect.poll(() => couponOf(shop, 'ann'), WAIT).toMatchObject({ status: 'ISSUED' })
  return verdict.body['userCouponId'] as string
}

test('an order is paid, completed and in part returned; the same key is the same order', async () => {
  const shop = await open({ 'points.rateBp': '1000' })
  const userCouponId = await fill(shop)
  const wanted = { userId: 'ann', items: [{ productId: 'mug', quantity: 2 }], userCouponId, pointsToUse: 40 }
  const orderId = await order(shop, { ...wanted, expectedTotal: 600 }, 'key-1')
  expect(await order(shop, wanted, 'key-1')).toBe(orderId)

  const done = await orderIn(shop, orderId, 'COMPLETED')
  // 600 less 10 %, less 40 points.
  expect(done).toMatchObject({
    amounts: { items: 600, discount: 60, points: 40, final: 500 },
    actions: ['return'],
    returnState: 'NONE',
  })
  expect(await order(shop, wanted, 'key-1')).toBe(orderId)
  const other = await call(shop, 'POST', '/v1/orders', { ...wanted, pointsToUse: 41 }, 'key-1')
  expect([other.status, other.body['code']]).toEqual([422, 'IDEMPOTENCY_CONFLICT'])
  expect(await couponOf(shop, 'ann')).toMatchObject({ status: 'USED' })
  // One order, counted once: 40 points spent, a tenth of what was paid earned.
  await expect.poll(() => pointsOf(shop, 'ann'), WAIT).toBe(500 - 40 + 50)
  const sold = { received: 10, available: 8, reserved: 0, sold: 2 }
  await expect.poll(() => stockOf(shop, 'mug'), WAIT).toEqual(sold)
  const used = await call(shop, 'POST', '/v1/orders', { ...wanted, expectedTotal: 1 }, 'key-2')
  expect([used.status, used.body]).toMatchObject([409, { code: 'TOTAL_DIFFERS', total: 600 }])
  const refused = await call(shop, 'POST', '/v1/orders', wanted, 'key-2')
  expect(refused).toMatchObject({ status: 422, body: { errors: [{ code: 'ALREADY_USED' }] } })

  const cancel = await call(shop, 'POST', `/v1/orders/${orderId}/cancel`)
  expect(cancel).toMatchObject({ status: 409, body: { code: 'NOT_IN_THIS_STATE', state: 'COMPLETED' } })
  const told = await fetch(`${shop.url}/v1/orders/${orderId}/events`)
  const states = [...(await told.text()).matchAll(/"state":"([A-Z_]+)"/g)].map(([, state]) => state)
  expect([states[0], states.at(-1)]).toEqual(['PENDING', 'COMPLETED'])
  const { body: timeline } = await call(shop, 'GET', `/v1/orders/${orderId}/timeline`)
  const asked = { attempt: 1, epoch: 0, position: { offset: expect.any(Number) as number } }
  const step = (name: string, topic: string, status: string) => {
    return { step: name, way: 'DO', commands: [{ ...asked, topic, answer: { status } }], answers: [] }
  }
  expect(timeline).toMatchObject({
    complete: true,
    steps: [
      step('stock', 'stock.reserve.requested', 'RESERVED'),
      step('points', 'point.deduct.requested', 'DEDUCTED'),
      step('coupon', 'coupon.use.requested', 'USED'),
      step('payment', 'payment.requested', 'SUCCESS'),
    ],
  })
  const shown = await run(['order', orderId, '--url', shop.url])
  expect([shown.code, shown.stdout]).toEqual([0, expect.stringMatching(/coupon +1 .*USED/)])
  const { body: list } = await call(shop, 'GET', '/v1/orders?userId=ann&state=COMPLETED')
  expect(list).toMatchObject({ items: [{ orderId, final: 500 }], partitions: { missing: [] } })

  const back = { returnId: 'ret-1', items: [{ lineNo: 1, quantity: 1 }] }
  expect(await call(shop, 'POST', `/v1/orders/${orderId}/returns`, back)).toMatchObject({ status: 202 })
  await expect
    .poll(async () => (await call(shop, 'GET', `/v1/orders/${orderId}`)).body, WAIT)
    .toMatchObject({ returnState: 'PARTIAL', returns: [{ returnId: 'ret-1', status: 'DONE' }] })
  expect(await stockOf(shop, 'mug')).toMatchObject({ received: 10, available: 9 })
}, 120_000)

test('I16: an order that comes to nothing, or is called off, has given everything back', async () => {
  const shop = await open({ 'orders.sandboxes': 'false' })
  const userCouponId = await fill(shop)
  const items = [{ productId: 'mug', quantity: 11 }]
  const tooMany = await call(shop, 'POST', '/v1/orders', { userId: 'ann', items })
  expect(tooMany).toMatchObject({ status: 422, body: { errors: [{ code: 'OUT_OF_STOCK' }] } })

  // Nothing at the door asks about an order that a producer has written itself.
  const lines = [
    { lineNo: 1, productId: 'mug', quantity: 2, unitPrice: 300 },
    { lineNo: 2, productId: 'ghost', quantity: 1, unitPrice: 100 },
  ]
  const payBy = Date.now() + DAY_MS
  const written = { orderId: 'o-1', userId: 'ann', items: lines, userCouponId, pointsToUse: 100 }
  await call(shop, 'POST', '/v1/events/order.created', { ...written, currency: 'GBP', payBy })
  expect(await orderIn(shop, 'o-1', 'FAILED')).toMatchObject({ actions: [] })
  expect(await stockOf(shop, 'mug')).toEqual({ received: 10, available: 10, reserved: 0, sold: 0 })

  const wanted = { userId: 'ann', items: [{ productId: 'mug', quantity: 2 }], userCouponId, pointsToUse: 100 }
  const orderId = await order(shop, wanted)
  const waiting = await orderIn(shop, orderId, 'AWAITING_PAYMENT')
  const { body: stuck } = await call(shop, 'GET', '/v1/orders?stuckForMs=0')
  expect(stuck['items']).toMatchObject([{ orderId, state: 'AWAITING_PAYMENT' }])
  expect(waiting).toMatchObject({ amounts: { final: 440 }, actions: ['pay', 'cancel'] })
  expect(await stockOf(shop, 'mug')).toMatchObject({ available: 8, reserved: 2 })
  expect(await pointsOf(shop, 'ann')).toBe(400)
  expect(await couponOf(shop, 'ann')).toMatchObject({ status: 'USED' })

  expect(
    await call(shop, 'POST', `/v1/orders/${orderId}/cancel`, { reason: 'changed my mind' }),
  ).toMatchObject({ status: 202, body: { state: 'AWAITING_PAYMENT' } })
  await orderIn(shop, orderId, 'CANCELLED')
  expect(await call(shop, 'POST', `/v1/orders/${orderId}/cancel`)).toMatchObject({ status: 202 })
  expect(await stockOf(shop, 'mug')).toEqual({ received: 10, available: 10, reserved: 0, sold: 0 })
  expect(await pointsOf(shop, 'ann')).toBe(500)
  expect(await couponOf(shop, 'ann')).toMatchObject({ status: 'ISSUED' })

  // Paid by HTTP, where no sandbox pays.
  const second = await order(shop, wanted)
  await orderIn(shop, second, 'AWAITING_PAYMENT')
  const payment = { paymentKey: 'pay-1', amount: 440 }
  expect(await call(shop, 'POST', `/v1/orders/${second}/payments`, payment)).toMatchObject({ status: 202 })
  expect(await orderIn(shop, second, 'COMPLETED')).toMatchObject({ paymentKey: 'pay-1' })
  const again = await call(shop, 'POST', `/v1/orders/${second}/payments`, { ...payment, paymentKey: 'pay-2' })
  expect(again).toMatchObject({ status: 409, body: { state: 'COMPLETED' } })
}, 120_000)

test('orders are switched on in a directory that had none, and use the coupons that are there', async () => {
  const dataDir = freshDirectory()
  const items = [{ productId: 'mug', quantity: 1 }]
  const off = await open({ 'orders.enabled': 'false' }, dataDir)
  await call(off, 'PUT', '/v1/products/mug', { title: 'Mug', price: 300 })
  const userCouponId = await couponForAnn(off)
  expect((await call(off, 'GET', '/v1/products/mug')).body).not.toHaveProperty('stock')
  const refused = await call(off, 'POST', '/v1/orders', { userId: 'ann', items })
  expect(refused).toMatchObject({ status: 404, body: { code: 'ORDERS_OFF' } })
  expect(await call(off, 'POST', '/v1/events/order.created', {})).toMatchObject({ status: 404 })
  await off.close()

  const shop = await open({}, dataDir)
  await call(shop, 'PUT', '/v1/products/mug', { title: 'Mug', price: 300, received: 10 })
  const orderId = await order(shop, { userId: 'ann', items, userCouponId })
  expect(await orderIn(shop, orderId, 'COMPLETED')).toMatchObject({ amounts: { discount: 30 } })
  await shop.close()

  const again = await open({}, dataDir)
  expect(await orderIn(again, orderId, 'COMPLETED')).toMatchObject({ amounts: { final: 270 } })
}, 120_000)

test('I14, I26: a refund that nobody answers needs somebody, and an operator settles it', async () => {
  const patience = {
    'orders.stepTimeoutMs': '3000',
    'orders.couponWaitMs': '1000',
    'orders.stepAttempts': '1',
  }
  const shop = await open({ 'orders.sandboxes': 'false', ...patience })
  await fill(shop)
  const orderId = await order(shop, { userId: 'ann', items: [{ productId: 'mug', quantity: 1 }] })
  const repair = (action: string) => call(shop, 'POST', `/v1/ops/orders/${orderId}/${action}`)
  await orderIn(shop, orderId, 'AWAITING_PAYMENT')
  await call(shop, 'POST', `/v1/orders/${orderId}/payments`, { paymentKey: 'pay-1', amount: 300 })
  await orderIn(shop, orderId, 'COMPLETED')
  expect(await repair('retry')).toMatchObject({ status: 409, body: { code: 'NOT_IN_THIS_STATE' } })

  const back = { returnId: 'ret-1', items: [{ lineNo: 1, quantity: 1 }] }
  await call(shop, 'POST', `/v1/orders/${orderId}/returns`, back)
  const look = async () => (await call(shop, 'GET', `/v1/orders/${orderId}`)).body
  const incidents = async () => (await call(shop, 'GET', '/v1/ops/incidents')).body['incidents']
  await expect.poll(look, WAIT).toMatchObject({ returns: [{ status: 'NEEDS_ATTENTION' }] })
  const found = { invariant: 'ORDER_NEEDS_ATTENTION', subject: `${orderId}/ret-1` }
  await expect.poll(incidents, WAIT).toMatchObject([{ ...found, status: 'OPEN' }])
  const metrics = await (await fetch(`${shop.url}/metrics`)).text()
  expect(metrics).toContain('millrace_order_incidents{found="ORDER_NEEDS_ATTENTION"} 1')
  expect(metrics).toContain('millrace_incidents_total{kind="order-incident"} 1')
  expect(metrics).toContain('millrace_incidents_total{kind="invariant-broken"} 0')
  expect(metrics).not.toMatch(/^millrace_invariant_incidents\{/m)

  expect(await repair('resolve')).toMatchObject({ status: 200, body: { state: 'COMPLETED', actions: [] } })
  expect(await look()).toMatchObject({ returns: [{ status: 'DONE' }], returnState: 'FULL', actions: [] })
  await expect.poll(incidents, WAIT).toMatchObject([{ ...found, status: 'RESOLVED' }])
}, 120_000)
