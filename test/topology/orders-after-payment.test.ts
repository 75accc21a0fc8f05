/** Orders that are paid: cancels, couriers that give up, returns, and what an operator does. */
import { describe, expect, test } from 'vitest'
import type { OrderCreated } from '../../schemas/index.ts'
import type { DriverOptions } from '../../testing/index.ts'
import type { OrderOptions } from '../../topologies/index.ts'
import { items } from '../unit/ranking/given.ts'
import { DAY, MINUTE, modes, OrderDesk, START } from './orders-driver.ts'

type Mode = Partial<DriverOptions>

/** Paid with 7.00, asked to be delivered; what was said so far is read. */
async function paidOrder(
  mode: Mode,
  changes: Partial<OrderCreated> = {},
  options: Partial<OrderOptions> = {},
) {
  const desk = await OrderDesk.open(mode, options)
  await desk.create(changes)
  await desk.reserved('tea milk')
  await desk.paid(700)
  expect(desk.news.at(-1)).toBe('deliver to ann')
  return desk
}

/** 100 points, a coupon of 1.50, 4.50 in money; completed. */
async function completedOrder(mode: Mode) {
  const desk = await OrderDesk.open(mode)
  await desk.create({ pointsToUse: 100, userCouponId: 'c1', items: items('3 tea 200, 1 milk 100') })
  await desk.reserved('tea milk')
  await desk.deducted()
  await desk.used(150)
  await desk.paid(450)
  await desk.courier('STARTED')
  expect(desk.status?.state).toBe('COMPLETED')
  expect(desk.news.length).toBeGreaterThan(0)
  return desk
}

