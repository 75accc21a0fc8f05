import { describe, expect, test } from 'vitest'
import {
  confirm,
  initialSale,
  MAX_HELD,
  type Outcome,
  reversalOf,
  reverse,
} from '../../../processors/ranking/sale.ts'
import type { HeldReversal, OrderConfirmed, SaleState } from '../../../schemas/index.ts'
import { aCancel, aReturn, HOUR, MONDAY, sale, sold } from './given.ts'

/** Deltas as `+2 tea +600`. */
function said({ deltas }: Outcome): string[] {
  return deltas.map(({ productId, quantity, amount }) => `${signed(quantity)} ${productId} ${signed(amount)}`)
}

function signed(amount: number): string {
  return amount > 0 ? `+${amount}` : String(amount)
}

function faults({ faults: found }: Outcome): string[] {
  return found.map(({ reason, message }) => `${reason}: ${message}`)
}

function whenConfirmed(state: SaleState, order: OrderConfirmed): Outcome {
  return confirm(state, order)
}

function whenReversed(state: SaleState, reversal: HeldReversal): Outcome {
  return reverse(state, 'o1', reversal)
}

/** Several facts, one after the other. */
function afterAll(...facts: (HeldReversal | OrderConfirmed)[]): Outcome[] {
  let state = initialSale
  return facts.map((fact) => {
    const outcome = 'kind' in fact ? whenReversed(state, fact) : whenConfirmed(state, fact)
    state = outcome.state
    return outcome
  })
}

describe('a sale', () => {
  test('counts each of its lines with its own price, at the time of the sale', () => {
    const { deltas } = whenConfirmed(initialSale, sale('2 tea 300, 1 milk 90'))
    expect(deltas).toEqual([
      {
        orderId: 'o1',
        lineNo: 1,
        returnId: null,
        productId: 'tea',
        categoryId: null,
        quantity: 2,
        amount: 600,
        kind: 'SALE',
        eventTime: MONDAY + HOUR,
      },
      expect.objectContaining({ lineNo: 2, productId: 'milk', quantity: 1, amount: 90 }),
    ])
  })

  test('that comes again changes nothing, even with other lines', () => {
    const state = sold('2 tea')
    expect(whenConfirmed(state, sale('5 milk'))).toEqual({ state, deltas: [], faults: [] })
  })

  test('counts a product that is on two lines twice', () => {
    expect(said(whenConfirmed(initialSale, sale('2 tea 300, 1 tea 250')))).toEqual([
      '+2 tea +600',
      '+1 tea +250',
    ])
  })

  test.each([
    ['0 tea', 'line 1: quantity 0'],
    ['-1 tea', 'line 1: quantity -1'],
    ['1 tea -5', 'line 1: unitPrice -5'],
    ['2 tea 9007199254740991', 'line 1: unitPrice 9007199254740991'],
    ['1  5', 'line 1: productId has 0 characters, not 1 to 200'],
  ])('does not count the line %s', (line, message) => {
    const outcome = whenConfirmed(initialSale, sale(`${line}, 3 milk`))
    expect(said(outcome)).toEqual(['+3 milk +300'])
    expect(faults(outcome)).toEqual([`InvalidLine: ${message}`])
  })

  test('counts the first of two lines with one number', () => {
    const order = sale('2 tea, 3 milk')
    const twice = order.items.map((item) => ({ ...item, lineNo: 1 }))
    const outcome = whenConfirmed(initialSale, { ...order, items: twice })
    expect(said(outcome)).toEqual(['+2 tea +200'])
    expect(faults(outcome)).toEqual(['InvalidLine: line 1: the number is taken'])
  })

  test('of which the price is 0 counts its quantity', () => {
    expect(said(whenConfirmed(initialSale, sale('2 tea 0')))).toEqual(['+2 tea 0'])
  })
})

