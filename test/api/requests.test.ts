import { expect, it } from 'vitest'
import { topics } from '../../schemas/index.ts'
import { StreamsError } from '../../streams/index.ts'
import { partitionOf } from './fake-pipeline.ts'
import { bearer, definition, NOW, putCampaign, serve, start, type Started, TOKENS } from './support.ts'

async function ask({ api }: Started, payload: object = { userId: 'u1' }, headers = {}, couponId = 'c1') {
  return await api.app.inject({ method: 'POST', url: `/v1/coupons/${couponId}/requests`, payload, headers })
}

async function look({ api }: Started, url: string) {
  return await api.app.inject(url)
}

async function withCampaign(
  options: Parameters<typeof start>[0] = {},
  change: object = {},
): Promise<Started> {
  const started = start(options)
  await putCampaign(started, 'c1', change, options.tokens === undefined ? {} : bearer('admin-secret'))
  return started
}

const requests = ({ pipeline }: Started) =>
  pipeline.records
    .filter((record) => record.topic === 'coupon.issue.requested')
    .map((record) => topics.couponIssueRequested.value.deserialize(record.value as Buffer))

it('202 is ACCEPTED, with the ticket, where to ask and when', async () => {
  const started = await withCampaign()
  const response = await ask(started)
  expect(response.statusCode).toBe(202)
  const { requestId, ...rest } = response.json()
  const partition = partitionOf('c1')
  expect(requestId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/)
  expect(rest).toEqual({
    status: 'ACCEPTED',
    ticket: { topic: 'coupon.issue.requested', partition, offset: 0 },
  })
  expect(response.headers['location']).toBe(`/v1/coupons/c1/requests/${requestId}?ticket=${partition}.0`)
  expect(response.headers['retry-after']).toBe('1')
  expect(requests(started)).toEqual([
    { requestId, couponId: 'c1', userId: 'u1', shard: 0, acceptedAt: NOW, bodyHash: null },
  ])
})

it('Location leads to the verdict ISSUED, and then SOLD_OUT', async () => {
  const started = await withCampaign({}, { quota: 1 })
  const first = await ask(started, { userId: 'u1', requestId: 'r1' })
  const second = await ask(started, { userId: 'u2', requestId: 'r2' })
  const issued = await look(started, first.headers['location'] as string)
  expect(issued.json()).toEqual({ status: 'ISSUED', requestId: 'r1', userCouponId: 'c1-1', sequence: 1 })
  expect(issued.headers['millrace-position']).toBe(`coupon.issue.requested:${partitionOf('c1')}:2`)
  expect((await look(started, second.headers['location'] as string)).json()).toEqual({
    status: 'REJECTED',
    requestId: 'r2',
    reason: 'SOLD_OUT',
    message: 'All coupons have been given out.',
  })
})

it('while undecided, the ticket says how many are ahead and about how long', async () => {
  const started = await withCampaign()
  started.pipeline.auto = false
  for (let i = 0; i < 4; i += 1) await ask(started, { userId: `u${i}`, requestId: `r${i}` })
  const url = `/v1/coupons/c1/requests/r3?ticket=${partitionOf('c1')}.3`
  started.pipeline.ratePerSecond = 2
  expect((await look(started, url)).json()).toEqual({
    status: 'ACCEPTED',
    requestId: 'r3',
    ahead: 3,
    etaMs: 1_500,
  })
  started.pipeline.process(2)
  expect((await look(started, url)).json()).toMatchObject({ ahead: 1, etaMs: 500 })
  started.pipeline.ratePerSecond = 0
  expect((await look(started, url)).json().etaMs).toBe(1)
  started.pipeline.process()
  expect((await look(started, url)).json().status).toBe('REJECTED')
})

it('wait is answered as soon as the verdict is there', async () => {
  const started = await withCampaign()
  started.pipeline.auto = false
  const { headers } = await ask(started)
  const answer = look(started, `${headers['location']}&wait=30s`)
  await expect.poll(() => started.pipeline.waiters).toBe(1)
  started.pipeline.process()
  expect((await answer).json()).toMatchObject({ status: 'ISSUED', sequence: 1 })
})

it('a wait that is over without a verdict is ACCEPTED', async () => {
  const started = await withCampaign()
  started.pipeline.auto = false
  const { headers } = await ask(started)
  expect((await look(started, `${headers['location']}&wait=1ms`)).json()).toMatchObject({
    status: 'ACCEPTED',
    ahead: 0,
  })
  expect(started.pipeline.waiters).toBe(0)
})

