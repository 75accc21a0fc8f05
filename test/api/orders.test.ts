/** Orders over HTTP: what the door checks, what goes into the log, and what is answered. */
import { describe, expect, it } from 'vitest'
import type { OrderView } from '../../api/index.ts'
import { topics, type UserCoupon } from '../../schemas/index.ts'
import { orderView } from './fake-orders.ts'
import { bearer, NOW, start, type Started, TOKENS } from './support.ts'

const MINUTE_MS = 60_000
const orders = { payByMs: MINUTE_MS }
const wanted = { userId: 'ann', items: [{ productId: 'mug', quantity: 2 }] }

/** Ten mugs at 3.00; Ann has 100 points. */
function shop(options: Parameters<typeof start>[0] = {}): Started {
  const started = start({ orders, ...options })
  const { products, levels, ledgers } = started.pipeline
  const mug = { productId: 'mug', title: 'Mug', categoryId: 'kitchen', price: 300, currency: 'EUR' }
  products.set('mug', mug)
  products.set('lamp', { ...mug, productId: 'lamp', price: 1_000, currency: 'USD' })
  levels.set('mug', { received: 10, available: 10, reserved: 0, sold: 0 })
  ledgers.set('ann', [{ kind: 'GRANTED', points: 100, balance: 100, at: NOW, reference: 'adjust:a' }])
  return started
}

function post({ api }: Started, url: string, payload?: object, headers: Record<string, string> = {}) {
  return api.app.inject({ method: 'POST', url, headers, ...(payload !== undefined && { payload }) })
}

const created = ({ pipeline }: Started) =>
  pipeline.business
    .filter(({ topic }) => topic === topics.orderCreated.name)
    .map(({ value }) => topics.orderCreated.value.deserialize(value as Buffer))

function coupon(change: Partial<UserCoupon> = {}): UserCoupon {
  return {
    userCouponId: 'spring-1',
    couponId: 'spring',
    requestId: 'r1',
    status: 'ISSUED',
    issuedAt: NOW,
    expiresAt: null,
    discount: { kind: 'AMOUNT', value: 50, minOrderAmount: null, maxDiscount: null },
    orderId: null,
    revoked: false,
    ...change,
  }
}

