/** I26: every operator action is on record before it takes effect. */
import { describe, expect, it } from 'vitest'
import { StreamsError } from '../../streams/index.ts'
import { bearer, definition, NOW, putCampaign, start, TOKENS } from './support.ts'

const admin = bearer('admin-secret')

describe('I26: an operator', () => {
  it('who edits a campaign is on record before the command, with what it was and what it is to be', async () => {
    const started = start({ tokens: TOKENS })
    await putCampaign(started, 'c1', {}, admin)
    await putCampaign(started, 'c1', { quota: 5, eligibility: { userIds: ['ann@example.org'] } }, admin)
    const topics = started.pipeline.records.map(({ topic }) => topic)
    expect(topics).toEqual([
      'ops.audit',
      'coupon.campaign.requested',
      'ops.audit',
      'coupon.campaign.requested',
    ])
    const [first, second] = started.pipeline.audits
    expect(first).toMatchObject({ actor: 'ops', action: 'coupon.put', target: 'c1', before: null, at: NOW })
    expect(JSON.parse(first?.after ?? '')).toEqual(definition)
    expect(JSON.parse(second?.before ?? '')).toMatchObject({ quota: 2, revision: 1 })
    expect(JSON.parse(second?.after ?? '')).toMatchObject({ quota: 5, eligibility: 1 })
    expect(second?.after).not.toContain('ann')
  })

  it('who pauses a campaign, or puts a product, is too', async () => {
    const started = start({ tokens: TOKENS })
    const { api, pipeline } = started
    await putCampaign(started, 'c1', {}, admin)
    await api.app.inject({ method: 'POST', url: '/v1/coupons/c1/pause', headers: admin })
    const payload = { title: 'Mug', price: 300 }
    await api.app.inject({ method: 'PUT', url: '/v1/products/mug', headers: admin, payload })
    expect(pipeline.audits.slice(1).map(({ action, target }) => [action, target])).toEqual([
      ['coupon.pause', 'c1'],
      ['product.put', 'mug'],
    ])
    expect(pipeline.audits.at(-1)).toMatchObject({ before: null })
    expect(JSON.parse(pipeline.audits.at(-1)?.after ?? '')).toMatchObject({ title: 'Mug', currency: 'EUR' })
  })

  it('who writes products as events is, once a batch; facts of other systems are not', async () => {
    const { api, pipeline } = start({ tokens: TOKENS })
    const product = (productId: string) =>
      JSON.stringify({ productId, title: 'Mug', categoryId: null, price: 300, currency: 'EUR' })
    const write = (topic: string, payload: string) =>
      api.app.inject({
        method: 'POST',
        url: `/v1/events/${topic}`,
        headers: { ...admin, 'content-type': 'application/x-ndjson' },
        payload,
      })
    expect((await write('product.catalog', `${product('p1')}\n${product('p2')}`)).statusCode).toBe(202)
    expect(pipeline.records.map(({ topic }) => topic)).toEqual([
      'ops.audit',
      'product.catalog',
      'product.catalog',
    ])
    expect(pipeline.audits).toMatchObject([
      { actor: 'ops', action: 'events.write', target: 'product.catalog' },
    ])
    expect(JSON.parse(pipeline.audits[0]?.after ?? '')).toEqual({ events: 2, keys: ['p1', 'p2'] })
    const asked = JSON.stringify({ requestId: 'r1', couponId: 'c1', userId: 'ann' })
    expect((await write('coupon.issue.requested', asked)).statusCode).toBe(202)
    expect(pipeline.audits).toHaveLength(1)
  })

  it('F23: who says that the system clock is right is on record, with what the clock was; where nothing is frozen, nothing is on record', async () => {
    const started = start({ tokens: TOKENS })
    const { api, pipeline } = started
    pipeline.frozen = true
    const thaw = () => api.app.inject({ method: 'POST', url: '/v1/ops/clock/thaw', headers: admin })
    expect((await thaw()).json()).toMatchObject({ frozen: false })
    expect((await thaw()).statusCode).toBe(200)
    expect(pipeline.frozen).toBe(false)
    expect(pipeline.audits).toMatchObject([{ actor: 'ops', action: 'clock.thaw', target: 'clock' }])
    expect(JSON.parse(pipeline.audits[0]?.before ?? '')).toMatchObject({ frozen: true })
  })

  it('F23: whose word on the clock cannot be put on record leaves it frozen', async () => {
    const { api, pipeline } = start()
    pipeline.frozen = true
    pipeline.appendFails = new StreamsError('LOG_BUSY', 'full')
    const response = await api.app.inject({ method: 'POST', url: '/v1/ops/clock/thaw' })
    expect(response.statusCode).toBe(503)
    expect(pipeline.frozen).toBe(true)
  })

  it('who lets mails go to an address again is on record, and the address is not', async () => {
    const started = start({ tokens: TOKENS })
    const { api, pipeline } = started
    const url = '/v1/ops/mail/suppressed'
    const get = async (query = '') =>
      (await api.app.inject({ method: 'GET', url: url + query, headers: admin })).json() as object
    const release = async (userId: string) =>
      (
        await api.app.inject({ method: 'POST', url: `${url}/${userId}/release`, headers: admin })
      ).json() as object
    expect(await get()).toMatchObject({ code: 'MAIL_OFF' })
    pipeline.suppressed = [
      { userId: 'bob', reason: '550', mailId: 'm2', at: 2 },
      { userId: 'ann', reason: '550 5.1.1', mailId: 'm1', at: 1 },
    ]
    expect(await get()).toMatchObject({ suppressed: [{ userId: 'bob' }, { userId: 'ann' }] })
    expect(await get('?limit=1')).toEqual({ suppressed: [pipeline.suppressed[0]] })
    expect(await get('?limit=1001')).toMatchObject({ code: 'INVALID_REQUEST' })
    expect(await release('ann')).toEqual({ userId: 'ann', status: 'RELEASED', known: true })
    // It may have bounced too long ago to be known here.
    expect(await release('cleo')).toEqual({ userId: 'cleo', status: 'RELEASED', known: false })
    const written = ['ops.audit', 'mail.suppressed']
    expect(pipeline.records.map(({ topic }) => topic)).toEqual([...written, ...written])
    expect(pipeline.records[1]?.value).toBeNull()
    expect(pipeline.audits).toMatchObject([
      { action: 'mail.release', target: 'ann' },
      { action: 'mail.release', target: 'cleo', before: null },
    ])
  })

  it('who pauses a connector is on record before it pauses; one that is paused already is not paused again', async () => {
    const started = start({ tokens: TOKENS })
    const { api, pipeline } = started
    const turn = (action: string, name = 'mail') =>
      api.app.inject({ method: 'POST', url: `/v1/ops/connectors/${name}/${action}`, headers: admin })
    expect((await turn('pause')).json()).toMatchObject({ name: 'mail', state: 'paused' })
    expect((await turn('pause')).statusCode).toBe(200)
    expect(pipeline.records.map(({ topic }) => topic)).toEqual(['ops.audit', 'ops.connector'])
    expect(pipeline.audits).toMatchObject([{ action: 'connector.pause', target: 'mail' }])
    expect(JSON.parse(pipeline.audits[0]?.before ?? '')).toEqual({ paused: false })
    pipeline.appendFails = new StreamsError('LOG_BUSY', 'full')
    expect((await turn('resume')).statusCode).toBe(503)
    expect(pipeline.isConnectorPaused('mail')).toBe(true)
    expect((await turn('pause', 'fax')).json()).toMatchObject({ code: 'UNKNOWN_CONNECTOR' })
  })

  it('who pauses a connector before it is known whether it is paused is told to come again', async () => {
    const { api, pipeline } = start({ tokens: TOKENS })
    const pause = () =>
      api.app.inject({ method: 'POST', url: '/v1/ops/connectors/mail/pause', headers: admin })
    pipeline.restoring = true
    expect((await pause()).statusCode).toBe(503)
    expect(pipeline.records).toEqual([])
    pipeline.restoring = false
    expect((await pause()).json()).toMatchObject({ state: 'paused' })
    expect(pipeline.records.map(({ topic }) => topic)).toEqual(['ops.audit', 'ops.connector'])
  })

  it('whose action cannot be put on record does nothing', async () => {
    const started = start()
    started.pipeline.appendFails = new StreamsError('LOG_BUSY', 'full')
    const response = await putCampaign(started)
    expect(response.json()).toMatchObject({ code: 'LOG_UNAVAILABLE' })
    started.pipeline.appendFails = undefined
    started.pipeline.process()
    expect(started.pipeline.records).toEqual([])
  })

  it('who is refused leaves no record', async () => {
    const started = start({ tokens: TOKENS })
    await putCampaign(started, 'c1', { quota: -1 }, admin)
    await putCampaign(started, 'c1', {}, bearer('read-secret'))
    expect(started.pipeline.records).toEqual([])
  })
})
