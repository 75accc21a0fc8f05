/** Orders before payment, and through to their end: every path of the saga, against services that say what a test tells them. */
import { describe, expect, test } from 'vitest'
import { topics } from '../../schemas/index.ts'
import { items } from '../unit/ranking/given.ts'
import { created, DAY, MINUTE, modes, OrderDesk, START } from './orders-driver.ts'

describe.each(modes)('an order, %s', (_, mode) => {
  test('with points and a coupon goes all the way, step after step', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create({ pointsToUse: 100, userCouponId: 'c1' })
    expect(desk.news).toEqual(['reserve tea 1x2', 'reserve milk 2x1'])
    await desk.reserved('milk')
    expect(desk.news).toEqual([])
    await desk.reserved('tea')
    expect(desk.news).toEqual(['deduct 100'])
    await desk.deducted()
    expect(desk.news).toEqual(['use c1 on 700'])
    await desk.used(150)
    expect(desk.news).toEqual(['pay 450'])
    await desk.paid(450)
    expect(desk.news).toEqual(['deliver to ann'])
    await desk.courier('STARTED')
    expect(desk.news).toEqual(['commit tea 1x2', 'commit milk 2x1'])
    expect(desk.states).toEqual([
      'PENDING',
      'STOCK_RESERVED',
      'POINTS_DEDUCTED',
      'COUPON_USED',
      'AWAITING_PAYMENT',
      'PAID',
      'CONFIRMED',
      'DELIVERY_REQUESTED',
      'SHIPPED',
      'COMPLETED',
    ])
    expect(desk.facts('orderConfirmed')).toMatchObject([
      {
        orderId: 'o1',
        finalAmount: 450,
        pointsUsed: 100,
        userCouponId: 'c1',
        paidAt: START,
        confirmedAt: START,
      },
    ])
    expect(desk.facts('orderCompleted')).toMatchObject([
      { orderId: 'o1', finalAmount: 450, completedAt: START },
    ])
    expect(desk.incidents).toEqual([])
    await desk.close()
  })

  test('I15: numbers its statuses without a gap', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create()
    await desk.reserved('tea milk')
    await desk.paid(700)
    await desk.courier('STARTED')
    expect(desk.statuses.map(({ revision }) => revision)).toEqual(desk.statuses.map((__, i) => i + 1))
    await desk.close()
  })

  test('passes over steps without work: no points, no coupon, nothing to send', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create({ shipTo: null })
    await desk.reserved('tea milk')
    await desk.paid(700)
    expect(desk.news).toEqual([
      'reserve tea 1x2',
      'reserve milk 2x1',
      'commit tea 1x2',
      'commit milk 2x1',
      'pay 700',
    ])
    expect(desk.states).toEqual([
      'PENDING',
      'STOCK_RESERVED',
      'AWAITING_PAYMENT',
      'PAID',
      'CONFIRMED',
      'COMPLETED',
    ])
    await desk.close()
  })

  test('gives back points beyond what is left, and passes over a payment of 0', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create({ pointsToUse: 1_000, userCouponId: 'c1' })
    await desk.reserved('tea milk')
    await desk.deducted()
    await desk.used(200)
    expect(desk.news.slice(2)).toEqual(['deduct 700', 'points back 200 of surplus', 'use c1 on 700'])
    await desk.restored('POINTS', { returnId: 'surplus' })
    expect(desk.news).toEqual(['deliver to ann'])
    expect(desk.states.slice(-3)).toEqual(['COUPON_USED', 'CONFIRMED', 'DELIVERY_REQUESTED'])
    expect(desk.facts('orderConfirmed')).toMatchObject([{ finalAmount: 0, pointsUsed: 500, paidAt: START }])
    await desk.close()
  })

  test('with lines of the same product asks for them in one command', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create({ items: items('2 tea 300, 1 milk 100, 3 tea 250') })
    expect(desk.news).toEqual(['reserve tea 1x2+3x3', 'reserve milk 2x1'])
    await desk.close()
  })

  test('is complete only once delivered, where the shop says so', async () => {
    const desk = await OrderDesk.open(mode, { completeOn: 'delivered' })
    await desk.create()
    await desk.reserved('tea milk')
    await desk.paid(700)
    await desk.courier('STARTED')
    expect(desk.status?.state).toBe('SHIPPED')
    await desk.cancel()
    expect(desk.deadLetters('orderCancelRequested')).toEqual([
      'CancelNotAllowed: its state does not allow it',
    ])
    await desk.courier('DELIVERED')
    expect(desk.status?.state).toBe('COMPLETED')
    await desk.close()
  })

  test('whose DELIVERED overtakes its STARTED is complete at once', async () => {
    const desk = await OrderDesk.open(mode, { completeOn: 'delivered' })
    await desk.create()
    await desk.reserved('tea milk')
    await desk.paid(700)
    await desk.courier('DELIVERED')
    await desk.courier('STARTED')
    expect(desk.states.slice(-2)).toEqual(['SHIPPED', 'COMPLETED'])
    await desk.close()
  })
})

