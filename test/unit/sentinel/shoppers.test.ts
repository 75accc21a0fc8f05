import { expect, test } from 'vitest'
import { judgeShopper, type ShopperTold } from '../../../processors/index.ts'
import { rowMap } from '../../support/coupon-rows.ts'

type Told = readonly [kind: ShopperTold['kind'], orderId: string, eventId?: string]

function found(...facts: readonly Told[]): string[] {
  const rows = { orders: rowMap<[string, string], never>(), uses: rowMap<[string, string], never>() }
  return facts.flatMap(([kind, orderId, eventId = `${kind} ${orderId}`], offset) => {
    const value = { orderId, userId: 'ann', userCouponId: 'c1' }
    const place = { topic: kind, partition: 2, offset, lineage: { eventId } }
    const fact = { kind, value } as unknown as ShopperTold
    return judgeShopper(fact, place, rows, 7).map((one) => `${one.invariant} ${one.subject} ${one.detail}`)
  })
}

test('I10: two completed orders with one coupon, whatever is read first', () => {
  const used: Told[] = [
    ['USED', 'o1'],
    ['USED', 'o2'],
  ]
  const completed: Told[] = [
    ['COMPLETED', 'o1'],
    ['COMPLETED', 'o2'],
  ]
  const words = (a: string, b: string) => [
    `I10 orders-2 orders ${a} and ${b} are completed with the same coupon`,
  ]
  expect(found(...used, ...completed)).toEqual(words('o1', 'o2'))
  expect(found(...completed, ...used)).toEqual(words('o1', 'o2'))
  expect(found(...used, ...completed, ...used, ...completed)).toEqual(words('o1', 'o2'))
})

test('I10: one of them that is not completed may have given it back', () => {
  expect(found(['USED', 'o1'], ['USED', 'o2'], ['COMPLETED', 'o2'])).toEqual([])
})

test('I21: an order earns once; the same event again is none', () => {
  expect(found(['EARNED', 'o1'], ['EARNED', 'o1'], ['EARNED', 'o2'])).toEqual([])
  expect(found(['EARNED', 'o1'], ['EARNED', 'o1', 'another'])).toEqual([
    'I21 orders-2 order o1: it has earned points twice',
  ])
})
