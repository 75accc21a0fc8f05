import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decideUse, initialUse } from '../../../processors/wallet/decide.ts'
import { discountOf } from '../../../processors/wallet/discount.ts'
import { discount, use, userCoupon } from './given.ts'

describe('a discount', () => {
  test.each([
    ['an amount', discount(), 3_000, 500],
    ['an amount, of a smaller order', discount(), 499, 499],
    ['per cent, rounded down', discount({ kind: 'PERCENT', value: 15 }), 999, 149],
    ['per cent, up to a cap', discount({ kind: 'PERCENT', value: 50, maxDiscount: 700 }), 3_000, 700],
    ['all of it', discount({ kind: 'PERCENT', value: 100 }), 2 ** 53 - 1, 2 ** 53 - 1],
    ['of nothing', discount({ kind: 'PERCENT', value: 15 }), 0, 0],
  ])('%s', (_, what, orderAmount, off) => {
    expect(discountOf(what, orderAmount)).toBe(off)
  })

  test('is exact and never more than the order', () => {
    const amounts = fc.maxSafeNat()
    fc.assert(
      fc.property(amounts, fc.integer({ min: 1, max: 100 }), (orderAmount, value) => {
        const exact = Number((BigInt(orderAmount) * BigInt(value)) / 100n)
        expect(discountOf(discount({ kind: 'PERCENT', value }), orderAmount)).toBe(exact)
        expect(discountOf(discount({ value }), orderAmount)).toBeLessThanOrEqual(orderAmount)
      }),
    )
  })
})

describe('a coupon is refused', () => {
  const at = 5_000
  test.each([
    ['that an order uses', { status: 'USED', orderId: 'o9' }, 'ALREADY_USED'],
    ['that is revoked', { status: 'REVOKED' }, 'REVOKED'],
    ['whose time is over', { expiresAt: at }, 'EXPIRED'],
    ['that expired', { status: 'EXPIRED' }, 'EXPIRED'],
    ['of a status that nobody knows', { status: 'UNKNOWN' }, 'EXPIRED'],
    ['whose discount nobody knows', { discount: null }, 'UNKNOWN_DISCOUNT'],
    ['of a kind that nobody knows', { discount: discount({ kind: 'UNKNOWN' }) }, 'UNKNOWN_DISCOUNT'],
    ['for a small order', { discount: discount({ minOrderAmount: 3_001 }) }, 'BELOW_MINIMUM'],
  ] as const)('%s', (_, changes, reason) => {
    const coupon = userCoupon(changes)
    const decision = decideUse(coupon, initialUse, use(), at)
    expect(decision.answer).toEqual({ status: 'REJECTED', discountAmount: null, reason })
    expect(decision.coupon).toBe(coupon)
  })

  test('but not one that is over a millisecond later, for an order of the least amount', () => {
    const coupon = userCoupon({ expiresAt: at + 1, discount: discount({ minOrderAmount: 3_000 }) })
    expect(decideUse(coupon, initialUse, use(), at).answer?.status).toBe('USED')
  })
})