describe.each(modes)('a cancel, %s', (_, mode) => {
  test('before payment undoes at once, and what is paid then goes back', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create()
    await desk.reserved('tea milk')
    await desk.cancel()
    await desk.paid(700)
    const back = ['restore tea 1x2', 'restore milk 2x1']
    // The provider is asked once more: it may have charged, and nobody heard of it.
    expect(desk.news.slice(2)).toEqual([...back, 'pay 700', 'pay 700', 'refund 700 of p1'])
    await desk.restored('tea milk')
    expect(desk.states.slice(-2)).toEqual(['COMPENSATING', 'CANCELLED'])
    expect(desk.facts('orderCancelled')).toMatchObject([{ refundAmount: 0, confirmedAt: null }])
    expect(desk.facts('orderFailed')).toEqual([])
    await desk.close()
  })

  test('while stock is asked for waits for no answer', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create()
    await desk.cancel()
    await desk.restored('tea milk')
    await desk.reserved('tea milk')
    expect(desk.states).toEqual(['PENDING', 'COMPENSATING', 'CANCELLED'])
    await desk.cancel()
    expect(desk.deadLetters('orderCancelRequested')).toEqual([
      'CancelNotAllowed: its state does not allow it',
    ])
    await desk.close()
  })

  test('after payment first asks the courier, then refunds, then undoes', async () => {
    const desk = await paidOrder(mode)
    await desk.cancel()
    expect(desk.news).toEqual(['stop delivery'])
    await desk.stopped('CANCELLED')
    expect(desk.news).toEqual(['refund 700 of p1'])
    await desk.refunded('o1|order', 700)
    expect(desk.news).toEqual(['restore tea 1x2', 'restore milk 2x1'])
    await desk.restored('tea milk')
    expect(desk.states.slice(-4)).toEqual(['CANCELLING', 'REFUNDING', 'COMPENSATING', 'CANCELLED'])
    expect(desk.facts('orderCancelled')).toEqual([
      {
        orderId: 'o1',
        userId: 'ann',
        returnId: null,
        items: [
          { lineNo: 1, productId: 'tea', quantity: 2, amount: 600 },
          { lineNo: 2, productId: 'milk', quantity: 1, amount: 100 },
        ].map((line) => expect.objectContaining(line)),
        refundAmount: 700,
        confirmedAt: START,
        at: START,
        reason: 'changed my mind',
      },
    ])
    await desk.close()
  })

  test('that comes too late for the courier changes nothing', async () => {
    const desk = await paidOrder(mode)
    await desk.cancel()
    await desk.courier('STARTED')
    expect(desk.status?.state).toBe('CANCELLING')
    await desk.stopped('TOO_LATE')
    expect(desk.states.slice(-3)).toEqual(['CANCELLING', 'SHIPPED', 'COMPLETED'])
    expect(desk.news).toEqual(['commit tea 1x2', 'commit milk 2x1', 'stop delivery'])
    await desk.close()
  })

  test('that comes too late before the courier says so: it waits for the start again', async () => {
    const desk = await paidOrder(mode)
    await desk.cancel()
    await desk.stopped('TOO_LATE')
    expect(desk.status?.state).toBe('DELIVERY_REQUESTED')
    await desk.courier('STARTED')
    expect(desk.status?.state).toBe('COMPLETED')
    await desk.close()
  })

  test('that comes too late for goods that are there already', async () => {
    const desk = await paidOrder(mode, {}, { completeOn: 'delivered' })
    await desk.cancel()
    await desk.courier('STARTED')
    await desk.courier('DELIVERED')
    await desk.stopped('TOO_LATE')
    expect(desk.states.slice(-3)).toEqual(['CANCELLING', 'SHIPPED', 'COMPLETED'])
    await desk.close()
  })

  test('needs no answer of a courier who gives up meanwhile', async () => {
    const desk = await paidOrder(mode)
    await desk.cancel()
    await desk.courier('STARTED')
    await desk.courier('FAILED', 'LOST')
    expect(desk.status?.state).toBe('REFUNDING')
    await desk.stopped('TOO_LATE')
    expect(desk.status?.state).toBe('REFUNDING')
    await desk.close()
  })

  test('of an operator after the start: too late, and it goes on', async () => {
    const desk = await paidOrder(mode, {}, { completeOn: 'delivered' })
    await desk.courier('STARTED')
    await desk.repair('COMPENSATE')
    expect(desk.status?.state).toBe('CANCELLING')
    await desk.stopped('TOO_LATE')
    expect(desk.status?.state).toBe('SHIPPED')
    await desk.repair('COMPENSATE')
    await desk.courier('DELIVERED')
    await desk.stopped('TOO_LATE')
    expect(desk.status?.state).toBe('COMPLETED')
    await desk.close()
  })

  test('of an order that needs attention on its way forward undoes it', async () => {
    const desk = await paidOrder(mode)
    await desk.driver.advanceWallTime(7 * DAY, DAY)
    expect(desk.status).toMatchObject({
      state: 'NEEDS_ATTENTION',
      note: 'TIMEOUT delivery no answer to 1 sendings',
    })
    await desk.cancel()
    expect(desk.news).toEqual(['stop delivery'])
    expect(desk.status?.state).toBe('CANCELLING')
    await desk.close()
  })
})

