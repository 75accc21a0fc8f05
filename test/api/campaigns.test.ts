import { expect, it } from 'vitest'
import { topics } from '../../schemas/index.ts'
import { StreamsError } from '../../streams/index.ts'
import { bearer, definition, NOW, putCampaign, start, TOKENS } from './support.ts'

it('PUT answers with the campaign as the issuer applied it', async () => {
  const started = start()
  const response = await putCampaign(started)
  expect(response.statusCode).toBe(200)
  expect(response.json()).toEqual({
    couponId: 'c1',
    name: 'Spring',
    quota: 2,
    issued: 0,
    remaining: 2,
    status: 'ACTIVE',
    opensAt: Date.parse('2026-03-01T00:00:00Z'),
    closesAt: Date.parse('2026-04-01T00:00:00Z'),
    perUserLimit: 1,
    discount: { kind: 'AMOUNT', value: 500 },
    fairness: 'FIFO',
    shards: 1,
    revision: 1,
  })
  expect(response.headers['millrace-position']).toMatch(/^coupon\.campaign\.requested:\d:1$/)
})

it('PUT appends one command under the couponId, with lineage and who gave it', async () => {
  const started = start({ tokens: TOKENS })
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await putCampaign(started, 'c1', {}, { ...bearer('admin-secret'), traceparent })
  const [record] = started.pipeline.business
  expect(record?.topic).toBe('coupon.campaign.requested')
  expect(record?.key?.toString()).toBe('c1')
  expect(record?.lineage.eventId).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  )
  expect(record?.lineage).toMatchObject({ correlationId: record?.lineage.eventId, traceparent })
  expect(record?.headers).toEqual([['actor', Buffer.from('ops')]])
  expect(topics.couponCampaignRequested.value.deserialize(record?.value as Buffer)).toMatchObject({
    couponId: 'c1',
    operation: 'PUT',
    status: 'ACTIVE',
    revision: 0,
  })
})

it('PUT takes times as epoch milliseconds too', async () => {
  const response = await putCampaign(start(), 'c1', { opensAt: NOW, closesAt: NOW + 1 })
  expect(response.json()).toMatchObject({ opensAt: NOW, closesAt: NOW + 1 })
})

it('an edit that does not speak of the status leaves a draft a draft', async () => {
  const started = start()
  await putCampaign(started, 'c1', { status: 'DRAFT' })
  expect((await putCampaign(started, 'c1', { quota: 5 })).json().status).toBe('DRAFT')
  expect((await putCampaign(started, 'c1', { status: 'ACTIVE' })).json().status).toBe('ACTIVE')
})

it('the list of eligible users is not shown, only how many they are', async () => {
  const response = await putCampaign(start(), 'c1', { eligibility: { userIds: ['alice', 'bob'] } })
  expect(response.json().eligibleUsers).toBe(2)
  expect(response.body).not.toContain('alice')
})

it.each([
  [{ quota: -1 }, 'body.quota'],
  [{ quota: 1.5 }, 'body.quota'],
  [{ quota: '5' }, 'body.quota'],
  [{ quota: undefined }, 'body.quota'],
  [{ perUserLimit: 0 }, 'body.perUserLimit'],
  [{ opensAt: 'tomorrow' }, 'body.opensAt'],
  [{ opensAt: '2026-02-30T00:00:00Z' }, 'body.opensAt'],
  [{ opensAt: '2026-03-01T00:00:00' }, 'body.opensAt'],
  [{ closesAt: '2026-03-01T00:00:00Z' }, 'body.closesAt'],
  [{ discount: { kind: 'PERCENT', value: 101 } }, 'body.discount.value'],
  [{ discount: { kind: 'GIFT', value: 1 } }, 'body.discount.kind'],
  [{ discount: { kind: 'AMOUNT', value: 1, extra: 1 } }, 'body.discount.extra'],
  [{ eligibility: { userIds: [] } }, 'body.eligibility.userIds'],
  [{ received: 5 }, 'body.received'],
])('PUT with %j: 400 that names %s, and nothing is appended', async (change, path) => {
  const started = start()
  const response = await putCampaign(started, 'c1', change)
  expect(response.statusCode).toBe(400)
  expect(response.json().errors.map((error: { path: string }) => error.path)).toContain(path)
  expect(started.pipeline.records).toHaveLength(0)
})

it.each([
  ['QUOTA_BELOW_ISSUED', 409, 'QUOTA_BELOW_ISSUED'],
  ['CAMPAIGN_CLOSED', 409, 'CAMPAIGN_CLOSED'],
  ['REVISION_CONFLICT', 409, 'REVISION_CONFLICT'],
  ['DRAW_NOT_SUPPORTED', 422, 'DRAW_NOT_SUPPORTED'],
  ['INVALID_VALIDITY', 400, 'INVALID_CAMPAIGN'],
  ['SOMETHING_NEW', 409, 'COMMAND_REFUSED'],
])('what the issuer refuses as %s is %i %s', async (commandCode, status, code) => {
  const started = start()
  started.pipeline.commandCode = commandCode
  const response = await putCampaign(started)
  expect(response.statusCode).toBe(status)
  expect(response.json()).toMatchObject({ code, revision: 1 })
  if (code !== commandCode) expect(response.json().reason).toBe(commandCode)
})

