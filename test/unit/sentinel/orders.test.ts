import { describe, expect, test } from 'vitest'
import { judgeOrder, ORDER_QUIET_MS, type OrderTold, type Violation } from '../../../processors/index.ts'
import type { OrderWatch } from '../../../schemas/index.ts'
import { rowMap } from '../../support/coupon-rows.ts'

interface Told {
  readonly fact: OrderTold
  readonly topic?: string
  /** Topic and offset of what caused it. */
  readonly cause?: readonly [topic: string, offset: number]
  readonly eventId?: string
  readonly offset?: number
  readonly at?: number
}

function given(...before: readonly Told[]) {
  const rows = rowMap<string, OrderWatch>()
  let read = 0
  const judge = ({ fact, topic = fact.kind, cause, eventId, offset, at = 0 }: Told): readonly Violation[] => {
    const lineage = { eventId: eventId ?? `e${read}` }
    const from =
      cause === undefined ? {} : { cause: { topic: cause[0], partition: 0, offset: cause[1], timestamp: 0 } }
    const place = {
      topic,
      partition: 0,
      offset: offset ?? read,
      timestamp: at,
      lineage: { ...lineage, ...from },
    }
    read++
    return judgeOrder(fact, place, rows, 7)
  }
  const words = (found: readonly Violation[]) =>
    found.map(({ invariant, detail }) => `${invariant} ${detail.replace('order o1: ', '')}`)
  const found = words(before.flatMap(judge))
  return { found, rows, when: (...facts: readonly Told[]) => words(facts.flatMap(judge)) }
}

/** The same facts in both orders: what they prove must not depend on it. */
function either(a: readonly Told[], b: readonly Told[]): [string[], string[]] {
  return [given(...a, ...b).found, given(...b, ...a).found]
}

type Of<K extends OrderTold['kind']> = Extract<OrderTold, { kind: K }>['value']
const told = <K extends OrderTold['kind']>(kind: K, value: object, rest: Partial<Told> = {}): Told => {
  return { fact: { kind, value: { orderId: 'o1', ...value } as unknown as Of<K> } as OrderTold, ...rest }
}

const status = (revision: number, state: string, changes: object = {}) => {
  const still = { returnState: 'NONE', step: '', attempt: 0, at: 1, note: null }
  return told('STATUS', { state, revision, ...still, ...changes })
}
const RESERVES = 'stock.reserve.requested'
const reserved = (command: number, state: string, available: number | null = 5) => {
  const value = { productId: 'tea', epoch: 0, status: state, available, reason: null }
  return told('STOCK', value, { cause: [RESERVES, command] })
}
const restored = (eventId: string, changes: object = {}) => {
  const value = {
    step: 'POINTS',
    lineNo: null,
    productId: null,
    returnId: null,
    status: 'RESTORED',
    epoch: 0,
  }
  return told('RESTORED', { ...value, ...changes }, { eventId })
}
const confirmed = (finalAmount: number, cause: readonly [string, number] = ['payment.result', 9]) =>
  told('CONFIRMED', { finalAmount }, { cause })
const asked = (amount: number) => told('PAY', { amount })
const paid = (offset: number, amount: number, paymentKey = 'k', state = 'SUCCESS') =>
  told('PAID', { amount, paymentKey, status: state }, { offset })
const refund = (refundId: string, amount: number, cause?: readonly [string, number]) =>
  told('REFUND', { refundId, amount, paymentKey: 'k' }, cause === undefined ? {} : { cause })
const back = (returnId: string, refundAmount: number) =>
  told('RETURNED', { returnId, refundAmount }, { cause: ['payment.refund.result', 1] })

