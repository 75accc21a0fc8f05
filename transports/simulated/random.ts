/** Chance from a seed: the same seed gives the same choices, so a failing run can be repeated. */

export interface Random {
  /** At least 0, less than 1. */
  next(): number
  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number
  /** True with the probability given. */
  chance(probability: number): boolean
  /** Throws a `RangeError` when there is nothing to pick. */
  pick<T>(items: readonly T[]): T
}

/** mulberry32. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick<T>(items: readonly T[]): T {
      if (items.length === 0) throw new RangeError('nothing to pick from')
      return items[below(items.length)] as T
    },
  }
}
