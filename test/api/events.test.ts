import { expect, it } from 'vitest'
import { type OrderConfirmed, toJson, topics } from '../../schemas/index.ts'
import { bearer, NOW, start, type Started, TOKENS } from './support.ts'

const sale: OrderConfirmed = {
  orderId: 'o1',
  userId: 'u1',
  items: [{ lineNo: 1, productId: 'p1', categoryId: null, quantity: 2, unitPrice: 250 }],
  finalAmount: 500,
  currency: 'EUR',
  pointsUsed: 0,
  userCouponId: null,
  paidAt: NOW - 10,
  confirmedAt: NOW - 5,
}
const json = { 'content-type': 'application/json' }
const lines = { 'content-type': 'application/x-ndjson' }
const avro = { 'content-type': 'application/vnd.confluent.avro' }

async function post(
  { api }: Started,
  payload: string | Buffer | object,
  headers: Record<string, string> = json,
  topic = 'order.confirmed',
) {
  return await api.app.inject({ method: 'POST', url: `/v1/events/${topic}`, payload, headers })
}

it('Avro-JSON: appended as Avro under its key, with its own time and new lineage', async () => {
  const started = start()
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const payload = toJson(
    topics.orderConfirmed.schema,
    { ...sale, userCouponId: 'c-1' },
    { unions: 'tagged' },
  ) as object
  const response = await post(started, payload, { ...json, traceparent })
  expect(response.statusCode).toBe(202)
  const [record] = started.pipeline.records
  expect(response.json()).toEqual({
    topic: 'order.confirmed',
    count: 1,
    positions: [{ partition: record?.partition, offset: 0, eventId: record?.lineage.eventId }],
  })
  expect(topics.orderConfirmed.value.deserialize(record?.value as Buffer)).toEqual({
    ...sale,
    userCouponId: 'c-1',
  })
  expect(record?.key?.toString()).toBe('o1')
  expect(record?.timestamp).toBe(sale.confirmedAt)
  expect(record?.lineage).toMatchObject({ correlationId: record?.lineage.eventId, traceparent })
})

it('plain JSON without the optional fields is fine', async () => {
  const { userCouponId: _, pointsUsed: __, ...payload } = sale
  expect((await post(start(), payload)).statusCode).toBe(202)
})

it('a traceparent that is none is not passed on', async () => {
  const started = start()
  await post(started, sale, { ...json, traceparent: '00-zz-01' })
  expect(started.pipeline.records[0]?.lineage.traceparent).toBeUndefined()
})

it.each(['application/vnd.confluent.avro', 'application/octet-stream'])(
  '%s: the very bytes are appended',
  async (type) => {
    const started = start()
    const bytes = topics.orderConfirmed.value.serialize(sale)
    expect((await post(started, bytes, { 'content-type': type })).statusCode).toBe(202)
    expect(started.pipeline.records[0]?.value).toEqual(bytes)
    expect(started.pipeline.records[0]?.key?.toString()).toBe('o1')
  },
)

const good = topics.orderConfirmed.value.serialize(sale)
const bomb = Buffer.from([0, ...good.subarray(1, 5), 2, 0x61, 2, 0x61, 0xfe, 0xff, 0xff, 0xff, 0x0f])
it.each([
  ['no bytes', Buffer.alloc(0)],
  ['four bytes', good.subarray(0, 4)],
  ['another magic', Buffer.concat([Buffer.from([1]), good.subarray(1)])],
  ['an unknown schema', Buffer.concat([Buffer.from([0, 0, 0xff, 0xff, 0xff]), good.subarray(5)])],
  ['truncated', good.subarray(0, good.length - 1)],
  ['trailing', Buffer.concat([good, Buffer.from([0])])],
  ['an array of 2 000 000 000 items', bomb],
  [
    'another record',
    topics.couponIssueRequested.value.serialize({
      requestId: 'r',
      couponId: 'c',
      userId: 'u',
      shard: 0,
      acceptedAt: 0,
      bodyHash: null,
    }),
  ],
])('Avro with %s: 400, and nothing is appended', async (_, bytes) => {
  const started = start()
  const response = await post(started, bytes, avro)
  expect([response.statusCode, response.json().code]).toEqual([400, 'INVALID_EVENT'])
  expect(started.pipeline.records).toHaveLength(0)
})

it.each([
  [{ orderId: undefined }, 'body.orderId'],
  [{ orderId: 5 }, 'body.orderId'],
  [{ finalAmount: 2 ** 53 }, 'body.finalAmount'],
  [{ items: [{ lineNo: 1, productId: 'p', quantity: 1.5, unitPrice: 1 }] }, 'body.items.0.quantity'],
  [{ nonsense: 1 }, 'body.nonsense'],
  [{ userId: '\ud800' }, 'body.userId'],
  [{ orderId: '' }, 'body'],
  [{ orderId: 'x'.repeat(201) }, 'body'],
  [{ confirmedAt: 0 }, 'body'],
  [{ confirmedAt: -1 }, 'body'],
  [{ confirmedAt: NOW + 3_600_001 }, 'body'],
])('JSON with %j: 400 that names %s', async (change, path) => {
  const started = start()
  const response = await post(started, { ...sale, ...change })
  expect(response.json()).toMatchObject({ status: 400, code: 'INVALID_EVENT', errors: [{ path }] })
  expect(started.pipeline.records).toHaveLength(0)
})