it('PUT waits until the issuer has decided it', async () => {
  const started = start()
  started.pipeline.auto = false
  const answer = putCampaign(started)
  await expect.poll(() => started.pipeline.waiters).toBe(1)
  started.pipeline.process()
  expect((await answer).statusCode).toBe(200)
})

it.each([undefined, ''])('pausing takes no body: %j with a JSON type is fine', async (payload) => {
  const started = start()
  await putCampaign(started)
  const headers = { 'content-type': 'application/json' }
  const response = await started.api.app.inject({
    method: 'POST',
    url: '/v1/coupons/c1/pause',
    headers,
    ...(payload !== undefined && { payload }),
  })
  expect(response.statusCode).toBe(200)
})

it('a name that is not UTF-8: 400, not a replacement character', async () => {
  const payload = Buffer.from(JSON.stringify({ ...definition, name: '?' }))
  payload[payload.indexOf('?')] = 0xff
  const headers = { 'content-type': 'application/json' }
  const response = await start().api.app.inject({ method: 'PUT', url: '/v1/coupons/c1', payload, headers })
  expect(response.json().code).toBe('INVALID_JSON')
})

it('text: 415', async () => {
  const headers = { 'content-type': 'text/plain' }
  const response = await start().api.app.inject({
    method: 'PUT',
    url: '/v1/coupons/c1',
    payload: '{}',
    headers,
  })
  expect(response.statusCode).toBe(415)
})

it('a command that is not applied in time: 503 with its position, and it is in the log', async () => {
  const started = start({ limits: { commandWaitMs: 1 } })
  started.pipeline.auto = false
  const response = await putCampaign(started)
  expect(response.statusCode).toBe(503)
  expect(response.headers['retry-after']).toBe('1')
  expect(response.json()).toMatchObject({
    code: 'COMMAND_PENDING',
    position: { topic: 'coupon.campaign.requested', offset: 0 },
  })
  expect(started.pipeline.business).toHaveLength(1)
})

it('a command whose outcome is forgotten: 503, not a guess', async () => {
  const started = start()
  started.pipeline.forgetCommands = true
  expect((await putCampaign(started)).json().code).toBe('COMMAND_PENDING')
})

it.each([
  ['pause', 'PAUSED'],
  ['resume', 'ACTIVE'],
  ['close', 'CLOSED'],
])('POST %s leads to %s', async (operation, status) => {
  const started = start()
  await putCampaign(started)
  const response = await started.api.app.inject({ method: 'POST', url: `/v1/coupons/c1/${operation}` })
  expect(response.statusCode).toBe(200)
  expect(response.json()).toMatchObject({ couponId: 'c1', status, quota: definition.quota })
})

it('pausing what is not there: 404', async () => {
  const response = await start().api.app.inject({ method: 'POST', url: '/v1/coupons/nope/pause' })
  expect([response.statusCode, response.json().code]).toEqual([404, 'UNKNOWN_COUPON'])
})

it('a wrong method: 405 that says which are allowed', async () => {
  const response = await start().api.app.inject({ method: 'DELETE', url: '/v1/coupons/c1' })
  expect(response.statusCode).toBe(405)
  expect(response.headers['allow']?.toString().split(', ').sort()).toEqual(['GET', 'HEAD', 'PUT'])
})

it.each([
  ['LOG_BUSY', 'LOG_UNAVAILABLE', 503],
  ['LOG_FULL', 'LOG_UNAVAILABLE', 503],
  ['LOG_CLOSED', 'LOG_UNAVAILABLE', 503],
  ['RECORD_TOO_LARGE', 'RECORD_TOO_LARGE', 413],
] as const)('the log says %s: %s', async (reason, code, status) => {
  const started = start()
  started.pipeline.appendFails = new StreamsError(reason, 'secret detail')
  const response = await putCampaign(started)
  expect([response.statusCode, response.json().code]).toEqual([status, code])
  expect(response.body).not.toContain('secret detail')
  if (status === 503) expect(Number(response.headers['retry-after'])).toBeGreaterThan(0)
})

it('an unknown error: 500, reported inside, nothing of it outside', async () => {
  const errors: unknown[] = []
  const started = start({ hooks: { onError: (error) => errors.push(error) } })
  const broken = new Error('password is hunter2')
  started.pipeline.appendFails = broken
  const response = await putCampaign(started)
  expect([response.statusCode, response.json().code]).toEqual([500, 'INTERNAL'])
  expect(response.body).not.toMatch(/hunter2|\bat\b.*\.ts/)
  expect(errors).toEqual([broken])
})

it('back-pressure: 503 with the time to wait, and nothing is appended', async () => {
  const started = start()
  started.pipeline.refusal = { retryAfterMs: 2_500, reason: 'The issuer is 9 s behind.' }
  const response = await putCampaign(started)
  expect(response.statusCode).toBe(503)
  expect(response.headers['retry-after']).toBe('3')
  expect(response.json()).toMatchObject({ code: 'BACK_PRESSURE', detail: 'The issuer is 9 s behind.' })
  expect(started.pipeline.records).toHaveLength(0)
})
