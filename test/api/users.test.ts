/** Users, carts and what is sealed, over HTTP: what goes into the log, and who may read it. */
import { describe, expect, it } from 'vitest'
import { topics } from '../../schemas/index.ts'
import { bearer, NOW, start, type Started, TOKENS } from './support.ts'

const orders = { payByMs: 60_000 }
const profile = { email: 'ann.secret@example.com', locale: 'en-GB' }
const shipTo = { name: 'Ann Secret', phone: '555-0100', zipcode: 'Z1', address: '1 Hidden Lane' }
const wanted = { userId: 'ann', items: [{ productId: 'mug', quantity: 2 }] }

function shop(options: Parameters<typeof start>[0] = {}): Started {
  const started = start({ orders, ...options })
  const mug = { productId: 'mug', title: 'Mug', categoryId: null, price: 300, currency: 'EUR' }
  started.pipeline.products.set('mug', mug)
  started.pipeline.levels.set('mug', { received: 10, available: 10, reserved: 0, sold: 0 })
  return started
}

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE'
function call({ api }: Started, method: Method, url: string, payload?: object, headers = {}) {
  return api.app.inject({ method, url, headers, ...(payload !== undefined && { payload }) })
}
const names = ({ pipeline }: Started) => pipeline.records.map(({ topic }) => topic)
const bytes = ({ pipeline }: Started) =>
  Buffer.concat(pipeline.records.flatMap(({ key, value }) => [key ?? Buffer.of(), value ?? Buffer.of()]))
const created = ({ pipeline }: Started) =>
  pipeline.records
    .filter(({ topic }) => topic === 'order.created')
    .map(({ value }) => topics.orderCreated.value.deserialize(value as Buffer))

describe('a profile', () => {
  it('I25: is sealed in the log, with a key that comes before it, and opened on read', async () => {
    const started = shop()
    const put = await call(started, 'PUT', '/v1/users/ann', profile)
    expect([put.statusCode, put.json()]).toEqual([200, { userId: 'ann', ...profile }])
    expect(names(started)).toEqual(['privacy.key', 'user.profile'])
    expect(bytes(started).includes('secret')).toBe(false)
    expect(bytes(started).includes('en-GB')).toBe(false)
    const got = await call(started, 'GET', '/v1/users/ann')
    expect(got.json()).toEqual({ userId: 'ann', ...profile })
    expect(got.headers['cache-control']).toBe('no-store')
  })

  it('is replaced as a whole, and sealed with the key that there is', async () => {
    const started = shop()
    await call(started, 'PUT', '/v1/users/ann', profile)
    await call(started, 'PUT', '/v1/users/ann', { locale: 'de' })
    expect(names(started)).toEqual(['privacy.key', 'user.profile', 'user.profile'])
    expect((await call(started, 'GET', '/v1/users/ann')).json()).toEqual({ userId: 'ann', locale: 'de' })
  })

  it('is not there without its key, when a log of several machines takes one and not the other', async () => {
    const started = shop()
    started.pipeline.appendFailsFor = 'privacy.key'
    expect((await call(started, 'PUT', '/v1/users/ann', profile)).statusCode).toBe(503)
    expect((await call(started, 'POST', '/v1/orders', { ...wanted, shipTo })).statusCode).toBe(503)
    expect(names(started)).toEqual([])
    started.pipeline.appendFailsFor = undefined
    await call(started, 'PUT', '/v1/users/ann', profile)
    expect((await call(started, 'GET', '/v1/users/ann')).json()).toEqual({ userId: 'ann', ...profile })
  })

  it('that nobody gave: 404', async () => {
    expect((await call(shop(), 'GET', '/v1/users/ann')).json()).toMatchObject({ code: 'UNKNOWN_USER' })
  })

  it.each([
    [{ email: 'no address' }, 'body.email'],
    [{ locale: 'not a locale' }, 'body.locale'],
    [{ phone: '555-0100' }, 'body.phone'],
  ])('I25: %j is refused, and nothing of it comes back', async (body, path) => {
    const started = shop()
    const response = await call(started, 'PUT', '/v1/users/ann', body)
    expect(response.json()).toMatchObject({ status: 400, errors: [{ path }] })
    for (const text of Object.values(body)) expect(response.body).not.toContain(text)
    expect(started.pipeline.records).toEqual([])
  })

  it('is for services and admins', async () => {
    const started = shop({ tokens: TOKENS })
    const statusOf = async (method: Method, secret: string) => {
      const body = method === 'PUT' ? profile : undefined
      return (await call(started, method, '/v1/users/ann', body, bearer(secret))).statusCode
    }
    for (const secret of ['read-secret', 'producer-secret']) {
      expect([await statusOf('PUT', secret), await statusOf('GET', secret)]).toEqual([403, 403])
    }
    for (const secret of ['service-secret', 'admin-secret']) {
      expect([await statusOf('PUT', secret), await statusOf('GET', secret)]).toEqual([200, 200])
    }
  })

  it('is not taken where nothing can be sealed', async () => {
    const started = shop()
    started.pipeline.masterKeys = undefined
    const put = await call(started, 'PUT', '/v1/users/ann', profile)
    expect(put.json()).toMatchObject({ status: 422, code: 'PERSONAL_DATA_OFF' })
    const order = await call(started, 'POST', '/v1/orders', { ...wanted, shipTo })
    expect(order.json()).toMatchObject({ status: 422, code: 'PERSONAL_DATA_OFF' })
    expect(started.pipeline.records).toEqual([])
    expect((await call(started, 'POST', '/v1/orders', wanted)).statusCode).toBe(202)
  })
})