describe('an order', () => {
  it('is PENDING once the log has it, at the prices of the server', async () => {
    const started = shop()
    const response = await post(started, '/v1/orders', { ...wanted, pointsToUse: 100, expectedTotal: 600 })
    const [order] = created(started)
    const payBy = NOW + MINUTE_MS
    expect([response.statusCode, response.json()]).toEqual([
      202,
      { orderId: order?.orderId, status: 'PENDING', payBy },
    ])
    expect(response.headers['location']).toBe(`/v1/orders/${order?.orderId}`)
    expect(order).toEqual({
      orderId: expect.any(String),
      userId: 'ann',
      items: [{ lineNo: 1, productId: 'mug', categoryId: 'kitchen', quantity: 2, unitPrice: 300 }],
      userCouponId: null,
      pointsToUse: 100,
      currency: 'EUR',
      payBy,
      shipTo: null,
      bodyHash: null,
    })
  })

  it('is another one each time, without a key', async () => {
    const started = shop()
    await post(started, '/v1/orders', wanted)
    await post(started, '/v1/orders', wanted)
    expect(new Set(created(started).map(({ orderId }) => orderId)).size).toBe(2)
  })

  it.each([
    [[{ productId: 'vase', quantity: 1 }], 'body.items.0.productId', 'UNKNOWN_PRODUCT'],
    [[{ productId: 'lamp', quantity: 1 }], 'body.items.0.productId', 'WRONG_CURRENCY'],
    [[{ productId: 'mug', quantity: 11 }], 'body.items.0.quantity', 'OUT_OF_STOCK'],
    [
      [
        { productId: 'mug', quantity: 6 },
        { productId: 'mug', quantity: 5 },
      ],
      'body.items.1.quantity',
      'OUT_OF_STOCK',
    ],
  ])('of %j is not possible: %s is %s', async (items, path, code) => {
    const started = shop()
    const response = await post(started, '/v1/orders', { userId: 'ann', items })
    expect(response.json()).toMatchObject({
      status: 422,
      code: 'ORDER_NOT_POSSIBLE',
      errors: [{ path, code }],
    })
    expect(created(started)).toEqual([])
  })

  it('with more points than there are is not possible, unless it needs no more', async () => {
    const started = shop()
    const many = { ...wanted, pointsToUse: 101 }
    expect((await post(started, '/v1/orders', many)).json()).toMatchObject({
      errors: [{ path: 'body.pointsToUse', code: 'INSUFFICIENT_POINTS' }],
    })
    started.pipeline.products.set('pin', {
      productId: 'pin',
      title: 'Pin',
      categoryId: null,
      price: 100,
      currency: 'EUR',
    })
    started.pipeline.levels.set('pin', { received: 1, available: 1, reserved: 0, sold: 0 })
    const cheap = { userId: 'ann', items: [{ productId: 'pin', quantity: 1 }], pointsToUse: 500 }
    expect((await post(started, '/v1/orders', cheap)).statusCode).toBe(202)
  })

  it.each([
    [{ status: 'USED' }, 'ALREADY_USED'],
    [{ status: 'REVOKED' }, 'REVOKED'],
    [{ status: 'EXPIRED' }, 'EXPIRED'],
    [{ expiresAt: NOW }, 'EXPIRED'],
    [{ discount: { kind: 'AMOUNT', value: 50, minOrderAmount: 601, maxDiscount: null } }, 'BELOW_MINIMUM'],
  ] as [Partial<UserCoupon>, string][])('with a coupon that is %j: %s', async (change, code) => {
    const started = shop()
    started.pipeline.wallets.set('ann', [coupon(change)])
    const response = await post(started, '/v1/orders', { ...wanted, userCouponId: 'spring-1' })
    expect(response.json()).toMatchObject({ status: 422, errors: [{ path: 'body.userCouponId', code }] })
  })

  it('with a coupon that is not in the wallet is taken: it may be on its way', async () => {
    const started = shop()
    await post(started, '/v1/orders', { ...wanted, userCouponId: 'spring-1' })
    expect(created(started)).toMatchObject([{ userCouponId: 'spring-1' }])
  })

  it('that costs something else than expected: 409 with the total', async () => {
    const started = shop()
    const response = await post(started, '/v1/orders', { ...wanted, expectedTotal: 599 })
    expect(response.json()).toMatchObject({ status: 409, code: 'TOTAL_DIFFERS', total: 600 })
    expect(created(started)).toEqual([])
  })

  it.each([
    [{ ...wanted, items: [] }, 'body.items'],
    [{ ...wanted, items: [{ productId: 'mug', quantity: 0 }] }, 'body.items.0.quantity'],
    [{ ...wanted, price: 1 }, 'body.price'],
  ])('%j: 400 that names %s', async (payload, path) => {
    expect((await post(shop(), '/v1/orders', payload)).json()).toMatchObject({
      status: 400,
      errors: [{ path }],
    })
  })

  it('may be placed by a producer, unless its list says otherwise', async () => {
    const started = shop({ tokens: TOKENS })
    expect((await post(started, '/v1/orders', wanted, bearer('producer-secret'))).statusCode).toBe(202)
    expect((await post(started, '/v1/orders', wanted, bearer('pos-secret'))).statusCode).toBe(403)
  })
})

