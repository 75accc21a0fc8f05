/** A shop whose orders add up passes; with one thing of it changed, the check of that invariant says which. */
import { describe, expect, test } from 'vitest'
import { judgeOrders, untold } from '../../../../cli/load/orders/judge.ts'
import { givenShop, type GivenShop, paid, refunded, restored } from './given.ts'

type Change = (shop: GivenShop) => void

/** Of arrays that the given shop fills. */
function nth<T>(items: readonly T[], index: number): T {
  return items[index] as T
}

const order = (shop: GivenShop, index: 0 | 1 | 2) => nth(shop.orders, index)
const mug = (shop: GivenShop) => nth(shop.products, 0)
const account = (shop: GivenShop, index: 0 | 1) => nth(shop.accounts, index)

const violations: readonly [invariant: string, what: string, named: RegExp, change: Change][] = [
  [
    'I10',
    'a coupon used by two live orders',
    /o-done and o-late/,
    (shop) => {
      Object.assign(order(shop, 2), { userCouponId: 'spring-1', userId: 'ann', state: 'COMPLETED' })
    },
  ],
  [
    'I10',
    "another user's coupon",
    /o-done uses coupon spring-1 of another/,
    (shop) => {
      nth(shop.coupons, 0).userId = 'bob'
    },
  ],
  [
    'I10',
    'a completed order whose coupon is free',
    /o-done uses coupon spring-1: ISSUED/,
    (shop) => {
      nth(shop.coupons, 0).status = 'ISSUED'
    },
  ],
  [
    'I10',
    'a coupon that an order which failed still uses',
    /spring-2 is USED by no order/,
    (shop) => {
      nth(shop.coupons, 1).status = 'USED'
    },
  ],
  ['I11', 'a unit that is nowhere', /product mug: 7 available/, (shop) => void (mug(shop).available = 7)],
  [
    'I11',
    'less than nothing',
    /mug has less than nothing/,
    (shop) => {
      Object.assign(mug(shop), { available: -1, sold: 11 })
    },
  ],
  [
    'I11',
    'a unit sold to nobody',
    /mug: 3 sold, orders have 2/,
    (shop) => {
      Object.assign(mug(shop), { available: 7, sold: 3 })
    },
  ],
  [
    'I11',
    'a unit that stays reserved',
    /mug: 1 reserved for no order/,
    (shop) => {
      Object.assign(mug(shop), { available: 7, reserved: 1 })
    },
  ],
  [
    'I12',
    'goods that came back twice',
    /order o-late: STOCK restored 2 times/,
    (shop) => {
      shop.log.restores.push(restored('o-late', 'STOCK'))
    },
  ],
  [
    'I12',
    'points spent twice',
    /user bob: SPENT order:o-late booked 2 times/,
    (shop) => {
      account(shop, 1).entries.splice(
        2,
        0,
        { kind: 'SPENT', points: -5, balance: 5, reference: 'order:o-late' },
        { kind: 'TAKEN', points: 5, balance: 10, reference: 'adjust:x' },
      )
    },
  ],
  [
    'I13',
    'a balance that is not the sum',
    /user ann has 76 points, the ledger 75/,
    (shop) => {
      account(shop, 0).balance = 76
    },
  ],
  [
    'I13',
    'an entry that does not follow',
    /user ann: entry 3 says 64/,
    (shop) => {
      nth(account(shop, 0).entries, 3).balance = 64
    },
  ],
  [
    'I13',
    'fewer points than none',
    /user cleo: -5 points/,
    (shop) => {
      const spent = { kind: 'TAKEN', points: -5, balance: -5, reference: 'adjust:c' }
      shop.accounts.push({ userId: 'cleo', balance: -5, entries: [spent] })
    },
  ],
  [
    'I14',
    'an order between states',
    /o-late is in COMPENSATING/,
    (shop) => {
      order(shop, 2).state = 'COMPENSATING'
    },
  ],
  [
    'I14',
    'a return without an end',
    /o-done: return r1 is RUNNING/,
    (shop) => {
      nth(order(shop, 0).returns, 0).status = 'RUNNING'
    },
  ],
  [
    'I14',
    'a state after the end',
    /o-late is FAILED after CANCELLED/,
    (shop) => {
      const end = nth(shop.log.statuses, shop.log.statuses.length - 1)
      shop.log.statuses.push({ ...end, state: 'FAILED', revision: 9 })
    },
  ],
  [
    'I14',
    'a state that the log does not have',
    /o-failed is CANCELLED, the log ends with FAILED/,
    (shop) => {
      order(shop, 1).state = 'CANCELLED'
    },
  ],
  [
    'I15',
    'the same revision twice',
    /o-done: revision 2 after 2/,
    (shop) => {
      nth(shop.log.statuses, 3).revision = 2
    },
  ],
  [
    'I16',
    'money kept of an order that failed',
    /o-failed is FAILED: 500 paid, 499 refunded/,
    (shop) => {
      nth(shop.log.refunds, 1).amount = 499
    },
  ],
  [
    'I16',
    'points kept of an order that was cancelled',
    /o-late is CANCELLED, its points are -1/,
    (shop) => {
      const { entries } = account(shop, 1)
      Object.assign(nth(entries, 2), { points: 19, balance: 29 })
      account(shop, 1).balance = 29
    },
  ],
  [
    'I17',
    'a confirmed order of which less was paid',
    /o-done was confirmed for 1300, 1299 were/,
    (shop) => {
      for (const payment of shop.log.payments.slice(0, 2)) payment.amount = 1_299
    },
  ],
  [
    'I17',
    'a confirmed order without its goods',
    /o-done was confirmed without mug/,
    (shop) => {
      nth(shop.log.reservations, 0).status = 'REJECTED'
    },
  ],
  [
    'I17',
    'an amount that its lines do not come to',
    /o-done costs/,
    (shop) => {
      order(shop, 0).amounts.final = 1_301
    },
  ],
  [
    'I17',
    'points that the ledger does not have',
    /o-done spent 51 points, the ledger 50/,
    (shop) => {
      Object.assign(order(shop, 0).amounts, { points: 51, discount: 149 })
    },
  ],
  [
    'I17',
    'money kept that came back',
    /o-done: 867 were kept, not 868/,
    (shop) => {
      nth(order(shop, 0).returns, 0).refundAmount = 432
    },
  ],
  [
    'I18',
    'an order that still waits for its money',
    /o-late waits since/,
    (shop) => {
      order(shop, 2).state = 'AWAITING_PAYMENT'
    },
  ],
  [
    'I18',
    'a payment that was taken too late',
    /o-failed was paid at/,
    (shop) => {
      nth(shop.log.confirmed, 1).paidAt = order(shop, 1).payBy + 60_000
    },
  ],
  [
    'I19',
    'a late payment that stays',
    /o-late: of pay-late, 500, 0 went back/,
    (shop) => {
      shop.log.refunds.pop()
    },
  ],
  [
    'I19',
    'a second payment that stays',
    /o-done: of pay-more, 7, 0 went back/,
    (shop) => {
      shop.log.payments.push(paid('o-done', 'pay-more', 7))
    },
  ],
  [
    'I20',
    'more paid back than came',
    /o-failed: 501 went back of pay-failed, 500/,
    (shop) => {
      shop.log.refunds.push(refunded('o-failed', 'pay-failed', 1, 'another'))
    },
  ],
  [
    'I20',
    'money paid back that never came',
    /\?: 9 went back of pay-never, 0/,
    (shop) => {
      shop.log.refunds.push(refunded('o-x', 'pay-never', 9))
    },
  ],
  [
    'I21',
    'points earned twice',
    /order o-done earned 26 points, not 13/,
    (shop) => {
      const again = { kind: 'EARNED', points: 13, balance: 88, reference: 'order:o-done' }
      account(shop, 0).entries.push(again)
      account(shop, 0).balance = 88
    },
  ],
  [
    'I21',
    'points earned by an order that failed',
    /o-failed is FAILED and earned 5 points/,
    (shop) => {
      account(shop, 1).entries.push({ kind: 'EARNED', points: 5, balance: 35, reference: 'order:o-failed' })
      account(shop, 1).balance = 35
    },
  ],
  [
    'I21',
    'more clawed back than was earned',
    /o-done earned 13 points, 14 were clawed back/,
    (shop) => {
      Object.assign(nth(account(shop, 0).entries, 5), { points: -14, balance: 65 })
      account(shop, 0).balance = 65
    },
  ],
  [
    'I21',
    'points kept of what came back whole',
    /o-done came back, and 9 points of it are kept/,
    (shop) => {
      order(shop, 0).returnState = 'FULL'
    },
  ],
]

const failures = (shop: GivenShop) => judgeOrders(shop).filter(({ ok }) => !ok)

test('a shop whose orders add up breaks none of I10 to I21', () => {
  expect(failures(givenShop())).toEqual([])
  const names = judgeOrders(givenShop()).map(({ name }) => name.split(' ')[0])
  expect(names).toEqual(Array.from({ length: 12 }, (_, index) => `I${index + 10}`))
})

describe('one thing changed', () => {
  test.each(violations)('%s: %s', (invariant, _what, named, change) => {
    const shop = givenShop()
    change(shop)
    const failure = failures(shop).find(({ name }) => name.startsWith(`${invariant} `))
    expect(failure?.detail).toMatch(named)
  })

  test('every invariant has one', () => {
    expect(new Set(violations.map(([invariant]) => invariant)).size).toBe(12)
  })
})

test('without a log, what only it tells is not judged, and said', () => {
  const { log: _, ...shop } = givenShop()
  expect(judgeOrders(shop).every(({ ok }) => ok)).toBe(true)
  expect(judgeOrders(shop)).toHaveLength(9)
  expect(untold(shop).map((name) => name.split(' ')[0])).toEqual(['I15', 'I19', 'I20'])
})
