/** Sends a window's best products to its merge tasks. */
import { topics } from '../../schemas/index.ts'
import type { PartitionBoard, RankingPartitionUpdate, WindowMeta } from '../../schemas/index.ts'
import type { Scan } from '../../state/index.ts'
import { type Metric, metrics, parseWindowKey } from './boards.ts'
import { progressOf, type RankContext, type RankingRules, sumIndexes } from './ranker.ts'
import { foldWindow } from './sums.ts'
import type { WindowName } from './windows.ts'

/** The durable timer `send` of a window: something was applied since its boards were last sent. */
export function* sendChanged(rules: RankingRules, key: string, context: RankContext): Scan<void> {
  const meta = context.stores.windows.get(key)
  if (meta !== undefined) yield* sendBoards(rules, key, meta, progressOf(context).closedThrough, context)
}

/** Sends one board per metric, with all that was applied, and notes it. `closedThrough`: invariant 3 of the ranker. */
export function* sendBoards(
  rules: RankingRules,
  key: string,
  meta: WindowMeta,
  closedThrough: number,
  context: RankContext,
): Scan<void> {
  const { stores, wallTime } = context
  const { name, start } = parseWindowKey(key)
  const { end, closed } = meta
  yield* foldWindow(rules, name, start, end, context)
  const counts = yield* countsOf(name, start, end, context)
  for (const metric of metrics) {
    const rows = yield* stores.sums.index(sumIndexes[metric]).top(key, rules.depth)
    const entries = rows.map(({ key: { key: productId }, score, value: { quantity, amount } }) => ({
      productId,
      score,
      quantity,
      amount,
    }))
    const board = { window: name, metric, category: null, start, end, entries, ...counts, closed }
    sendUpdate(name, metric, closedThrough, board, context)
  }
  stores.windows.put(key, { ...meta, emittedAt: wallTime })
}

/** One update for the merge task of a window and metric; without a board it says how far the partition is. */
export function sendUpdate(
  window: WindowName,
  metric: Metric,
  closedThrough: number,
  board: PartitionBoard | null,
  { emit, task, streamTime, wallTime }: RankContext,
): void {
  const update: RankingPartitionUpdate = {
    partition: task.partition,
    window,
    metric,
    streamTime,
    closedThrough,
    board,
  }
  emit.updates(topics.rankingPartitionUpdate.keyOf(update), update, wallTime)
}

/** The window's counts are those of its hours. */
function* countsOf(
  name: WindowName,
  start: number,
  end: number,
  { stores }: RankContext,
): Scan<Pick<PartitionBoard, 'applied' | 'lateCount' | 'correctedCount'>> {
  const counts = { applied: 0, lateCount: 0, correctedCount: 0 }
  for (const [hour, tally] of yield* stores.tallies.scan({ from: start, to: end })) {
    counts.applied += tally.applied
    counts.lateCount += tally.late[name]
    counts.correctedCount += tally.corrected[name]
    if (tally.fresh > 0) stores.tallies.put(hour, { ...tally, fresh: 0 })
  }
  return counts
}
