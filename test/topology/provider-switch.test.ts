/** A provider over HTTP takes over a log whose orders somebody else has answered so far. */
import { describe, expect, test } from 'vitest'
import { type PaymentCallResult, topics } from '../../schemas/index.ts'
import { formatUuid7, type Lineage, NO_HEADERS } from '../../streams/index.ts'
import { deliveryGateway, deliverySandbox, paymentGateway, paymentSandbox } from '../../topologies/index.ts'
import { DAY, modes, Service, START } from '../support/services.ts'
import { cancel, delivery, payment, refund } from '../unit/sandboxes/given.ts'

const deadline = START + 30 * 60_000
const HOUR = 3_600_000
const keeping = { keepMs: DAY, keepDoneMs: DAY }
const order = (orderId: string, changes: Parameters<typeof payment>[0] = {}) =>
  payment({ orderId, userId: orderId, deadline, ...changes })
const back = (orderId: string, amount: number) =>
  refund(amount, { orderId, paymentKey: `sandbox-${orderId}-0` })
const parcel = (orderId: string, changes: Parameters<typeof delivery>[0] = {}) =>
  delivery({ orderId, customerId: orderId, shipTo: Buffer.from('sealed'), ...changes })

/** Whoever is asked for `lost-…` never answers, `poor-…` and `far-…` are refused. */
const playedPayments = paymentSandbox({
  ...keeping,
  rule: ({ userId, refundId }) => ({
    approve: !userId.startsWith('poor') && refundId !== 'r300',
    delayMs: 0,
    answers: userId.startsWith('lost') || refundId === 'r200' ? 0 : 1,
  }),
})
const playedDeliveries = deliverySandbox({
  ...keeping,
  rule: ({ customerId, attempt }) => ({
    ends: customerId.startsWith('far') && attempt === 0 ? 'REFUSED' : 'DELIVERED',
    startMs: 0,
    travelMs: 1_000,
    answers: customerId.startsWith('lost') ? 0 : 1,
  }),
})

