/** Deletes windows whose retention is over, some rows at a time. */
import type { Scan } from '../../state/index.ts'
import { parseWindowKey } from './boards.ts'
import type { RankContext, RankingRules } from './ranker.ts'
import { foldWindow } from './sums.ts'

/** Rows deleted at a time. */
export const SWEEP_ROWS = 1_000
/** Wall milliseconds until the next rows. */
export const SWEEP_EVERY_MS = 20

/** The durable stream timer `expire` of a window: from now on nothing is applied to it. */
export function startSweep(key: string, { timers, wallTime }: RankContext): void {
  timers.send.cancel(key)
  timers.sweep.schedule(key, wallTime)
}

/** The durable wall timer `sweep` of a window. With a week, the last window of its hours, go what is left of these. */
export function* sweep(rules: RankingRules, key: string, context: RankContext): Scan<void> {
  const { stores, timers, wallTime } = context
  const { name, start } = parseWindowKey(key)
  const deleted = yield* stores.sums.clearWindow(name, start, SWEEP_ROWS)
  if (deleted === SWEEP_ROWS) return timers.sweep.schedule(key, wallTime + SWEEP_EVERY_MS)
  stores.windows.delete(key)
  if (name !== 'week') return
  const { end } = rules.calendar.at(start).week
  yield* foldWindow(rules, name, start, end, context)
  for (const [hour] of yield* stores.tallies.scan({ from: start, to: end })) stores.tallies.delete(hour)
}