describe.each(modes)('an order that cannot be, %s', (_, mode) => {
  test('I16: restores every product, answered or not, once one is rejected', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create()
    await desk.rejected('tea', 'OUT_OF_STOCK')
    expect(desk.news.slice(2)).toEqual(['restore tea 1x2', 'restore milk 2x1'])
    expect(desk.states).toEqual(['PENDING', 'COMPENSATING'])
    await desk.reserved('milk')
    await desk.restored('tea milk')
    expect(desk.news).toEqual([])
    expect(desk.states).toEqual(['PENDING', 'COMPENSATING', 'FAILED'])
    expect(desk.facts('orderFailed')).toEqual([
      {
        orderId: 'o1',
        userId: 'ann',
        failedStep: 'stock',
        reason: 'OUT_OF_STOCK',
        compensations: [{ step: 'stock', status: 'RESTORED' }],
      },
    ])
    expect(desk.facts('orderCancelled')).toEqual([])
    await desk.close()
  })

  test('I16: undoes points and stock in reverse when the coupon is refused', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create({ pointsToUse: 100, userCouponId: 'c1' })
    await desk.reserved('tea milk')
    await desk.deducted()
    await desk.couponRejected('EXPIRED')
    expect(desk.news.slice(-1)).toEqual(['use c1 on 700'])
    expect(desk.stored()?.order?.steps.map(({ status }) => status)).toEqual(['DONE', 'UNDOING', 'UNDONE'])
    await desk.restored('POINTS')
    expect(desk.news).toEqual(['restore tea 1x2', 'restore milk 2x1'])
    await desk.restored('milk tea')
    expect(desk.status).toMatchObject({ state: 'FAILED', note: 'REFUSED coupon EXPIRED' })
    await desk.close()
  })

  test('I16: a last timeout undoes also the step whose answer never came', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create({ pointsToUse: 100 })
    await desk.reserved('tea milk')
    await desk.driver.advanceWallTime(170_000)
    expect(desk.news).toEqual([
      'reserve tea 1x2',
      'reserve milk 2x1',
      'deduct 100',
      'deduct 100',
      'deduct 100',
      'deduct 100',
      'deduct 100',
      'points back 100',
    ])
    await desk.deducted()
    await desk.restored('POINTS')
    await desk.restored('tea milk')
    expect(desk.status).toMatchObject({ state: 'FAILED', note: 'TIMEOUT points no answer to 5 sendings' })
    await desk.close()
  })

  test('keeps an answer that comes after a timeout and before the next sending', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create()
    await desk.driver.advanceWallTime(30_000, 30_000)
    await desk.reserved('tea milk')
    expect(desk.news).toEqual(['reserve tea 1x2', 'reserve milk 2x1', 'pay 700'])
    await desk.close()
  })

  test('fails when its payment is declined', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create()
    await desk.reserved('tea milk')
    await desk.declined('INSUFFICIENT_FUNDS')
    await desk.restored('tea milk')
    expect(desk.states).toEqual(['PENDING', 'STOCK_RESERVED', 'AWAITING_PAYMENT', 'COMPENSATING', 'FAILED'])
    await desk.close()
  })

  test('I18: expires unpaid at payBy, wherever it is', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create()
    await desk.reserved('tea milk')
    await desk.driver.advanceWallTime(60 * MINUTE, MINUTE)
    expect(desk.news.slice(2)).toEqual(['restore tea 1x2', 'restore milk 2x1', 'pay 700', 'pay 700'])
    expect(desk.stored()?.order?.cause).toMatchObject({ kind: 'DEADLINE', step: 'payment' })
    await desk.restored('tea milk')
    expect(desk.status).toMatchObject({ state: 'FAILED', note: 'DEADLINE payment' })
    await desk.close()
  })

  test('I18: has its time to pay from when it is taken, where it names none', async () => {
    const desk = await OrderDesk.open(mode)
    const { clock } = desk.driver
    const message = created({ payBy: 0 })
    // It has waited for a day.
    clock.advance(24 * 60 * MINUTE)
    await desk.driver.pipe(topics.orderCreated, 'o1', message, { timestamp: START })
    expect(desk.stored()?.order?.data.payBy).toBe(clock.now() + 30 * MINUTE)
    await desk.reserved('tea milk')
    expect(desk.news.at(-1)).toBe('pay 700')
    await desk.driver.advanceWallTime(29 * MINUTE, MINUTE)
    expect(desk.news).toEqual([])
    await desk.driver.advanceWallTime(MINUTE, MINUTE)
    expect(desk.news).toEqual(['restore tea 1x2', 'restore milk 2x1', 'pay 700'])
    await desk.close()
  })

  test('I16: asks once more what became of a payment when it expires, and gives back what was charged unheard', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create()
    await desk.reserved('tea milk')
    expect(desk.news.at(-1)).toBe('pay 700')
    await desk.driver.advanceWallTime(60 * MINUTE, MINUTE)
    expect(desk.news.at(-1)).toBe('pay 700')
    // The answer that was lost the first time.
    await desk.paid(700)
    await desk.restored('tea milk')
    expect(desk.news).toEqual(['refund 700 of p1'])
    expect(desk.status?.state).toBe('FAILED')
    await desk.close()
  })

  test('I19: a payment after that is refunded, with an incident until it is', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create()
    await desk.reserved('tea milk')
    await desk.driver.advanceWallTime(60 * MINUTE, MINUTE)
    await desk.paid(700)
    await desk.paid(700)
    expect(desk.news.filter((one) => one.startsWith('refund'))).toEqual(['refund 700 of p1'])
    expect(desk.incidents).toEqual(['OPEN ORDER_STRAY_PAYMENT o1/p1: LATE_PAYMENT, refunded'])
    await desk.restored('tea milk')
    await desk.refunded('o1|stray|p1', 700)
    expect(desk.incidents.slice(1)).toEqual(['RESOLVED ORDER_STRAY_PAYMENT o1/p1'])
    expect(desk.status?.state).toBe('FAILED')
    await desk.close()
  })

  test('I19, I20: a payment of a wrong amount is refunded, and the order still waits for the right one', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create()
    await desk.reserved('tea milk')
    await desk.paid(699, 'p0')
    expect(desk.news.slice(3)).toEqual(['refund 699 of p0'])
    expect(desk.incidents).toEqual(['OPEN ORDER_STRAY_PAYMENT o1/p0: WRONG_AMOUNT, refunded'])
    await desk.paid(700, 'p1')
    await desk.paid(700, 'p2')
    expect(desk.news).toEqual(['refund 700 of p2', 'deliver to ann'])
    await desk.close()
  })

  test('I17, I20: a payment that came too early went back, and pays nothing when it is told again', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create()
    await desk.paid(700, 'p0')
    expect(desk.news.at(-1)).toBe('refund 700 of p0')
    await desk.reserved('tea milk')
    expect(desk.news).toEqual(['pay 700'])
    await desk.paid(700, 'p0')
    expect([desk.news, desk.status?.state]).toEqual([[], 'AWAITING_PAYMENT'])
    await desk.paid(700, 'p1')
    expect(desk.news).toEqual(['deliver to ann'])
    await desk.close()
  })

  test('I19: a payment of an unknown order is refunded', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.paid(500, 'p9', 'o9')
    expect(desk.news).toEqual(['refund 500 of p9'])
    expect(desk.incidents).toEqual(['OPEN ORDER_STRAY_PAYMENT o9/p9: UNKNOWN_ORDER, refunded'])
    await desk.say('paymentRefundResult', {
      refundId: 'o9|stray|p9',
      orderId: 'o9',
      paymentKey: 'p9',
      amount: 500,
      status: 'REFUNDED',
      reason: null,
    })
    await desk.driver.advanceWallTime(400 * DAY, DAY)
    expect(desk.stored('o9')).toBeUndefined()
    await desk.close()
  })
})

