/** What is asked about orders: lists, timelines, streams of their statuses, and which body counts. */
import { describe, expect, it } from 'vitest'
import type { OrderTimeline } from '../../api/index.ts'
import { orderView } from './fake-orders.ts'
import { EventReader } from './event-reader.ts'
import { deserted, pair, process } from './peer-support.ts'
import { bearer, NOW, serve, start, type Started, TOKENS } from './support.ts'

const orders = { payByMs: 60_000 }

function order(orderId: string, changes: Partial<ReturnType<typeof orderView>> = {}) {
  const items = [{ lineNo: 1, productId: 'mug', categoryId: null, quantity: 2, unitPrice: 300 }]
  const given = {
    orderId,
    userId: 'ann',
    items,
    userCouponId: null,
    pointsToUse: 0,
    currency: 'EUR',
    payBy: NOW,
  }
  return { ...orderView(given), ...changes }
}

/** Orders `a`, `b` and so on, a second apart. */
function fill({ pipeline }: Started, ids: string, changes: Partial<ReturnType<typeof orderView>> = {}): void {
  for (const id of ids) {
    const at = NOW - 100_000 + id.charCodeAt(0) * 1_000
    pipeline.setOrder(order(id, { createdAt: at, since: at, ...changes }))
  }
}

interface List {
  readonly items: readonly { readonly orderId: string }[]
  readonly cursor?: string
  readonly partitions: { readonly count: number; readonly missing: readonly number[] }
}
const idsOf = ({ items }: List) => items.map(({ orderId }) => orderId).join('')
const listOf = async (url: string): Promise<List> => (await fetch(url)).json() as Promise<List>

describe('a list of orders', () => {
  it('has the longest in their state first, and goes on by its cursor', async () => {
    const { url, ...started } = await serve({ orders })
    fill(started, 'cabd')
    const first = await listOf(`${url}/v1/orders?limit=3`)
    expect([idsOf(first), first.partitions]).toEqual(['abc', { count: 6, missing: [] }])
    const rest = await listOf(`${url}/v1/orders?limit=3&cursor=${first.cursor}`)
    expect([idsOf(rest), rest.cursor]).toEqual(['d', undefined])
    const other = await fetch(`${url}/v1/orders?state=PAID&cursor=${first.cursor}`)
    expect(await other.json()).toMatchObject({ status: 400, code: 'INVALID_CURSOR' })
  })

  it('of a user has the newest first', async () => {
    const { url, ...started } = await serve({ orders })
    fill(started, 'acb')
    fill(started, 'd', { userId: 'bob' })
    expect(idsOf(await listOf(`${url}/v1/orders?userId=ann`))).toBe('cba')
  })

  it('shows what is stuck', async () => {
    const { api, ...started } = start({ orders })
    fill({ api, ...started }, 'a', { since: NOW - 5_000, note: 'TIMEOUT stock' })
    fill({ api, ...started }, 'b', { since: NOW - 4_999 })
    const answer = await api.app.inject('/v1/orders?stuckForMs=5000')
    expect(answer.json()).toMatchObject({
      items: [
        { orderId: 'a', state: 'AWAITING_PAYMENT', since: NOW - 5_000, note: 'TIMEOUT stock', final: 600 },
      ],
    })
  })

  it('is nothing for a producer', async () => {
    const { api } = start({ orders, tokens: TOKENS })
    const answer = await api.app.inject({ url: '/v1/orders', headers: bearer('producer-secret') })
    expect(answer.statusCode).toBe(403)
  })

  it('has the orders of all processes, in one order', async () => {
    const { asked, owner } = await pair({ orders })
    asked.pipeline.elsewhere = undefined
    fill(asked, 'ace')
    fill(owner, 'bdf')
    asked.pipeline.ordersElsewhere = [3, 4, 5].map((partition) => ({ partition, address: owner.url }))
    owner.pipeline.ordersElsewhere = [0, 1, 2].map((partition) => ({ partition, address: asked.url }))
    const first = await listOf(`${asked.url}/v1/orders?limit=4`)
    expect([idsOf(first), first.partitions.missing]).toEqual(['abcd', []])
    const rest = await listOf(`${owner.url}/v1/orders?limit=4&cursor=${first.cursor}`)
    expect([idsOf(rest), rest.cursor, rest.partitions.missing]).toEqual(['ef', undefined, []])
    // Each was asked once by the other.
    expect(owner.answers.filter((one) => one === 'GET /v1/orders 200')).toHaveLength(2)
  })

  it('F25: says what is missing where a process is gone, or nobody is known to have it', async () => {
    const asked = await process({ orders })
    fill(asked, 'a')
    asked.pipeline.ordersElsewhere = [
      { partition: 2, address: await deserted() },
      { partition: 5, address: undefined },
    ]
    const list = await listOf(`${asked.url}/v1/orders`)
    expect([idsOf(list), list.partitions]).toEqual(['a', { count: 6, missing: [2, 5] }])
  })

  it('F25: says what is missing at the other process too', async () => {
    const { asked, owner } = await pair({ orders })
    asked.pipeline.elsewhere = undefined
    asked.pipeline.ordersElsewhere = [4, 5].map((partition) => ({ partition, address: owner.url }))
    owner.pipeline.ordersElsewhere = [{ partition: 5, address: undefined }]
    expect((await listOf(`${asked.url}/v1/orders`)).partitions.missing).toEqual([5])
  })
})

