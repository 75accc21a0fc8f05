import fc from 'fast-check'
import { expect, test } from 'vitest'
import { OrderedMap } from '../../../state/ordered-map.ts'

test('it walks any part in order, both ways, whatever was set and deleted before', () => {
  const key = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 3 })
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('set'), key, value: fc.nat() }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete'), key, value: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('walk'), key, value: fc.nat(3) }) },
  )
  fc.assert(
    fc.property(fc.array(step, { size: 'max', maxLength: 200 }), (steps) => {
      const map = new OrderedMap<number>()
      const model = new Map<string, number>()
      for (const { kind, key, value } of steps) {
        if (kind === 'set') {
          map.set(key, value)
          model.set(key, value)
        } else if (kind === 'delete') {
          expect(map.delete(key)).toBe(model.delete(key))
        } else {
          const to = value === 0 ? undefined : `${key}${'b'.repeat(value)}`
          const expected = sorted(model).filter(([at]) => at >= key && (to === undefined || at < to))
          expect([...map.range(key, to)]).toEqual(expected)
          expect([...map.range(key, to, true)]).toEqual(expected.toReversed())
        }
        expect(map.size).toBe(model.size)
        expect(map.get(key)).toBe(model.get(key))
      }
      expect([...map.range('', undefined)]).toEqual(sorted(model))
      expect(map.firstKey()).toBe(sorted(model)[0]?.[0])
      expect(map.lastKey()).toBe(sorted(model).at(-1)?.[0])
    }),
  )
})

test('it stays in order over many keys, sorted in a few at a time and many at once', () => {
  const map = new OrderedMap<number>()
  const numbers = Array.from({ length: 5_000 }, (_, i) => (i * 2_654_435_761) % 2 ** 32)
  const name = (n: number): string => n.toString(36).padStart(8, '0')
  for (const [i, n] of numbers.entries()) {
    map.set(name(n), n)
    if (i % 7 === 0) map.firstKey()
    if (i % 3 === 0) map.delete(name(numbers[i >> 1] as number))
  }
  const gone = new Set(numbers.flatMap((_, i) => (i % 3 === 0 ? [numbers[i >> 1]] : [])))
  const expected = numbers.filter((n) => !gone.has(n)).toSorted((a, b) => a - b)
  expect([...map.range('', undefined)].map(([, n]) => n)).toEqual(expected)
})

function sorted(model: Map<string, number>): [string, number][] {
  return [...model].toSorted(([a], [b]) => (a < b ? -1 : 1))
}
