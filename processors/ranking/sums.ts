/** Brings the sums of windows up to date with what is fresh. */
import type { WindowSum } from '../../schemas/index.ts'
import type { Scan } from '../../state/index.ts'
import { keptNames, type RankContext, type RankingRules } from './ranker.ts'
import type { WindowName } from './windows.ts'

/** Fresh rows of one hour, at most: what is more goes into the sums at once. */
export const MAX_FRESH = 20_000
export const noSum: WindowSum = Object.freeze({ quantity: 0, amount: 0 })

/** Moves the fresh rows of an hour into the sums of its windows. */
export function* foldHour(rules: RankingRules, hour: number, context: RankContext): Scan<void> {
  const { fresh } = context.stores
  const windows = rules.calendar.at(hour)
  const names = keptNames(rules, windows, context.streamTime)
  for (const [key, change] of yield* fresh.scan({ prefix: [hour], limit: MAX_FRESH })) {
    for (const name of names) addToSum(name, windows[name].start, key[1], change, context)
    fresh.delete(key)
  }
}

/** What comes to nothing has no row. */
export function addToSum(
  name: WindowName,
  start: number,
  productId: string,
  change: WindowSum,
  { stores }: Pick<RankContext, 'stores'>,
): void {
  const sum = plus(stores.sums.get(name, start, productId) ?? noSum, change)
  if (sum.quantity === 0 && sum.amount === 0) stores.sums.delete(name, start, productId)
  else stores.sums.put(name, start, productId, sum)
}

export function plus(sum: WindowSum, change: WindowSum): WindowSum {
  return { quantity: sum.quantity + change.quantity, amount: sum.amount + change.amount }
}