describe.each(modes)('a courier who gives up, %s', (_, mode) => {
  test('before the start: refund, then undo, then FAILED, and the sale is taken back', async () => {
    const desk = await paidOrder(mode)
    await desk.courier('FAILED', 'NO_SUCH_ADDRESS')
    expect(desk.news).toEqual(['refund 700 of p1'])
    await desk.refunded('o1|order', 700)
    await desk.restored('tea milk')
    expect(desk.states.slice(-3)).toEqual(['REFUNDING', 'COMPENSATING', 'FAILED'])
    expect(desk.facts('orderFailed')).toMatchObject([{ failedStep: 'delivery', reason: 'NO_SUCH_ADDRESS' }])
    expect(desk.facts('orderCancelled')).toMatchObject([{ refundAmount: 700, confirmedAt: START }])
    await desk.close()
  })

  test('under way, where an order is complete once delivered: refund, then undo', async () => {
    const desk = await paidOrder(mode, {}, { completeOn: 'delivered' })
    await desk.courier('STARTED')
    await desk.courier('FAILED', 'LOST')
    expect(desk.news).toEqual(['commit tea 1x2', 'commit milk 2x1', 'refund 700 of p1'])
    await desk.refunded('o1|order', 700)
    await desk.restored('tea milk')
    expect(desk.status).toMatchObject({ state: 'FAILED', note: 'REFUSED handover LOST' })
    await desk.close()
  })

  test('after the order was complete: an incident, for a person to see to', async () => {
    const desk = await paidOrder(mode)
    await desk.courier('STARTED')
    await desk.courier('FAILED', 'LOST')
    expect(desk.status?.state).toBe('COMPLETED')
    expect(desk.incidents).toEqual([
      'OPEN ORDER_DELIVERY_FAILED o1: the courier gave up after the order was completed',
    ])
    await desk.close()
  })
})

describe.each(modes)('a return, %s', (_, mode) => {
  test('gives back goods, points and money pro rata, and less what earned points are gone', async () => {
    const desk = await completedOrder(mode)
    // Of 600 + 100: discount 129 + 21, points 86 + 14, money 385 + 65.
    await desk.takeBack('r1', '1x1')
    expect(desk.news).toEqual(['restore tea 1x1 of r1'])
    await desk.restored('tea', { returnId: 'r1' })
    expect(desk.news).toEqual(['points back 28 for 128 of r1'])
    await desk.restored('POINTS', { returnId: 'r1', shortfall: 3 })
    expect(desk.news).toEqual(['refund 125 of p1'])
    expect(desk.status).toMatchObject({ state: 'COMPLETED', returnState: 'NONE' })
    await desk.refunded('o1|return|r1', 125)
    expect(desk.status).toMatchObject({ state: 'COMPLETED', returnState: 'PARTIAL' })
    expect(desk.facts('orderReturned')).toMatchObject([
      {
        returnId: 'r1',
        items: [{ lineNo: 1, quantity: 1, amount: 200 }],
        refundAmount: 125,
        confirmedAt: START,
      },
    ])
    await desk.close()
  })

  test('I20: of everything, in parts, gives back exactly what was paid', async () => {
    const desk = await completedOrder(mode)
    let points = 0
    let money = 0
    for (const [returnId, what] of [
      ['r1', '1x2'],
      ['r2', '2x1'],
      ['r3', '1x1'],
    ] as const) {
      await desk.takeBack(returnId, what)
      await desk.restored(what.startsWith('1') ? 'tea' : 'milk', { returnId })
      await desk.restored('POINTS', { returnId })
      const [asked] = desk.facts('pointRestoreRequested').slice(-1)
      const [refund] = desk.facts('paymentRefundRequested').slice(-1)
      points += asked?.amount ?? 0
      money += refund?.amount ?? 0
      await desk.refunded(`o1|return|${returnId}`, refund?.amount ?? 0)
    }
    expect([points, money]).toEqual([100, 450])
    expect(desk.status).toMatchObject({ state: 'COMPLETED', returnState: 'FULL' })
    await desk.close()
  })

  test('is taken once, never beyond what was sold, and only of a complete order', async () => {
    const desk = await completedOrder(mode)
    await desk.takeBack('r1', '1x2')
    await desk.takeBack('r1', '1x2')
    await desk.takeBack('r2', '1x2')
    await desk.takeBack('r3', '7x1')
    await desk.takeBack('surplus', '1x1')
    expect(desk.deadLetters('orderReturnRequested')).toEqual([
      'ReturnExceedsSale: line 1: 2 are to come back, 1 are left',
      'InvalidReturn: line 7 is not sold, or named twice',
      'InvalidReturn: returnId surplus is taken',
    ])
    expect(desk.news).toEqual(['restore tea 1x2 of r1'])
    await desk.close()
    const early = await paidOrder(mode)
    await early.takeBack('r1', '1x1')
    expect(early.deadLetters('orderReturnRequested')).toEqual([
      'ReturnNotAllowed: its state does not allow it',
    ])
    await early.close()
  })

  test('that is stuck is an incident, until an operator has helped', async () => {
    const desk = await completedOrder(mode)
    await desk.takeBack('r1', '1x1')
    await desk.restored('tea', { returnId: 'r1', status: 'FAILED', reason: 'EXCEEDS_SOLD' })
    expect(desk.incidents).toEqual(['OPEN ORDER_NEEDS_ATTENTION o1/r1: REFUSED stock EXCEEDS_SOLD'])
    expect(desk.status?.state).toBe('COMPLETED')
    await desk.repair('RETRY')
    expect(desk.news).toEqual(['restore tea 1x1 of r1', 'restore tea 1x1 of r1 #1'])
    expect(desk.incidents.slice(1)).toEqual(['RESOLVED ORDER_NEEDS_ATTENTION o1/r1'])
    await desk.close()
  })
})

