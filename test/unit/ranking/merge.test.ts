import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  advanced,
  closedByAll,
  isNews,
  mergeParts,
  noProgress,
  ranksOf,
  watermark,
} from '../../../processors/ranking/merge.ts'
import type { BoardPart, RankingPartitionUpdate } from '../../../schemas/index.ts'
import { part } from './given.ts'

/** A board as `1 tea 9`. */
function board(parts: readonly BoardPart[], depth = 1_000): string[] {
  return mergeParts(parts, depth, new Map()).map(
    ({ rank, productId, score }) => `${rank} ${productId} ${score}`,
  )
}

describe('parts', () => {
  test('become one board in order', () => {
    expect(board([part('9 tea, 4 milk'), part('7 bread'), part('')])).toEqual([
      '1 tea 9',
      '2 bread 7',
      '3 milk 4',
    ])
  })

  test('with equal scores share a rank, listed by productId, and the next rank counts them', () => {
    expect(board([part('5 tea, 5 zinc, 1 salt'), part('5 milk, 3 bread')])).toEqual([
      '1 milk 5',
      '1 tea 5',
      '1 zinc 5',
      '4 bread 3',
      '5 salt 1',
    ])
  })

  test('are listed down to the depth', () => {
    expect(board([part('5 a, 4 b'), part('5 c, 4 d')], 3)).toEqual(['1 a 5', '1 c 5', '3 b 4'])
    expect(board([])).toEqual([])
  })

  test('are as if all products had been in one', () => {
    const products = fc.uniqueArray(
      fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é'), minLength: 1, maxLength: 3 }),
    )
    fc.assert(
      fc.property(
        products,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 20 }),
        (names, count, depth) => {
          const all = names.map((productId, i) => ({ productId, score: 1 + (i % 3), quantity: 1, amount: i }))
          const sorted = (entries: typeof all) =>
            entries.toSorted(
              (a, b) =>
                b.score - a.score || Buffer.compare(Buffer.from(a.productId), Buffer.from(b.productId)),
            )
          const parts = Array.from({ length: count }, (_, p) =>
            part('', { entries: sorted(all.filter((_entry, i) => i % count === p)).slice(0, depth) }),
          )
          const expected = sorted(all).slice(0, depth)
          const merged = mergeParts(parts, depth, new Map())
          expect(merged.map(({ productId }) => productId)).toEqual(expected.map(({ productId }) => productId))
          for (const { rank, score } of merged)
            expect(rank).toBe(1 + all.filter((other) => other.score > score).length)
        },
      ),
      { numRuns: 200 },
    )
  })

  test('know the rank in the preceding board', () => {
    const before = mergeParts([part('9 tea, 9 milk, 1 bread')], 10, new Map())
    const now = mergeParts([part('3 bread, 2 salt, 1 tea')], 10, ranksOf(before))
    expect(now.map(({ productId, previousRank }) => [productId, previousRank])).toEqual([
      ['bread', 3],
      ['salt', null],
      ['tea', 1],
    ])
  })
})

describe('a part', () => {
  test('is news when more was applied, or when it closed', () => {
    const known = part('', { applied: 3 })
    expect(isNews({ applied: 1, closed: false }, undefined)).toBe(true)
    expect(isNews({ applied: 4, closed: false }, known)).toBe(true)
    expect(isNews({ applied: 3, closed: true }, known)).toBe(true)
  })

  test('that comes again, or from before, is none', () => {
    const known = part('', { applied: 3, closed: true })
    expect(isNews({ applied: 3, closed: true }, known)).toBe(false)
    expect(isNews({ applied: 3, closed: false }, known)).toBe(false)
    expect(isNews({ applied: 2, closed: true }, known)).toBe(false)
  })
})

describe('progress', () => {
  const update = (partition: number, streamTime: number, closedThrough: number): RankingPartitionUpdate => ({
    partition,
    window: 'day',
    metric: 'amount',
    streamTime,
    closedThrough,
    board: null,
  })
  const after = (...updates: RankingPartitionUpdate[]) => updates.reduce(advanced, noProgress)

  test('is that of the slowest partition that ever had input', () => {
    const progress = after(update(4, 900, 700), update(1, 500, 300))
    expect(progress.partitions.map(({ partition }) => partition)).toEqual([1, 4])
    expect([watermark(progress), closedByAll(progress)]).toEqual([500, 300])
  })

  test('of nobody is before all time', () => {
    expect([watermark(noProgress), closedByAll(noProgress)]).toEqual([-1, -1])
  })

  test('never goes back, and what says nothing new changes nothing', () => {
    const progress = after(update(0, 900, 700))
    for (const old of [update(0, 900, 700), update(0, 100, 0)]) expect(advanced(progress, old)).toBe(progress)
    expect(after(update(0, 900, 100), update(0, 100, 700)).partitions).toEqual([
      { partition: 0, streamTime: 900, closedThrough: 700 },
    ])
  })

  test('of an idle partition is what it closed by the wall clock', () => {
    expect(watermark(after(update(0, 500, 800), update(1, 600, 0)))).toBe(600)
  })
})
