import { describe, expect, test } from 'vitest'
import { ReadCache } from '../../../state/read-cache.ts'

describe('the cache of decoded rows', () => {
  test('keeps what is used and lets go of what is not, within its number of entries', () => {
    const store = new ReadCache(100).store()
    for (let i = 0; i < 1_000; i++) {
      store.set(`key-${i}`, i, 10)
      store.get('key-0')
    }
    expect(store.get('key-0')).toBe(0)
    expect(store.get('key-500')).toBeUndefined()
    expect(store.get('key-999')).toBe(999)
  })

  test('is bounded in bytes as well: large values do not fill the memory', () => {
    const store = new ReadCache(1_000_000, 1_000_000).store()
    for (let i = 0; i < 1_000; i++) store.set(`board-${i}`, i, 50_000)
    const kept = Array.from({ length: 1_000 }, (_, i) => store.peek(`board-${i}`)).filter(
      (value) => value !== undefined,
    )
    expect(kept.length).toBeGreaterThan(0)
    expect(kept.length).toBeLessThanOrEqual(20)
  })

  test('a large value that moves to the young generation counts there again', () => {
    const store = new ReadCache(1_000_000, 1_000_000).store()
    for (let i = 0; i < 200; i++) {
      store.set(`board-${i}`, i, 50_000)
      for (let j = Math.max(0, i - 15); j <= i; j++) store.get(`board-${j}`)
    }
    const kept = Array.from({ length: 200 }, (_, i) => store.peek(`board-${i}`)).filter(
      (value) => value !== undefined,
    )
    expect(kept.length).toBeLessThanOrEqual(20)
  })
})