describe('an address', () => {
  it('I25: is sealed for its order, and in the clear nowhere in the log', async () => {
    const started = shop()
    const response = await call(started, 'POST', '/v1/orders', { ...wanted, shipTo })
    expect(response.statusCode).toBe(202)
    expect(names(started)).toEqual(['privacy.key', 'order.created'])
    for (const text of Object.values(shipTo)) expect(bytes(started).includes(text)).toBe(false)
    const [order] = created(started)
    const open = started.pipeline.opener('ann')
    const sealed = order?.shipTo as Buffer
    const place = { kind: 'order.shipTo', orderId: order?.orderId } as const
    expect(JSON.parse(open(place, sealed) ?? '')).toEqual(shipTo)
    expect(() => open({ ...place, orderId: 'another' }, sealed)).toThrow('not-authentic')
  })

  it('of requests of one moment is sealed with one key', async () => {
    const started = shop()
    started.pipeline.auto = false
    const body = { ...wanted, shipTo }
    await Promise.all([1, 2, 3].map(() => call(started, 'POST', '/v1/orders', body)))
    expect(names(started).filter((name) => name === 'privacy.key')).toHaveLength(1)
    started.pipeline.process()
    const open = started.pipeline.opener('ann')
    for (const { orderId, shipTo: sealed } of created(started)) {
      expect(open({ kind: 'order.shipTo', orderId }, sealed as Buffer)).toContain('Ann Secret')
    }
  })

  it('whose key the log did not take is sealed with another one next time', async () => {
    const started = shop()
    started.pipeline.appendFails = new Error('no')
    expect((await call(started, 'POST', '/v1/orders', { ...wanted, shipTo })).statusCode).toBe(500)
    started.pipeline.appendFails = undefined
    await call(started, 'POST', '/v1/orders', { ...wanted, shipTo })
    expect(names(started)).toEqual(['privacy.key', 'order.created'])
  })

  it.each([
    [{ ...shipTo, street: 'Secret Road' }, 'body.shipTo.street'],
    [{ ...shipTo, phone: '5'.repeat(51) }, 'body.shipTo.phone'],
    [{ name: 'Ann Secret' }, 'body.shipTo'],
  ])('I25: %j is refused, and nothing of it comes back', async (address, path) => {
    const started = shop()
    const response = await call(started, 'POST', '/v1/orders', { ...wanted, shipTo: address })
    expect(response.statusCode).toBe(400)
    expect(response.json().errors.some((one: { path: string }) => one.path.startsWith(path))).toBe(true)
    for (const text of Object.values(address)) expect(response.body).not.toContain(text)
    expect(started.pipeline.records).toEqual([])
  })
})

