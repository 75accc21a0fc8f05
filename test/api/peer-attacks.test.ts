/** Addresses are forged, processes lie, hang and die: the client gets 502, 503 or 504, and nobody gets in. */
import { request as httpRequest } from 'node:http'
import { describe, expect, it } from 'vitest'
import { HOP_HEADER, PeerProof } from '../../api/peer-proof.ts'
import { deserted, pair, problemOf, process, type Process, put, rogue, SECRET } from './peer-support.ts'
import { bearer, NOW, start, TOKENS } from './support.ts'

const CAMPAIGN = '/v1/coupons/c1'
const ADMIN = { name: 'ops', role: 'admin', topics: undefined } as const

describe('a request that only says it was passed on', () => {
  const NOTHING = Buffer.alloc(0)
  interface Claim {
    readonly secret?: string
    readonly to?: string
    readonly method?: string
    readonly path?: string
    readonly body?: Buffer
    readonly at?: number
  }

  function claim({ url }: Process, of: Claim = {}): Record<string, string> {
    const { secret = SECRET, to = url, method = 'GET', path = CAMPAIGN, body = NOTHING, at = Date.now() } = of
    const { header } = new PeerProof(secret).ofRequest({ to, method, path, headers: {} }, body, ADMIN, at)
    return { [HOP_HEADER]: header }
  }

  it('and proves it is answered as the one who asked elsewhere', async () => {
    const asked = await process({ tokens: TOKENS })
    expect((await fetch(asked.url + CAMPAIGN, { headers: claim(asked) })).status).toBe(404)
    expect((await fetch(asked.url + CAMPAIGN)).status).toBe(401)
  })

  it.each<[string, Claim]>([
    ['of another secret', { secret: 'another one of that length' }],
    ['for another process', { to: 'http://127.0.0.1:1' }],
    ['for another path', { path: '/v1/coupons/c2' }],
    ['for another query', { path: `${CAMPAIGN}?x=1` }],
    ['for another method', { method: 'PUT' }],
    ['of an hour ago', { at: Date.now() - 3_600_000 }],
    ['of in an hour', { at: Date.now() + 3_600_000 }],
  ])('with a proof %s: 403, and it is told', async (_, of) => {
    const asked = await process({ tokens: TOKENS })
    // A token does not help: the header says that it is no client's request.
    const headers = { ...claim(asked, of), ...bearer('admin-secret') }
    const problem = await problemOf(await fetch(asked.url + CAMPAIGN, { headers }))
    expect(problem).toMatchObject({ status: 403, code: 'NOT_A_PEER' })
    expect(asked.refusals).toEqual([
      { kind: 'request-refused', address: '127.0.0.1', route: '/v1/coupons/:couponId' },
    ])
  })

  it.each(['1', '', 'x'.repeat(10_000), `${Date.now()}.${'A'.repeat(43)}.e30.${'A'.repeat(43)}`])(
    'with the header %j: 403, on public paths too',
    async (header) => {
      const asked = await process()
      for (const path of [CAMPAIGN, '/time']) {
        const response = await fetch(asked.url + path, { headers: { [HOP_HEADER]: header } })
        expect(await problemOf(response)).toMatchObject({ status: 403, code: 'NOT_A_PEER' })
      }
    },
  )

  it('with a principal put in later: 403', async () => {
    const asked = await process({ tokens: TOKENS })
    const [at, hash, , mac] = (claim(asked)[HOP_HEADER] as string).split('.')
    const principal = Buffer.from(JSON.stringify({ ...ADMIN, name: 'somebody else' })).toString('base64url')
    const headers = { [HOP_HEADER]: [at, hash, principal, mac].join('.') }
    expect((await fetch(asked.url + CAMPAIGN, { headers })).status).toBe(403)
  })

  it('with another body than was passed on: 403, and nothing is appended', async () => {
    const asked = await process()
    const headers = claim(asked, { method: 'PUT', body: Buffer.from('{}') })
    expect(await problemOf(await put(asked.url, 'c1', headers))).toMatchObject({ code: 'NOT_A_PEER' })
    expect(asked.pipeline.records).toEqual([])
  })

  it('to a process that knows of no others: 403', async () => {
    const asked = await process({ peers: undefined })
    expect((await fetch(asked.url + CAMPAIGN, { headers: claim(asked) })).status).toBe(403)
  })

  it('costs its address, as guessing tokens does', async () => {
    const asked = await process({
      tokens: TOKENS,
      limits: { clientRequestsPerSecond: 1, clientBurst: 1 },
      clock: { now: () => NOW, monotonic: () => 0 },
    })
    const ask = async () => (await fetch(asked.url + CAMPAIGN, { headers: { [HOP_HEADER]: 'guess' } })).status
    expect([await ask(), await ask()]).toEqual([403, 429])
  })

  it('from inside the process, which listens nowhere: 403', async () => {
    const { api } = start({ peers: { allow: [], secret: SECRET } })
    const response = await api.app.inject({ url: CAMPAIGN, headers: { [HOP_HEADER]: '1' } })
    expect(response.statusCode).toBe(403)
  })
})

