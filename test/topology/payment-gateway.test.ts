import { describe, expect, test } from 'vitest'
import { type PaymentCallResult, topics } from '../../schemas/index.ts'
import type { DriverOptions } from '../../testing/index.ts'
import { gatewayChargeStore, gatewayPaymentStore, paymentGateway } from '../../topologies/index.ts'
import { DAY, modes, Service, START } from '../support/services.ts'
import { payment, refund } from '../unit/sandboxes/given.ts'

const { paymentRequested, paymentRefundRequested, paymentCallRequested, paymentCallResult } = topics
const MINUTE = 60_000
const deadline = START + 30 * MINUTE
const order = (changes: Parameters<typeof payment>[0] = {}) => payment({ deadline, ...changes })
const back = (amount: number, changes: Parameters<typeof refund>[1] = {}) =>
  refund(amount, { paymentKey: 'pay-1', ...changes })

/** A call is worth 10 s; waits are 1 s at first, a minute at most. */
const asking = { answerMs: 10_000, backoffMs: 1_000, maxBackoffMs: 60_000, alarmMs: 5 * MINUTE }

class Gateway {
  readonly service: Service

  private constructor(service: Service) {
    this.service = service
  }

  static async open(mode: Partial<DriverOptions> = {}): Promise<Gateway> {
    const topology = paymentGateway({
      currency: 'EUR',
      keepMs: DAY,
      keepDoneMs: DAY,
      graceMs: MINUTE,
      asking,
    })
    return new Gateway(await Service.open(topology, mode))
  }

  send: Service['send'] = (topic, ...values) => this.service.send(topic, ...values)

  get calls() {
    return this.service.read(paymentCallRequested)
  }

  /** `CHARGE 1`. */
  get asked(): string[] {
    return this.calls.map(({ kind, attempt }) => `${kind} ${attempt}`)
  }

  /** The provider says something to the last call, or to `of`. */
  async answer(changes: Partial<PaymentCallResult>, of = this.calls.at(-1)): Promise<void> {
    if (of === undefined) throw new Error('nothing was asked')
    const { orderId, idempotencyKey, attempt, refundId } = of
    const kind = of.kind === 'REFUND' ? 'REFUND' : 'CHARGE'
    const said = { kind, orderId, idempotencyKey, attempt, refundId, status: 'UNKNOWN' } as const
    await this.send(paymentCallResult, { ...said, ...nothing, ...changes })
  }

  paid(paymentKey = 'pay-1', amount = 1_000, of = this.calls.at(-1)): Promise<void> {
    return this.answer({ status: 'SUCCEEDED', paymentKey, amount }, of)
  }

  /** A webhook; of the charge that was asked for unless told. */
  webhook(changes: Partial<PaymentCallResult>): Promise<void> {
    const idempotencyKey = this.calls[0]?.idempotencyKey ?? null
    const event = { kind: 'CHARGE', orderId: 'o1', attempt: 0, eventId: 'e1', status: 'SUCCEEDED' } as const
    return this.send(paymentCallResult, {
      ...nothing,
      ...event,
      idempotencyKey,
      refundId: null,
      paymentKey: 'pay-1',
      amount: 1_000,
      ...changes,
    })
  }

  wait(ms: number, step = 1_000): Promise<void> {
    return this.service.driver.advanceWallTime(ms, step)
  }

  /** `pay-1 SUCCESS 1000`. */
  get results(): string[] {
    return this.service
      .read(topics.paymentResult)
      .map(({ paymentKey, status, amount, failureCode }) =>
        status === 'SUCCESS' ? `${paymentKey} ${status} ${amount}` : `${status} ${failureCode}`,
      )
  }

  get refunded(): string[] {
    return this.service
      .read(topics.paymentRefundResult)
      .map(({ refundId, status, reason, amount }) => `${refundId} ${status} ${reason ?? amount}`)
  }

  get incidents(): string[] {
    return this.service.read(topics.opsIncident).map(({ subject, status }) => `${subject} ${status}`)
  }
}

const nothing = { paymentKey: null, amount: null, code: null, retryAfterMs: null, eventId: null } as const

