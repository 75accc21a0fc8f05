import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  boardRoute,
  compareEntries,
  compareText,
  parseSnapshotKey,
  parseWindowKey,
  snapshotKey,
  windowKey,
} from '../../../processors/ranking/boards.ts'
import { topics } from '../../../schemas/index.ts'
import { MONDAY } from './given.ts'

describe('keys', () => {
  test('of windows and boards lead back to what they name', () => {
    expect(parseWindowKey(windowKey('hour', MONDAY))).toEqual({ name: 'hour', start: MONDAY })
    for (const category of [null, 'toys', 'a|b', '|']) {
      const name = { window: 'day', metric: 'amount', category, start: MONDAY } as const
      expect(parseSnapshotKey(snapshotKey(name, MONDAY))).toEqual(name)
    }
  })

  test('of a board are those of its topic', () => {
    const snapshot = {
      window: 'day',
      metric: 'amount',
      category: null,
      start: MONDAY,
      end: MONDAY,
      timeZone: 'UTC',
      depth: 1,
      entries: [],
      watermark: 0,
      revision: 1,
      final: false,
      corrected: false,
      lateCount: 0,
    }
    expect(snapshotKey(snapshot, MONDAY)).toBe(topics.rankingSnapshot.keyOf(snapshot))
  })

  test('of all starts and categories of a window and metric lead to one merge task', () => {
    expect(boardRoute({ window: 'day', metric: 'amount' })).toBe('day|amount|')
  })
})

describe('the order of a board', () => {
  /** Letters whose order in UTF-16 is not that in UTF-8 are among them. */
  const texts = fc.string({
    unit: fc.constantFrom('a', 'b', 'é', '\uffee', '\ue000', '😀', '𝄞'),
    maxLength: 4,
  })

  test('of texts is that of their UTF-8 bytes', () => {
    fc.assert(
      fc.property(texts, texts, (a, b) => {
        expect(Math.sign(compareText(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
      }),
      { numRuns: 1_000 },
    )
  })

  test('is by score, and by productId where scores are equal', () => {
    const entry = (score: number, productId: string) => ({ score, productId, quantity: score, amount: 0 })
    const sorted = [entry(1, 'b'), entry(3, 'z'), entry(1, 'a'), entry(3, 'y')].toSorted(compareEntries)
    expect(sorted.map(({ productId }) => productId)).toEqual(['y', 'z', 'a', 'b'])
  })
})