describe('F25: an address in the group that is forged', () => {
  it.each([
    (port: string) => `http://localhost:${port}`,
    (port: string) => `http://127.0.0.2:${port}`,
    (port: string) => `http://[::ffff:127.0.0.1]:${port}`,
    (port: string) => `http://127.0.0.1.evil.example:${port}`,
    (port: string) => `http://user@127.0.0.1:${port}`,
    (port: string) => `http://127.0.0.1:${port}/path`,
    (port: string) => `http://127.0.0.1:${port}?x`,
    (port: string) => `http://evil.example#@127.0.0.1:${port}`,
    (port: string) => `http://evil.example\\@127.0.0.1:${port}/`,
    (port: string) => `ftp://127.0.0.1:${port}`,
    (port: string) => `127.0.0.1:${port}`,
    () => 'file:///etc/passwd',
    () => '',
  ])('%s is not asked: 502, and it is told', async (addressOf) => {
    const asked = await process()
    const other = await rogue()
    const address = addressOf(new URL(other.url).port)
    asked.pipeline.elsewhere = address
    const problem = await problemOf(await fetch(asked.url + CAMPAIGN))
    expect(problem).toMatchObject({ status: 502, code: 'PEER_NOT_ALLOWED', retryAfter: '1' })
    expect(asked.refusals).toEqual([{ kind: 'address-refused', address, route: '/v1/coupons/:couponId' }])
    expect(other.connections()).toBe(0)
  })

  it.each(['http://2130706433', 'http://0x7f.1', 'HTTP://127.0.0.1'])(
    '%s is what it is connected to',
    async (host) => {
      const { asked, owner } = await pair()
      asked.pipeline.elsewhere = `${host}:${new URL(owner.url).port}`
      expect((await put(asked.url)).status).toBe(200)
    },
  )

  it('whoever is asked there learns neither the secret nor a token', async () => {
    const asked = await process({ tokens: TOKENS })
    const other = await rogue()
    asked.pipeline.elsewhere = other.url
    await put(asked.url, 'c1', { ...bearer('admin-secret'), cookie: 'session=1' })
    const sent = JSON.stringify(other.requests.map(({ rawHeaders }) => rawHeaders))
    expect(sent).toContain(HOP_HEADER)
    for (const secret of [SECRET, 'admin-secret', 'session', 'authorization'])
      expect(sent).not.toContain(secret)
  })

  it('whoever is asked there cannot have it answered by the owner', async () => {
    const { asked, owner } = await pair()
    const relay = await rogue((request, response) => {
      const passed = httpRequest(
        `${owner.url}${request.url}`,
        { method: request.method ?? 'GET', headers: request.headers },
        (answer) => {
          response.writeHead(answer.statusCode ?? 500, answer.headers)
          answer.pipe(response)
        },
      )
      request.pipe(passed)
    })
    asked.pipeline.elsewhere = relay.url
    expect(await problemOf(await put(asked.url))).toMatchObject({ status: 502, code: 'PEER_ANSWER_INVALID' })
    expect(owner.pipeline.records).toEqual([])
    expect(owner.refusals).toMatchObject([{ kind: 'request-refused' }])
  })
})

