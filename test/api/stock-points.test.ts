/** Stock, points, and events about orders, where the shop takes orders. */
import { describe, expect, it } from 'vitest'
import { topics } from '../../schemas/index.ts'
import { pair } from './peer-support.ts'
import { bearer, NOW, start, TOKENS } from './support.ts'

const orders = { payByMs: 60_000 }

describe('stock', () => {
  const url = '/v1/products/mug'
  const mug = { title: 'Mug', price: 300 }

  it('comes in with a product, and is shown with it', async () => {
    const { api } = start({ orders })
    const first = await api.app.inject({ method: 'PUT', url, payload: { ...mug, received: 5 } })
    const stock = { received: 5, available: 5, reserved: 0, sold: 0 }
    expect([first.statusCode, first.json()]).toMatchObject([200, { ...mug, stock }])
    expect((await api.app.inject(url)).json()).toEqual(first.json())
  })

  it('counts once per value, or once per key', async () => {
    const { api } = start({ orders })
    const put = async (received: number, key?: string) => {
      const headers = key === undefined ? {} : { 'idempotency-key': key }
      const payload = { ...mug, received }
      return (await api.app.inject({ method: 'PUT', url, payload, headers })).json()
    }
    await put(5)
    expect(await put(5)).toMatchObject({ stock: { received: 5 } })
    await put(5, 'k')
    expect(await put(5, 'k')).toMatchObject({ stock: { received: 10 } })
    expect(await put(6, 'k')).toMatchObject({ status: 422, code: 'IDEMPOTENCY_CONFLICT' })
    expect(await put(-4)).toMatchObject({ stock: { received: 6 } })
  })

  it('I11: less than nothing is refused, and the product is as it was', async () => {
    const { api, pipeline } = start({ orders })
    const response = await api.app.inject({ method: 'PUT', url, payload: { ...mug, received: -1 } })
    expect(response.json()).toMatchObject({ status: 409, code: 'COMMAND_REFUSED', reason: 'BELOW_ZERO' })
    expect(pipeline.products.size).toBe(0)
  })

  it('I26: is on record before it takes effect', async () => {
    const { api, pipeline } = start({ orders })
    await api.app.inject({ method: 'PUT', url, payload: { ...mug, received: 5 } })
    expect(pipeline.records.map(({ topic }) => topic)).toEqual([
      'ops.audit',
      'stock.adjust.requested',
      'product.catalog',
    ])
    expect(JSON.parse(pipeline.audits[0]?.after ?? '')).toMatchObject({ ...mug, received: 5 })
  })
})