describe('an erasure', () => {
  it('I26: is on record first, then the key goes, and with it what it sealed', async () => {
    const started = shop({ tokens: TOKENS })
    const service = bearer('service-secret')
    await call(started, 'PUT', '/v1/users/ann', profile, service)
    await call(started, 'POST', '/v1/orders', { ...wanted, shipTo }, service)
    const response = await call(started, 'DELETE', '/v1/users/ann/personal-data', undefined, service)
    expect([response.statusCode, response.json()]).toEqual([
      200,
      { userId: 'ann', status: 'ERASED', at: NOW },
    ])
    const { pipeline } = started
    expect(names(started).slice(-2)).toEqual(['ops.audit', 'privacy.key'])
    expect(pipeline.records.at(-1)).toMatchObject({ key: Buffer.from('ann'), value: null })
    expect(pipeline.audits).toMatchObject([
      { action: 'user.erase', target: 'ann', before: null, after: null },
    ])
    expect([pipeline.noted, pipeline.sweeps]).toEqual([['ann'], 1])
    const got = await call(started, 'GET', '/v1/users/ann', undefined, service)
    expect(got.json()).toEqual({ userId: 'ann', erased: true })
    const [order] = created(started)
    const place = { kind: 'order.shipTo', orderId: order?.orderId } as const
    expect(pipeline.opener('ann')(place, order?.shipTo as Buffer)).toBeUndefined()
  })

  it('of a user without anything is as good, and may be sent again', async () => {
    const started = shop()
    for (const _ of [1, 2]) {
      const response = await call(started, 'DELETE', '/v1/users/ann/personal-data')
      expect(response.statusCode).toBe(200)
    }
    expect(started.pipeline.audits).toHaveLength(2)
  })

  it('that cannot be put on record deletes nothing', async () => {
    const started = shop()
    await call(started, 'PUT', '/v1/users/ann', profile)
    started.pipeline.appendFails = new Error('no')
    expect((await call(started, 'DELETE', '/v1/users/ann/personal-data')).statusCode).toBe(500)
    expect([started.pipeline.noted, started.pipeline.sweeps]).toEqual([[], 0])
    expect((await call(started, 'GET', '/v1/users/ann')).json()).toMatchObject(profile)
  })

  it('is no end: what is written afterwards has another key', async () => {
    const started = shop()
    await call(started, 'PUT', '/v1/users/ann', profile)
    await call(started, 'DELETE', '/v1/users/ann/personal-data')
    await call(started, 'PUT', '/v1/users/ann', { email: 'new@example.com' })
    expect((await call(started, 'GET', '/v1/users/ann')).json()).toEqual({
      userId: 'ann',
      email: 'new@example.com',
    })
  })

  it('is for services and admins', async () => {
    const started = shop({ tokens: TOKENS })
    for (const secret of ['read-secret', 'producer-secret']) {
      const response = await call(started, 'DELETE', '/v1/users/ann/personal-data', undefined, bearer(secret))
      expect(response.statusCode).toBe(403)
    }
    expect(started.pipeline.records).toEqual([])
  })
})

