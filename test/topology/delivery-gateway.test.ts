import { describe, expect, test } from 'vitest'
import { type DeliveryCallResult, topics } from '../../schemas/index.ts'
import type { DriverOptions } from '../../testing/index.ts'
import { deliveryGateway, gatewayDeliveryStore } from '../../topologies/index.ts'
import { DAY, modes, Service } from '../support/services.ts'
import { cancel, delivery } from '../unit/sandboxes/given.ts'

const { deliveryRequested, deliveryCancelRequested, deliveryCallRequested, deliveryCallResult } = topics
const MINUTE = 60_000
const sealed = Buffer.from('sealed')
const parcel = (changes: Parameters<typeof delivery>[0] = {}) => delivery({ shipTo: sealed, ...changes })

const asking = { answerMs: 10_000, backoffMs: 1_000, maxBackoffMs: 60_000, alarmMs: 5 * MINUTE }

class Gateway {
  readonly service: Service

  private constructor(service: Service) {
    this.service = service
  }

  static async open(mode: Partial<DriverOptions> = {}): Promise<Gateway> {
    const looks = { lookMs: MINUTE, maxLookMs: 10 * MINUTE }
    const topology = deliveryGateway({ keepMs: DAY, keepDoneMs: DAY, asking, ...looks })
    return new Gateway(await Service.open(topology, mode))
  }

  send: Service['send'] = (topic, ...values) => this.service.send(topic, ...values)

  get calls() {
    return this.service.read(deliveryCallRequested)
  }

  get asked(): string[] {
    return this.calls.map(({ kind }) => kind)
  }

  /** The courier says something to the last call, or to `of`. */
  async answer(
    status: DeliveryCallResult['status'],
    changes: Partial<DeliveryCallResult> = {},
    of = this.calls.at(-1),
  ): Promise<void> {
    if (of === undefined) throw new Error('nothing was asked')
    const { orderId, idempotencyKey, attempt } = of
    const kind = of.kind === 'CANCEL' ? 'CANCEL' : 'SHIPMENT'
    const said = { kind, orderId, idempotencyKey, attempt, status, deliveryId: 'd-1' } as const
    await this.send(deliveryCallResult, {
      code: null,
      retryAfterMs: null,
      eventId: null,
      ...said,
      ...changes,
    })
  }

  webhook(status: DeliveryCallResult['status'], changes: Partial<DeliveryCallResult> = {}): Promise<void> {
    const event = { kind: 'SHIPMENT', attempt: 0, eventId: 'e1', ...changes } as const
    return this.answer(status, event, this.calls[0])
  }

  wait(ms: number, step = 1_000): Promise<void> {
    return this.service.driver.advanceWallTime(ms, step)
  }

  get news(): string[] {
    return this.service
      .read(topics.deliveryResult)
      .map(({ deliveryId, status, reason }) =>
        reason === null ? `${deliveryId} ${status}` : `${status} ${reason}`,
      )
  }

  get cancelled(): string[] {
    return this.service.read(topics.deliveryCancelResult).map(({ status }) => status)
  }

  get incidents(): string[] {
    return this.service.read(topics.opsIncident).map(({ subject, status }) => `${subject} ${status}`)
  }
}