describe.each(modes)('%s', (_, mode) => {
  test('what was paid, refused and paid back is settled; what nobody answered is asked for', async () => {
    const shop = await Service.open(playedPayments, mode)
    await shop.send(topics.paymentRequested, ...['paid', 'lost', 'poor'].map((id) => order(id)))
    await shop.send(topics.paymentRefundRequested, ...[100, 200, 300].map((amount) => back('paid', amount)))
    await shop.send(topics.paymentRequested, order('retried-poor', { userId: 'poor' }))
    const told = shop.read(topics.paymentResult)
    await shop.driver.restart([paymentGateway({ ...keeping, currency: 'EUR' })])
    await shop.driver.settle()
    const asked = () =>
      shop
        .read(topics.paymentCallRequested)
        .map(({ kind, orderId, amount }) => `${kind} ${orderId} ${amount}`)
    expect(asked().toSorted()).toEqual(['CHARGE lost 1000', 'REFUND paid 200'])
    expect(shop.read(topics.paymentResult)).toEqual(told)
    // What comes from now on is judged by what is known: told again, asked for, and no more paid back than was paid.
    await shop.send(topics.paymentRequested, order('paid'), order('retried-poor', { epoch: 1 }))
    await shop.send(topics.paymentRefundRequested, back('paid', 701), back('paid', 700), back('paid', 300))
    expect(asked().slice(2)).toEqual(['CHARGE retried-poor 1000', 'REFUND paid 700'])
    expect(shop.read(topics.paymentResult).slice(told.length)).toEqual([told[0]])
    const refused = shop.read(topics.paymentRefundResult).filter(({ reason }) => reason === 'EXCEEDS_PAID')
    expect(refused.map(({ amount }) => amount)).toEqual([701, 300])
    await shop.close()
  })

  test('a payment by a provider on the topics is charged by nobody else, whatever its time', async () => {
    const shop = await Service.open(playedPayments, mode)
    await shop.driver.restart([])
    await shop.send(topics.paymentRequested, order('o1'), order('o2'))
    const paid = {
      orderId: 'o1',
      paymentKey: 'theirs',
      amount: 1_000,
      status: 'SUCCESS',
      failureCode: null,
    } as const
    await shop.driver.pipe(topics.paymentResult, 'o1', paid, { timestamp: START - 60_000 })
    await shop.driver.restart([paymentGateway({ ...keeping, currency: 'EUR' })])
    await shop.driver.settle()
    expect(shop.read(topics.paymentCallRequested).map(({ orderId }) => orderId)).toEqual(['o2'])
    await shop.close()
  })

  test('an answer by a clock that is behind is the answer to the command that it names', async () => {
    const shop = await Service.open(playedPayments, mode)
    await shop.driver.restart([])
    const no = { orderId: 'o1', paymentKey: 'k', amount: 1_000, status: 'FAILED', failureCode: 'NO' } as const
    for (const epoch of [0, 1]) {
      await shop.send(topics.paymentRequested, order('o1', { epoch }))
      const command = shop.driver.read(topics.paymentRequested).at(-1)?.record
      const causationId = command?.lineage?.eventId
      const eventId = formatUuid7(START, epoch, 0, 7)
      const place = { topic: topics.paymentResult.name, key: Buffer.from('o1'), headers: NO_HEADERS }
      const value = topics.paymentResult.value.serialize(no)
      const timestamp = (command?.timestamp ?? 0) - 5
      await shop.driver.log.append([{ ...place, value, timestamp, lineage: { eventId, causationId } }])
    }
    await shop.driver.restart([paymentGateway({ ...keeping, currency: 'EUR' })])
    await shop.driver.settle()
    expect(shop.read(topics.paymentCallRequested)).toEqual([])
    await shop.close()
  })

  test('what is older than answers are kept is not asked for: its answer may be gone', async () => {
    const shop = await Service.open(playedPayments, mode)
    await shop.driver.restart([playedPayments, playedDeliveries])
    await shop.driver.restart([])
    await shop.send(topics.paymentRefundRequested, back('o1', 100))
    await shop.send(topics.deliveryRequested, parcel('o1'))
    shop.driver.clock.advance(7 * HOUR)
    await shop.send(topics.paymentRefundRequested, back('o2', 100))
    await shop.send(topics.deliveryRequested, parcel('o2'))
    const answersMs = 6 * HOUR
    await shop.driver.restart([
      paymentGateway({ ...keeping, currency: 'EUR', answersMs }),
      deliveryGateway({ ...keeping, answersMs }),
    ])
    await shop.driver.settle()
    const calls = [...shop.read(topics.paymentCallRequested), ...shop.read(topics.deliveryCallRequested)]
    expect(calls.map(({ kind, orderId }) => `${kind} ${orderId}`)).toEqual(['REFUND o2', 'SHIP o2'])
    const letters = [
      ...shop.deadLetters(topics.paymentRefundRequested as never),
      ...shop.deadLetters(topics.deliveryRequested as never),
    ]
    expect(letters.map((letter) => letter.split(':')[0])).toEqual(['TooOld', 'TooOld'])
    await shop.close()
  })

  test('after a reset, a parcel that is under way is looked at under its key; one of another courier once', async () => {
    const shop = await Service.open(playedDeliveries, mode)
    await shop.driver.restart([])
    await shop.send(topics.deliveryRequested, parcel('ours'), parcel('theirs'))
    for (const orderId of ['ours', 'theirs']) {
      const told = { orderId, deliveryId: `d-${orderId}`, status: 'STARTED', reason: null } as const
      await shop.driver.pipe(topics.deliveryResult, orderId, told)
    }
    await shop.driver.restart([deliveryGateway(keeping)])
    await shop.driver.settle()
    const looks = () => shop.read(topics.deliveryCallRequested)
    await shop.driver.advanceWallTime(2 * 60_000, 1_000)
    expect(new Set(looks().map(({ kind, orderId }) => `${kind} ${orderId}`))).toEqual(
      new Set(['LOOKUP ours', 'LOOKUP theirs']),
    )
    for (const { orderId, idempotencyKey, attempt } of looks().slice(0, 2)) {
      const status = orderId === 'ours' ? 'DELIVERED' : 'NOT_FOUND'
      const answer = { kind: 'SHIPMENT', orderId, idempotencyKey, attempt, status, deliveryId: null } as const
      await shop.send(topics.deliveryCallResult, { ...answer, code: null, retryAfterMs: null, eventId: null })
    }
    const made = looks().length
    await shop.driver.advanceWallTime(3 * HOUR, 60_000)
    expect(looks()).toHaveLength(made)
    expect(shop.read(topics.deliveryResult).slice(2)).toMatchObject([
      { orderId: 'ours', status: 'DELIVERED' },
    ])
    expect(shop.read(topics.opsIncident)).toEqual([])
    await shop.close()
  })

  test('a refund that failed twice before a reset is asked for under its third key', async () => {
    const gateway = paymentGateway({ ...keeping, currency: 'EUR' })
    const command = back('o1', 100)
    const third = await Service.open(gateway, mode)
    for (let n = 0; n < 3; n++) {
      await third.send(topics.paymentRefundRequested, command)
      const { orderId, idempotencyKey, attempt, refundId } = third.read(topics.paymentCallRequested)[n] ?? {}
      const said = { kind: 'REFUND', orderId, idempotencyKey, attempt, refundId, status: 'FAILED' } as const
      const nothing = { paymentKey: null, amount: null, code: 'NO', retryAfterMs: null, eventId: null }
      await third.driver.pipe(topics.paymentCallResult, 'o1', { ...said, ...nothing } as PaymentCallResult)
    }
    const keys = third.read(topics.paymentCallRequested).map(({ idempotencyKey }) => idempotencyKey)
    const told = third.driver.read(topics.paymentRefundResult).slice(0, 2)
    await third.close()
    const shop = await Service.open(gateway, mode)
    await shop.driver.restart([])
    for (const { record } of told)
      await shop.driver.log.append([{ ...record, lineage: record.lineage as Lineage }])
    await shop.driver.restart([gateway])
    shop.driver.clock.advance(HOUR)
    await shop.send(topics.paymentRefundRequested, command)
    expect(shop.read(topics.paymentCallRequested).map(({ idempotencyKey }) => idempotencyKey)).toEqual([
      keys[2],
    ])
    await shop.close()
  })

  test('what was sent, refused and called off is settled; what nobody answered is asked for', async () => {
    const shop = await Service.open(playedDeliveries, mode)
    await shop.send(topics.deliveryCancelRequested, cancel({ orderId: 'off' }))
    await shop.send(
      topics.deliveryRequested,
      ...['sent', 'lost', 'far', 'far-2', 'off'].map((id) => parcel(id)),
    )
    await shop.send(topics.deliveryRequested, parcel('far-2', { epoch: 1 }))
    await shop.send(topics.deliveryCancelRequested, cancel({ orderId: 'sent' }))
    await shop.driver.advanceWallTime(2_000)
    const told = shop.read(topics.deliveryResult)
    await shop.driver.restart([deliveryGateway(keeping)])
    await shop.driver.settle()
    const asked = () =>
      shop.read(topics.deliveryCallRequested).map(({ kind, orderId }) => `${kind} ${orderId}`)
    expect(asked()).toEqual(['SHIP lost'])
    expect(shop.read(topics.deliveryResult)).toEqual(told)
    await shop.send(topics.deliveryCancelRequested, cancel({ orderId: 'far-2' }))
    await shop.send(topics.deliveryRequested, parcel('sent', { epoch: 1 }), parcel('far', { epoch: 1 }))
    expect(asked().slice(1)).toEqual(['SHIP far'])
    expect(shop.read(topics.deliveryCancelResult).at(-1)).toMatchObject({
      orderId: 'far-2',
      status: 'TOO_LATE',
    })
    await shop.close()
  })
})
