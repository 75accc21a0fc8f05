/** Signed news from providers: who is believed, and what the log gets. */
import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { topics } from '../../schemas/index.ts'
import { NOW, start, type Started, TOKENS } from './support.ts'

const SECRET = 'the secret of provider and shop'
const OLD_SECRET = 'the secret that was before that'
const MINUTE = 60_000
const terms = { secrets: [SECRET, OLD_SECRET], windowMs: 5 * MINUTE }

const charge = {
  type: 'charge.updated',
  eventId: 'evt-1',
  orderId: 'o1',
  idempotencyKey: 'abc',
  status: 'SUCCEEDED',
  paymentKey: 'ch-1',
  amount: 490,
  currency: 'EUR',
}
const shipment = {
  type: 'shipment.updated',
  eventId: 'evt-2',
  orderId: 'o1',
  idempotencyKey: 'def',
  status: 'STARTED',
  deliveryId: 'd-1',
}

const hmac = (secret: string, text: string) => createHmac('sha256', secret).update(text).digest('hex')

function signed(body: string, { secret = SECRET, at = NOW } = {}): string {
  const seconds = Math.floor(at / 1_000)
  return `t=${seconds},v1=${hmac(secret, `${seconds}.${body}`)}`
}

const open = (options: Parameters<typeof start>[0] = {}) =>
  start({ tokens: TOKENS, webhooks: { payments: terms, deliveries: terms }, ...options })

async function post({ api }: Started, body: string | Buffer, signature?: string, path = 'payments') {
  const headers = {
    'content-type': 'application/json',
    ...(signature !== undefined && { 'millrace-signature': signature }),
  }
  return await api.app.inject({ method: 'POST', url: `/v1/webhooks/${path}`, headers, payload: body })
}

const statusOf = (response: { statusCode: number; json: () => { code?: string } }) =>
  `${response.statusCode} ${response.json().code ?? ''}`.trim()

describe('who is believed', () => {
  const body = JSON.stringify(charge)

  test.each([
    ['signed', signed(body)],
    ['signed with the secret that is on its way out', signed(body, { secret: OLD_SECRET })],
    [
      'signed with two secrets, of which one is known',
      `${signed(body, { secret: 'x' })},v1=${signed(body).split('v1=')[1]}`,
    ],
    ['of nearly five minutes ago', signed(body, { at: NOW - 5 * MINUTE + 1_000 })],
    ['from a clock that is ahead', signed(body, { at: NOW + 4 * MINUTE })],
  ])('news %s are taken', async (_, signature) => {
    const started = open()
    const response = await post(started, body, signature)
    expect([response.statusCode, response.json()]).toEqual([202, { eventId: 'evt-1', status: 'ACCEPTED' }])
    expect(started.pipeline.records).toHaveLength(1)
  })

  test.each([
    ['unsigned', undefined],
    ['forged', signed(body, { secret: 'a guess that is long enough' })],
    ['of six minutes ago', signed(body, { at: NOW - 6 * MINUTE })],
    ['of a time to come', signed(body, { at: NOW + 6 * MINUTE })],
    ['under another time than was signed', signed(body).replace(/^t=\d+/, `t=${NOW / 1_000 + 1}`)],
    ['without a time', signed(body).replace(/^t=\d+,/, '')],
    ['with two times', `t=1,${signed(body)}`],
    ['signed in another way', signed(body).replace(/v1=/, 'v0=')],
    ['with a signature cut short', signed(body).slice(0, -1)],
    ['with the signature of another body', signed('{}')],
  ])('news %s are not: BAD_SIGNATURE, and the log gets nothing', async (_, signature) => {
    const started = open()
    const response = await post(started, body, signature)
    expect(statusOf(response)).toBe('401 BAD_SIGNATURE')
    expect(response.headers['content-type']).toContain('application/problem+json')
    expect(started.pipeline.records).toEqual([])
  })

  test('a body that was changed by one byte, anywhere, is not', async () => {
    const started = open()
    const signature = signed(body)
    for (let at = 0; at < body.length; at++) {
      const changed = Buffer.from(body)
      changed[at] = (changed[at] ?? 0) ^ 1
      const response = await post(started, changed, signature)
      expect(statusOf(response)).toBe('401 BAD_SIGNATURE')
    }
    expect(started.pipeline.records).toEqual([])
  })

  test('without a secret there is no webhook', async () => {
    const started = open({ webhooks: { deliveries: terms } })
    expect(statusOf(await post(started, body, signed(body)))).toBe('404 WEBHOOKS_OFF')
    expect(statusOf(await post(open({ webhooks: undefined }), body, signed(body)))).toBe('404 WEBHOOKS_OFF')
  })

  test('no token is needed, and none helps', async () => {
    const { api, pipeline } = open()
    const headers = { 'content-type': 'application/json', authorization: 'Bearer admin-secret' }
    const url = '/v1/webhooks/payments'
    expect(statusOf(await api.app.inject({ method: 'POST', url, headers, payload: body }))).toBe(
      '401 BAD_SIGNATURE',
    )
    expect(pipeline.records).toEqual([])
  })
})

