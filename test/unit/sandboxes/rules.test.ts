import { describe, expect, test } from 'vitest'
import { type Chances, seededDeliveries, seededPayments } from '../../../processors/sandboxes/rules.ts'

const chances: Chances = { seed: 1, decline: 200, lose: 100, twice: 150, maxDelayMs: 5_000 }
const orders = Array.from({ length: 2_000 }, (_, i) => `o${i}`)
const payments = (given: Chances) =>
  orders.map((orderId) =>
    seededPayments(given)({ kind: 'PAYMENT', orderId, userId: 'ann', attempt: 0, refundId: '', amount: 1 }),
  )
const deliveries = (given: Chances) =>
  orders.map((orderId) => seededDeliveries(given)({ orderId, customerId: 'ann', attempt: 0 }))

describe('a seeded rule', () => {
  test('says the same of the same request, and another of another seed', () => {
    expect(payments(chances)).toEqual(payments(chances))
    expect(payments({ ...chances, seed: 2 })).not.toEqual(payments(chances))
    expect(deliveries(chances)).toEqual(deliveries(chances))
    expect(deliveries({ ...chances, seed: 2 })).not.toEqual(deliveries(chances))
  })

  test('gives each fate its share', () => {
    const all = payments(chances)
    const share = (test: (outcome: (typeof all)[number]) => boolean) =>
      Math.round((all.filter(test).length / all.length) * 100)
    expect(Math.abs(share(({ approve }) => !approve) - 20)).toBeLessThan(4)
    expect(Math.abs(share(({ answers }) => answers === 0) - 10)).toBeLessThan(4)
    expect(Math.abs(share(({ answers }) => answers === 2) - 15)).toBeLessThan(4)
    expect(Math.abs(share(({ delayMs }) => delayMs < 2_500) - 50)).toBeLessThan(6)
    const ends = new Set(deliveries(chances).map((outcome) => outcome.ends))
    expect([...ends].sort()).toEqual(['DELIVERED', 'LOST', 'REFUSED'])
  })

  test('of no bad chances approves and delivers everything at once', () => {
    const none = { seed: 1, decline: 0, lose: 0, twice: 0, maxDelayMs: 0 }
    expect(new Set(payments(none).map((outcome) => JSON.stringify(outcome)))).toEqual(
      new Set([JSON.stringify({ approve: true, delayMs: 0, answers: 1 })]),
    )
    expect(deliveries(none).every(({ ends, startMs }) => ends === 'DELIVERED' && startMs === 0)).toBe(true)
  })

  test.each([
    { decline: -1 },
    { decline: 1_001 },
    { lose: 600, twice: 600 },
    { maxDelayMs: -1 },
    { maxDelayMs: 0.5 },
  ])('of %o is refused', (changes) => {
    expect(() => seededPayments({ ...chances, ...changes })).toThrow(RangeError)
    expect(() => seededDeliveries({ ...chances, ...changes })).toThrow(RangeError)
  })
})