describe('the same Idempotency-Key', () => {
  const key = { 'idempotency-key': 'k' }

  it('is the same order in every process, and one of its own for every principal', async () => {
    const idOf = async (secret: string) => {
      const response = await post(shop({ tokens: TOKENS }), '/v1/orders', wanted, {
        ...key,
        ...bearer(secret),
      })
      return response.json().orderId
    }
    expect(await idOf('producer-secret')).toBe(await idOf('producer-secret'))
    expect(await idOf('producer-secret')).not.toBe(await idOf('service-secret'))
  })

  it('is answered as the first time, whatever is there now', async () => {
    const started = shop()
    const first = await post(started, '/v1/orders', wanted, key)
    started.pipeline.levels.clear()
    started.pipeline.products.clear()
    started.clock.time += 5_000
    const again = await post(started, '/v1/orders', wanted, key)
    expect([again.statusCode, again.json()]).toEqual([202, first.json()])
    expect(created(started)).toHaveLength(1)
  })

  it('before the first is processed, is one order in the log all the same', async () => {
    const started = shop()
    started.pipeline.auto = false
    await post(started, '/v1/orders', wanted, key)
    await post(started, '/v1/orders', wanted, key)
    const [first, second] = created(started)
    expect(second?.orderId).toBe(first?.orderId)
    expect(second?.bodyHash).toBe(first?.bodyHash)
  })

  it.each([
    { ...wanted, userId: 'bob' },
    { ...wanted, items: [{ productId: 'mug', quantity: 3 }] },
    { ...wanted, pointsToUse: 1 },
    { ...wanted, userCouponId: 'spring-1' },
  ])('with another body %j: 422', async (other) => {
    const started = shop()
    const first = await post(started, '/v1/orders', wanted, key)
    const response = await post(started, '/v1/orders', other, key)
    const { orderId } = first.json()
    expect(response.json()).toMatchObject({ status: 422, code: 'IDEMPOTENCY_CONFLICT', orderId })
  })

  it('is taken where another process would know the order, and no advice refuses it', async () => {
    const started = shop()
    started.pipeline.restoring = true
    const many = { ...wanted, items: [{ productId: 'mug', quantity: 11 }] }
    expect((await post(started, '/v1/orders', many, key)).statusCode).toBe(202)
  })
})

const unpaid = orderView({
  orderId: 'o1',
  userId: 'ann',
  items: [
    { lineNo: 1, productId: 'mug', categoryId: null, quantity: 2, unitPrice: 300 },
    { lineNo: 2, productId: 'lid', categoryId: 'kitchen', quantity: 1, unitPrice: 50 },
  ],
  userCouponId: null,
  pointsToUse: 0,
  currency: 'EUR',
  payBy: NOW + 1,
})
const completed: OrderView = {
  ...unpaid,
  state: 'COMPLETED',
  step: '',
  attempt: 0,
  revision: 9,
  paymentKey: 'pay-1',
  confirmedAt: NOW,
  returns: [{ returnId: 'ret-1', status: 'DONE', items: [{ lineNo: 1, quantity: 1 }], refundAmount: 300 }],
  actions: ['return'],
}

describe('an order as it is', () => {
  it('is shown with its amounts and what may be done', async () => {
    const { api, pipeline } = shop()
    pipeline.setOrder(unpaid)
    const response = await api.app.inject('/v1/orders/o1')
    expect(response.json()).toMatchObject({
      state: 'AWAITING_PAYMENT',
      step: 'payment',
      amounts: { items: 650, discount: 0, points: 0, final: 650 },
      items: [{ lineNo: 1 }, { lineNo: 2, categoryId: 'kitchen' }],
      actions: ['pay', 'cancel'],
    })
    expect(response.json()).not.toHaveProperty('note')
    expect(response.headers['millrace-position']).toMatch(/^order\.created:/)
    expect(response.headers['cache-control']).toBe('no-store')
  })

  it('nobody knows of: 404', async () => {
    expect((await shop().api.app.inject('/v1/orders/nope')).json()).toMatchObject({ code: 'UNKNOWN_ORDER' })
  })

  it('is waited for until it waits for somebody, or for a revision', async () => {
    const { api, pipeline } = shop()
    const pending: OrderView = { ...unpaid, state: 'PENDING', revision: 1 }
    pipeline.setOrder(pending)
    const resting = api.app.inject('/v1/orders/o1?wait=30s')
    const newer = api.app.inject('/v1/orders/o1?wait=30s&after=1')
    await expect.poll(() => pipeline.orderWaiters).toBe(2)
    pipeline.setOrder({ ...pending, state: 'STOCK_RESERVED', revision: 2 })
    expect((await newer).json()).toMatchObject({ state: 'STOCK_RESERVED' })
    expect(pipeline.orderWaiters).toBe(1)
    pipeline.setOrder(unpaid)
    expect((await resting).json()).toMatchObject({ state: 'AWAITING_PAYMENT' })
  })

  it('is shown as it is after the wait', async () => {
    const { api, pipeline } = shop()
    pipeline.setOrder({ ...unpaid, state: 'PENDING' })
    expect((await api.app.inject('/v1/orders/o1?wait=1ms')).json()).toMatchObject({ state: 'PENDING' })
  })
})