describe('a timeline', () => {
  const asked = { topic: 'stock.reserve.requested', partition: 1, offset: 7, timestamp: NOW }
  const answered = { topic: 'stock.reserve.result', partition: 2, offset: 9, timestamp: NOW + 5 }
  const part = { kind: 'ORDER', id: '', step: 'stock', part: 'mug', undo: false }
  const passed = { returnState: 'NONE', step: '', attempt: 0, note: null }
  const answer = { status: 'RESERVED', reason: null, at: NOW + 9, place: answered, cause: asked }
  const timeline: OrderTimeline = {
    complete: true,
    events: [
      {
        kind: 'STOCK',
        status: 'RESERVED',
        reason: null,
        at: NOW + 9,
        record: answered,
        cause: asked,
        causationId: 'e1',
        answered: part,
        sent: [],
        passed: [{ ...passed, state: 'STOCK_RESERVED', revision: 2 }],
      },
    ],
    steps: [
      {
        ...part,
        commands: [
          { topic: asked.topic, attempt: 1, epoch: 0, sentAt: NOW, place: asked, answer, durationMs: 9 },
        ],
        answers: [],
      },
    ],
  }

  it('shows steps, states and what was taken, from the cause headers', async () => {
    const { api, pipeline } = start({ orders })
    pipeline.setOrder(order('o1'))
    pipeline.timelines.set('o1', timeline)
    const shownAnswer = { status: 'RESERVED', at: NOW + 9, position: answered, cause: asked }
    expect((await api.app.inject('/v1/orders/o1/timeline')).json()).toEqual({
      orderId: 'o1',
      complete: true,
      states: [{ state: 'STOCK_RESERVED', returnState: 'NONE', revision: 2, at: NOW + 9 }],
      steps: [
        {
          saga: 'ORDER',
          step: 'stock',
          part: 'mug',
          way: 'DO',
          answers: [],
          commands: [
            {
              topic: asked.topic,
              attempt: 1,
              epoch: 0,
              sentAt: NOW,
              position: asked,
              answer: shownAnswer,
              durationMs: 9,
            },
          ],
        },
      ],
      events: [{ kind: 'STOCK', causationId: 'e1', ...shownAnswer }],
    })
  })

  it('of no order: 404', async () => {
    const { api } = start({ orders })
    expect((await api.app.inject('/v1/orders/o1/timeline')).json()).toMatchObject({ code: 'UNKNOWN_ORDER' })
  })
})

const EVENTS = '/v1/orders/o1/events'