describe('I14', () => {
  test('something else behind an end; a further word of the same is none', () => {
    const shop = given(status(3, 'SHIPPED'), status(4, 'COMPLETED'))
    expect(shop.when(status(5, 'COMPLETED', { returnState: 'PARTIAL' }))).toEqual([])
    expect(shop.when(status(6, 'REFUNDING'))).toEqual(['I14 REFUNDING in revision 6, COMPLETED in 4'])
  })

  test('two ends, by whatever facts', () => {
    const [first, second] = either([status(4, 'COMPLETED')], [told('FAILED', {})])
    expect(first).toEqual(['I14 it is COMPLETED and FAILED'])
    expect(second).toEqual(['I14 it is FAILED and COMPLETED'])
  })

  test('a confirmed order that fails is taken back, which is no second end', () => {
    const takenBack = told(
      'CANCELLED',
      { returnId: null, refundAmount: 0, confirmedAt: 5 },
      { cause: ['restore.result', 1] },
    )
    expect(either([status(4, 'FAILED'), told('FAILED', {})], [takenBack])).toEqual([[], []])
    const calledOff = {
      ...takenBack,
      fact: { ...takenBack.fact, value: { ...takenBack.fact.value, confirmedAt: null } },
    }
    expect(given(told('FAILED', {})).when(calledOff as Told)).toEqual(['I14 it is FAILED and CANCELLED'])
  })

  test('needing attention is no end', () => {
    expect(given(status(3, 'NEEDS_ATTENTION')).when(status(4, 'REFUNDING'), status(5, 'CANCELLED'))).toEqual(
      [],
    )
  })
})

describe('I15', () => {
  test('a revision that says two things, or is said late', () => {
    const shop = given(status(1, 'PENDING'), status(5, 'PAID'))
    expect(shop.when(status(5, 'PAID'))).toEqual([])
    expect(shop.when(status(5, 'SHIPPED'))).toEqual(['I15 revision 5 says two things: PAID and SHIPPED'])
    expect(shop.when(status(3, 'CONFIRMED'))).toEqual(['I15 revision 3 is said after 5'])
  })

  test('one below all that were read may be said again', () => {
    expect(given(status(5, 'PAID')).when(status(2, 'STOCK_RESERVED'))).toEqual([])
  })
})

test('I11, I13: below 0', () => {
  expect(given().when(reserved(1, 'RESERVED', -1))).toEqual(['I11 -1 are available after it was RESERVED'])
  const points = told('POINTS', { epoch: 0, status: 'DEDUCTED', balanceAfter: -2, reason: null })
  expect(given().when(points)).toEqual(['I13 -2 points are left after it was DEDUCTED'])
})

describe('I12', () => {
  test('two answers in one epoch', () => {
    expect(given(reserved(1, 'RESERVED', 5)).when(reserved(2, 'RESERVED', 5))).toEqual([])
    expect(given(reserved(1, 'RESERVED', 5)).when(reserved(2, 'RESERVED', 4))).toEqual([
      'I12 stock of epoch 0 has two answers',
    ])
  })

  test('CANCELLED is for good, by the order of the commands', () => {
    const cancelled = reserved(2, 'CANCELLED', null)
    expect(either([reserved(1, 'RESERVED')], [cancelled])).toEqual([[], []])
    const [first, second] = either([reserved(3, 'RESERVED')], [cancelled])
    expect(first).toEqual(['I12 stock of epoch 0 is done by the command at 3, and was called off at 2'])
    expect(second).toEqual(first)
  })

  test('an undo is RESTORED once per epoch, a part of a return once', () => {
    const shop = given(restored('a'))
    expect(
      shop.when(restored('a'), restored('b', { epoch: 1 }), restored('c', { status: 'ALREADY' })),
    ).toEqual([])
    expect(shop.when(restored('d'))).toEqual(['I12 POINTS is given back twice in epoch 0'])
    const part = { returnId: 'r1' }
    expect(given(restored('a', part)).when(restored('b', { ...part, epoch: 1 }))).toHaveLength(1)
  })
})

