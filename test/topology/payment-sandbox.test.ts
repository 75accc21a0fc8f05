import { describe, expect, test } from 'vitest'
import type { PaymentOutcome } from '../../processors/index.ts'
import { topics } from '../../schemas/index.ts'
import type { DriverOptions } from '../../testing/index.ts'
import { paymentSandbox, sandboxPaymentStore } from '../../topologies/index.ts'
import { DAY, modes, Service } from '../support/services.ts'
import { payment, refund } from '../unit/sandboxes/given.ts'

const { paymentRequested, paymentRefundRequested } = topics

class Provider {
  readonly service: Service

  private constructor(service: Service) {
    this.service = service
  }

  /** Approves at once; `outcomes` by `PAYMENT` and epoch, or refundId with a `+` for each time that it failed. */
  static async open(
    mode: Partial<DriverOptions> = {},
    outcomes: Readonly<Record<string, Partial<PaymentOutcome>>> = {},
  ): Promise<Provider> {
    const service = paymentSandbox({
      keepMs: DAY,
      keepDoneMs: DAY,
      rule: ({ kind, attempt, refundId }) => ({
        approve: true,
        delayMs: 0,
        answers: 1,
        ...outcomes[kind === 'PAYMENT' ? `PAYMENT ${attempt}` : `${refundId}${'+'.repeat(attempt)}`],
      }),
    })
    return new Provider(await Service.open(service, mode))
  }

  send: Service['send'] = (topic, ...values) => this.service.send(topic, ...values)

  /** `sandbox-o1-0 SUCCESS 1000`. */
  get paid(): string[] {
    return this.service
      .read(topics.paymentResult)
      .map(({ paymentKey, status, amount, failureCode }) => words(paymentKey, status, failureCode ?? amount))
  }

  get refunded(): string[] {
    return this.service
      .read(topics.paymentRefundResult)
      .map(({ refundId, status, reason, amount }) => words(refundId, status, reason ?? amount))
  }
}

function words(...parts: (string | number)[]): string {
  return parts.join(' ')
}

describe.each(modes)('the payment sandbox, %s', (_, mode) => {
  test('approves and declines by its rule, and tries again under a higher epoch what was declined', async () => {
    const provider = await Provider.open(mode, { 'PAYMENT 0': { approve: false } })
    await provider.send(paymentRequested, payment(), payment(), payment({ epoch: 1 }), payment({ epoch: 2 }))
    await provider.send(paymentRequested, payment({ epoch: 1 }))
    expect(provider.paid).toEqual([
      'sandbox-o1-0 FAILED DECLINED',
      'sandbox-o1-0 FAILED DECLINED',
      'sandbox-o1-1 SUCCESS 1000',
      'sandbox-o1-1 SUCCESS 1000',
    ])
    expect(provider.service.dropped).toEqual(['OutdatedPayment'])
    await provider.service.close()
  })

  test('answers late, once, however often it is asked meanwhile', async () => {
    const provider = await Provider.open(mode, { 'PAYMENT 0': { delayMs: 5_000 } })
    await provider.send(paymentRequested, payment(), payment())
    expect(provider.paid).toEqual([])
    await provider.service.driver.advanceWallTime(5_000)
    await provider.send(paymentRequested, payment())
    expect(provider.paid).toEqual(['sandbox-o1-0 SUCCESS 1000', 'sandbox-o1-0 SUCCESS 1000'])
    await provider.service.close()
  })

  test('loses an answer, gives another twice, and charges once all the same', async () => {
    const provider = await Provider.open(mode, { 'PAYMENT 0': { answers: 0 }, r300: { answers: 2 } })
    await provider.send(paymentRequested, payment())
    expect(provider.paid).toEqual([])
    await provider.send(paymentRequested, payment())
    await provider.send(paymentRefundRequested, refund(300))
    expect(provider.paid).toEqual(['sandbox-o1-0 SUCCESS 1000'])
    expect(provider.refunded).toEqual(['r300 REFUNDED 300', 'r300 REFUNDED 300'])
    await provider.service.close()
  })

  test('an answer that would be lost is not, where somebody asks before it is due', async () => {
    const provider = await Provider.open(mode, { 'PAYMENT 0': { answers: 0, delayMs: 5_000 } })
    await provider.send(paymentRequested, payment(), payment())
    await provider.service.driver.advanceWallTime(5_000)
    expect(provider.paid).toEqual(['sandbox-o1-0 SUCCESS 1000'])
    await provider.service.close()
  })

  test('I20 pays each refund back once, and no more than was paid', async () => {
    const provider = await Provider.open(mode, { r100: { approve: false }, r600: { delayMs: 5_000 } })
    await provider.send(paymentRefundRequested, refund(1))
    await provider.send(paymentRequested, payment())
    await provider.send(
      paymentRefundRequested,
      refund(600),
      refund(600),
      refund(401),
      refund(100),
      refund(2, { paymentKey: 'another' }),
      refund(400),
    )
    await provider.service.driver.advanceWallTime(5_000)
    await provider.send(paymentRefundRequested, refund(600), refund(3))
    expect(provider.refunded).toEqual([
      'r1 FAILED UNKNOWN_PAYMENT',
      'r401 FAILED EXCEEDS_PAID',
      'r100 FAILED DECLINED',
      'r2 FAILED UNKNOWN_PAYMENT',
      'r400 REFUNDED 400',
      'r600 REFUNDED 600',
      'r600 REFUNDED 600',
      'r3 FAILED EXCEEDS_PAID',
    ])
    await provider.service.close()
  })
})

test('a refund that failed is tried anew, one that was paid back is not', async () => {
  const provider = await Provider.open({}, { r100: { approve: false } })
  await provider.send(paymentRefundRequested, refund(50))
  await provider.send(paymentRequested, payment())
  await provider.send(paymentRefundRequested, refund(50), refund(100), refund(100), refund(100))
  expect(provider.refunded).toEqual([
    'r50 FAILED UNKNOWN_PAYMENT',
    'r50 REFUNDED 50',
    'r100 FAILED DECLINED',
    'r100 REFUNDED 100',
    'r100 REFUNDED 100',
  ])
  const store = provider.service.driver.store(provider.service.topology, sandboxPaymentStore)
  expect(store.get('o1').value?.refunded).toBe(150)
  await provider.service.close()
})

test('what a payment was is forgotten after a while', async () => {
  const provider = await Provider.open()
  await provider.send(paymentRequested, payment())
  await provider.send(paymentRefundRequested, refund(10))
  await provider.service.driver.advanceWallTime(2 * DAY, DAY)
  const store = provider.service.driver.store(provider.service.topology, sandboxPaymentStore)
  expect(store.get('o1').value).toBeUndefined()
  await provider.send(paymentRefundRequested, refund(10))
  expect(provider.refunded).toEqual(['r10 REFUNDED 10', 'r10 FAILED UNKNOWN_PAYMENT'])
  await provider.service.close()
})

test.each([
  ['under another key', 'o2', payment(), 'KeyMismatch'],
  ['of nothing', 'o1', payment({ amount: 0 }), 'InvalidAmount'],
])('a payment %s is a dead letter', async (_name, key, command, reason) => {
  const provider = await Provider.open()
  await provider.service.driver.pipe(paymentRequested, key, command)
  expect(provider.service.deadLetters(paymentRequested as never)[0]).toMatch(`${reason}: `)
  expect(provider.paid).toEqual([])
  await provider.service.close()
})