describe('a cart', () => {
  const items = [{ productId: 'mug', quantity: 2 }]

  it('is what was last said, and nothing once it is deleted', async () => {
    const started = shop()
    const put = await call(started, 'PUT', '/v1/users/ann/cart', { items })
    expect([put.statusCode, put.json()]).toEqual([200, { userId: 'ann', items }])
    expect((await call(started, 'GET', '/v1/users/ann/cart')).json()).toEqual({ userId: 'ann', items })
    const gone = await call(started, 'DELETE', '/v1/users/ann/cart')
    expect([gone.statusCode, gone.json()]).toEqual([200, { userId: 'ann', items: [] }])
    expect((await call(started, 'GET', '/v1/users/bob/cart')).json()).toEqual({ userId: 'bob', items: [] })
  })

  it('has each product once', async () => {
    const response = await call(shop(), 'PUT', '/v1/users/ann/cart', { items: [...items, ...items] })
    expect(response.json()).toMatchObject({ status: 400, errors: [{ path: 'body.items.1.productId' }] })
  })

  it('is ordered, and then emptied', async () => {
    const started = shop()
    await call(started, 'PUT', '/v1/users/ann/cart', { items })
    const before = started.pipeline.records.length
    const response = await call(started, 'POST', '/v1/orders', { userId: 'ann', fromCart: true, shipTo })
    expect(response.statusCode).toBe(202)
    expect(names(started).slice(before)).toEqual(['privacy.key', 'order.created', 'cart.changed'])
    expect(created(started)).toMatchObject([{ items: [{ productId: 'mug', quantity: 2, unitPrice: 300 }] }])
    expect((await call(started, 'GET', '/v1/users/ann/cart')).json()).toMatchObject({ items: [] })
  })

  it('is as it was while the log does not have the order', async () => {
    const started = shop()
    await call(started, 'PUT', '/v1/users/ann/cart', { items })
    started.pipeline.appendFailsFor = 'order.created'
    expect((await call(started, 'POST', '/v1/orders', { userId: 'ann', fromCart: true })).statusCode).toBe(
      503,
    )
    expect((await call(started, 'GET', '/v1/users/ann/cart')).json()).toMatchObject({ items })
  })

  it('that is empty cannot be ordered', async () => {
    const started = shop()
    const response = await call(started, 'POST', '/v1/orders', { userId: 'ann', fromCart: true })
    expect(response.json()).toMatchObject({ status: 422, code: 'CART_EMPTY' })
    expect(started.pipeline.records).toEqual([])
  })

  it('ordered again with the same key is the same order, though it is empty now', async () => {
    const started = shop()
    const key = { 'idempotency-key': 'k' }
    const body = { userId: 'ann', fromCart: true }
    await call(started, 'PUT', '/v1/users/ann/cart', { items })
    const first = (await call(started, 'POST', '/v1/orders', body, key)).json()
    expect((await call(started, 'POST', '/v1/orders', body, key)).json()).toEqual(first)
    expect(created(started)).toHaveLength(1)
    const other = await call(started, 'POST', '/v1/orders', { ...body, pointsToUse: 1 }, key)
    expect(other.json()).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' })
  })

  it('emptied by an order that is not processed yet: the client gets the id to ask with', async () => {
    const started = shop()
    const key = { 'idempotency-key': 'k' }
    const body = { userId: 'ann', fromCart: true }
    await call(started, 'PUT', '/v1/users/ann/cart', { items })
    const { orderId } = (await call(started, 'POST', '/v1/orders', body, key)).json()
    started.pipeline.orders.clear()
    const again = await call(started, 'POST', '/v1/orders', body, key)
    expect(again.json()).toMatchObject({ status: 422, code: 'CART_EMPTY', orderId })
  })

  it.each([{ userId: 'ann' }, { ...wanted, fromCart: true }])(
    'or items, one of them: %j is refused',
    async (body) => {
      const response = await call(shop(), 'POST', '/v1/orders', body)
      expect(response.json()).toMatchObject({ status: 400, errors: [{ path: 'body.items' }] })
    },
  )

  it('of a task that another process has is not looked for here', async () => {
    const started = shop()
    started.pipeline.restoring = true
    const response = await call(started, 'POST', '/v1/orders', { userId: 'ann', fromCart: true })
    expect(response.json()).toMatchObject({ status: 503, code: 'STORE_UNAVAILABLE' })
  })
})

it.each([
  ['GET', '/v1/users/ann'],
  ['PUT', '/v1/users/ann'],
  ['DELETE', '/v1/users/ann/personal-data'],
  ['GET', '/v1/users/ann/cart'],
  ['PUT', '/v1/users/ann/cart'],
  ['DELETE', '/v1/users/ann/cart'],
] as const)('%s %s: 404 where the shop takes no orders', async (method, url) => {
  const body = url.endsWith('cart') ? { items: [] } : {}
  const response = await call(start(), method, url, method === 'PUT' ? body : undefined)
  expect(response.json()).toMatchObject({ status: 404, code: 'ORDERS_OFF' })
})
