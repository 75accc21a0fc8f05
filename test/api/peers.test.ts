/** Any process answers (F25): from its own store, else by one hop to the owner, else from a copy, else 503. */
import { describe, expect, it } from 'vitest'
import { ApiOptionsError, type CampaignView } from '../../api/index.ts'
import { topics } from '../../schemas/index.ts'
import { deserted, pair, problemOf, process, put, rogue } from './peer-support.ts'
import { bearer, NOW, RawClient, snapshot, start, TOKENS } from './support.ts'

const CAMPAIGN = '/v1/coupons/c1'
const REQUEST = '/v1/coupons/c1/requests/r1'
const BOARD = `/v1/rankings/day?at=${NOW}`

async function ask(url: string, requestId = 'r1') {
  return await fetch(`${url}/v1/coupons/c1/requests`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ userId: 'u1', requestId }),
  })
}

describe('a question to a process that does not have the data', () => {
  async function filled() {
    const processes = await pair()
    const { owner } = processes
    await put(owner.url)
    await ask(owner.url)
    await fetch(`${owner.url}/v1/products/p1`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ title: 'Lamp', price: 100 }),
    })
    owner.pipeline.boards.set('day/quantity', snapshot())
    return processes
  }

  it.each([CAMPAIGN, REQUEST, BOARD, '/v1/products/p1', '/v1/users/u1/coupons', `${REQUEST}?wait=1s`])(
    'GET %s is answered as by its owner',
    async (path) => {
      const { asked, owner } = await filled()
      const [passed, direct] = await Promise.all([fetch(asked.url + path), fetch(owner.url + path)])
      expect(passed.status).toBe(200)
      expect(await passed.text()).toBe(await direct.text())
      for (const header of ['content-type', 'etag', 'cache-control', 'millrace-position']) {
        expect([header, passed.headers.get(header)]).toEqual([header, direct.headers.get(header)])
      }
      expect(passed.headers.has('millrace-proof')).toBe(false)
      expect(passed.headers.has('millrace-source')).toBe(false)
    },
  )

  it.each([
    ['/v1/coupons/nope', 404, 'UNKNOWN_COUPON'],
    ['/v1/products/nope', 404, 'UNKNOWN_PRODUCT'],
    ['/v1/coupons/c1/requests/nope?ticket=9.1', 400, 'INVALID_TICKET'],
  ])('GET %s: the owner says %i', async (path, status, code) => {
    const { asked } = await filled()
    expect(await problemOf(await fetch(asked.url + path))).toMatchObject({ status, code })
  })

  it('a board that is as it was: 304', async () => {
    const { asked } = await filled()
    const etag = (await fetch(asked.url + BOARD)).headers.get('etag') ?? ''
    const again = await fetch(asked.url + BOARD, { headers: { 'if-none-match': etag } })
    expect([again.status, again.headers.get('etag')]).toEqual([304, etag])
  })

  it('HEAD has the headers of GET', async () => {
    const { asked } = await filled()
    const head = await fetch(asked.url + CAMPAIGN, { method: 'HEAD' })
    const got = await fetch(asked.url + CAMPAIGN)
    expect([head.status, head.headers.get('content-length')]).toEqual([
      200,
      String((await got.text()).length),
    ])
  })

  it('a request line with another host in it goes to the owner all the same', async () => {
    const { asked } = await filled()
    const client = new RawClient(asked.url)
    client.send(`GET http://evil.example${CAMPAIGN} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 200 [^]*"couponId":"c1"/)
  })

  it('what is wrong with it is said at once', async () => {
    const { asked, owner } = await pair()
    const problem = await problemOf(await fetch(`${asked.url}/v1/users/u1/coupons?cursor=forged`))
    expect(problem).toMatchObject({ status: 400, code: 'INVALID_CURSOR' })
    expect(owner.answers).toEqual([])
  })

  it('waits at the owner, and no longer than its client', async () => {
    const { asked, owner } = await filled()
    owner.pipeline.auto = false
    const location = (await ask(owner.url, 'r2')).headers.get('location') ?? ''
    const gone = new AbortController()
    const left = fetch(`${asked.url}${location}&wait=20s`, { signal: gone.signal }).catch(() => 'left')
    const waiting = fetch(`${asked.url}${location}&wait=20s`)
    await expect.poll(() => owner.pipeline.waiters).toBe(2)
    gone.abort()
    await expect.poll(() => owner.pipeline.waiters).toBe(1)
    owner.pipeline.process()
    expect(await (await waiting).json()).toMatchObject({ status: 'ISSUED', requestId: 'r2' })
    expect(await left).toBe('left')
  })
})

describe('a command to a process that does not have the data', () => {
  it('is appended by the owner, once, and answered by it', async () => {
    const { asked, owner } = await pair()
    const response = await put(asked.url)
    expect([response.status, await response.json()]).toMatchObject([200, { couponId: 'c1', quota: 2 }])
    const paused = await fetch(`${asked.url}${CAMPAIGN}/pause`, { method: 'POST' })
    expect(await paused.json()).toMatchObject({ status: 'PAUSED' })
    const product = await fetch(`${asked.url}/v1/products/p1`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ title: 'Lámpara', price: 100 }),
    })
    expect(await product.json()).toMatchObject({ title: 'Lámpara' })
    expect(asked.pipeline.records).toEqual([])
    expect(owner.pipeline.business.map(({ topic }) => topic)).toEqual([
      topics.couponCampaignRequested.name,
      topics.couponCampaignRequested.name,
      topics.productCatalog.name,
    ])
  })

  it('goes nowhere while nobody has the task: nothing is appended', async () => {
    const { api, pipeline } = start()
    pipeline.restoring = true
    const payload = { title: 'Lamp', price: 1 }
    const answers = [
      await api.app.inject({ method: 'POST', url: `${CAMPAIGN}/pause` }),
      await api.app.inject({ method: 'PUT', url: '/v1/products/p1', payload }),
    ]
    for (const answer of answers) {
      expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '1'])
      expect(answer.json()).toMatchObject({ code: 'STORE_UNAVAILABLE', reason: 'TASK_NOT_HERE' })
    }
    expect(pipeline.records).toEqual([])
  })

  it('whose task goes elsewhere after it was appended is not sent there as well', async () => {
    const [asked, other] = [await process(), await process()]
    asked.pipeline.auto = false
    const answer = put(asked.url)
    await expect.poll(() => asked.pipeline.waiters).toBe(1)
    asked.pipeline.elsewhere = other.url
    asked.pipeline.process()
    expect(await problemOf(await answer)).toMatchObject({ status: 503, code: 'COMMAND_PENDING' })
    expect([asked.pipeline.business.length, other.pipeline.records.length]).toEqual([1, 0])
  })

  it('is answered also by a process that closes meanwhile; a long wait ends early', async () => {
    const { asked, owner } = await pair()
    await put(owner.url)
    owner.pipeline.auto = false
    const location = (await ask(owner.url)).headers.get('location') ?? ''
    const waiting = fetch(`${asked.url}${location}&wait=20s`)
    const command = fetch(`${asked.url}${CAMPAIGN}/pause`, { method: 'POST' })
    await expect.poll(() => owner.pipeline.waiters).toBe(2)
    const closed = asked.api.close()
    expect(await problemOf(await waiting)).toMatchObject({ status: 503, code: 'CLOSING' })
    owner.pipeline.process()
    expect(await (await command).json()).toMatchObject({ status: 'PAUSED' })
    await closed
  })
})

describe('who asks', () => {
  it('is known to the owner by name and role, without the token', async () => {
    const others = [{ role: 'admin', secret: 'token-of-its-own' }] as const
    const { asked, owner } = await pair({ tokens: TOKENS }, { tokens: others })
    expect((await put(asked.url, 'c1', bearer('admin-secret'))).status).toBe(200)
    const headers = owner.pipeline.business[0]?.headers.map(([name, value]) => [name, value.toString()])
    expect(headers).toContainEqual(['actor', 'ops'])
    const denied = await put(asked.url, 'c1', bearer('read-secret'))
    expect(await problemOf(denied)).toMatchObject({ status: 403, code: 'FORBIDDEN' })
    expect(owner.pipeline.business).toHaveLength(1)
  })

  it('is counted where it asks, not at the owner', async () => {
    const { asked, owner } = await pair({}, { limits: { clientRequestsPerSecond: 1, clientBurst: 1 } })
    for (let n = 0; n < 3; n += 1) expect((await fetch(asked.url + CAMPAIGN)).status).toBe(404)
    expect(owner.answers).toHaveLength(3)
  })
})

describe('HTTP: task elsewhere; proxied once', () => {
  it('two processes that each say the other has it: 503, and no third question', async () => {
    const { asked, owner } = await pair()
    owner.pipeline.elsewhere = asked.url
    const problem = await problemOf(await fetch(asked.url + CAMPAIGN))
    expect(problem).toMatchObject({ status: 503, code: 'STORE_UNAVAILABLE', retryAfter: '1' })
    await expect.poll(() => asked.answers).toHaveLength(1)
    expect(owner.answers).toHaveLength(1)
  })

  it('a process that says it has the data itself, and has not: 503', async () => {
    const asked = await process()
    asked.pipeline.elsewhere = asked.url
    expect(await problemOf(await put(asked.url))).toMatchObject({ status: 503, code: 'STORE_UNAVAILABLE' })
    await expect.poll(() => asked.answers).toHaveLength(2)
    expect(asked.pipeline.records).toEqual([])
  })

  it('without a secret, none', async () => {
    const asked = await process({ peers: undefined })
    const owner = await rogue()
    asked.pipeline.elsewhere = owner.url
    const problem = await problemOf(await fetch(asked.url + CAMPAIGN))
    expect(problem).toMatchObject({ status: 503, code: 'STORE_UNAVAILABLE', reason: 'TASK_NOT_HERE' })
    expect(owner.connections()).toBe(0)
  })

  it('asking for a coupon and writing events need none', async () => {
    const { asked, owner } = await pair()
    expect((await ask(asked.url)).status).toBe(202)
    expect(asked.pipeline.records).toHaveLength(1)
    expect(owner.answers).toEqual([])
  })
})

describe('a copy', () => {
  async function withCopies() {
    const { asked, owner } = await pair()
    await put(owner.url)
    const { value } = owner.pipeline.campaign('c1')
    const view: CampaignView = { ...(value as CampaignView), issued: 2, soldOutAt: NOW }
    const positions = [{ topic: 'coupon.campaign', partition: 3, offset: 7 }]
    asked.pipeline.copies = {
      campaign: (couponId) => (couponId === 'c1' ? { value: view, positions } : undefined),
      board: ({ window }) => (window === 'day' ? { value: snapshot(), positions } : undefined),
    }
    return { asked, owner }
  }

  it('stands back where the owner answers', async () => {
    const { asked, owner } = await withCopies()
    expect(await (await fetch(asked.url + CAMPAIGN)).json()).toMatchObject({ issued: 0 })
    const unknown = await problemOf(await fetch(`${owner.url}/v1/coupons/c2`))
    expect(unknown).toMatchObject({ status: 404 })
  })

  it.each<[string, () => Promise<string | undefined> | string | undefined]>([
    ['nobody has the task', () => undefined],
    ['the owner is gone', deserted],
    ['the owner hangs', async () => (await rogue(() => {})).url],
    ['somebody else is at its address', async () => (await rogue()).url],
    ['its address is forged', () => 'http://evil.example:80'],
  ])('answers while %s', async (_, addressOf) => {
    const { asked } = await withCopies()
    asked.pipeline.elsewhere = await addressOf()
    asked.pipeline.restoring = true
    const response = await fetch(asked.url + CAMPAIGN)
    expect([response.status, await response.json()]).toMatchObject([200, { issued: 2, remaining: 0 }])
    expect(response.headers.get('millrace-source')).toBe('copy')
    expect(response.headers.get('millrace-position')).toBe('coupon.campaign:3:7')
    const board = await fetch(asked.url + BOARD)
    expect([board.status, board.headers.get('millrace-source')]).toEqual([200, 'copy'])
    expect(board.headers.get('etag')).not.toBeNull()
  })

  it('answers while the owner restores', async () => {
    const { asked, owner } = await withCopies()
    owner.pipeline.restoring = true
    const response = await fetch(asked.url + CAMPAIGN)
    expect([response.status, response.headers.get('millrace-source')]).toEqual([200, 'copy'])
  })

  it.each(['/v1/coupons/c2', '/v1/rankings/week'])('that has no %s says nothing of it', async (path) => {
    const { asked } = await withCopies()
    asked.pipeline.elsewhere = await deserted()
    expect(await problemOf(await fetch(asked.url + path))).toMatchObject({
      status: 503,
      code: 'PEER_UNREACHABLE',
      retryAfter: '1',
    })
  })

  it('lets the door say SOLD_OUT, but not that there is no such coupon', async () => {
    const { asked } = await withCopies()
    const post = (couponId: string, body: object) =>
      fetch(`${asked.url}/v1/coupons/${couponId}/requests`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    const refused = await post('c1', { userId: 'u1' })
    expect(await problemOf(refused)).toMatchObject({ status: 409, code: 'SOLD_OUT' })
    expect((await post('c1', { userId: 'u1', requestId: 'r9' })).status).toBe(202)
    expect((await post('c2', { userId: 'u1' })).status).toBe(202)
  })
})

it.each([{ secret: 'too short' }, { self: 'localhost:80' }, { self: 'http://a/b' }])(
  'options %j are refused',
  (change) => {
    const peers = { allow: [], secret: 'long enough for this', ...change }
    expect(() => start({ peers })).toThrow(
      expect.objectContaining({ name: 'ApiOptionsError', option: 'peers' }),
    )
    expect(() => start({ peers })).toThrow(ApiOptionsError)
  },
)