describe('I17', () => {
  test('another amount than was asked', () => {
    const [first, second] = either([confirmed(700)], [asked(600)])
    expect(first).toEqual(['I17 it is confirmed with 700, and 600 were asked for'])
    expect(second).toEqual(first)
  })

  test.each([
    ['of another amount', paid(9, 600), 'a payment of 600'],
    ['that failed', paid(9, 700, 'k', 'FAILED'), 'a payment that failed'],
  ])('by a payment %s', (_, payment, words) => {
    const [first, second] = either([confirmed(700)], [payment])
    expect(first).toEqual([`I17 it is confirmed with 700 by ${words}`])
    expect(second).toEqual(first)
  })

  test('a payment that is not its cause proves nothing', () => {
    expect(either([confirmed(700)], [paid(8, 600), asked(700)])).toEqual([[], []])
  })

  test('without a payment, unless an operator said so or nothing is to be paid', () => {
    expect(given().when(confirmed(700, ['stock.reserve.result', 3]))).toHaveLength(1)
    expect(given().when(confirmed(700, ['order.repair.requested', 3]))).toEqual([])
    expect(given().when(confirmed(0, ['stock.reserve.result', 3]))).toEqual([])
  })

  test('though stock had refused', () => {
    const [first, second] = either([confirmed(700)], [reserved(1, 'REJECTED', 0)])
    expect(first).toEqual(['I17 it is confirmed, and stock had refused a product'])
    expect(second).toEqual(first)
  })

  test('an order that was recorded elsewhere is no concern', () => {
    const elsewhere = told('CONFIRMED', { finalAmount: 700 })
    expect(either([elsewhere, confirmed(700, ['shop.payments', 3])], [asked(600)])).toEqual([[], []])
  })
})

test('I19: a payment that is not the order’s own goes back whole', () => {
  const cause = ['payment.result', 9] as const
  const [first, second] = either([refund('o1|stray|k', 300, cause)], [paid(9, 600)])
  expect(first).toEqual(["I19 300 go back of a payment of 600 that is not the order's own"])
  expect(second).toEqual(first)
  expect(either([refund('o1|stray|k', 600, cause)], [paid(9, 600)])).toEqual([[], []])
})

describe('I20', () => {
  test('more is asked back than was paid; the same refund again is one', () => {
    const both = [refund('o1|order', 700), refund('o1|order', 700), refund('o1|return|r', 1)]
    const [first, second] = either(both, [paid(9, 700)])
    expect(first).toEqual(['I20 701 are to go back of a payment of 700'])
    expect(second).toEqual(first)
    expect(either(both.slice(0, 2), [paid(9, 700)])).toEqual([[], []])
  })

  test('more is told than was paid', () => {
    const [first, second] = either([back('r1', 400), back('r1', 400), back('r2', 301)], [confirmed(700)])
    expect(first).toEqual(['I20 701 are told to go back, and 700 were paid'])
    expect(second).toEqual(first)
  })
})

describe('a row', () => {
  test('does not grow for ever', () => {
    const many = Array.from({ length: 600 }, (_, n) => [
      status(n, 'PENDING'),
      paid(n, n, `k${n}`),
      restored(`e${n}`, { epoch: n }),
    ])
    const row = given(...many.flat()).rows.get('o1')
    expect([row?.statuses.length, row?.payments.length, row?.restored.length]).toEqual([16, 64, 256])
  })

  test('is of another order where nothing was said for long', () => {
    const later = { ...status(1, 'PENDING'), at: ORDER_QUIET_MS + 2 }
    const shop = given(status(1, 'PENDING'), { ...status(9, 'COMPLETED'), at: 1 })
    expect(shop.when(later)).toEqual([])
    expect(shop.when(status(12, 'FAILED'))).toEqual([])
    expect(shop.rows.get('o1')?.statuses).toHaveLength(1)
  })

  test('is not written where nothing is new', () => {
    const { rows, when } = given(status(1, 'PENDING'))
    const row = rows.get('o1')
    when(status(1, 'PENDING'))
    expect(rows.get('o1')).toBe(row)
  })
})