describe('what is asked of an order', () => {
  const last = ({ pipeline }: Started) => pipeline.business.at(-1)

  it('a payment goes into the log once', async () => {
    const started = shop()
    started.pipeline.setOrder(unpaid)
    const payment = { paymentKey: 'pay-1', amount: 650 }
    const response = await post(started, '/v1/orders/o1/payments', payment)
    expect([response.statusCode, response.json()]).toEqual([
      202,
      { orderId: 'o1', status: 'ACCEPTED', state: 'AWAITING_PAYMENT' },
    ])
    const { paymentResult } = topics
    expect(paymentResult.value.deserialize(last(started)?.value as Buffer)).toEqual({
      ...payment,
      orderId: 'o1',
      status: 'SUCCESS',
      failureCode: null,
    })
    started.pipeline.setOrder(completed)
    expect((await post(started, '/v1/orders/o1/payments', payment)).statusCode).toBe(202)
    expect(started.pipeline.business).toHaveLength(1)
    const second = await post(started, '/v1/orders/o1/payments', { ...payment, paymentKey: 'pay-2' })
    expect(second.json()).toMatchObject({ status: 409, code: 'NOT_IN_THIS_STATE', state: 'COMPLETED' })
    expect(started.pipeline.business).toHaveLength(1)
  })

  it('a cancel goes into the log with who wants it; called off already, it is done', async () => {
    const started = shop({ tokens: TOKENS })
    started.pipeline.setOrder(unpaid)
    const service = bearer('service-secret')
    const reason = { reason: 'changed my mind' }
    expect((await post(started, '/v1/orders/o1/cancel', reason, service)).statusCode).toBe(202)
    const { orderCancelRequested } = topics
    const cancel = orderCancelRequested.value.deserialize(last(started)?.value as Buffer)
    expect(cancel).toEqual({ orderId: 'o1', actor: expect.stringMatching(/^service-/), ...reason })
    started.pipeline.setOrder({ ...unpaid, state: 'COMPENSATING', calledOff: true, actions: [] })
    expect((await post(started, '/v1/orders/o1/cancel', undefined, service)).statusCode).toBe(202)
    started.pipeline.setOrder({ ...unpaid, state: 'FAILED', actions: [] })
    expect((await post(started, '/v1/orders/o1/cancel', undefined, service)).json()).toMatchObject({
      status: 409,
      state: 'FAILED',
    })
    expect(started.pipeline.business).toHaveLength(1)
  })

  it('a return has one id per key, and is asked for once', async () => {
    const started = shop()
    started.pipeline.setOrder(completed)
    const back = { items: [{ lineNo: 1, quantity: 1 }] }
    const key = { 'idempotency-key': 'k' }
    const first = (await post(started, '/v1/orders/o1/returns', back, key)).json()
    expect(first).toMatchObject({ status: 'ACCEPTED', state: 'COMPLETED', returnId: expect.any(String) })
    const { orderReturnRequested } = topics
    expect(orderReturnRequested.value.deserialize(last(started)?.value as Buffer)).toMatchObject({
      returnId: first.returnId,
      ...back,
    })
    const known = { returnId: first.returnId, status: 'RUNNING' as const, ...back, refundAmount: 300 }
    started.pipeline.setOrder({ ...completed, returns: [...completed.returns, known] })
    expect((await post(started, '/v1/orders/o1/returns', back, key)).json()).toEqual(first)
    expect(started.pipeline.business).toHaveLength(1)
  })

  it.each([
    [[{ lineNo: 1, quantity: 2 }], 'body.items.0.quantity'],
    [[{ lineNo: 3, quantity: 1 }], 'body.items.0.quantity'],
    [
      [
        { lineNo: 2, quantity: 1 },
        { lineNo: 2, quantity: 1 },
      ],
      'body.items.1.lineNo',
    ],
  ])('a return of %j is more than is left: %s', async (items, path) => {
    const started = shop()
    started.pipeline.setOrder(completed)
    const response = await post(started, '/v1/orders/o1/returns', { items })
    expect(response.json()).toMatchObject({ status: 400, errors: [{ path }] })
  })

  it('a return of an order that is not complete: 409', async () => {
    const started = shop()
    started.pipeline.setOrder(unpaid)
    const response = await post(started, '/v1/orders/o1/returns', { items: [{ lineNo: 1, quantity: 1 }] })
    expect(response.json()).toMatchObject({ status: 409, state: 'AWAITING_PAYMENT' })
  })
})

