/** What the log is told of a call, whatever the provider did and said: what may have been done is never told as undone. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type AddressOpener,
  type Connector,
  courierConnector,
  type Incoming,
  paymentConnector,
  Unavailable,
} from '../../../../connectors/index.ts'
import {
  type DeliveryCall,
  type DeliveryCallResult,
  type PaymentCall,
  type PaymentCallResult,
  SealingError,
  topics,
} from '../../../../schemas/index.ts'
import { NO_HEADERS, systemClock } from '../../../../streams/index.ts'
import type { Fault } from '../../../support/provider/faults.ts'
import { ProviderServer } from '../../../support/provider/server.ts'

const TOKEN = 'the-token-of-the-shop'
const FAR = 4_000_000_000_000
let provider: ProviderServer
beforeEach(async () => (provider = await ProviderServer.open({ token: TOKEN })))
afterEach(() => provider.close())

const key = (n: number) => String(n).padStart(40, '0')

function charge(n: number, changes: Partial<PaymentCall> = {}): PaymentCall {
  const what = {
    kind: 'CHARGE',
    orderId: `o${n}`,
    idempotencyKey: key(n),
    attempt: 1,
    userId: 'ann',
  } as const
  const money = { refundId: null, paymentKey: null, amount: 500, currency: 'EUR' }
  return { ...what, ...money, deadline: FAR, expiresAt: FAR, ...changes }
}

function parcel(n: number, changes: Partial<DeliveryCall> = {}): DeliveryCall {
  const what = {
    kind: 'SHIP',
    orderId: `o${n}`,
    idempotencyKey: key(n),
    attempt: 1,
    customerId: 'ann',
  } as const
  return { ...what, shipTo: Buffer.from('sealed'), expiresAt: FAR, ...changes }
}

function incoming<V extends { orderId: string }>(
  topic: string,
  value: V,
  offset: number,
): Incoming<string, V> {
  const times = { timestamp: 0, appendTime: 0, headers: NO_HEADERS, lineage: undefined }
  const place = { topic, partition: 0, offset }
  return { ...place, ...times, recordKey: value.orderId, value, key: `e${offset}` }
}

async function deliver<R>(connector: Connector, calls: readonly { orderId: string }[]): Promise<R[]> {
  const topic = connector.inputs[0]?.name ?? ''
  const { signal } = new AbortController()
  const target = await connector.open({
    partitions: [{ topic, partition: 0 }],
    topicId: () => 'its life',
    signal,
  })
  try {
    const records = calls.map((call, offset) => incoming(topic, call, offset))
    const batch = { records, next: [{ topic, partition: 0, offset: calls.length }] }
    const { outputs = [] } = await target.deliver(batch, signal)
    return outputs.map(({ value }) => value as R)
  } finally {
    await target.close()
  }
}

const options = () => ({
  url: provider.url,
  token: TOKEN,
  timeoutMs: 300,
  connections: 4,
  clock: systemClock,
})
const pay = (...calls: PaymentCall[]) =>
  deliver<PaymentCallResult>(paymentConnector({ ...options(), topics }), calls)
const open: AddressOpener = ({ customerId }) => JSON.stringify({ name: customerId, address: 'Nowhere 1' })
const send = (openAddress: AddressOpener, ...calls: DeliveryCall[]) =>
  deliver<DeliveryCallResult>(courierConnector({ ...options(), topics, openAddress }), calls)

const said = ({ status, code }: { status: string; code: string | null }) =>
  code === null ? status : `${status} ${code}`

describe('a charge', () => {
  test('says what was charged', async () => {
    const [result] = await pay(charge(1))
    expect(result).toMatchObject({ status: 'SUCCEEDED', amount: 500, paymentKey: 'p-1', attempt: 1 })
    expect(provider.ledger.net('o1')).toBe(500)
  })

  test.each([
    ['silent-before', 'UNKNOWN TIMEOUT', 0],
    ['silent-after', 'UNKNOWN TIMEOUT', 500],
    ['slow-after', 'UNKNOWN TIMEOUT', 500],
    ['drop-before', 'UNKNOWN BROKEN', 0],
    ['drop-after', 'UNKNOWN BROKEN', 500],
    ['error-before', 'UNKNOWN HTTP_500', 0],
    ['error-after', 'UNKNOWN HTTP_502', 500],
    ['garbage-after', 'UNKNOWN UNREADABLE', 500],
  ] as [Fault, string, number][])('%s: %s; asked again, it was made once', async (fault, expected, taken) => {
    provider.behaviour = { ...provider.behaviour, fault: ({ nth }) => (nth === 1 ? fault : 'none') }
    const [result] = await pay(charge(1))
    expect(result && said(result)).toBe(expected)
    expect(provider.ledger.net('o1')).toBe(taken)
    const [again] = await pay(charge(1, { attempt: 2 }))
    expect(again && said(again)).toBe('SUCCEEDED')
    expect(provider.ledger.net('o1')).toBe(500)
  })

  test('a refusal is final, also one by status alone with a code', async () => {
    provider.behaviour = { ...provider.behaviour, fate: () => ({ refuse: 'NO_MONEY' }) }
    const results = await pay(charge(1), charge(2, { deadline: 1 }))
    expect(results.map(said)).toEqual(['FAILED NO_MONEY', 'FAILED DEADLINE_PASSED'])
  })

  test('in another currency, nothing is known', async () => {
    await pay(charge(1))
    const results = await pay(charge(1, { kind: 'LOOKUP', currency: 'USD' }))
    expect(results.map(said)).toEqual(['UNKNOWN WRONG_CURRENCY'])
  })

  test('a lookup of what there is not says so, and another 404 does not', async () => {
    const [first] = await pay(charge(7, { kind: 'LOOKUP' }))
    expect(first && said(first)).toBe('NOT_FOUND UNKNOWN_KEY')
    const elsewhere = paymentConnector({ ...options(), url: `${provider.url}/elsewhere`, topics })
    await expect(deliver(elsewhere, [charge(7, { kind: 'LOOKUP' })])).rejects.toThrow('HTTP_404')
  })

  test('a call that waited for too long is not made', async () => {
    expect(await pay(charge(1, { expiresAt: Date.now() - 1 }))).toEqual([])
    expect(provider.asked).toEqual([])
  })
})

describe('a provider that is away', () => {
  test.each(['busy', 'away'] as const)('%s for all: the batch waits in the log', async (fault) => {
    provider.behaviour = { ...provider.behaviour, fault: () => fault }
    const rejected = await pay(charge(1), charge(2)).catch((error: unknown) => error)
    expect(rejected).toBeInstanceOf(Unavailable)
    expect((rejected as Unavailable).retryAfterMs).toBe(fault === 'busy' ? 1_000 : undefined)
  })

  test('for some: the others are not held up, and these are asked again', async () => {
    provider.behaviour = {
      ...provider.behaviour,
      fault: ({ orderId }) => (orderId === 'o1' ? 'busy' : 'none'),
    }
    const results = await pay(charge(1), charge(2))
    expect(results.map(said)).toEqual(['UNKNOWN HTTP_429', 'SUCCEEDED'])
    expect(results[0]?.retryAfterMs).toBe(1_000)
  })

  test('that knows the shop no more, or is not there at all', async () => {
    const stranger = paymentConnector({ ...options(), token: 'another', topics })
    await expect(deliver(stranger, [charge(1)])).rejects.toThrow('HTTP_401')
    const nowhere = paymentConnector({ ...options(), url: 'http://127.0.0.1:1/', topics })
    await expect(deliver(nowhere, [charge(1)])).rejects.toThrow('ECONNREFUSED')
  })
})

test('calls about one order are made one after the other', async () => {
  await pay(charge(1), charge(1, { kind: 'LOOKUP', attempt: 2 }), charge(2))
  expect(provider.askedOf('o1')).toEqual(['charge', 'lookup'])
})

describe('a shipment', () => {
  test('goes to the opened address, and nothing else shows it', async () => {
    const results = await send(open, parcel(1))
    expect(results.map(said)).toEqual(['STARTED'])
    expect(provider.ledger.addresses.get('o1')).toEqual({ name: 'ann', address: 'Nowhere 1' })
    expect(JSON.stringify(results)).not.toContain('Nowhere')
  })

  test('whose key is not there is looked for; in the end the courier is told to send nothing, and it is refused', async () => {
    const gone = () => undefined
    const results = await send(gone, parcel(1), parcel(2, { attempt: 6 }))
    expect(results.map(said)).toEqual(['UNKNOWN ADDRESS_KEY_MISSING', 'FAILED ADDRESS_ERASED'])
    expect(provider.asked.map(({ kind }) => kind)).toEqual(['cancel'])
    // What was on its way for long finds its key closed.
    expect((await send(open, parcel(2, { attempt: 7 }))).map(said)).toEqual(['CANCELLED'])
  })

  test('I19: whose key is gone, and which the courier had sent without an answer, is not told as failed', async () => {
    await send(open, parcel(1))
    const gone = () => undefined
    expect((await send(gone, parcel(1, { attempt: 6 }))).map(said)).toEqual(['STARTED'])
  })

  test('whose address does not open, or not here', async () => {
    const broken: AddressOpener = () => {
      throw new SealingError('not-authentic')
    }
    expect((await send(broken, parcel(1))).map(said)).toEqual(['FAILED ADDRESS_UNREADABLE'])
    const elsewhere: AddressOpener = () => {
      throw new Error('another process has it')
    }
    await expect(send(elsewhere, parcel(1))).rejects.toThrow(Unavailable)
  })

  test('a cancel closes its key: what was still on its way is not sent', async () => {
    const results = await send(open, parcel(1, { kind: 'CANCEL' }), parcel(1, { attempt: 2 }))
    expect(results.map(said)).toEqual(['CANCELLED', 'CANCELLED'])
    const late = await send(open, parcel(2), parcel(2, { kind: 'CANCEL' }))
    expect(late.map(said)).toEqual(['STARTED', 'TOO_LATE'])
  })
})
