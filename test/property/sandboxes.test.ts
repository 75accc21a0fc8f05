/** I20 at the payment sandbox, and what may become of a delivery, over random requests, repeats and crashes. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type DeliveryCommand,
  type PaymentCommand,
  seededDeliveries,
  seededPayments,
} from '../../processors/index.ts'
import { topics } from '../../schemas/index.ts'
import { deliverySandbox, paymentSandbox } from '../../topologies/index.ts'
import { cancel, delivery, payment, refund } from '../unit/sandboxes/given.ts'
import { decidedOtherwise, historiesOf, play, played } from './service-history.ts'

const orderId = fc.constantFrom('o1', 'o2', 'o3')
const epoch = fc.constantFrom(0, 0, 1, 2)
const waits = fc.constantFrom(50, 200)
const seeds = fc.nat(1_000)
const chancesOf = (seed: number) => ({ seed, decline: 300, lose: 200, twice: 200, maxDelayMs: 100 })

const payments: fc.Arbitrary<PaymentCommand> = fc.oneof(
  fc.record({ orderId, epoch }).map((to): PaymentCommand => ({ kind: 'PAY', command: payment(to) })),
  fc
    .record({ orderId, epoch, amount: fc.integer({ min: 1, max: 600 }), id: fc.nat(9) })
    .map(({ orderId: order, epoch: of, amount, id }): PaymentCommand => {
      const paymentKey = `sandbox-${order}-${of}`
      return { kind: 'REFUND', command: refund(amount, { orderId: order, paymentKey, refundId: `r${id}` }) }
    }),
)

const deliveries: fc.Arbitrary<DeliveryCommand> = fc.oneof(
  fc.record({ orderId, epoch }).map((to): DeliveryCommand => ({ kind: 'SEND', command: delivery(to) })),
  orderId.map((order): DeliveryCommand => ({ kind: 'CANCEL', command: cancel({ orderId: order }) })),
)

describe.each(played)('%s', (_, mode) => {
  test('I20 what is paid back of a payment is what was paid at most, each refund once', async () => {
    await fc.assert(
      fc.asyncProperty(seeds, historiesOf(payments, waits), async (seed, history) => {
        const service = paymentSandbox({ rule: seededPayments(chancesOf(seed)) })
        const topicOf = { PAY: topics.paymentRequested, REFUND: topics.paymentRefundRequested }
        const recordOf = ({ kind, command }: PaymentCommand) => [topicOf[kind] as never, command] as const
        const { driver } = await play(service, history, recordOf, mode)
        await driver.advanceWallTime(200, 200)
        const paid = new Map<string, string>()
        for (const { value } of driver.read(topics.paymentResult)) {
          const text = JSON.stringify({ ...value })
          expect(paid.get(value?.paymentKey ?? '') ?? text).toBe(text)
          paid.set(value?.paymentKey ?? '', text)
        }
        const refunds = new Map<string, string>()
        const back = new Map<string, number>()
        for (const { value } of driver.read(topics.paymentRefundResult)) {
          const { orderId: order, refundId, paymentKey, amount, status } = value!
          const text = JSON.stringify({ ...value })
          const id = `${order} ${refundId}`
          // What failed is tried anew; once it is paid back it stays so.
          if (refunds.has(id)) expect(text).toBe(refunds.get(id))
          if (status !== 'REFUNDED' || refunds.has(id)) continue
          refunds.set(id, text)
          back.set(paymentKey, (back.get(paymentKey) ?? 0) + amount)
        }
        for (const sum of back.values()) expect(sum).toBeLessThanOrEqual(payment().amount)
        if (mode.stateHome !== 'task') expect(await decidedOtherwise(driver, service, mode)).toEqual([])
        await driver.close()
      }),
      { numRuns: 40 },
    )
  })

  test('a delivery that was called off never starts, and one that started is never called off', async () => {
    await fc.assert(
      fc.asyncProperty(seeds, historiesOf(deliveries, waits), async (seed, history) => {
        const rule = seededDeliveries(chancesOf(seed))
        const service = deliverySandbox({ rule })
        const topicOf = { SEND: topics.deliveryRequested, CANCEL: topics.deliveryCancelRequested }
        const recordOf = ({ kind, command }: DeliveryCommand) => [topicOf[kind] as never, command] as const
        const { driver } = await play(service, history, recordOf, mode)
        await driver.advanceWallTime(300, 100)
        const news = driver.read(topics.deliveryResult).map(({ value }) => value!)
        const started = new Set(
          news
            .filter(({ status }) => status === 'STARTED' || status === 'DELIVERED')
            .map((each) => each.deliveryId),
        )
        for (const { value } of driver.read(topics.deliveryCancelResult)) {
          const { deliveryId, status } = value!
          const request = { orderId: value!.orderId, customerId: 'ann', attempt: Number(deliveryId?.at(-1)) }
          const lost = rule(request).ends === 'LOST'
          if (status === 'CANCELLED' && deliveryId !== null && !lost)
            expect(started).not.toContain(deliveryId)
        }
        if (mode.stateHome !== 'task') expect(await decidedOtherwise(driver, service, mode)).toEqual([])
        await driver.close()
      }),
      { numRuns: 40 },
    )
  })
})

test('deliveries are tried on histories in which everything happens', async () => {
  const seen = new Set<string>()
  for (const history of fc.sample(historiesOf(deliveries, waits), { numRuns: 40, seed: 1 })) {
    const service = deliverySandbox({ rule: seededDeliveries(chancesOf(history.length)) })
    const topicOf = { SEND: topics.deliveryRequested, CANCEL: topics.deliveryCancelRequested }
    const recordOf = ({ kind, command }: DeliveryCommand) => [topicOf[kind] as never, command] as const
    const { driver } = await play(service, history, recordOf, {})
    await driver.advanceWallTime(300, 100)
    for (const { value } of driver.read(topics.deliveryResult)) seen.add(value!.reason ?? value!.status)
    for (const { value } of driver.read(topics.deliveryCancelResult)) seen.add(value!.status)
    await driver.close()
  }
  expect([...seen].sort()).toEqual(['CANCELLED', 'DELIVERED', 'LOST', 'REFUSED', 'STARTED', 'TOO_LATE'])
})