describe('a repair', () => {
  const stuck = { actions: ['retry', 'resume', 'resolve'], state: 'NEEDS_ATTENTION' } as const

  it.each(['retry', 'resume', 'resolve'])('I26: %s is on record before its command', async (action) => {
    const started = shop({ tokens: TOKENS })
    started.pipeline.repairs.set('o1', stuck)
    const url = `/v1/ops/orders/o1/${action}`
    const response = await post(started, url, { reason: 'by phone' }, bearer('admin-secret'))
    expect([response.statusCode, response.json()]).toEqual([200, { orderId: 'o1', action, ...stuck }])
    expect(started.pipeline.records.map(({ topic }) => topic)).toEqual([
      'ops.audit',
      'order.repair.requested',
    ])
    const [audit] = started.pipeline.audits
    expect(audit).toMatchObject({ actor: 'ops', action: `order.${action}`, target: 'o1' })
    const { orderRepairRequested } = topics
    expect(orderRepairRequested.value.deserialize(started.pipeline.business[0]?.value as Buffer)).toEqual({
      orderId: 'o1',
      action: action.toUpperCase(),
      reason: 'by phone',
      actor: 'ops',
    })
  })

  it('that cannot be now says which can, and is not on record', async () => {
    const started = shop()
    started.pipeline.repairs.set('o1', stuck)
    const response = await post(started, '/v1/ops/orders/o1/compensate')
    expect(response.json()).toMatchObject({ status: 409, code: 'NOT_IN_THIS_STATE', ...stuck })
    expect((await post(started, '/v1/ops/orders/o2/retry')).json()).toMatchObject({ code: 'UNKNOWN_ORDER' })
    expect(started.pipeline.records).toEqual([])
  })

  it('of payments that no order asked for has no state', async () => {
    const started = shop()
    started.pipeline.repairs.set('o1', { actions: ['retry'], state: undefined })
    const response = await post(started, '/v1/ops/orders/o1/retry')
    expect(response.json()).toEqual({ orderId: 'o1', action: 'retry', actions: ['retry'] })
  })
})

describe('where the shop takes no orders', () => {
  it.each([
    ['POST', '/v1/orders', wanted],
    ['GET', '/v1/orders/o1', undefined],
    ['POST', '/v1/orders/o1/payments', { paymentKey: 'p', amount: 1 }],
    ['POST', '/v1/orders/o1/cancel', undefined],
    ['POST', '/v1/orders/o1/returns', { items: [{ lineNo: 1, quantity: 1 }] }],
    ['POST', '/v1/ops/orders/o1/retry', undefined],
    ['GET', '/v1/users/ann/points', undefined],
    ['POST', '/v1/users/ann/points', { points: 1 }],
  ] as const)('%s %s: 404 ORDERS_OFF', async (method, url, payload) => {
    const { api, pipeline } = start()
    const response = await api.app.inject({ method, url, ...(payload !== undefined && { payload }) })
    expect(response.json()).toMatchObject({ status: 404, code: 'ORDERS_OFF' })
    expect(pipeline.records).toEqual([])
  })
})