it('another currency: 400', async () => {
  const response = await post(start(), { ...sale, currency: 'USD' })
  expect(response.json()).toMatchObject({
    code: 'WRONG_CURRENCY',
    errors: [{ path: 'body.currency', message: 'must be EUR' }],
  })
})

it('JSON that is not UTF-8: 400, not a replacement character', async () => {
  const text = Buffer.from(JSON.stringify({ ...sale, userId: 'u?' }))
  text[text.indexOf('?')] = 0xff
  expect((await post(start(), text)).json().code).toBe('INVALID_JSON')
  expect((await post(start(), text, lines)).json().code).toBe('INVALID_EVENT')
})

it('?key= must be the key of the event', async () => {
  const started = start()
  const wrong = await post(started, sale, json, 'order.confirmed?key=o2')
  expect(wrong.json()).toMatchObject({ code: 'INVALID_EVENT', errors: [{ path: 'query.key' }] })
  expect((await post(started, sale, json, 'order.confirmed?key=o1')).statusCode).toBe(202)
})

it('NDJSON: all lines in one append, blank ones passed over', async () => {
  const started = start()
  const text = `${JSON.stringify(sale)}\r\n\n  \n${JSON.stringify({ ...sale, orderId: 'o2' })}`
  const response = await post(started, text, lines)
  expect(response.json()).toMatchObject({ count: 2, positions: [{ offset: expect.any(Number) }, {}] })
  expect(started.pipeline.records.map((record) => record.key?.toString())).toEqual(['o1', 'o2'])
})

it('NDJSON with faulty lines: 400 with their numbers, and none is taken', async () => {
  const started = start()
  const text = [sale, '{', { ...sale, orderId: 7 }, { ...sale, currency: 'USD' }]
    .map((line) => (typeof line === 'string' ? line : JSON.stringify(line)))
    .join('\n')
  const response = await post(started, text, lines)
  expect(response.statusCode).toBe(400)
  expect(response.json().errors).toEqual([
    { path: 'body', message: 'is not JSON', line: 2 },
    { path: 'body.orderId', message: 'must be a string', line: 3 },
    { path: 'body.currency', message: 'must be EUR', line: 4 },
  ])
  expect(started.pipeline.records).toHaveLength(0)
})

it('NDJSON: too many lines, a too long line, none at all', async () => {
  const started = start({ limits: { batchLines: 2, batchLineBytes: 1_000 } })
  const line = JSON.stringify(sale)
  expect((await post(started, `${line}\n${line}\n`, lines)).statusCode).toBe(202)
  expect((await post(started, `${line}\n${line}\n${line}`, lines)).json().code).toBe('BODY_TOO_LARGE')
  expect((await post(started, `${line}${' '.repeat(1_000)}`, lines)).json().code).toBe('BODY_TOO_LARGE')
  expect((await post(started, '\n\n', lines)).json().code).toBe('INVALID_EVENT')
})

it('a list of faults is bounded', async () => {
  const response = await post(start(), '{\n'.repeat(500), lines)
  expect(response.json().errors).toHaveLength(20)
})

it.each(['text/plain', 'application/xml', 'multipart/form-data; boundary=x'])('%s: 415', async (type) => {
  const response = await post(start(), 'x', { 'content-type': type })
  expect([response.statusCode, response.json().code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE'])
})

it('Avro is taken for events only', async () => {
  const { api } = start()
  const response = await api.app.inject({
    method: 'PUT',
    url: '/v1/coupons/c1',
    payload: Buffer.from('x'),
    headers: avro,
  })
  expect(response.statusCode).toBe(415)
})

it.each(['coupon.issued', 'ranking.snapshot', 'coupon.campaign.requested', 'nonsense', '__proto__'])(
  '%s takes no events: 404',
  async (topic) => {
    const response = await post(start(), sale, json, topic)
    expect([response.statusCode, response.json().code]).toEqual([404, 'UNKNOWN_TOPIC'])
  },
)

const request = { requestId: 'r1', couponId: 'c1', userId: 'u1' }
const product = { productId: 'p1', title: 'P', price: 1, currency: 'EUR' }
it.each([
  ['read-secret', 'coupon.issue.requested', request, 403],
  ['producer-secret', 'coupon.issue.requested', request, 202],
  ['producer-secret', 'order.confirmed', sale, 403],
  ['producer-secret', 'product.catalog', product, 403],
  ['pos-secret', 'order.confirmed', sale, 202],
  ['pos-secret', 'coupon.issue.requested', request, 403],
  ['service-secret', 'order.confirmed', sale, 202],
  ['service-secret', 'coupon.issue.requested', request, 202],
  ['service-secret', 'product.catalog', product, 403],
  ['admin-secret', 'product.catalog', product, 202],
])('%s writes %s: %#', async (secret, topic, payload, status) => {
  const response = await post(start({ tokens: TOKENS }), payload, { ...json, ...bearer(secret) }, topic)
  expect(response.statusCode).toBe(status)
})

it('a producer list cannot open an admin topic', async () => {
  const tokens = [{ role: 'producer', secret: 's', topics: ['product.catalog'] }] as const
  const response = await post(start({ tokens }), product, { ...json, ...bearer('s') }, 'product.catalog')
  expect(response.statusCode).toBe(403)
})

it('the list also holds for asking for coupons', async () => {
  const { api } = start({ tokens: TOKENS })
  const response = await api.app.inject({
    method: 'POST',
    url: '/v1/coupons/c1/requests',
    payload: { userId: 'u1' },
    headers: bearer('pos-secret'),
  })
  expect(response.statusCode).toBe(403)
})
