/** A straight line through points, by least squares. */

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Line {
  readonly slope: number
  /** Standard error of the slope. */
  readonly slopeError: number
  /** Mean of the values. */
  readonly mean: number
}

/** Throws a `RangeError` for fewer than three points, or where all have the same x. */
export function fitLine(points: readonly Point[]): Line {
  const n = points.length
  if (n < 3) throw new RangeError(`${n} points are too few for a line`)
  const meanX = sum(points.map(({ x }) => x)) / n
  const mean = sum(points.map(({ y }) => y)) / n
  const spread = sum(points.map(({ x }) => (x - meanX) ** 2))
  if (spread === 0) throw new RangeError('all points have the same x')
  const slope = sum(points.map(({ x, y }) => (x - meanX) * (y - mean))) / spread
  const residual = sum(points.map(({ x, y }) => (y - mean - slope * (x - meanX)) ** 2))
  return { slope, slopeError: Math.sqrt(residual / (n - 2) / spread), mean }
}

function sum(values: readonly number[]): number {
  let total = 0
  for (const value of values) total += value
  return total
}