describe.each(modes)('an operator, %s', (_, mode) => {
  test('tries an undo again that was out of retries, under the next epoch', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create()
    await desk.cancel()
    await desk.driver.advanceWallTime(4 * MINUTE)
    expect(desk.status).toMatchObject({ state: 'NEEDS_ATTENTION', step: 'stock', attempt: 5 })
    expect(desk.incidents).toEqual(['OPEN ORDER_NEEDS_ATTENTION o1: TIMEOUT stock no answer to 5 sendings'])
    expect(desk.news.length).toBe(12)
    await desk.repair('RETRY')
    expect(desk.news).toEqual(['restore tea 1x2 #1', 'restore milk 2x1 #1'])
    await desk.restored('tea milk', { epoch: 1 })
    expect(desk.status?.state).toBe('CANCELLED')
    expect(desk.incidents.slice(1)).toEqual(['RESOLVED ORDER_NEEDS_ATTENTION o1'])
    await desk.close()
  })

  test('I20: tries a refund again under the same id, so it is paid out once', async () => {
    const desk = await paidOrder(mode)
    await desk.courier('FAILED')
    await desk.refunded('o1|order', 700, 'FAILED')
    expect(desk.status).toMatchObject({ state: 'NEEDS_ATTENTION', note: 'REFUSED payment BANK' })
    await desk.repair('RETRY')
    const refunds = desk.facts('paymentRefundRequested').map(({ refundId }) => refundId)
    expect(refunds).toEqual(['o1|order', 'o1|order'])
    await desk.close()
  })

  test('resumes, compensates, resolves', async () => {
    for (const [action, state] of [
      ['RESUME', 'COMPLETED'],
      ['COMPENSATE', 'CANCELLING'],
      ['RESOLVE', 'COMPLETED'],
    ] as const) {
      const desk = await paidOrder(mode)
      await desk.driver.advanceWallTime(7 * DAY, DAY)
      await desk.repair(action)
      expect(desk.status?.state).toBe(state)
      await desk.close()
    }
  })

  test('is told where there is nothing to repair', async () => {
    const desk = await paidOrder(mode)
    await desk.repair('RETRY')
    expect(desk.deadLetters('orderRepairRequested')).toEqual([
      'RepairNotAllowed: its state does not allow it',
    ])
    await desk.close()
  })
})

test('an order is forgotten after its time, a return of it with it', async () => {
  const desk = await completedOrder({})
  await desk.takeBack('r1', '1x1')
  await desk.restored('tea', { returnId: 'r1' })
  await desk.restored('POINTS', { returnId: 'r1' })
  await desk.refunded('o1|return|r1', 128)
  await desk.driver.advanceWallTime(400 * DAY, DAY)
  expect(desk.stored()).toBeUndefined()
  await desk.close()
})