describe.each(modes)('the payment gateway, %s', (_, mode) => {
  test('a charge is called for, and its answer is told once', async () => {
    const gateway = await Gateway.open(mode)
    await gateway.send(paymentRequested, order())
    const [call] = gateway.calls
    expect(call).toMatchObject({ kind: 'CHARGE', amount: 1_000, currency: 'EUR', deadline, attempt: 1 })
    await gateway.paid()
    await gateway.paid()
    await gateway.webhook({})
    await gateway.wait(5 * MINUTE)
    expect([gateway.results, gateway.asked]).toEqual([['pay-1 SUCCESS 1000'], ['CHARGE 1']])
    await gateway.service.close()
  })

  test('a declined charge is told; a higher epoch is charged anew, under another key', async () => {
    const gateway = await Gateway.open(mode)
    await gateway.send(paymentRequested, order())
    await gateway.answer({ status: 'FAILED', code: 'NO_MONEY' })
    await gateway.send(paymentRequested, order({ epoch: 1 }), order())
    await gateway.paid()
    const [first, second] = gateway.calls
    expect(first?.idempotencyKey).not.toBe(second?.idempotencyKey)
    expect(gateway.results).toEqual(['FAILED NO_MONEY', 'pay-1 SUCCESS 1000'])
    expect(gateway.service.dropped).toEqual(['OutdatedPayment'])
    await gateway.service.close()
  })

  test('I19 what is not known is asked for until it is: charged while there is time, looked up after it', async () => {
    const gateway = await Gateway.open(mode)
    await gateway.send(paymentRequested, order())
    for (let i = 0; i < 3; i++) {
      await gateway.answer({ code: 'TIMEOUT' })
      await gateway.wait(10_000)
    }
    expect(gateway.asked).toEqual(['CHARGE 1', 'CHARGE 2', 'CHARGE 3', 'CHARGE 4'])
    expect(new Set(gateway.calls.map((call) => call.idempotencyKey)).size).toBe(1)
    await gateway.wait(31 * MINUTE, MINUTE)
    const last = gateway.calls.at(-1)
    expect(last).toMatchObject({ kind: 'LOOKUP', deadline: null })
    await gateway.paid()
    expect(gateway.results).toEqual(['pay-1 SUCCESS 1000'])
    await gateway.service.close()
  })

  test('"there is none" counts only once no charge can come any more', async () => {
    const gateway = await Gateway.open(mode)
    await gateway.send(paymentRequested, order(), order())
    await gateway.answer({ code: 'BROKEN' })
    await gateway.wait(2_000)
    expect(gateway.asked).toEqual(['CHARGE 1', 'LOOKUP 2'])
    await gateway.answer({ status: 'NOT_FOUND' })
    expect(gateway.results).toEqual([])
    await gateway.wait(31 * MINUTE, 10_000)
    const early = gateway.calls[1]
    await gateway.answer({ status: 'NOT_FOUND' }, early)
    expect(gateway.results).toEqual([])
    await gateway.answer({ status: 'NOT_FOUND' })
    expect(gateway.results).toEqual(['FAILED NOT_CHARGED'])
    expect(gateway.service.dropped).toContain('StaleAnswer')
    const calls = gateway.calls.length
    await gateway.wait(10 * MINUTE, MINUTE)
    expect(gateway.calls).toHaveLength(calls)
    await gateway.service.close()
  })

  test('a call whose answer is lost anywhere is made again, with the same key', async () => {
    const gateway = await Gateway.open(mode)
    await gateway.send(paymentRequested, order())
    await gateway.wait(15_000)
    expect(gateway.asked).toEqual(['CHARGE 1', 'CHARGE 2'])
    await gateway.paid('pay-1', 1_000, gateway.calls[0])
    expect(gateway.results).toEqual(['pay-1 SUCCESS 1000'])
    await gateway.service.close()
  })

  test('I20 refunds that may have been made count as made; what failed is tried anew by the same id', async () => {
    const gateway = await Gateway.open(mode)
    await gateway.send(paymentRequested, order())
    await gateway.paid()
    await gateway.send(paymentRefundRequested, back(600), back(600), back(401))
    await gateway.answer({ code: 'TIMEOUT' })
    await gateway.wait(2_000)
    expect(gateway.asked).toEqual(['CHARGE 1', 'REFUND 1', 'REFUND 2'])
    await gateway.answer({ status: 'FAILED', code: 'LATER' })
    await gateway.send(paymentRefundRequested, back(401), back(600))
    await gateway.answer({ status: 'SUCCEEDED', amount: 401 })
    await gateway.send(paymentRefundRequested, back(401), back(599))
    await gateway.answer({ status: 'SUCCEEDED', amount: 599 })
    expect(gateway.refunded).toEqual([
      'r401 FAILED EXCEEDS_PAID',
      'r600 FAILED LATER',
      'r600 FAILED EXCEEDS_PAID',
      'r401 REFUNDED 401',
      'r401 REFUNDED 401',
      'r599 REFUNDED 599',
    ])
    const keys = gateway.calls.filter(({ kind }) => kind === 'REFUND').map((call) => call.idempotencyKey)
    // Two calls for 600, one for 401 and one for 599.
    expect([keys.length, new Set(keys).size]).toEqual([4, 3])
    await gateway.service.close()
  })

  test('I19 money that nobody asked for, or more of it, is told as it came', async () => {
    const gateway = await Gateway.open(mode)
    await gateway.webhook({ orderId: 'o9', idempotencyKey: null, paymentKey: 'walk-in' })
    await gateway.send(paymentRequested, order())
    await gateway.webhook({ amount: 999 })
    await gateway.webhook({ paymentKey: 'pay-2', eventId: 'e2' })
    await gateway.webhook({ paymentKey: 'pay-2', eventId: 'e3' })
    expect(gateway.results).toEqual(['walk-in SUCCESS 1000', 'pay-1 SUCCESS 999', 'pay-2 SUCCESS 1000'])
    // Asked again, it says what the charge came to.
    await gateway.send(paymentRequested, order())
    expect(gateway.results.at(-1)).toBe('pay-1 SUCCESS 999')
    await gateway.service.close()
  })

  test('silence becomes an incident, and the answer after all resolves it', async () => {
    const gateway = await Gateway.open(mode)
    await gateway.send(paymentRequested, order())
    await gateway.send(paymentRefundRequested, back(5, { paymentKey: 'other' }))
    await gateway.wait(7 * MINUTE, 10_000)
    expect(gateway.incidents.toSorted()).toEqual(['o1 OPEN', 'o1/r5 OPEN'])
    await gateway.paid(
      'pay-1',
      1_000,
      gateway.calls.find(({ kind }) => kind === 'CHARGE'),
    )
    await gateway.answer(
      { status: 'SUCCEEDED', amount: 5 },
      gateway.calls.find(({ kind }) => kind === 'REFUND'),
    )
    expect(gateway.incidents.slice(2)).toEqual(['o1 RESOLVED', 'o1/r5 RESOLVED'])
    await gateway.service.close()
  })
})