describe('F25: what answers at the address of the owner', () => {
  const hasty = { peerAnswerMs: 150 }
  const proofless = { 'content-type': 'application/json', 'millrace-proof': 'A'.repeat(43) }

  it.each<[string, Parameters<typeof rogue>[0], number, string]>([
    ['lies', (_, response) => response.end('{"couponId":"c1"}'), 502, 'PEER_ANSWER_INVALID'],
    [
      'makes up a proof',
      (_, response) => response.writeHead(200, proofless).end('{}'),
      502,
      'PEER_ANSWER_INVALID',
    ],
    ['says 404', (_, response) => response.writeHead(404).end(), 502, 'PEER_ANSWER_INVALID'],
    ['says too much', (_, response) => response.end('x'.repeat(1_001)), 502, 'PEER_ANSWER_INVALID'],
    ['says no end of it', (_, response) => endless(response), 502, 'PEER_ANSWER_INVALID'],
    [
      'speaks no HTTP',
      (_, { socket }) => socket?.end('220 mail.example ESMTP\r\n'),
      502,
      'PEER_ANSWER_INVALID',
    ],
    ['says nothing', () => {}, 504, 'PEER_TIMEOUT'],
    ['stops in the middle', (_, response) => response.write('{"couponId":'), 504, 'PEER_TIMEOUT'],
    ['hangs up', ({ socket }) => socket.destroy(), 503, 'PEER_UNREACHABLE'],
    ['takes no requests', (_, response) => response.writeHead(503).end(), 503, 'PEER_UNREACHABLE'],
  ])('%s', async (_, answer, status, code) => {
    const limits = { peerAnswerBytes: 1_000 }
    const asked = await process({ limits: code === 'PEER_TIMEOUT' ? { ...limits, ...hasty } : limits })
    const other = await rogue(answer)
    asked.pipeline.elsewhere = other.url
    const problem = await problemOf(await fetch(asked.url + CAMPAIGN))
    expect(problem).toMatchObject({ status, code, retryAfter: '1' })
    expect(other.requests).toHaveLength(1)
  })

  it('sends on to another: it is not followed', async () => {
    const { asked, owner } = await pair()
    const other = await rogue((_, response) => {
      response.writeHead(307, { location: owner.url + CAMPAIGN }).end()
    })
    asked.pipeline.elsewhere = other.url
    expect(await problemOf(await put(asked.url))).toMatchObject({ status: 502, code: 'PEER_ANSWER_INVALID' })
    expect(owner.answers).toEqual([])
    expect(asked.refusals).toMatchObject([{ kind: 'answer-refused', address: other.url }])
  })

  it('is a process of another deployment: both tell it', async () => {
    const asked = await process()
    const other = await process({}, { secret: 'of another deployment' })
    asked.pipeline.elsewhere = other.url
    const problem = await problemOf(await fetch(asked.url + CAMPAIGN))
    expect(problem).toMatchObject({ status: 502, code: 'PEER_ANSWER_INVALID' })
    expect([asked.refusals, other.refusals]).toMatchObject([
      [{ kind: 'answer-refused' }],
      [{ kind: 'request-refused' }],
    ])
  })

  it('is gone: 503', async () => {
    const asked = await process()
    asked.pipeline.elsewhere = await deserted()
    expect(await problemOf(await put(asked.url))).toMatchObject({
      status: 503,
      code: 'PEER_UNREACHABLE',
      retryAfter: '1',
    })
  })

  it('is closing: 503, and what it had begun is answered', async () => {
    const { asked, owner } = await pair()
    owner.pipeline.auto = false
    const begun = put(asked.url)
    await expect.poll(() => owner.pipeline.waiters).toBe(1)
    const closed = owner.api.close()
    expect(await problemOf(await begun)).toMatchObject({ status: 503, code: 'COMMAND_PENDING' })
    expect(await problemOf(await put(asked.url))).toMatchObject({ status: 503, code: 'PEER_UNREACHABLE' })
    await closed
  })

  it('hangs, and takes no more than its share of the room', async () => {
    const asked = await process({ limits: { peerRequests: 2 } })
    const other = await rogue(() => {})
    asked.pipeline.elsewhere = other.url
    const gone = new AbortController()
    const { signal } = gone
    const waiting = [1, 2].map(() => fetch(asked.url + CAMPAIGN, { signal }).catch(() => 'left'))
    await expect.poll(() => other.requests).toHaveLength(2)
    const further = await problemOf(await fetch(asked.url + CAMPAIGN))
    expect(further).toMatchObject({ status: 503, code: 'PEER_UNREACHABLE', retryAfter: '1' })
    const owner = await process()
    asked.pipeline.elsewhere = owner.url
    expect((await put(asked.url)).status).toBe(200)
    gone.abort()
    await Promise.all(waiting)
    await expect.poll(() => asked.answers.filter((answer) => answer.endsWith(' 499'))).toHaveLength(2)
    asked.pipeline.elsewhere = other.url
    const leaving = new AbortController()
    const again = fetch(asked.url + CAMPAIGN, { signal: leaving.signal }).catch(() => 'left')
    await expect.poll(() => other.requests).toHaveLength(3)
    leaving.abort()
    expect(await again).toBe('left')
  })

  it('keeps nobody else waiting', async () => {
    const asked = await process({ limits: { waitingRequests: 2 } })
    const other = await rogue(() => {})
    asked.pipeline.elsewhere = other.url
    const gone = new AbortController()
    const { signal } = gone
    const waiting = [1, 2].map(() => fetch(asked.url + CAMPAIGN, { signal }).catch(() => 'left'))
    await expect.poll(() => other.requests).toHaveLength(2)
    expect(await problemOf(await fetch(asked.url + CAMPAIGN))).toMatchObject({
      status: 503,
      code: 'OVERLOADED',
    })
    expect((await fetch(`${asked.url}/time`)).status).toBe(200)
    gone.abort()
    expect(await Promise.all(waiting)).toEqual(['left', 'left'])
  })
})

function endless(response: { write(text: string, next: () => void): unknown }): void {
  response.write('x'.repeat(100), () => endless(response))
}
