/**
 * Brings the sums of windows up to date with what is fresh.
 *
 * Fresh rows climb: a delta makes one in its hour; when the hour is brought up to date they go into its sums and become
 * fresh in its day; when that is brought up to date, into its sums and the week's fresh rows. So a product that sold in
 * every hour since a week's board was last sent changes the week's sums once.
 */
import type { WindowSum } from '../../schemas/index.ts'
import type { Scan } from '../../state/index.ts'
import { windowKey } from './boards.ts'
import type { RankContext, RankingRules } from './ranker.ts'
import { type WindowName, windowNames } from './windows.ts'

/** Fresh rows of one hour, at most: what is more goes into the sums at once. */
export const MAX_FRESH = 10_000
/** Rows read at a time. */
const PAGE = 1_000
const NO_SUM: WindowSum = Object.freeze({ quantity: 0, amount: 0 })

type SumContext = Pick<RankContext, 'stores' | 'dropped'>

/** Brings the sums of a window up to date, and those of the shorter windows in it. */
export function* foldWindow(
  rules: RankingRules,
  name: WindowName,
  start: number,
  end: number,
  context: RankContext,
): Scan<void> {
  for (const shorter of windowNames.slice(0, windowNames.indexOf(name) + 1)) {
    yield* foldFresh(rules, shorter, start, end, context)
  }
}

/** Moves the fresh rows of the windows of one name within a time into their sums and the next longer windows. */
function* foldFresh(
  rules: RankingRules,
  name: WindowName,
  start: number,
  end: number,
  context: RankContext,
): Scan<void> {
  const { fresh, windows } = context.stores
  const longer = windowNames[windowNames.indexOf(name) + 1]
  const to = [name, end, ''] as const
  let from: readonly [WindowName, number, string] = [name, start, '']
  let known: { readonly at: number; readonly kept: boolean } | undefined
  for (;;) {
    const rows = yield* fresh.scan({ from, to, limit: PAGE })
    for (const [key, change] of rows) {
      const [, at, productId] = key
      // A window that was deleted takes nothing any more; longer ones still may.
      if (known?.at !== at) known = { at, kept: windows.get(windowKey(name, at)) !== undefined }
      if (known.kept) addToSum(name, at, productId, change, context)
      if (longer !== undefined) {
        addFresh([longer, rules.calendar.at(at)[longer].start, productId], change, context)
      }
      fresh.delete(key)
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < PAGE) return
    from = last[0]
  }
}

/** Adds to a fresh row; answers how many rows that made. */
export function addFresh(
  key: readonly [name: WindowName, start: number, productId: string],
  change: WindowSum,
  context: SumContext,
): 0 | 1 {
  const { fresh } = context.stores
  const before = fresh.get(key)
  fresh.put(key, plus(before ?? NO_SUM, change, context))
  return before === undefined ? 1 : 0
}

/** What comes to nothing has no row. */
export function addToSum(
  name: WindowName,
  start: number,
  productId: string,
  change: WindowSum,
  context: SumContext,
): void {
  const { sums } = context.stores
  const sum = plus(sums.get(name, start, productId) ?? NO_SUM, change, context)
  if (sum.quantity === 0 && sum.amount === 0) sums.delete(name, start, productId)
  else sums.put(name, start, productId, sum)
}

/** A sum stays where integers are exact: what nobody can have sold is cut off there and counted. */
function plus(sum: WindowSum, change: WindowSum, context: SumContext): WindowSum {
  const quantity = sum.quantity + change.quantity
  const amount = sum.amount + change.amount
  if (Number.isSafeInteger(quantity) && Number.isSafeInteger(amount)) return { quantity, amount }
  context.dropped('SumOverflow')
  return { quantity: exact(quantity), amount: exact(amount) }
}

function exact(sum: number): number {
  return Math.min(Math.max(sum, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)
}
