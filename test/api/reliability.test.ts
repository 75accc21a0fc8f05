/** The rows about HTTP in the table of bad input, each over a real connection where the connection matters. */
import { describe, expect, it } from 'vitest'
import { bearer, putCampaign, RawClient, serve, snapshot, start, TOKENS } from './support.ts'

describe('HTTP: no/wrong token; read token on admin', () => {
  it('no token: 401 with a challenge', async () => {
    const { api } = start({ tokens: TOKENS })
    const response = await api.app.inject('/v1/coupons/c1')
    expect(response.statusCode).toBe(401)
    expect(response.headers['www-authenticate']).toBe('Bearer realm="millrace"')
    expect(response.json()).toMatchObject({
      code: 'UNAUTHENTICATED',
      status: 401,
      instance: '/v1/coupons/c1',
    })
  })

  it.each(['Bearer wrong-secret', 'Bearer read-secre', 'Basic cmVhZC1zZWNyZXQ=', 'read-secret', 'Bearer  '])(
    'wrong token %j: 401',
    async (authorization) => {
      const { api } = start({ tokens: TOKENS })
      const response = await api.app.inject({ url: '/v1/coupons/c1', headers: { authorization } })
      expect(response.statusCode).toBe(401)
    },
  )

  it('read token on admin: 403, and nothing is appended', async () => {
    const started = start({ tokens: TOKENS })
    const response = await putCampaign(started, 'c1', {}, bearer('read-secret'))
    expect(response.statusCode).toBe(403)
    expect(response.json().code).toBe('FORBIDDEN')
    expect(started.pipeline.records).toHaveLength(0)
    expect((await putCampaign(started, 'c1', {}, bearer('admin-secret'))).statusCode).toBe(200)
  })
})

describe('HTTP: body > 1 MiB; bad JSON; unknown store; bad key type', () => {
  it('a body of 1 MiB is read, one byte more is 413', async () => {
    const { url } = await serve()
    const post = (bytes: number) =>
      fetch(`${url}/v1/events/order.confirmed`, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: Buffer.alloc(bytes, 1),
      })
    expect((await post(1_048_576)).status).toBe(400)
    const tooLarge = await post(1_048_577)
    expect(tooLarge.status).toBe(413)
    expect(await tooLarge.json()).toMatchObject({ code: 'BODY_TOO_LARGE' })
  })

  it('a body without a length is cut off at 1 MiB', async () => {
    const { url } = await serve()
    const client = new RawClient(url)
    client.send(
      'POST /v1/events/order.confirmed HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/octet-stream\r\n' +
        'transfer-encoding: chunked\r\n\r\n',
    )
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
    for (let i = 0; i < 17; i += 1) client.send(chunk)
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 413 /)
  })

  it.each(['{', '', '{"userId":"u1"', '{"userId":"u1","__proto__":{"x":1}}', 'nonsense'])(
    'bad JSON %j: 400',
    async (payload) => {
      const started = start()
      await putCampaign(started)
      const response = await started.api.app.inject({
        method: 'POST',
        url: '/v1/coupons/c1/requests',
        headers: { 'content-type': 'application/json' },
        payload,
      })
      expect(response.statusCode).toBe(400)
      expect(response.json().code).toBe('INVALID_JSON')
      expect(response.body).not.toContain('at ')
    },
  )

  it.each([
    '/v1/nothing',
    '/v1/stores/x',
    '/v1/rankings/fortnight',
    '/v1/coupons/unknown',
    '/v1/products/unknown',
  ])('unknown %s: 404', async (url) => {
    const { api } = start()
    const response = await api.app.inject(url)
    expect(response.statusCode).toBe(404)
    expect(response.headers['content-type']).toContain('application/problem+json')
  })

  it.each([
    ['/v1/coupons/a%20b', 'path.couponId'],
    [`/v1/coupons/${'x'.repeat(201)}`, 'path.couponId'],
    ['/v1/products/a%2Fb', 'path.productId'],
    ['/v1/users/%00/coupons', 'path.userId'],
    ['/v1/coupons/c1/requests/a%7Cb', 'path.requestId'],
  ])('bad key %s: 400 that names the field', async (url, path) => {
    const { api } = start()
    const response = await api.app.inject(url)
    expect(response.statusCode).toBe(400)
    expect(response.json().errors).toMatchObject([{ path }])
  })

  it('broken percent encoding: 400', async () => {
    const { api } = start()
    const response = await api.app.inject('/v1/coupons/%ff')
    expect(response.statusCode).toBe(400)
    expect(response.json().code).toBe('INVALID_REQUEST')
  })

  it.each([9_000, 100_000])('a URL of %i characters: 414', async (length) => {
    const { url } = await serve()
    const client = new RawClient(url)
    client.send(
      `GET /v1/coupons/${'x'.repeat(length)} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`,
    )
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 414 /)
  })

  it('headers beyond the limit: 431', async () => {
    const { url } = await serve()
    const client = new RawClient(url)
    client.send(`GET /time HTTP/1.1\r\nhost: localhost\r\nx-large: ${'x'.repeat(40_000)}\r\n\r\n`)
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 431 /)
  })
})

