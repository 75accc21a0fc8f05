/** What an order costs, and what its lines are worth: nothing is lost, nothing is made. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  allocate,
  finalAmount,
  lineShares,
  partOf,
  pointsUsed,
  surplusPoints,
} from '../../processors/orders/amounts.ts'

const large = 2 ** 40
const weights = fc.array(fc.nat({ max: large }), { minLength: 1, maxLength: 20 })
const sum = (all: readonly number[]) => all.reduce((total, one) => total + one, 0)

describe('allocation by largest remainder', () => {
  test('adds up, and no share is a unit or more off its exact size', () => {
    fc.assert(
      fc.property(weights, fc.nat({ max: large }), (given, total) => {
        const shares = allocate(total, given)
        const all = sum(given)
        expect(sum(shares)).toBe(all === 0 ? 0 : total)
        shares.forEach((share, i) => {
          const exact = BigInt(total) * BigInt(given[i] ?? 0)
          const off = BigInt(share) * BigInt(all) - exact
          expect(off < BigInt(all || 1) && off > -BigInt(all || 1)).toBe(true)
        })
      }),
    )
  })

  test('gives no line more than it weighs, where the whole does not', () => {
    fc.assert(
      fc.property(weights, fc.double({ min: 0, max: 1, noNaN: true }), (given, part) => {
        const shares = allocate(Math.floor(sum(given) * part), given)
        expect(shares.every((share, i) => share >= 0 && share <= (given[i] ?? 0))).toBe(true)
      }),
    )
  })

  test.each([
    [10, [1, 1, 1], [4, 3, 3]],
    [100, [600, 100], [86, 14]],
    [5, [0, 0], [0, 0]],
    [2, [1, 2, 1], [1, 1, 0]],
  ])('of %i by %j is %j', (total, given, shares) => {
    expect(allocate(total, given)).toEqual(shares)
  })
})

const order = fc.record({
  items: fc.array(
    fc.record({ quantity: fc.integer({ min: 1, max: 50 }), unitPrice: fc.nat({ max: 10_000 }) }),
    { minLength: 1, maxLength: 8 },
  ),
  pointsToUse: fc.nat({ max: 1_000_000 }),
  discountPart: fc.double({ min: 0, max: 1, noNaN: true }),
})

test('an order: final amount, discount and points make up the items, over all and line by line', () => {
  fc.assert(
    fc.property(order, ({ items, pointsToUse, discountPart }) => {
      const lines = items.map((item, i) => ({ ...item, lineNo: i + 1, productId: 'p', categoryId: null }))
      const all = sum(lines.map(({ quantity, unitPrice }) => quantity * unitPrice))
      const given = { items: lines, pointsToUse, discount: Math.floor(all * discountPart) }
      expect(finalAmount(given) + given.discount + pointsUsed(given)).toBe(all)
      expect(finalAmount(given)).toBeGreaterThanOrEqual(0)
      expect(surplusPoints(given)).toBe(Math.min(pointsToUse, all) - pointsUsed(given))
      const shares = lineShares(given)
      expect(sum(shares.map(({ money }) => money))).toBe(finalAmount(given))
      expect(sum(shares.map(({ points }) => points))).toBe(pointsUsed(given))
      expect(shares.every(({ money, points, discount }) => Math.min(money, points, discount) >= 0)).toBe(true)
    }),
  )
})

test('units of a line that come back one after the other are worth together what the line is', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: large }),
      fc.integer({ min: 1, max: 1_000 }),
      fc.array(fc.nat()),
      (share, quantity, cuts) => {
        const at = [0, ...cuts.map((cut) => cut % (quantity + 1)), quantity].toSorted((a, b) => a - b)
        const parts = at.slice(1).map((to, i) => partOf(share, quantity, at[i] ?? 0, to))
        expect(sum(parts)).toBe(share)
        expect(parts.every((part) => part >= 0)).toBe(true)
      },
    ),
  )
})
