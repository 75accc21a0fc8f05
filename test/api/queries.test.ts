/** Products, wallets, boards, and what operators look at. */
import { describe, expect, it } from 'vitest'
import { NOW, snapshot, start } from './support.ts'

describe('products', () => {
  const url = '/v1/products/p1'
  const put = async (payload: object, started = start()) =>
    await started.api.app.inject({ method: 'PUT', url, payload })

  it('PUT answers once GET sees it, in the currency of the shop', async () => {
    const started = start()
    const product = { productId: 'p1', title: 'Heart', categoryId: 'decor', price: 255, currency: 'EUR' }
    const response = await put({ title: 'Heart', categoryId: 'decor', price: 255 }, started)
    expect([response.statusCode, response.json()]).toEqual([200, product])
    const read = await started.api.app.inject(url)
    expect(read.json()).toEqual(product)
    expect(read.headers['millrace-position']).toMatch(/^product\.catalog:\d:1$/)
  })

  it('without a category there is none', async () => {
    expect((await put({ title: 'Heart', price: 0 })).json()).not.toHaveProperty('categoryId')
  })

  it.each([
    [{ title: 'x', price: -1 }, 'body.price'],
    [{ title: 'x', price: 1.5 }, 'body.price'],
    [{ title: 'x', price: 2 ** 53 }, 'body.price'],
    [{ title: '', price: 1 }, 'body.title'],
    [{ price: 1 }, 'body.title'],
    [{ title: 'x', price: 1, received: 5 }, 'body.received'],
    [{ title: 'x', price: 1, currency: 'USD' }, 'body.currency'],
  ])('PUT %j: 400 that names %s', async (payload, path) => {
    expect((await put(payload)).json()).toMatchObject({ status: 400, errors: [{ path }] })
  })

  it('half a surrogate pair: 400', async () => {
    expect((await put({ title: '\ud800', price: 1 })).statusCode).toBe(400)
  })

  it('PUT that is not seen in time: 503 with its position', async () => {
    const started = start({ limits: { commandWaitMs: 1 } })
    started.pipeline.auto = false
    expect((await put({ title: 'x', price: 1 }, started)).json()).toMatchObject({
      code: 'COMMAND_PENDING',
      position: { offset: 0 },
    })
  })
})

describe('wallets', () => {
  it('a user without coupons has an empty wallet', async () => {
    const response = await start().api.app.inject('/v1/users/nobody/coupons')
    expect(response.json()).toEqual({ items: [] })
    expect(response.headers['millrace-position']).toBe('issued-by-user:1:9')
  })

  it('shows each coupon', async () => {
    const { api, pipeline } = start()
    const coupon = {
      userCouponId: 'c-1',
      couponId: 'c',
      requestId: 'r',
      status: 'ISSUED',
      issuedAt: 5,
    } as const
    const untold = { discount: null, orderId: null, revoked: false }
    pipeline.wallets.set('u1', [
      { ...coupon, ...untold, expiresAt: 9 },
      { ...coupon, ...untold, userCouponId: 'c-2', expiresAt: null },
    ])
    const { items } = (await api.app.inject('/v1/users/u1/coupons')).json()
    expect(items).toEqual([
      { ...coupon, expiresAt: 9 },
      { ...coupon, userCouponId: 'c-2' },
    ])
  })
})

