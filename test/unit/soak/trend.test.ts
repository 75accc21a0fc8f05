import { expect, test } from 'vitest'
import { fitLine } from '../../soak/trend.ts'

test('a line is found again, exactly', () => {
  const points = [0, 1, 2, 5].map((x) => ({ x, y: 3 + 2 * x }))
  expect(fitLine(points)).toEqual({ slope: 2, slopeError: 0, mean: 7 })
})

test('what lies around a line leaves doubt about its slope', () => {
  const noise = [1, -1, 1, -1, 1, -1]
  const points = noise.map((off, x) => ({ x, y: 10 + off }))
  const { slope, slopeError, mean } = fitLine(points)
  expect(mean).toBe(10)
  // sum((x - 2.5) * off) / sum((x - 2.5)^2) = -3 / 17.5
  expect(slope).toBeCloseTo(-3 / 17.5)
  expect(Math.abs(slope)).toBeLessThan(2 * slopeError)
})

test('two points are no line, and neither are points on top of each other', () => {
  expect(() =>
    fitLine([
      { x: 0, y: 0 },
      { x: 1, y: 1 },
    ]),
  ).toThrow(RangeError)
  expect(() => fitLine([1, 2, 3].map((y) => ({ x: 1, y })))).toThrow(RangeError)
})
