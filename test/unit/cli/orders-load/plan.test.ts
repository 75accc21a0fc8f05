import { describe, expect, test } from 'vitest'
import { UsageError } from '../../../../cli/errors.ts'
import { kindAt, kinds, type Mix, parseMix, usualMix } from '../../../../cli/load/orders/mix.ts'
import { planOrders } from '../../../../cli/load/orders/plan.ts'
import { describeOrders, ordersReport } from '../../../../cli/load/orders/report.ts'
import { planSeed } from '../../../../cli/load/seeding.ts'
import { silent } from '../output.ts'
import { givenShop } from './given.ts'

const options = { prefix: 'x-', products: 10, users: 20, units: 1_000, points: 100, seed: 3 }
const shop = planSeed(options)
const plan = (mix: Mix = usualMix, seed = 7, orders = 4_000) =>
  planOrders(shop, { orders, ratePerSecond: 1_000, seed, mix })

describe('what a shop is seeded with', () => {
  test('is the same for the same seed, and else another', () => {
    expect(planSeed(options)).toEqual(shop)
    expect(planSeed({ ...options, seed: 4 }).goods).not.toEqual(shop.goods)
  })

  test('has ids that begin as told, and prices', () => {
    expect(shop.goods).toHaveLength(10)
    expect(shop.userIds.at(-1)).toBe('x-user-20')
    expect(shop.goods.every(({ productId, price }) => /^x-product-\d+$/.test(productId) && price > 0)).toBe(
      true,
    )
  })
})

describe('the plan of a load', () => {
  test('is the same for the same seed, and else another', () => {
    expect(plan()).toEqual(plan())
    expect(plan(usualMix, 8)).not.toEqual(plan())
  })

  test('has every kind, as often as it weighs', () => {
    const counts = new Map<string, number>()
    for (const { kind } of plan()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
    expect([...counts.keys()].sort()).toEqual([...kinds].sort())
    expect((counts.get('good') ?? 0) / 4_000).toBeCloseTo(0.46, 1)
    expect((counts.get('return') ?? 0) / 4_000).toBeCloseTo(0.1, 1)
  })

  test('keeps the rate on average', () => {
    expect((plan().at(-1)?.dueMs ?? 0) / 4_000).toBeCloseTo(1, 1)
  })

  test('of one kind has only that', () => {
    expect(new Set(plan({ late: 1 }, 7, 50).map(({ kind }) => kind))).toEqual(new Set(['late']))
  })

  test('calls orders off at every moment, and asks for more than there is with and without the door', () => {
    expect(new Set(plan({ cancel: 1 }).map(({ cancel }) => cancel)).size).toBe(4)
    const tooMuch = plan({ 'no-stock': 1 })
    expect(tooMuch.every(({ items }) => items.some(({ quantity }) => quantity > options.units))).toBe(true)
    expect(new Set(tooMuch.map(({ event }) => event === undefined)).size).toBe(2)
  })

  test("lets a coupon be somebody else's only where it is meant to be", () => {
    const own = (kind: 'coupon' | 'wrong-coupon') =>
      new Set(plan({ [kind]: 1 }).map(({ coupon, userId }) => coupon?.userId === userId))
    expect([own('coupon'), own('wrong-coupon')]).toEqual([new Set([true]), new Set([false])])
  })
})

describe('a mix', () => {
  test('is read from the command line', () => {
    expect(parseMix('good=90, late=10')).toEqual({ good: 90, late: 10 })
  })

  test.each(['goood=1', 'good', 'good=-1', 'good=x', '', 'good=0'])('%s is none', (text) => {
    expect(() => parseMix(text)).toThrow(UsageError)
  })

  test('gives each place to a kind that weighs something', () => {
    const mix = { good: 1, late: 0, declined: 3 }
    expect([0, 0.249, 0.25, 0.999].map((place) => kindAt(mix, place))).toEqual([
      'good',
      'good',
      'declined',
      'declined',
    ])
  })
})

test('the report has final states by kind, money and stock, and says what was not checked', () => {
  const [planned] = plan({ return: 1 }, 1, 1)
  const taken = planned as NonNullable<typeof planned>
  const placed = [
    { planned: taken, orderId: 'o-done' },
    { planned: { ...taken, kind: 'late' as const }, orderId: 'o-late' },
    { planned: { ...taken, kind: 'no-stock' as const }, refused: 'OUT_OF_STOCK' },
  ]
  const report = ordersReport({ placed, seconds: 2 }, givenShop())
  expect(report.outcomes).toEqual({
    return: { COMPLETED: 1 },
    late: { CANCELLED: 1 },
    'no-stock': { OUT_OF_STOCK: 1 },
  })
  expect(report.money).toEqual({ sold: 1_300, returned: 433, paid: 2_300, refunded: 1_433 })
  const { log: _, ...unlogged } = givenShop()
  const text = describeOrders(ordersReport({ placed, seconds: 2 }, unlogged), silent())
  expect(text).toMatch(/kind +orders +COMPLETED +CANCELLED +OUT_OF_STOCK\n +return +1 +1 +0 +0/)
  expect(text).toMatch(/all +3 +1 +1 +1/)
  expect(text).toContain('money: 13.00 sold - 4.33 returned = 8.67')
  expect(text).toContain('8 available + 0 reserved + 2 sold = 10 received')
  expect(text).toMatch(/- +I19 .*only the log tells/)
})
