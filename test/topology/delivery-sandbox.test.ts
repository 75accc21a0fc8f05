import { describe, expect, test } from 'vitest'
import type { DeliveryOutcome } from '../../processors/index.ts'
import { topics } from '../../schemas/index.ts'
import type { DriverOptions } from '../../testing/index.ts'
import { deliverySandbox, sandboxDeliveryStore } from '../../topologies/index.ts'
import { DAY, modes, Service } from '../support/services.ts'
import { cancel, delivery } from '../unit/sandboxes/given.ts'

const { deliveryRequested, deliveryCancelRequested } = topics

class Courier {
  readonly service: Service

  private constructor(service: Service) {
    this.service = service
  }

  /** Starts after a second and arrives after another; outcomes by epoch. */
  static async open(
    mode: Partial<DriverOptions> = {},
    outcomes: readonly Partial<DeliveryOutcome>[] = [],
  ): Promise<Courier> {
    const usual: DeliveryOutcome = { ends: 'DELIVERED', startMs: 1_000, travelMs: 1_000, answers: 1 }
    const rule = ({ attempt }: { readonly attempt: number }) => ({ ...usual, ...outcomes[attempt] })
    return new Courier(await Service.open(deliverySandbox({ rule, keepMs: DAY, keepDoneMs: DAY }), mode))
  }

  send: Service['send'] = (topic, ...values) => this.service.send(topic, ...values)

  wait(ms: number): Promise<void> {
    return this.service.driver.advanceWallTime(ms)
  }

  get news(): string[] {
    return this.service
      .read(topics.deliveryResult)
      .map(({ deliveryId, status, reason }) => [deliveryId, status, reason ?? ''].join(' ').trim())
  }

  get cancels(): string[] {
    return this.service
      .read(topics.deliveryCancelResult)
      .map(({ deliveryId, status, reason }) => [deliveryId ?? 'none', status, reason ?? ''].join(' ').trim())
  }
}

describe.each(modes)('the delivery sandbox, %s', (_, mode) => {
  test('starts, then arrives; who asks again is told how it is', async () => {
    const courier = await Courier.open(mode)
    await courier.send(deliveryRequested, delivery(), delivery())
    expect(courier.news).toEqual([])
    await courier.wait(1_000)
    await courier.send(deliveryRequested, delivery(), delivery({ epoch: 1 }))
    await courier.wait(1_000)
    expect(courier.news).toEqual([
      'sandbox-o1-0 STARTED',
      'sandbox-o1-0 STARTED',
      'sandbox-o1-0 STARTED',
      'sandbox-o1-0 DELIVERED',
    ])
    await courier.service.close()
  })

  test('refuses, or loses on the way, and is tried again under a higher epoch', async () => {
    const courier = await Courier.open(mode, [
      { ends: 'REFUSED' },
      { ends: 'LOST' },
      { startMs: 0, travelMs: 0 },
    ])
    await courier.send(deliveryRequested, delivery())
    await courier.wait(1_000)
    await courier.send(deliveryRequested, delivery(), delivery({ epoch: 1 }))
    await courier.wait(2_000)
    await courier.send(deliveryRequested, delivery({ epoch: 2 }))
    expect(courier.news).toEqual([
      'sandbox-o1-0 FAILED REFUSED',
      'sandbox-o1-0 FAILED REFUSED',
      'sandbox-o1-1 STARTED',
      'sandbox-o1-1 FAILED LOST',
      'sandbox-o1-2 STARTED',
      'sandbox-o1-2 DELIVERED',
    ])
    await courier.service.close()
  })

  test('tells nothing, or everything twice', async () => {
    const courier = await Courier.open(mode, [{ answers: 0, ends: 'LOST' }, { answers: 2 }])
    await courier.send(deliveryRequested, delivery())
    await courier.wait(2_000)
    expect(courier.news).toEqual([])
    await courier.send(deliveryRequested, delivery({ epoch: 1 }))
    await courier.wait(1_000)
    await courier.send(deliveryCancelRequested, cancel())
    expect(courier.news).toEqual(['sandbox-o1-1 STARTED', 'sandbox-o1-1 STARTED'])
    expect(courier.cancels).toEqual(['sandbox-o1-1 TOO_LATE STARTED', 'sandbox-o1-1 TOO_LATE STARTED'])
    await courier.service.close()
  })

  test('is called off before it starts, and not after', async () => {
    const courier = await Courier.open(mode)
    await courier.send(deliveryRequested, delivery())
    await courier.send(deliveryCancelRequested, cancel(), cancel())
    await courier.wait(5_000)
    await courier.send(deliveryRequested, delivery())
    expect(courier.news).toEqual(['sandbox-o1-0 FAILED CANCELLED'])
    await courier.send(deliveryRequested, delivery({ epoch: 1 }))
    await courier.wait(1_000)
    await courier.send(deliveryCancelRequested, cancel())
    expect(courier.cancels).toEqual([
      'sandbox-o1-0 CANCELLED',
      'sandbox-o1-0 CANCELLED',
      'sandbox-o1-1 TOO_LATE STARTED',
    ])
    await courier.service.close()
  })

  test('loses the answer to a cancel, and gives it to who asks again', async () => {
    const courier = await Courier.open(mode, [{ answers: 0 }])
    await courier.send(deliveryRequested, delivery())
    await courier.send(deliveryCancelRequested, cancel())
    expect(courier.cancels).toEqual([])
    await courier.send(deliveryCancelRequested, cancel())
    expect(courier.cancels).toEqual(['sandbox-o1-0 CANCELLED'])
    await courier.service.close()
  })

  test('sends nothing that was called off before it was asked for, until an operator raises the epoch', async () => {
    const courier = await Courier.open(mode)
    await courier.send(deliveryCancelRequested, cancel())
    await courier.send(deliveryRequested, delivery())
    expect(courier.cancels).toEqual(['none CANCELLED'])
    expect(courier.news).toEqual(['FAILED CANCELLED'])
    await courier.send(deliveryRequested, delivery({ epoch: 1 }))
    await courier.wait(1_000)
    expect(courier.news.slice(1)).toEqual(['sandbox-o1-1 STARTED'])
    await courier.service.close()
  })
})

test('a delivery is forgotten after a while', async () => {
  const courier = await Courier.open()
  await courier.send(deliveryRequested, delivery())
  await courier.service.driver.advanceWallTime(2 * DAY, DAY)
  const store = courier.service.driver.store(courier.service.topology, sandboxDeliveryStore)
  expect(store.get('o1').value).toBeUndefined()
  await courier.service.close()
})

test('a delivery under another key is a dead letter', async () => {
  const courier = await Courier.open()
  await courier.service.driver.pipe(deliveryRequested, 'o2', delivery())
  expect(courier.service.deadLetters(deliveryRequested as never)[0]).toMatch('KeyMismatch: ')
  await courier.service.close()
})
