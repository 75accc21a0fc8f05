import { describe, expect, test } from 'vitest'
import { CacheBudget, ReadCache } from '../../../state/read-cache.ts'

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

describe('a budget of several caches', () => {
  const kept = (store: ReturnType<ReadCache['store']>, name: string, count: number) =>
    Array.from({ length: count }, (_, i) => store.peek(`${name}-${i}`)).filter((value) => value !== undefined)

  test('bounds what they hold together; one that is used has it, one that is not lets go', () => {
    const budget = new CacheBudget(1_000_000)
    const caches = Array.from({ length: 10 }, () => new ReadCache(1_000_000, 1_000_000))
    for (const cache of caches) cache.share(budget)
    const stores = caches.map((cache) => cache.store())
    for (const [index, store] of stores.entries())
      for (let i = 0; i < 100; i++) store.set(`${index}-${i}`, i, 10_000)
    const held = stores.map((store, index) => kept(store, `${index}`, 100).length)
    expect(held.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(100)
    expect(held.at(-1)).toBeGreaterThan(40)
    expect(held[0]).toBe(0)
  })

  test('a cache that was closed is none of them any more, and the others have its share', () => {
    const budget = new CacheBudget(1_000_000)
    const [gone, stays] = [new ReadCache(1_000_000), new ReadCache(1_000_000)]
    for (const cache of [gone, stays]) cache.share(budget)
    gone.close()
    const [theirs, ours] = [gone.store(), stays.store()]
    for (let i = 0; i < 100; i++) theirs.set(`a-${i}`, i, 10_000)
    for (let i = 0; i < 40; i++) ours.set(`b-${i}`, i, 10_000)
    expect(kept(ours, 'b', 40)).toHaveLength(40)
    for (let i = 40; i < 300; i++) ours.set(`b-${i}`, i, 10_000)
    expect(kept(theirs, 'a', 100)).toHaveLength(100)
  })

  test('many small values count as what they cost', () => {
    const budget = new CacheBudget(64_000)
    const cache = new ReadCache(1_000_000)
    cache.share(budget)
    const store = cache.store()
    for (let i = 0; i < 10_000; i++) store.set(`k-${i}`, i, 0)
    expect(kept(store, 'k', 10_000).length).toBeLessThanOrEqual(1_000)
  })
})