describe('HTTP: scan without limit; limit > 1000; forged cursor', () => {
  function withCoupons(count: number) {
    const started = start()
    const items = Array.from({ length: count }, (_, i) => ({
      userCouponId: `c-${String(i).padStart(5, '0')}`,
      couponId: 'c',
      requestId: `r${i}`,
      status: 'ISSUED' as const,
      issuedAt: 1,
      expiresAt: null,
      discount: null,
      orderId: null,
      revoked: false,
    }))
    started.pipeline.wallets.set('u1', items).set('u2', items)
    return started
  }

  it('without limit: 100', async () => {
    const { api } = withCoupons(250)
    const page = (await api.app.inject('/v1/users/u1/coupons')).json()
    expect(page.items).toHaveLength(100)
    expect(page.cursor).toEqual(expect.any(String))
  })

  it.each(['1001', '0', '-1', 'ten', '1.5', ''])('limit %j: 400', async (limit) => {
    const { api, pipeline } = withCoupons(3)
    pipeline.boards.set('day/quantity', snapshot())
    for (const url of ['/v1/users/u1/coupons', '/v1/rankings/day']) {
      const response = await api.app.inject(`${url}?limit=${limit}`)
      expect(response.statusCode).toBe(400)
      expect(response.json().errors).toMatchObject([{ path: 'query.limit' }])
    }
  })

  it('limit 1000 is fine, and the cursor leads through the whole list once', async () => {
    const { api } = withCoupons(2_500)
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const query = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const page = (await api.app.inject(`/v1/users/u1/coupons?limit=1000${query}`)).json()
      seen.push(...page.items.map((item: { userCouponId: string }) => item.userCouponId))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(seen).toHaveLength(2_500)
    expect(new Set(seen).size).toBe(2_500)
  })

  it('a forged cursor, or one of another list: 400', async () => {
    const { api } = withCoupons(3)
    const { cursor } = (await api.app.inject('/v1/users/u1/coupons?limit=1')).json()
    const [after, seal] = cursor.split('.')
    const other = Buffer.from('c-00001').toString('base64url')
    const forged = [
      `${other}.${seal}`,
      `${after}.`,
      after,
      `${cursor}.x`,
      'x.y',
      '',
      `${after}.${'A'.repeat(22)}`,
    ]
    for (const text of forged) {
      const response = await api.app.inject(`/v1/users/u1/coupons?cursor=${encodeURIComponent(text)}`)
      expect([response.statusCode, response.json().code]).toEqual([400, 'INVALID_CURSOR'])
    }
    expect((await api.app.inject(`/v1/users/u2/coupons?cursor=${cursor}`)).json().code).toBe('INVALID_CURSOR')
    expect((await api.app.inject(`/v1/users/u1/coupons?cursor=${cursor}`)).statusCode).toBe(200)
  })
})