describe('a return', () => {
  test('takes back at the price of the sale, at the time of the sale', () => {
    const { deltas } = whenReversed(sold('3 tea 300'), aReturn('1x2'))
    expect(deltas).toEqual([
      expect.objectContaining({
        productId: 'tea',
        quantity: -2,
        amount: -600,
        kind: 'RETURN',
        returnId: 'r1',
        eventTime: MONDAY + HOUR,
      }),
    ])
  })

  test('counts once for each line and id', () => {
    const outcomes = afterAll(sale('9 tea, 9 milk'), aReturn('1x2'), aReturn('1x2'), aReturn('1x1, 2x1'))
    expect(outcomes.map(said)).toEqual([
      ['+9 tea +900', '+9 milk +900'],
      ['-2 tea -200'],
      [],
      ['-1 milk -100'],
    ])
    expect(outcomes.flatMap(faults)).toEqual([])
  })

  test('under another id is another return', () => {
    const outcomes = afterAll(sale('9 tea'), aReturn('1x2', 'r1'), aReturn('1x2', 'r2'), aReturn('1x1', null))
    expect(outcomes.slice(1).map(said)).toEqual([['-2 tea -200'], ['-2 tea -200'], ['-1 tea -100']])
  })

  test('without an id counts once', () => {
    const [, , again] = afterAll(sale('9 tea'), aReturn('1x2', null), aReturn('1x3', null))
    expect(said(again as Outcome)).toEqual([])
  })

  test('never takes back more than was sold: what exceeds is a fault', () => {
    const [, first, second, third] = afterAll(
      sale('5 tea'),
      aReturn('1x3', 'r1'),
      aReturn('1x3', 'r2'),
      aReturn('1x1', 'r3'),
    ) as [Outcome, Outcome, Outcome, Outcome]
    expect(said(first)).toEqual(['-3 tea -300'])
    expect(said(second)).toEqual(['-2 tea -200'])
    expect(faults(second)).toEqual(['ReturnExceedsSale: line 1: 3 came back, 2 were left'])
    expect(said(third)).toEqual([])
    expect(faults(third)).toEqual(['ReturnExceedsSale: line 1: 1 came back, 0 were left'])
  })

  test('of a line that was not sold is a fault', () => {
    const outcome = whenReversed(sold('5 tea'), aReturn('2x1'))
    expect(said(outcome)).toEqual([])
    expect(faults(outcome)).toEqual(['ReturnExceedsSale: line 2: 1 came back, 0 were left'])
  })

  test('that names a line twice is one return of both quantities', () => {
    const outcome = whenReversed(sold('5 tea'), aReturn('1x2, 1x1'))
    expect(said(outcome)).toEqual(['-3 tea -300'])
  })

  test.each([0, -1])('of %i units of a line is a fault', (quantity) => {
    const { reversal, faults: found } = reversalOf('RETURN', 'r1', [
      { lineNo: 1, productId: 'tea', quantity, amount: 0 },
    ])
    expect(reversal.lines).toEqual([])
    expect(found).toEqual([{ reason: 'InvalidLine', message: `line 1: quantity ${quantity}` }])
  })
})

describe('a cancel', () => {
  test('counts once, whatever it is called', () => {
    const outcomes = afterAll(sale('5 tea'), aCancel('1x2'), { ...aCancel('1x3'), returnId: 'c2' })
    expect(outcomes.slice(1).map(said)).toEqual([['-2 tea -200'], []])
  })

  test('is not the return that is called cancel', () => {
    const outcomes = afterAll(sale('5 tea'), aReturn('1x1', 'cancel'), aCancel('1x4'))
    expect(outcomes.slice(1).map(said)).toEqual([['-1 tea -100'], ['-4 tea -400']])
  })

  test('after a return takes what is left', () => {
    const [, , last] = afterAll(sale('5 tea'), aReturn('1x1'), aCancel('1x5')) as [Outcome, Outcome, Outcome]
    expect(said(last)).toEqual(['-4 tea -400'])
    expect(last.deltas[0]).toMatchObject({ kind: 'CANCEL', returnId: 'cancel' })
    expect(faults(last)).toEqual(['ReturnExceedsSale: line 1: 5 came back, 4 were left'])
  })
})

describe('what comes before its sale', () => {
  test('waits for it, then counts after it', () => {
    const [held, outcome] = afterAll(aReturn('1x2'), sale('5 tea')) as [Outcome, Outcome]
    expect(said(held)).toEqual([])
    expect(held.state.held).toHaveLength(1)
    expect(said(outcome)).toEqual(['+5 tea +500', '-2 tea -200'])
    expect(outcome.state.held).toEqual([])
  })

  test('counts once, whether it comes again before or after the sale', () => {
    const outcomes = afterAll(aReturn('1x2'), aReturn('1x2'), sale('5 tea'), aReturn('1x2'))
    expect(outcomes.flatMap(said)).toEqual(['+5 tea +500', '-2 tea -200'])
    expect(outcomes[1]?.state).toBe(outcomes[0]?.state)
  })

  test('is held per line', () => {
    const outcomes = afterAll(aReturn('1x2'), aReturn('1x9, 2x1'), sale('5 tea, 5 milk'))
    expect(outcomes.flatMap(said)).toEqual(['+5 tea +500', '+5 milk +500', '-2 tea -200', '-1 milk -100'])
  })

  test('is a fault of the sale where it exceeds it', () => {
    const [, outcome] = afterAll(aCancel('1x7'), sale('5 tea')) as [Outcome, Outcome]
    expect(said(outcome)).toEqual(['+5 tea +500', '-5 tea -500'])
    expect(faults(outcome)).toEqual(['ReturnExceedsSale: line 1: 7 came back, 5 were left'])
  })

  test('is refused when too many wait already', () => {
    const facts = Array.from({ length: MAX_HELD + 1 }, (_, i) => aReturn('1x1', `r${i}`))
    const outcomes = afterAll(...facts, sale(`${MAX_HELD + 1} tea`))
    expect(faults(outcomes[MAX_HELD - 1] as Outcome)).toEqual([])
    expect(faults(outcomes[MAX_HELD] as Outcome)).toEqual([
      `TooManyHeld: ${MAX_HELD} cancels and returns wait for the sale already`,
    ])
    expect(said(outcomes[MAX_HELD + 1] as Outcome)).toHaveLength(1 + MAX_HELD)
  })
})
