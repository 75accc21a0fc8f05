import { describe, expect, it } from 'vitest'
import { type ApiOptions, ApiOptionsError, isLoopback, type TokenSpec } from '../../api/index.ts'
import { bearer, definition, serve, start, TOKENS } from './support.ts'

describe('binding', () => {
  it.each(['0.0.0.0', '::', '192.168.1.10', 'shop.example', '127.0.0.1.example'])(
    'without tokens %s is refused',
    (host) => {
      expect(() => start({ host })).toThrow(ApiOptionsError)
      expect(() => start({ host })).toThrow(/^host: /)
    },
  )

  it('with tokens a public address is fine, and asking by any name too', async () => {
    const { api } = start({ host: '0.0.0.0', tokens: TOKENS })
    const headers = { ...bearer('read-secret'), host: 'shop.example' }
    expect((await api.app.inject({ url: '/v1/ops/topology', headers })).statusCode).toBe(200)
  })

  it.each(['127.0.0.1', '127.8.8.8', '::1', '[::1]', 'localhost', 'LOCALHOST', 'a.localhost'])(
    '%s is loopback',
    (host) => {
      expect(isLoopback(host)).toBe(true)
    },
  )

  it.each(['0.0.0.0', '128.0.0.1', '::2', '', 'localhost.example', '127.0.0.1.nip.io', '2130706433'])(
    '%j is not',
    (host) => {
      expect(isLoopback(host)).toBe(false)
    },
  )

  it.each([
    [{ port: 65_536 }, 'port'],
    [{ currency: 'eur' }, 'currency'],
    [{ cursorSecret: Buffer.alloc(15) }, 'cursorSecret'],
    [{ limits: { bodyBytes: 0 } }, 'limits'],
    [{ limits: { sockets: 1.5 } }, 'limits'],
    [{ limits: { nonsense: 1 } as object }, 'limits'],
    [{ limits: { headersTimeoutMs: 20_000 } }, 'limits'],
    [{ tokens: [{ role: 'read', secret: '' }] }, 'tokens'],
    [{ tokens: [{ role: 'read', secret: 'a b' }] }, 'tokens'],
    [{ tokens: [{ role: 'read', secret: 'a', topics: [] }] }, 'tokens'],
    [
      {
        tokens: [
          { role: 'read', secret: 'a' },
          { role: 'admin', secret: 'a' },
        ],
      },
      'tokens',
    ],
  ] as readonly [Partial<ApiOptions>, string][])('options %j are refused, naming %s', (options, option) => {
    expect(() => start(options)).toThrow(expect.objectContaining({ name: 'ApiOptionsError', option }))
  })

  it('a refused token is not named', () => {
    expect(() => start({ tokens: [{ role: 'read', secret: 'very secret' }] })).toThrow(/^(?!.*very secret)/)
  })
})

describe('without tokens', () => {
  it.each(['evil.example', 'evil.example:8080', '127.0.0.1.evil.example', '192.168.0.1'])(
    'DNS rebinding: Host %s gets 403, reads too',
    async (host) => {
      const response = await start().api.app.inject({ url: '/v1/ops/topology', headers: { host } })
      expect([response.statusCode, response.json().code]).toEqual([403, 'HOST_NOT_LOCAL'])
    },
  )

  it.each(['localhost', 'localhost:8080', '127.0.0.1:8080', '[::1]:8080', '[::1]'])(
    'Host %s is fine',
    async (host) => {
      expect((await start().api.app.inject({ url: '/v1/ops/topology', headers: { host } })).statusCode).toBe(
        200,
      )
    },
  )

  const put = (headers: Record<string, string>) =>
    start().api.app.inject({ method: 'PUT', url: '/v1/coupons/c1', payload: definition, headers })

  it.each(['https://evil.example', 'null', 'http://localhost:3000', 'http://127.0.0.1:8080'])(
    'a write from Origin %s gets 403',
    async (origin) => {
      const response = await put({ host: 'localhost:8080', origin })
      expect([response.statusCode, response.json().code]).toEqual([403, 'CROSS_SITE'])
    },
  )

  it('a write from the own origin, or from no browser, is fine', async () => {
    expect((await put({ host: 'localhost:8080', origin: 'http://localhost:8080' })).statusCode).toBe(200)
    expect((await put({ host: 'localhost:8080' })).statusCode).toBe(200)
  })
})