describe('boards', () => {
  function withBoard() {
    const started = start()
    started.pipeline.boards.set('day/quantity', snapshot())
    started.pipeline.products.set('p1', {
      productId: 'p1',
      title: 'Heart',
      categoryId: null,
      price: 1,
      currency: 'EUR',
    })
    return started
  }

  it('shows the board with titles where they are known', async () => {
    const response = await withBoard().api.app.inject('/v1/rankings/day')
    const { depth: _, ...board } = snapshot()
    expect(response.json()).toEqual({
      ...board,
      entries: [
        { rank: 1, productId: 'p1', title: 'Heart', score: 5, quantity: 5, amount: 500, previousRank: 2 },
        { rank: 2, productId: 'p2', score: 3, quantity: 3, amount: 900 },
      ],
    })
    expect(response.headers['millrace-position']).toBe('ranking.partition.update:0:12')
  })

  it('asks for now, for all products, by quantity, and shows ten', async () => {
    const { api, pipeline } = withBoard()
    const entries = Array.from({ length: 30 }, (_, i) => ({
      rank: i + 1,
      productId: `p${i}`,
      score: 99 - i,
      quantity: 1,
      amount: 1,
      previousRank: null,
    }))
    pipeline.boards.set('day/quantity', snapshot({ entries }))
    expect((await api.app.inject('/v1/rankings/day')).json().entries).toHaveLength(10)
    expect((await api.app.inject('/v1/rankings/day?limit=25')).json().entries).toHaveLength(25)
    expect(pipeline.boardQueries[0]).toEqual({ window: 'day', metric: 'quantity', category: null, at: NOW })
  })

  it.each([
    ['2026-03-01T12:00:00Z', Date.parse('2026-03-01T12:00:00Z')],
    ['2026-03-01T12:00:00.5%2B09:00', Date.parse('2026-03-01T03:00:00.500Z')],
    ['2026-03-01T12:00:00+09:00', Date.parse('2026-03-01T03:00:00Z')],
    ['1772323200000', 1_772_323_200_000],
  ])('at=%s', async (at, expected) => {
    const { api, pipeline } = withBoard()
    await api.app.inject(`/v1/rankings/day?at=${at}&metric=quantity`)
    expect(pipeline.boardQueries[0]?.at).toBe(expected)
  })

  it.each([
    ['at=yesterday', 'query.at'],
    ['at=2026-03-01', 'query.at'],
    ['at=2026-02-30T00:00:00Z', 'query.at'],
    ['at=9999999999999999', 'query.at'],
    ['at=', 'query.at'],
    ['metric=profit', 'query.metric'],
    ['category=decor', 'query.category'],
    ['limit=1&limit=2', 'query.limit'],
  ])('%s: 400 that names %s', async (query, path) => {
    const response = await withBoard().api.app.inject(`/v1/rankings/day?${query}`)
    expect(response.json()).toMatchObject({ status: 400, errors: [{ path }] })
  })

  it('a window too old to be known: 404', async () => {
    expect((await start().api.app.inject('/v1/rankings/hour')).json().code).toBe('UNKNOWN_WINDOW')
  })

  it('ETag: 304 as long as nothing changed, 200 with another tag once anything did', async () => {
    const { api, pipeline } = withBoard()
    const ask = (etag?: string) =>
      api.app.inject({
        url: '/v1/rankings/day',
        headers: etag === undefined ? {} : { 'if-none-match': etag },
      })
    const first = await ask()
    const etag = first.headers['etag'] as string
    expect(etag).toMatch(/^"[\w-]{22}"$/)
    for (const header of [etag, `"x", W/${etag}`, '*']) {
      const same = await ask(header)
      expect([same.statusCode, same.body, same.headers['etag']]).toEqual([304, '', etag])
    }
    pipeline.boards.set('day/quantity', snapshot({ revision: 9 }))
    const changed = await ask(etag)
    expect(changed.statusCode).toBe(200)
    pipeline.products.set('p1', {
      productId: 'p1',
      title: 'Star',
      categoryId: null,
      price: 1,
      currency: 'EUR',
    })
    expect((await ask(changed.headers['etag'] as string)).statusCode).toBe(200)
  })
})

describe('operations', () => {
  it.each(['/livez', '/readyz', '/startupz'])('%s: 200, or 503 with what is failing', async (url) => {
    const { api, pipeline } = start()
    expect((await api.app.inject(url)).json()).toEqual({ status: 'ok', checks: [{ name: 'log', ok: true }] })
    pipeline.checks = [
      { name: 'log', ok: true },
      { name: 'restore', ok: false, detail: '3 of 6' },
    ]
    const failing = await api.app.inject(url)
    expect(failing.json()).toMatchObject({ status: 503, code: 'NOT_READY', checks: pipeline.checks })
    expect(failing.headers['retry-after']).toBe('1')
  })

  it('/metrics is what the pipeline says', async () => {
    const response = await start().api.app.inject('/metrics')
    expect([response.headers['content-type'], response.body]).toEqual([
      'text/plain; version=0.0.4; charset=utf-8',
      'up 1\n',
    ])
  })

  it('/time', async () => {
    const response = await start().api.app.inject('/time')
    expect(response.json()).toEqual({
      now: 1_767_225_600_000,
      iso: '2026-01-01T00:00:00.000Z',
      frozen: false,
    })
  })

  it.each([
    ['', 'application/json; charset=utf-8', '{"topologies":[{"name":"coupon-issuance","nodes":[]}]}'],
    ['?format=describe', 'text/plain; charset=utf-8', 'Topologies:\n'],
    ['?format=mermaid', 'text/plain; charset=utf-8', 'graph TD\n'],
  ])('the graph%s', async (query, type, body) => {
    const response = await start().api.app.inject(`/v1/ops/topology${query}`)
    expect([response.headers['content-type'], response.body]).toEqual([type, body])
  })

  it('the graph in another format: 400', async () => {
    expect((await start().api.app.inject('/v1/ops/topology?format=svg')).statusCode).toBe(400)
  })
})