describe('a stream of statuses', () => {
  async function streaming(limits = {}) {
    const started = await serve({ orders, limits })
    started.pipeline.setOrder(order('o1', { state: 'PENDING', revision: 0 }))
    started.pipeline.tell('o1', { state: 'PENDING', revision: 1 })
    return started
  }

  it('tells each as it comes, with the revision as its id, and ends with the order', async () => {
    const { url, pipeline } = await streaming()
    const reader = await EventReader.open(url + EVENTS)
    expect(reader.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    await reader.until('PENDING')
    pipeline.tell('o1', { state: 'PAID', revision: 2 })
    await reader.until('PAID')
    pipeline.tell('o1', { state: 'COMPLETED', revision: 4 })
    await reader.until()
    expect(reader.data.map(({ state }) => state)).toEqual(['PENDING', 'PAID', 'COMPLETED'])
    expect(reader.text).toMatch(/^id: 4\nevent: status\ndata: \{"orderId":"o1","state":"COMPLETED"/m)
  })

  it('goes on after Last-Event-ID; after the last there is nothing', async () => {
    const { url, pipeline } = await streaming()
    pipeline.tell('o1', { state: 'PAID', revision: 2 })
    pipeline.tell('o1', { state: 'COMPLETED', revision: 4 })
    const reader = await EventReader.open(url + EVENTS, '1')
    await reader.until()
    expect(reader.data.map(({ state }) => state)).toEqual(['PAID', 'COMPLETED'])
    expect((await fetch(url + EVENTS, { headers: { 'last-event-id': '4' } })).status).toBe(204)
    const wrong = await fetch(url + EVENTS, { headers: { 'last-event-id': 'x y' } })
    expect(await wrong.json()).toMatchObject({ status: 400, errors: [{ path: 'header.last-event-id' }] })
  })

  it('of no order is a problem', async () => {
    const { url } = await serve({ orders })
    expect(await (await fetch(url + EVENTS)).json()).toMatchObject({ status: 404, code: 'UNKNOWN_ORDER' })
  })

  it('on which nothing happens says that it lives', async () => {
    const { url } = await streaming({ eventHeartbeatMs: 1 })
    const reader = await EventReader.open(url + EVENTS)
    expect(await reader.until('\n: \n')).toContain('PENDING')
    await reader.cancel()
  })

  it('has room of its own, and gives it back', async () => {
    const { url, pipeline } = await streaming({ eventStreams: 1, concurrentRequests: 1 })
    const reader = await EventReader.open(url + EVENTS)
    await reader.until('PENDING')
    expect(await (await fetch(url + EVENTS)).json()).toMatchObject({ status: 503, code: 'OVERLOADED' })
    expect((await fetch(`${url}/v1/orders/o1`)).status).toBe(200)
    pipeline.tell('o1', { state: 'FAILED', revision: 2 })
    await reader.until()
    await expect.poll(async () => (await fetch(url + EVENTS)).status).toBe(200)
  })

  it('ends when the server closes', async () => {
    const { url, api } = await streaming()
    const reader = await EventReader.open(url + EVENTS)
    await reader.until('PENDING')
    const closed = api.close()
    await reader.until()
    await closed
    expect(reader.data.map(({ state }) => state)).toEqual(['PENDING'])
  })

  it('leaves nothing behind when its reader goes', async () => {
    const { url, pipeline } = await streaming()
    const reader = await EventReader.open(url + EVENTS)
    await reader.until('PENDING')
    await expect.poll(() => pipeline.orderWaiters).toBe(1)
    await reader.cancel()
    await expect.poll(() => pipeline.orderWaiters).toBe(0)
  })

  it('of an order of another process is told by that one', async () => {
    const { asked, owner } = await pair({ orders })
    owner.pipeline.setOrder(order('o1', { state: 'PENDING', revision: 0 }))
    owner.pipeline.tell('o1', { state: 'PENDING', revision: 1 })
    const reader = await EventReader.open(asked.url + EVENTS)
    await reader.until('PENDING')
    await expect.poll(() => owner.pipeline.orderWaiters).toBe(1)
    owner.pipeline.tell('o1', { state: 'COMPLETED', revision: 2 })
    await reader.until()
    expect(reader.data.map(({ state }) => state)).toEqual(['PENDING', 'COMPLETED'])
    const none = await fetch(`${asked.url}/v1/orders/o2/events`)
    expect(await none.json()).toMatchObject({ status: 404, code: 'UNKNOWN_ORDER' })
  })
})

describe('two bodies under one key, at two processes', () => {
  it('the first in the log counts, and whoever sent the other learns it by asking', async () => {
    const { asked, owner } = await pair({ orders })
    const mug = { productId: 'mug', title: 'Mug', categoryId: null, price: 300, currency: 'EUR' }
    for (const { pipeline } of [asked, owner]) {
      pipeline.products.set('mug', mug)
      pipeline.levels.set('mug', { received: 9, available: 9, reserved: 0, sold: 0 })
    }
    owner.pipeline.auto = false
    const send = async (url: string, quantity: number) => {
      const body = JSON.stringify({ userId: 'ann', items: [{ productId: 'mug', quantity }] })
      const headers = { 'content-type': 'application/json', 'idempotency-key': 'k' }
      const response = await fetch(`${url}/v1/orders`, { method: 'POST', headers, body })
      return { status: response.status, location: response.headers.get('location') ?? '' }
    }
    const first = await send(owner.url, 1)
    // It does not have the order, and cannot know of the first.
    const second = await send(asked.url, 2)
    expect([first.status, second.status]).toEqual([202, 202])
    const waiting = fetch(`${asked.url}${second.location}&wait=20s`)
    await expect.poll(() => owner.pipeline.orderWaiters).toBe(1)
    // One log: the second comes behind the first.
    await owner.pipeline.append(asked.pipeline.business)
    owner.pipeline.process()
    const lost = await waiting
    expect([lost.status, await lost.json()]).toMatchObject([422, { code: 'IDEMPOTENCY_CONFLICT' }])
    const won = await fetch(`${asked.url}${first.location}`)
    expect([won.status, await won.json()]).toMatchObject([200, { items: [{ quantity: 1 }] }])
    expect((await send(owner.url, 2)).status).toBe(422)
  })
})

describe('I26: an operator who acts on an order', () => {
  const unpaid = order('o1')
  const completed = order('o1', { state: 'COMPLETED', actions: ['return'] })

  it.each([
    [
      'pay',
      unpaid,
      { paymentKey: 'p1', amount: 600 },
      'payments',
      { paymentKey: 'p1', amount: 600, status: 'SUCCESS' },
    ],
    ['cancel', unpaid, { reason: 'by phone' }, 'cancel', { reason: 'by phone' }],
    [
      'return',
      completed,
      { returnId: 'r1', items: [{ lineNo: 1, quantity: 1 }] },
      'returns',
      { returnId: 'r1' },
    ],
  ] as const)(
    'to %s it is on record before it takes effect; a service is not',
    async (action, before, payload, path, after) => {
      for (const [secret, audits] of [
        ['admin-secret', 1],
        ['service-secret', 0],
      ] as const) {
        const { api, pipeline } = start({ orders, tokens: TOKENS })
        pipeline.setOrder(before)
        const request = {
          method: 'POST',
          url: `/v1/orders/o1/${path}`,
          payload,
          headers: bearer(secret),
        } as const
        expect((await api.app.inject(request)).statusCode).toBe(202)
        expect(pipeline.records.map(({ topic }) => topic === 'ops.audit')).toEqual(
          audits === 1 ? [true, false] : [false],
        )
        if (audits === 0) continue
        expect(pipeline.audits).toMatchObject([{ actor: 'ops', action: `order.${action}`, target: 'o1' }])
        expect(JSON.parse(pipeline.audits[0]?.before ?? '')).toEqual({ state: before.state })
        expect(JSON.parse(pipeline.audits[0]?.after ?? '')).toMatchObject(after)
      }
    },
  )
})