/** What each role may do; the rest is 403. */
const everything = [
  ['GET', '/v1/coupons/c1', 'read producer service admin'],
  ['PUT', '/v1/coupons/c1', 'admin'],
  ['POST', '/v1/coupons/c1/pause', 'admin'],
  ['POST', '/v1/coupons/c1/resume', 'admin'],
  ['POST', '/v1/coupons/c1/close', 'admin'],
  ['POST', '/v1/coupons/c1/requests', 'producer service admin'],
  ['GET', '/v1/coupons/c1/requests/r1', 'read producer service admin'],
  ['GET', '/v1/coupons/c1/requests/r1/events', 'read producer service admin'],
  ['GET', '/v1/users/u1/coupons', 'read service admin'],
  ['GET', '/v1/products/p1', 'read producer service admin'],
  ['PUT', '/v1/products/p1', 'admin'],
  ['GET', '/v1/users/u1/points', 'read service admin'],
  ['POST', '/v1/users/u1/points', 'admin'],
  ['GET', '/v1/users/u1/events', 'read service admin'],
  ['GET', '/v1/users/u1', 'service admin'],
  ['PUT', '/v1/users/u1', 'service admin'],
  ['DELETE', '/v1/users/u1/personal-data', 'service admin'],
  ['GET', '/v1/users/u1/cart', 'read producer service admin'],
  ['PUT', '/v1/users/u1/cart', 'producer service admin'],
  ['DELETE', '/v1/users/u1/cart', 'producer service admin'],
  ['POST', '/v1/orders', 'producer service admin'],
  ['GET', '/v1/orders', 'read service admin'],
  ['GET', '/v1/orders/o1', 'read producer service admin'],
  ['GET', '/v1/orders/o1/timeline', 'read producer service admin'],
  ['GET', '/v1/orders/o1/events', 'read producer service admin'],
  ['POST', '/v1/orders/o1/payments', 'service admin'],
  ['POST', '/v1/orders/o1/cancel', 'service admin'],
  ['POST', '/v1/orders/o1/returns', 'service admin'],
  ['POST', '/v1/ops/orders/o1/retry', 'admin'],
  ['POST', '/v1/ops/orders/o1/resume', 'admin'],
  ['POST', '/v1/ops/orders/o1/compensate', 'admin'],
  ['POST', '/v1/ops/orders/o1/resolve', 'admin'],
  ['GET', '/v1/rankings/day', 'read producer service admin'],
  ['GET', '/v1/rankings/day/events', 'read producer service admin'],
  ['POST', '/v1/events/coupon.issue.requested', 'producer service admin'],
  ['GET', '/v1/ops/incidents', 'read service admin'],
  ['GET', '/v1/ops/topology', 'read service admin'],
  ['GET', '/v1/ops/dlq', 'admin'],
  ['GET', '/v1/ops/dlq/causes', 'admin'],
  ['GET', '/v1/ops/dlq/coupon.issue.requested/0/7', 'admin'],
  ['POST', '/v1/ops/dlq/redrive', 'admin'],
  ['POST', '/v1/ops/tasks/catalog.0_0/resume', 'admin'],
  ['POST', '/v1/ops/clock/thaw', 'admin'],
  ['GET', '/v1/ops/mail/suppressed', 'read service admin'],
  ['POST', '/v1/ops/mail/suppressed/u1/release', 'admin'],
  ['GET', '/v1/ops/connectors', 'read service admin'],
  ['POST', '/v1/ops/connectors/mail/pause', 'admin'],
  ['POST', '/v1/ops/connectors/mail/resume', 'admin'],
  ['GET', '/metrics', 'read service admin'],
] as const
/** Who calls them is known by a signature. */
const signed = ['/v1/webhooks/payments', '/v1/webhooks/deliveries']
const open = ['/livez', '/readyz', '/startupz', '/time', '/openapi.json']