test('news that come out of order change nothing that is known', async () => {
  const gateway = await Gateway.open()
  await gateway.send(paymentRequested, order())
  await gateway.webhook({ status: 'PENDING' })
  await gateway.webhook({})
  await gateway.webhook({ status: 'FAILED', code: 'DECLINED' })
  await gateway.webhook({ status: 'PENDING' })
  expect(gateway.results).toEqual(['pay-1 SUCCESS 1000'])
  expect(gateway.service.dropped).toEqual(['StaleAnswer', 'ContradictingAnswer', 'RepeatedAnswer'])
  await gateway.service.close()
})

test('a charge that waits for its customer is no silence while there is time', async () => {
  const gateway = await Gateway.open()
  await gateway.send(paymentRequested, order())
  for (let i = 0; i < 20; i++) {
    await gateway.answer({ status: 'PENDING' })
    await gateway.wait(MINUTE, 10_000)
  }
  expect([gateway.results, gateway.incidents]).toEqual([[], []])
  await gateway.service.close()
})

test('a later epoch waits until what became of the charge before is known', async () => {
  const gateway = await Gateway.open()
  await gateway.send(paymentRequested, order(), order({ epoch: 1, amount: 900 }))
  expect(gateway.asked).toEqual(['CHARGE 1'])
  await gateway.answer({ status: 'FAILED' })
  expect([gateway.results, gateway.asked]).toEqual([[], ['CHARGE 1', 'CHARGE 1']])
  await gateway.paid('pay-2', 900)
  expect(gateway.results).toEqual(['pay-2 SUCCESS 900'])
  // What is paid is taken over by a later epoch.
  await gateway.send(paymentRequested, order({ epoch: 2 }))
  expect(gateway.results.at(-1)).toBe('pay-2 SUCCESS 900')
  await gateway.service.close()
})