it.each(['31s', '30001ms', '10', '-1s', '1m', 's', '1e1s', ''])('wait=%s: 400', async (wait) => {
  const response = await look(await withCampaign(), `/v1/coupons/c1/requests/r1?wait=${wait}`)
  expect(response.statusCode).toBe(400)
  expect(response.json().errors[0].path).toBe('query.wait')
})

it.each(['3', 'a.b', '3.-1', '3.4.5', '', '9.0', '1.99999999999999999999'])(
  'ticket=%s: 400',
  async (ticket) => {
    const response = await look(await withCampaign(), `/v1/coupons/c1/requests/r1?ticket=${ticket}`)
    expect([response.statusCode, response.json().code]).toEqual([400, 'INVALID_TICKET'])
  },
)

it('without a ticket an undecided request is waited for, also when the client does not say so', async () => {
  const started = await withCampaign()
  started.pipeline.auto = false
  await ask(started, { userId: 'u1', requestId: 'r1' })
  const answer = look(started, '/v1/coupons/c1/requests/r1')
  await expect.poll(() => started.pipeline.waiters).toBe(1)
  started.pipeline.process()
  expect((await answer).json().status).toBe('ISSUED')
})

it('without a ticket an unknown request is 404 once all that was asked before is decided', async () => {
  const started = await withCampaign()
  started.pipeline.auto = false
  await ask(started, { userId: 'u1', requestId: 'r1' })
  const answer = look(started, '/v1/coupons/c1/requests/other?wait=30s')
  await expect.poll(() => started.pipeline.waiters).toBe(1)
  started.pipeline.process()
  expect((await answer).json()).toMatchObject({ status: 404, code: 'UNKNOWN_REQUEST' })
  expect((await look(started, '/v1/coupons/none/requests/r1')).json().code).toBe('UNKNOWN_COUPON')
})

it('F13: a verdict that is known is given while the log is out of reach; where none is, 503', async () => {
  const started = await withCampaign()
  await ask(started, { userId: 'u1', requestId: 'r1' })
  started.pipeline.endsFail = Object.assign(new Error('no broker answers'), { reaction: 'retry' })
  expect((await look(started, '/v1/coupons/c1/requests/r1')).json().status).toBe('ISSUED')
  expect((await look(started, '/v1/coupons/c1/requests/r2')).statusCode).toBe(503)
})

it('a ticket of another request is no proof: 404 once it is decided', async () => {
  const started = await withCampaign()
  await ask(started, { userId: 'u1', requestId: 'r1' })
  const response = await look(started, `/v1/coupons/c1/requests/made-up?ticket=${partitionOf('c1')}.0`)
  expect([response.statusCode, response.json().code]).toEqual([404, 'UNKNOWN_REQUEST'])
})

it('an unknown coupon: 404, also with an id, and nothing is appended', async () => {
  const started = start()
  for (const payload of [{ userId: 'u1' }, { userId: 'u1', requestId: 'r1' }]) {
    const response = await ask(started, payload)
    expect([response.statusCode, response.json().code]).toEqual([404, 'UNKNOWN_COUPON'])
  }
  expect(started.pipeline.records).toHaveLength(0)
})

it('sold out: 409 at the door for a new request only; one with an id gets its verdict from the issuer', async () => {
  const started = await withCampaign({}, { quota: 1 })
  await ask(started, { userId: 'u1', requestId: 'r1' })
  const atTheDoor = await ask(started, { userId: 'u2' })
  expect([atTheDoor.statusCode, atTheDoor.json().code]).toEqual([409, 'SOLD_OUT'])
  expect((await ask(started, { userId: 'u1', requestId: 'r1' })).statusCode).toBe(202)
  expect((await ask(started, { userId: 'u2' }, { 'idempotency-key': 'k1' })).statusCode).toBe(202)
  expect(requests(started)).toHaveLength(3)
})

it('closed: 409 at the door for a new request only', async () => {
  const started = await withCampaign()
  await started.api.app.inject({ method: 'POST', url: '/v1/coupons/c1/close' })
  expect((await ask(started)).json().code).toBe('CLOSED')
  expect((await ask(started, { userId: 'u1', requestId: 'r1' })).statusCode).toBe(202)
})

it('closesAt: the door leaves the last second to the log, whose clock counts', async () => {
  const started = await withCampaign()
  started.clock.time = Date.parse(definition.closesAt) + 999
  expect((await ask(started)).statusCode).toBe(202)
  started.clock.time += 1
  expect((await ask(started)).json().code).toBe('CLOSED')
})