describe('with tokens', () => {
  it.each(everything)('%s %s: %s', async (method, url, roles) => {
    const { api } = start({ tokens: TOKENS })
    for (const role of ['read', 'producer', 'service', 'admin']) {
      const { statusCode } = await api.app.inject({ method, url, headers: bearer(`${role}-secret`) })
      expect([role, statusCode === 403]).toEqual([role, !roles.split(' ').includes(role)])
      expect(statusCode).not.toBe(401)
    }
    expect((await api.app.inject({ method, url })).statusCode).toBe(401)
  })

  it.each(open)('%s is open', async (url) => {
    expect((await start({ tokens: TOKENS }).api.app.inject(url)).statusCode).toBe(200)
  })

  it.each(signed)('%s takes no token: without webhooks it is not there', async (url) => {
    const { api } = start({ tokens: TOKENS })
    const response = await api.app.inject({ method: 'POST', url, headers: bearer('admin-secret') })
    expect(response.statusCode).toBe(404)
  })

  it('this table has every route', async () => {
    const { api } = start()
    await api.app.ready()
    const known = new Set([
      ...everything.map(([method, url]) => `${method} ${url}`),
      ...open.map((url) => `GET ${url}`),
      ...signed.map((url) => `POST ${url}`),
    ])
    const sample: Record<string, string> = {
      couponId: 'c1',
      requestId: 'r1',
      userId: 'u1',
      productId: 'p1',
      orderId: 'o1',
      window: 'day',
      topic: 'coupon.issue.requested',
      partition: '0',
      offset: '7',
      task: 'catalog.0_0',
      connector: 'mail',
    }
    const routes = api.routes.filter(({ method }) => method !== 'HEAD')
    const urls = routes.map(
      ({ method, url }) => `${method} ${url.replace(/:(\w+)/g, (_, name: string) => sample[name] ?? name)}`,
    )
    expect(new Set(urls)).toEqual(known)
  })

  it('the scheme may be written in any case', async () => {
    const { api } = start({ tokens: TOKENS })
    const headers = { authorization: 'bearer read-secret' }
    expect((await api.app.inject({ url: '/metrics', headers })).statusCode).toBe(200)
  })

  it('403 says which scope is missing, 401 that the token is not valid', async () => {
    const { api } = start({ tokens: TOKENS })
    const ask = async (secret: string) =>
      (await api.app.inject({ method: 'POST', url: '/v1/coupons/c1/pause', headers: bearer(secret) }))
        .headers['www-authenticate']
    expect(await ask('read-secret')).toBe('Bearer realm="millrace", error="insufficient_scope"')
    expect(await ask('nonsense')).toBe('Bearer realm="millrace", error="invalid_token"')
  })

  it('a token is never echoed', async () => {
    const { api } = start({ tokens: TOKENS })
    const response = await api.app.inject({ url: '/metrics', headers: bearer('mistyped-secret') })
    expect(response.body + JSON.stringify(response.headers)).not.toContain('mistyped')
  })

  it('a route that does not say who may use it stops the start', () => {
    const { api } = start()
    expect(() => api.app.get('/forgotten', () => 'x')).toThrow(/does not say who may use it/)
  })
})

it('a name outlives its secret: requestIds from keys stay', async () => {
  const idWith = async (token: TokenSpec) => {
    const started = await serve({ tokens: [token, { role: 'admin', secret: 'a' }] })
    const headers = { ...bearer('a'), 'content-type': 'application/json' }
    const body = JSON.stringify({ ...definition, closesAt: '2100-01-01T00:00:00Z' })
    await fetch(`${started.url}/v1/coupons/c1`, { method: 'PUT', headers, body })
    const response = await fetch(`${started.url}/v1/coupons/c1/requests`, {
      method: 'POST',
      headers: { ...headers, ...bearer(token.secret), 'idempotency-key': 'k' },
      body: JSON.stringify({ userId: 'u1' }),
    })
    return ((await response.json()) as { requestId: string }).requestId
  }
  const old = await idWith({ role: 'producer', secret: 'old', name: 'web' })
  expect(await idWith({ role: 'producer', secret: 'new', name: 'web' })).toBe(old)
  expect(await idWith({ role: 'producer', secret: 'new' })).not.toBe(old)
})