describe.each(modes)('the delivery gateway, %s', (_, mode) => {
  test('a shipment is asked for until the courier has it, then looked at, and its news are told once', async () => {
    const gateway = await Gateway.open(mode)
    await gateway.send(deliveryRequested, parcel(), parcel())
    await gateway.answer('UNKNOWN', { code: 'TIMEOUT' })
    await gateway.wait(2_000)
    expect(gateway.asked).toEqual(['SHIP', 'SHIP'])
    expect(Buffer.from(gateway.calls[1]?.shipTo ?? []).toString()).toBe('sealed')
    expect(gateway.calls[1]?.idempotencyKey).toBe(gateway.calls[0]?.idempotencyKey)
    await gateway.answer('ACCEPTED')
    await gateway.wait(MINUTE)
    expect(gateway.calls.at(-1)).toMatchObject({ kind: 'LOOKUP', shipTo: null })
    await gateway.webhook('STARTED')
    await gateway.answer('STARTED')
    await gateway.send(deliveryRequested, parcel())
    await gateway.wait(2 * MINUTE)
    await gateway.answer('DELIVERED')
    await gateway.webhook('STARTED')
    const calls = gateway.calls.length
    await gateway.wait(DAY / 2, MINUTE)
    expect(gateway.news).toEqual(['d-1 STARTED', 'd-1 STARTED', 'd-1 DELIVERED'])
    expect(gateway.calls).toHaveLength(calls)
    const { driver, topology } = gateway.service
    expect(driver.store(topology, gatewayDeliveryStore).get('o1').value?.shipTo).toBeNull()
    await gateway.service.close()
  })

  test('a cancel is asked for until the courier says whether it came in time', async () => {
    const gateway = await Gateway.open(mode)
    await gateway.send(deliveryRequested, parcel())
    await gateway.send(deliveryCancelRequested, cancel(), cancel())
    await gateway.answer('UNKNOWN', { code: 'BROKEN' })
    await gateway.wait(2_000)
    expect(gateway.asked).toEqual(['SHIP', 'CANCEL', 'CANCEL'])
    await gateway.answer('CANCELLED')
    // The answer to the request that was overtaken.
    await gateway.answer('CANCELLED', { kind: 'SHIPMENT' }, gateway.calls[0])
    await gateway.send(deliveryCancelRequested, cancel())
    await gateway.send(deliveryRequested, parcel())
    expect([gateway.cancelled, gateway.news]).toEqual([['CANCELLED', 'CANCELLED'], ['FAILED CANCELLED']])
    await gateway.send(deliveryRequested, parcel({ epoch: 1 }))
    expect(gateway.asked.at(-1)).toBe('SHIP')
    await gateway.service.close()
  })

  test('a cancel that comes too late is told so, by whoever says it first', async () => {
    const gateway = await Gateway.open(mode)
    await gateway.send(deliveryRequested, parcel(), parcel({ orderId: 'o2' }))
    await gateway.answer('ACCEPTED', {}, gateway.calls[0])
    await gateway.answer('ACCEPTED', {}, gateway.calls[1])
    await gateway.send(deliveryCancelRequested, cancel())
    await gateway.webhook('STARTED')
    await gateway.answer('TOO_LATE')
    expect([gateway.cancelled, gateway.news]).toEqual([['TOO_LATE'], ['d-1 STARTED']])
    await gateway.send(deliveryCancelRequested, cancel({ orderId: 'o2' }))
    await gateway.answer('TOO_LATE')
    // What it is instead is asked at once.
    expect(gateway.asked.at(-1)).toBe('LOOKUP')
    await gateway.answer('STARTED')
    expect([gateway.cancelled, gateway.news]).toEqual([
      ['TOO_LATE', 'TOO_LATE'],
      ['d-1 STARTED', 'd-1 STARTED'],
    ])
    await gateway.service.close()
  })

  test('a cancel before any request is a tombstone, and costs no call', async () => {
    const gateway = await Gateway.open(mode)
    await gateway.send(deliveryCancelRequested, cancel())
    await gateway.send(deliveryRequested, parcel())
    expect([gateway.cancelled, gateway.news, gateway.calls]).toEqual([
      ['CANCELLED'],
      ['FAILED CANCELLED'],
      [],
    ])
    await gateway.service.close()
  })

  test('a courier that refuses, or gives up, is told; one that failed is called off', async () => {
    const gateway = await Gateway.open(mode)
    await gateway.send(deliveryRequested, parcel())
    await gateway.send(deliveryCancelRequested, cancel())
    await gateway.answer('FAILED', { kind: 'SHIPMENT', code: 'NO_SUCH_PLACE' }, gateway.calls[0])
    await gateway.send(deliveryRequested, parcel({ epoch: 1 }))
    await gateway.answer('STARTED')
    await gateway.webhook('CANCELLED', { idempotencyKey: gateway.calls.at(-1)?.idempotencyKey ?? null })
    expect(gateway.cancelled).toEqual(['CANCELLED'])
    expect(gateway.news).toEqual(['FAILED NO_SUCH_PLACE', 'd-1 STARTED', 'FAILED FAILED'])
    await gateway.service.close()
  })

  test('silence becomes an incident, and the next word resolves it', async () => {
    const gateway = await Gateway.open(mode)
    await gateway.send(deliveryRequested, parcel())
    await gateway.wait(7 * MINUTE, 10_000)
    expect(gateway.incidents).toEqual(['o1 OPEN'])
    await gateway.answer('ACCEPTED')
    expect(gateway.incidents).toEqual(['o1 OPEN', 'o1 RESOLVED'])
    await gateway.wait(50 * MINUTE, 10_000)
    expect(gateway.incidents.at(-1)).toBe('o1 OPEN')
    await gateway.answer('ACCEPTED')
    expect(gateway.incidents.at(-1)).toBe('o1 RESOLVED')
    await gateway.service.close()
  })
})

test('an order without an address is not sent', async () => {
  const gateway = await Gateway.open()
  await gateway.send(deliveryRequested, delivery())
  expect([gateway.news, gateway.calls]).toEqual([['FAILED NO_ADDRESS'], []])
  await gateway.service.close()
})

test('news of a shipment that nobody asked for are passed over', async () => {
  const gateway = await Gateway.open()
  await gateway.send(deliveryRequested, parcel())
  await gateway.webhook('STARTED', { idempotencyKey: 'other' })
  expect([gateway.news, gateway.service.dropped]).toEqual([[], ['UnexpectedAnswer']])
  await gateway.service.close()
})