describe('I19 a later epoch waits until it is known what came of paying back', () => {
  async function payingBack(mode: Partial<DriverOptions> = {}): Promise<Gateway> {
    const gateway = await Gateway.open(mode)
    await gateway.send(paymentRequested, order())
    await gateway.paid()
    await gateway.send(paymentRefundRequested, back(1_000))
    await gateway.send(paymentRequested, order({ epoch: 2 }))
    expect([gateway.results, gateway.asked]).toEqual([['pay-1 SUCCESS 1000'], ['CHARGE 1', 'REFUND 1']])
    return gateway
  }

  test.each(modes)('it is charged when all went back, %s', async (_, mode) => {
    const gateway = await payingBack(mode)
    await gateway.answer({ status: 'SUCCEEDED', amount: 1_000 })
    expect(gateway.asked).toEqual(['CHARGE 1', 'REFUND 1', 'CHARGE 1'])
    await gateway.paid('pay-2')
    expect(gateway.results).toEqual(['pay-1 SUCCESS 1000', 'pay-2 SUCCESS 1000'])
    await gateway.service.close()
  })

  test.each(modes)('it is served by what did not go back, %s', async (_, mode) => {
    const gateway = await payingBack(mode)
    await gateway.answer({ status: 'FAILED', code: 'DECLINED' })
    await gateway.wait(5 * MINUTE)
    expect([gateway.results, gateway.asked]).toEqual([
      ['pay-1 SUCCESS 1000', 'pay-1 SUCCESS 1000'],
      ['CHARGE 1', 'REFUND 1'],
    ])
    await gateway.service.close()
  })

  test('it is not charged when it is asked for twice: the order waits no longer', async () => {
    const gateway = await payingBack()
    await gateway.send(paymentRequested, order({ epoch: 2 }))
    await gateway.answer({ status: 'SUCCEEDED', amount: 1_000 })
    await gateway.wait(5 * MINUTE)
    expect(gateway.asked).toEqual(['CHARGE 1', 'REFUND 1'])
    await gateway.service.close()
  })
})

test('I20 a refund that was asked for before its payment was known is in no sum that it is taken out of', async () => {
  const gateway = await Gateway.open()
  await gateway.send(paymentRefundRequested, back(100, { refundId: 'early' }))
  const early = gateway.calls.at(-1)
  await gateway.webhook({})
  await gateway.send(paymentRefundRequested, back(600, { refundId: 'r600' }))
  await gateway.answer({ status: 'FAILED', code: 'DECLINED' }, early)
  await gateway.send(paymentRefundRequested, back(500, { refundId: 'r500' }))
  expect(gateway.refunded).toEqual(['early FAILED DECLINED', 'r500 FAILED EXCEEDS_PAID'])
  await gateway.service.close()
})

test('a provider that wants to be left alone is, for a while', async () => {
  const gateway = await Gateway.open()
  await gateway.send(paymentRequested, order())
  await gateway.answer({ code: 'HTTP_429', retryAfterMs: 30_000 })
  await gateway.wait(29_000)
  expect(gateway.asked).toEqual(['CHARGE 1'])
  await gateway.wait(2_000)
  expect(gateway.asked).toEqual(['CHARGE 1', 'CHARGE 2'])
  await gateway.service.close()
})

test('what is known is forgotten after a while, what is not known never', async () => {
  const gateway = await Gateway.open()
  await gateway.send(paymentRequested, order(), order({ orderId: 'o2', deadline: START + 10 * DAY }))
  await gateway.paid('pay-1', 1_000, gateway.calls[0])
  await gateway.send(paymentRequested, order({ orderId: 'o3' }))
  await gateway.paid('pay-3', 1_000)
  await gateway.send(paymentRefundRequested, back(1_000, { orderId: 'o3', paymentKey: 'pay-3' }))
  await gateway.wait(3 * DAY, DAY / 24)
  const { driver, topology } = gateway.service
  expect(driver.store(topology, gatewayChargeStore).get('o1').value).toBeUndefined()
  expect(driver.store(topology, gatewayPaymentStore).get(['o1', 'pay-1']).value).toBeUndefined()
  expect(driver.store(topology, gatewayChargeStore).get('o2').value?.state).toBe('ASKING')
  expect(driver.store(topology, gatewayPaymentStore).get(['o3', 'pay-3']).value?.pending).toBe(1_000)
  await gateway.service.close()
})

test.each([
  ['under another key', 'o2', order(), 'KeyMismatch'],
  ['of nothing', 'o1', order({ amount: 0 }), 'InvalidAmount'],
])('a payment %s is a dead letter', async (_name, key, command, reason) => {
  const gateway = await Gateway.open()
  await gateway.service.driver.pipe(paymentRequested, key, command)
  expect(gateway.service.deadLetters(paymentRequested as never)[0]).toMatch(`${reason}: `)
  expect(gateway.calls).toEqual([])
  await gateway.service.close()
})