describe('bad input', () => {
  test.each([
    ['another currency', { currency: 'USD' }, 'WrongCurrency: it is not in GBP'],
    ['no lines', { items: [] }, 'InvalidOrder: 0 lines'],
    [
      'a line number twice',
      { items: [...items('1 tea 1'), ...items('1 milk 1')] },
      'InvalidOrder: a line number is used twice',
    ],
    ['a quantity of 0', { items: items('0 tea 300') }, 'InvalidOrder: line 1: quantity 0, unitPrice 300'],
    [
      'an amount too large',
      { items: items('2 tea 9007199254740991') },
      'InvalidOrder: line 1: quantity 2, unitPrice 9007199254740991',
    ],
    ['negative points', { pointsToUse: -1 }, 'InvalidOrder: pointsToUse -1'],
    ['no user', { userId: '' }, 'InvalidOrder: userId has 0 characters, not 1 to 200'],
  ])('an order with %s is put aside', async (_, changes, letter) => {
    const desk = await OrderDesk.open()
    await desk.create(changes)
    expect(desk.deadLetters('orderCreated')).toEqual([letter])
    expect(desk.statuses).toEqual([])
    expect(desk.stored()).toBeUndefined()
    await desk.close()
  })

  test('an order that comes again changes nothing, and answers of no order are counted', async () => {
    const desk = await OrderDesk.open()
    await desk.reserved('tea')
    await desk.create()
    await desk.create({ pointsToUse: 7 })
    await desk.deducted()
    expect(desk.news).toEqual(['reserve tea 1x2', 'reserve milk 2x1'])
    expect(Object.fromEntries(desk.dropped)).toEqual({
      UnknownSagaAnswer: 1,
      RepeatedAnswer: 1,
      UnexpectedAnswer: 1,
    })
    await desk.close()
  })

  test('requests about no order are put aside', async () => {
    const desk = await OrderDesk.open()
    await desk.cancel()
    await desk.takeBack('r1', '1x1')
    await desk.repair('RETRY')
    for (const topic of ['orderCancelRequested', 'orderReturnRequested', 'orderRepairRequested'] as const) {
      expect(desk.deadLetters(topic)).toEqual(['UnknownOrder: no order of this id is known'])
    }
    await desk.close()
  })

  test('a currency that is none is refused at the start', async () => {
    await expect(OrderDesk.open({}, { currency: 'pounds' })).rejects.toThrow(
      'currency pounds is no ISO 4217 code',
    )
  })
})