it('paused or not open yet: the issuer says so, not the door', async () => {
  const started = await withCampaign({}, { opensAt: '2026-03-20T00:00:00Z' })
  await started.api.app.inject({ method: 'POST', url: '/v1/coupons/c1/pause' })
  expect((await ask(started)).statusCode).toBe(202)
})

it('Idempotency-Key: the same key is the same requestId, also in another process; another principal is another', async () => {
  const key = { 'idempotency-key': 'order 17' }
  const ids: string[] = []
  for (const secret of ['producer-secret', 'producer-secret', 'service-secret']) {
    const started = await withCampaign({ tokens: TOKENS })
    ids.push((await ask(started, { userId: 'u1' }, { ...key, ...bearer(secret) })).json().requestId)
  }
  expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(ids[1]).toBe(ids[0])
  expect(ids[2]).not.toBe(ids[0])
})

it('Idempotency-Key with another body: 422 once the first is decided; before, the issuer gets the hash', async () => {
  const started = await withCampaign()
  started.pipeline.auto = false
  const key = { 'idempotency-key': 'k1' }
  await ask(started, { userId: 'u1' }, key)
  expect((await ask(started, { userId: 'u2' }, key)).statusCode).toBe(202)
  const [first, second] = requests(started)
  expect(second?.requestId).toBe(first?.requestId)
  expect(first?.bodyHash).toEqual(expect.any(String))
  expect(second?.bodyHash).not.toBe(first?.bodyHash)
  started.pipeline.process()
  const conflict = await ask(started, { userId: 'u2' }, key)
  expect([conflict.statusCode, conflict.json().code]).toEqual([422, 'IDEMPOTENCY_CONFLICT'])
  expect((await ask(started, { userId: 'u1' }, key)).statusCode).toBe(202)
})

it.each(['', 'ü', 'x'.repeat(256)])('Idempotency-Key %j: 400', async (key) => {
  const response = await ask(await withCampaign(), { userId: 'u1' }, { 'idempotency-key': key })
  expect(response.json()).toMatchObject({ status: 400, errors: [{ path: 'header.idempotency-key' }] })
})

it.each([
  [{}, 'body.userId'],
  [{ userId: '' }, 'body.userId'],
  [{ userId: 'a b' }, 'body.userId'],
  [{ userId: 7 }, 'body.userId'],
  [{ userId: 'u1', requestId: 'x'.repeat(201) }, 'body.requestId'],
  [{ userId: 'u1', shard: 3 }, 'body.shard'],
])('body %j: 400 that names %s', async (payload, path) => {
  const response = await ask(await withCampaign(), payload)
  expect(response.json()).toMatchObject({ status: 400, code: 'INVALID_REQUEST', errors: [{ path }] })
})

it.each([
  ['LOG_BUSY', 503, 'LOG_UNAVAILABLE'],
  ['APPEND_UNKNOWN', 503, 'LOG_UNAVAILABLE'],
  ['LOG_FULL', 503, 'LOG_UNAVAILABLE'],
] as const)('%s: %i with the requestId to ask again with', async (reason, status, code) => {
  const started = await withCampaign()
  started.pipeline.appendFails = new StreamsError(reason, 'x')
  const response = await ask(started)
  expect(response.json()).toMatchObject({ status, code, reason, requestId: expect.stringMatching(/-7/) })
  expect(Number(response.headers['retry-after'])).toBeGreaterThan(0)
})

it('back-pressure: 503 with the requestId', async () => {
  const started = await withCampaign()
  started.pipeline.refusal = { retryAfterMs: 1, reason: 'behind' }
  const response = await ask(started, { userId: 'u1', requestId: 'r1' })
  expect(response.json()).toMatchObject({ status: 503, code: 'BACK_PRESSURE', requestId: 'r1' })
  expect(response.headers['retry-after']).toBe('1')
})

it('an append that never comes back: 503 with the requestId after the request timeout', async () => {
  const started = await serve({ limits: { headersTimeoutMs: 300, requestTimeoutMs: 300 } })
  await fetch(`${started.url}/v1/coupons/c1`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...definition, closesAt: '2100-01-01T00:00:00Z' }),
  })
  started.pipeline.appendHangs = true
  const response = await fetch(`${started.url}/v1/coupons/c1/requests`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ userId: 'u1', requestId: 'r1' }),
  })
  expect(await response.json()).toMatchObject({ status: 503, code: 'DEADLINE_EXCEEDED', requestId: 'r1' })
  // The late answer has nowhere to go and does no harm.
  started.pipeline.unhang()
  expect((await fetch(`${started.url}/v1/coupons/c1`)).status).toBe(200)
})
