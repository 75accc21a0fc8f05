/** The ways back of an order before payment, from each of its states; and a courier who never says anything. */
import { describe, expect, test } from 'vitest'
import { DAY, modes, OrderDesk } from './orders-driver.ts'

const everything = { pointsToUse: 100, userCouponId: 'c1' } as const

/** How an order with points and a coupon comes into each state, and what is undone from there, in this order. */
const WAITS: readonly (readonly [
  state: string,
  come: (desk: OrderDesk) => Promise<void>,
  undos: readonly (readonly [says: string, answer: string])[],
])[] = [
  ['PENDING', async () => {}, []],
  ['STOCK_RESERVED', (desk) => desk.reserved('tea milk'), [['points back 100', 'POINTS']]],
  [
    'POINTS_DEDUCTED',
    async (desk) => {
      await desk.reserved('tea milk')
      await desk.deducted()
    },
    [
      ['coupon back c1', 'COUPON'],
      ['points back 100', 'POINTS'],
    ],
  ],
  [
    'AWAITING_PAYMENT',
    async (desk) => {
      await desk.reserved('tea milk')
      await desk.deducted()
      await desk.used(50)
    },
    [
      ['coupon back c1', 'COUPON'],
      ['points back 100', 'POINTS'],
    ],
  ],
]

describe.each(modes)('an order that goes back, %s', (_, mode) => {
  const waiting = async (come: (desk: OrderDesk) => Promise<void>, state: string): Promise<OrderDesk> => {
    const desk = await OrderDesk.open(mode)
    await desk.create(everything)
    await come(desk)
    expect(desk.status?.state).toBe(state)
    void desk.news
    return desk
  }

  const undone = async (desk: OrderDesk, undos: (typeof WAITS)[number][2]): Promise<void> => {
    for (const [says, answer] of undos) {
      expect(desk.news).toContain(says)
      expect(desk.status?.state).toBe('COMPENSATING')
      await desk.restored(answer)
    }
    expect(desk.news).toEqual(['restore tea 1x2', 'restore milk 2x1'])
    await desk.restored('milk tea')
  }

  test.each(WAITS)('I16: cancelled in %s undoes what was begun, in reverse', async (state, come, undos) => {
    const desk = await waiting(come, state)
    await desk.cancel()
    if (undos.length === 0) expect(desk.status?.state).toBe('COMPENSATING')
    await undone(desk, undos)
    expect(desk.status?.state).toBe('CANCELLED')
    await desk.close()
  })

  test.each(WAITS.slice(0, 3))(
    'I16: without an answer in %s undoes what was begun, in reverse',
    async (state, come, undos) => {
      const desk = await waiting(come, state)
      await desk.driver.advanceWallTime(170_000)
      // The last that was sent may be the undo of stock alone.
      if (undos.length === 0) {
        expect(desk.news.slice(-2)).toEqual(['restore tea 1x2', 'restore milk 2x1'])
        await desk.restored('milk tea')
      } else await undone(desk, undos)
      expect(desk.status).toMatchObject({ state: 'FAILED' })
      expect(desk.status?.note).toContain('TIMEOUT')
      await desk.close()
    },
  )

  test('I16: whose points are refused gives the goods back, and asks for nothing else', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create(everything)
    await desk.reserved('tea milk')
    await desk.deducted('REJECTED', 'INSUFFICIENT_POINTS')
    expect(desk.news).toEqual([
      'reserve tea 1x2',
      'reserve milk 2x1',
      'restore tea 1x2',
      'restore milk 2x1',
      'deduct 100',
    ])
    await desk.restored('tea milk')
    expect(desk.status).toMatchObject({ state: 'FAILED', note: 'REFUSED points INSUFFICIENT_POINTS' })
    await desk.close()
  })

  test('I14: whose courier never says anything needs attention, and goes on where an operator asks again', async () => {
    const desk = await OrderDesk.open(mode)
    await desk.create()
    await desk.reserved('tea milk')
    await desk.paid(700)
    await desk.driver.advanceWallTime(7 * DAY, DAY)
    expect(desk.status).toMatchObject({ state: 'NEEDS_ATTENTION', step: 'delivery' })
    expect(desk.incidents).toMatchObject([expect.stringContaining('OPEN ORDER_NEEDS_ATTENTION o1')])
    void desk.news
    await desk.repair('RETRY')
    expect(desk.news).toEqual(['deliver to ann #1'])
    await desk.courier('STARTED')
    expect(desk.status?.state).toBe('COMPLETED')
    expect(desk.incidents.slice(1)).toEqual(['RESOLVED ORDER_NEEDS_ATTENTION o1'])
    await desk.close()
  })
})