describe('HTTP: slow-loris, 10 000 short-request sockets, 1000 req/s of one client', () => {
  it('slow-loris: a client that trickles headers gets 408 and is closed, others are served', async () => {
    const { url } = await serve({ limits: { headersTimeoutMs: 300, requestTimeoutMs: 400 } })
    const client = new RawClient(url)
    await client.connected()
    client.send('GET /time HTTP/1.1\r\nhost: localhost\r\n')
    expect((await fetch(`${url}/time`)).status).toBe(200)
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 408 /)
  })

  it('slow-loris: a client that says nothing at all is closed', async () => {
    const { url } = await serve({ limits: { headersTimeoutMs: 300, requestTimeoutMs: 400 } })
    expect(await new RawClient(url).closed()).toMatch(/^HTTP\/1\.1 408 /)
  })

  it('slow-loris: a client that trickles its body gets 408 and is closed', async () => {
    const { url } = await serve({ limits: { headersTimeoutMs: 300, requestTimeoutMs: 400 } })
    const client = new RawClient(url)
    client.send(
      'POST /v1/events/order.confirmed HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{',
    )
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 408 /)
  })

  it('sockets: those above the limit get 503 and are closed, those below go on', async () => {
    const { url } = await serve({ limits: { sockets: 20, refusedSockets: 5 } })
    const inside = Array.from({ length: 20 }, () => new RawClient(url))
    await Promise.all(inside.map((client) => client.connected()))
    const request = 'GET /time HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'
    const refused = new RawClient(url).send(request)
    expect(await refused.closed()).toMatch(
      /^HTTP\/1\.1 503 [\s\S]*retry-after: 1\r\n[\s\S]*"code":"OVERLOADED"/,
    )
    const answers = inside.map((client) => client.send(request).closed())
    for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('sockets: far above the limit they are dropped without an answer', async () => {
    const { url } = await serve({ limits: { sockets: 2, refusedSockets: 1 } })
    const held = Array.from({ length: 3 }, () => new RawClient(url))
    await Promise.all(held.map((client) => client.connected()))
    expect(await new RawClient(url).closed()).toBe('')
  })

  it('1000 req/s of one client: 429 with Retry-After once its bucket is empty, until it fills again', async () => {
    const { api, clock } = start({ limits: { clientRequestsPerSecond: 100, clientBurst: 50 } })
    const statuses: number[] = []
    for (let i = 0; i < 1_000; i += 1) {
      clock.elapsed = i
      statuses.push((await api.app.inject('/time')).statusCode)
    }
    const served = statuses.filter((status) => status === 200).length
    // 50 from the burst, 100 per second after that.
    expect(served).toBeGreaterThanOrEqual(149)
    expect(served).toBeLessThanOrEqual(150)
    expect(statuses.filter((status) => status === 429)).toHaveLength(1_000 - served)
    const refused = await api.app.inject('/time')
    expect(refused.headers['retry-after']).toBe('1')
    expect(refused.json().code).toBe('RATE_LIMITED')
    clock.elapsed += 10
    expect((await api.app.inject('/time')).statusCode).toBe(200)
  })

  it('1000 req/s of one client: another token has its own bucket', async () => {
    const { api } = start({ tokens: TOKENS, limits: { clientRequestsPerSecond: 1, clientBurst: 1 } })
    const ask = async (secret: string) =>
      (await api.app.inject({ url: '/v1/ops/topology', headers: bearer(secret) })).statusCode
    expect([await ask('read-secret'), await ask('read-secret'), await ask('admin-secret')]).toEqual([
      200, 429, 200,
    ])
    // Whoever guesses tokens pays with the address; then even the guess is not looked at for long.
    expect([await ask('guess'), await ask('guess')]).toEqual([401, 429])
  })

  it('probes answer a client whose bucket is empty', async () => {
    const { api } = start({ limits: { clientRequestsPerSecond: 1, clientBurst: 1 } })
    await api.app.inject('/time')
    expect((await api.app.inject('/time')).statusCode).toBe(429)
    expect((await api.app.inject('/livez')).statusCode).toBe(200)
  })
})

describe('HTTP: store restoring', () => {
  it.each(['/v1/coupons/c1', '/v1/products/p1', '/v1/users/u1/coupons', '/v1/coupons/c1/requests/r1'])(
    'GET %s: 503 with Retry-After',
    async (url) => {
      const { api, pipeline } = start()
      pipeline.restoring = true
      const response = await api.app.inject(url)
      expect(response.statusCode).toBe(503)
      expect(response.headers['retry-after']).toBe('1')
      expect(response.json()).toMatchObject({ code: 'STORE_UNAVAILABLE', reason: 'TASK_NOT_HERE' })
    },
  )

  it('a request for a coupon is taken all the same: the issuer knows', async () => {
    const { api, pipeline } = start()
    pipeline.restoring = true
    const response = await api.app.inject({
      method: 'POST',
      url: '/v1/coupons/c1/requests',
      payload: { userId: 'u1' },
    })
    expect(response.statusCode).toBe(202)
  })
})