describe('points', () => {
  const url = '/v1/users/ann/points'

  it('are granted and taken off, on record, and shown with their ledger', async () => {
    const { api, pipeline } = start({ orders, tokens: TOKENS })
    const headers = bearer('admin-secret')
    const grant = async (payload: object) =>
      (await api.app.inject({ method: 'POST', url, payload, headers })).json()
    expect(await grant({ points: 50, reason: 'hello' })).toMatchObject({
      userId: 'ann',
      points: 50,
      balance: 50,
    })
    expect(await grant({ points: -20 })).toMatchObject({ balance: 30 })
    expect(await grant({ points: -31 })).toMatchObject({ status: 409, reason: 'INSUFFICIENT_POINTS' })
    const { balance, items } = (await api.app.inject({ url, headers })).json()
    expect(balance).toBe(30)
    expect(items).toMatchObject([
      { kind: 'TAKEN', points: -20, balance: 30, at: NOW },
      { kind: 'GRANTED', points: 50, balance: 50 },
    ])
    expect(pipeline.records.slice(0, 2).map(({ topic }) => topic)).toEqual([
      'ops.audit',
      'point.adjust.requested',
    ])
    expect(pipeline.audits[0]).toMatchObject({ actor: 'ops', action: 'points.adjust', target: 'ann' })
  })

  it('are granted once per key', async () => {
    const { api } = start({ orders })
    const headers = { 'idempotency-key': 'k' }
    const grant = async (points: number) =>
      (await api.app.inject({ method: 'POST', url, payload: { points }, headers })).json()
    expect(await grant(5)).toEqual(await grant(5))
    expect(await grant(6)).toMatchObject({ status: 422, code: 'IDEMPOTENCY_CONFLICT' })
    expect((await api.app.inject(url)).json()).toMatchObject({ balance: 5 })
  })

  it('have a ledger of pages, with cursors of their own', async () => {
    const { api } = start({ orders })
    for (const points of [1, 2, 3]) await api.app.inject({ method: 'POST', url, payload: { points } })
    const first = (await api.app.inject(`${url}?limit=2`)).json()
    expect(first.items).toMatchObject([{ points: 3 }, { points: 2 }])
    const second = (await api.app.inject(`${url}?limit=2&cursor=${first.cursor}`)).json()
    expect(second.items).toMatchObject([{ points: 1 }])
    expect(second).not.toHaveProperty('cursor')
    const foreign = await api.app.inject(`/v1/users/bob/points?cursor=${first.cursor}`)
    expect(foreign.json()).toMatchObject({ code: 'INVALID_CURSOR' })
  })

  it('of another process are granted by it, once, under the id of the key', async () => {
    const { asked, owner } = await pair({ orders })
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'k' }
    const body = JSON.stringify({ points: 5 })
    const grant = async (at: string) => (await fetch(at + url, { method: 'POST', headers, body })).json()
    const first = await grant(asked.url)
    expect(first).toMatchObject({ balance: 5 })
    expect(await grant(asked.url)).toEqual(first)
    expect(await grant(owner.url)).toEqual(first)
    expect(asked.pipeline.records).toEqual([])
    expect(owner.pipeline.ledgers.get('ann')).toHaveLength(1)
  })
})

describe('events', () => {
  const order = {
    orderId: 'o1',
    userId: 'ann',
    items: [{ lineNo: 1, productId: 'mug', quantity: 1, unitPrice: 300 }],
    currency: 'EUR',
    payBy: NOW + 1,
  }
  const payment = { orderId: 'o1', paymentKey: 'p1', amount: 300, status: 'SUCCESS' }
  const delivery = { orderId: 'o1', deliveryId: 'd1', status: 'STARTED' }
  const post = async (secret: string, topic: string, payload: object, on = true) => {
    const { api } = start({ tokens: TOKENS, ...(on && { orders }) })
    const headers = bearer(secret)
    return await api.app.inject({ method: 'POST', url: `/v1/events/${topic}`, payload, headers })
  }

  it.each([
    ['order.created', order, 'producer service admin'],
    ['payment.result', payment, 'service admin'],
    ['delivery.result', delivery, 'service admin'],
    ['delivery.cancel.result', { orderId: 'o1', status: 'CANCELLED' }, 'service admin'],
  ])('%s is taken from whom it concerns', async (topic, payload, roles) => {
    for (const role of ['producer', 'service', 'admin']) {
      const { statusCode } = await post(`${role}-secret`, topic, payload)
      expect([role, statusCode]).toEqual([role, roles.split(' ').includes(role) ? 202 : 403])
      expect((await post(`${role}-secret`, topic, payload, false)).statusCode).toBe(404)
    }
  })

  it('I25: an order with bytes for an address is refused: nobody can have sealed it', async () => {
    const { json } = await post('service-secret', 'order.created', { ...order, shipTo: 'Elm Street 1' })
    expect(json()).toMatchObject({ code: 'INVALID_EVENT', errors: [{ path: 'body.shipTo' }] })
  })

  it('a topic that the catalogue has and nobody may write stays closed', async () => {
    const { name } = topics.orderRepairRequested
    expect((await post('admin-secret', name, { orderId: 'o1' })).statusCode).toBe(404)
  })
})