describe('what the log gets', () => {
  test('a charge, a refund and a shipment, each under its orderId', async () => {
    const started = open()
    const refund = { ...charge, type: 'refund.updated', refundId: 'o1|order', extra: { card: 'x' } }
    await post(started, JSON.stringify(charge), signed(JSON.stringify(charge)))
    await post(started, JSON.stringify(refund), signed(JSON.stringify(refund)))
    await post(started, JSON.stringify(shipment), signed(JSON.stringify(shipment)), 'deliveries')
    const records = started.pipeline.records
    expect(records.map(({ topic, key }) => `${topic} ${key?.toString()}`)).toEqual([
      'payment.call.result o1',
      'payment.call.result o1',
      'delivery.call.result o1',
    ])
    const [first, second, third] = records.map(({ value }) => value ?? Buffer.alloc(0))
    const { type: _, currency: __, ...told } = charge
    expect({ ...topics.paymentCallResult.value.deserialize(first as Buffer) }).toEqual({
      ...told,
      kind: 'CHARGE',
      attempt: 0,
      refundId: null,
      code: null,
      retryAfterMs: null,
    })
    expect(topics.paymentCallResult.value.deserialize(second as Buffer)).toMatchObject({
      kind: 'REFUND',
      refundId: 'o1|order',
    })
    expect(topics.deliveryCallResult.value.deserialize(third as Buffer)).toMatchObject({
      kind: 'SHIPMENT',
      status: 'STARTED',
      deliveryId: 'd-1',
    })
  })

  test.each([
    ['not JSON', '{', '400 INVALID_JSON'],
    ['with a key that poisons', '{"__proto__":{"a":1}}', '400 INVALID_JSON'],
    ['of no amount', JSON.stringify({ ...charge, amount: 0 }), '400 INVALID_EVENT'],
    ['of part of a unit', JSON.stringify({ ...charge, amount: 1.5 }), '400 INVALID_EVENT'],
    ['of no order', JSON.stringify({ ...charge, orderId: '' }), '400 INVALID_EVENT'],
    [
      'with free text for a code',
      JSON.stringify({ ...charge, code: 'Ann has no money' }),
      '400 INVALID_EVENT',
    ],
    ['in another currency', JSON.stringify({ ...charge, currency: 'USD' }), '400 WRONG_CURRENCY'],
    ['that are too long', JSON.stringify({ ...charge, x: 'x'.repeat(70_000) }), '413 BODY_TOO_LARGE'],
  ])('news %s are refused, although they are signed', async (_, body, expected) => {
    const started = open()
    expect(statusOf(await post(started, body, signed(body)))).toBe(expected)
    expect(started.pipeline.records).toEqual([])
  })

  test('news of a type of a later version are answered, so that they are not sent for ever', async () => {
    const started = open()
    const body = JSON.stringify({ type: 'payout.created', eventId: 'evt-9' })
    const response = await post(started, body, signed(body))
    expect([response.statusCode, response.json()]).toEqual([202, { eventId: 'evt-9', status: 'IGNORED' }])
    expect(started.pipeline.records).toEqual([])
  })

  test('a log that does not take them is no 202: they are to be sent again', async () => {
    const started = open()
    started.pipeline.refusal = { reason: 'behind', retryAfterMs: 1_000 }
    const body = JSON.stringify(charge)
    expect((await post(started, body, signed(body))).statusCode).toBe(503)
  })
})
