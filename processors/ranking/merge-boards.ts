/**
 * The merger: keeps the latest part of each board from each ranker partition and makes the one board of them. One task
 * has all boards of a window and metric, so it also has the preceding one.
 *
 * | store | key | value |
 * | --- | --- | --- |
 * | progress | `boardRoute` | how far each ranker partition is that ever had input |
 * | parts | `snapshotKey`, partition | the partition's latest part |
 * | states | `snapshotKey` | what was said of the board, small; put with every part that changes it |
 * | boards | `snapshotKey` | the last snapshot, for queries |
 *
 * Invariants:
 *
 * 1. A board's snapshots grow: each has a higher revision than the one before (I15), or the same one and is the first
 *    that is final. So a final board changes only with a higher revision (I23).
 * 2. A board that is not final is in the index `open`, or gets there with its first part.
 */
import type {
  BoardPart,
  BoardState,
  MergeProgress,
  PartitionBoard,
  RankingPartitionUpdate,
  RankingSnapshot,
} from '../../schemas/index.ts'
import type { KeyValueStore, Scan, TimerHandle } from '../../state/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import { boardRoute, parseSnapshotKey, SEND_EVERY_MS, snapshotKey } from './boards.ts'
import { advanced, closedByAll, isNews, mergeParts, noProgress, ranksOf, watermark } from './merge.ts'
import type { RankingRules } from './ranker.ts'

/** What the merger uses; `topologies/best-sellers.ts` gives it. */
export interface MergeContext {
  readonly stores: {
    readonly progress: KeyValueStore<string, MergeProgress>
    readonly parts: KeyValueStore<readonly [board: string, partition: number], BoardPart>
    readonly states: KeyValueStore<string, BoardState, 'open' | 'oldest'>
    readonly boards: KeyValueStore<string, RankingSnapshot>
  }
  readonly emit: {
    /** A null deletes the board from the topic. */
    readonly snapshots: (key: string, snapshot: RankingSnapshot | null) => void
  }
  readonly timers: {
    /** Wall, per board: makes its next snapshot. */
    readonly snapshot: TimerHandle
    /** Wall, per `boardRoute`: goes on with what `settle` left. */
    readonly settle: TimerHandle
  }
  readonly wallTime: number
  dropped(reason: string): void
}

/** Boards that are finished, and boards that are deleted, at a time. */
const SETTLE_BOARDS = 256
const EXPIRE_BOARDS = 16

export function mergeUpdate(
  rules: RankingRules,
  { value: update }: StreamRecord<string, RankingPartitionUpdate>,
  context: MergeContext,
): void | Scan<void> {
  const { progress } = context.stores
  const route = boardRoute(update)
  const before = progress.get(route) ?? noProgress
  const after = advanced(before, update)
  if (after !== before) progress.put(route, after)
  if (update.board !== null) takePart(update.partition, update.board, after, context)
  if (closedByAll(after) > closedByAll(before)) return settle(rules, route, context)
}

function takePart(
  partition: number,
  { entries, applied, lateCount, correctedCount, closed, ...board }: PartitionBoard,
  progress: MergeProgress,
  context: MergeContext,
): void {
  const { stores, timers, wallTime } = context
  const key = snapshotKey(board, board.start)
  if (board.end <= progress.expiredThrough) return context.dropped('WindowExpired')
  const known = stores.parts.get([key, partition])
  if (!isNews({ applied, closed }, known)) return context.dropped('StaleUpdate')
  stores.parts.put([key, partition], { entries, applied, lateCount, correctedCount, closed })

  const state = stores.states.get(key) ?? newState(board.end)
  const corrected = state.corrected || (state.final && correctedCount > (known?.correctedCount ?? 0))
  if (known === undefined || corrected !== state.corrected) stores.states.put(key, { ...state, corrected })
  if (timers.snapshot.dueAt(key) === undefined) {
    timers.snapshot.schedule(key, Math.max(wallTime, state.emittedAt + SEND_EVERY_MS))
  }
}

function newState(end: number): BoardState {
  return { end, revision: 0, final: false, corrected: false, emittedAt: 0 }
}

/**
 * All partitions have closed some more windows: their boards are finished now, and boards beyond retention go. Also the
 * durable timer `settle`, where there are more of them than one step takes.
 */
export function* settle(rules: RankingRules, route: string, context: MergeContext): Scan<void> {
  const { stores, timers, wallTime } = context
  const progress = stores.progress.get(route) ?? noProgress
  const open = yield* stores.states.index('open').top(route, SETTLE_BOARDS)
  const finished = open.filter(({ value }) => value.end <= closedByAll(progress))
  for (const { key } of finished) timers.snapshot.schedule(key, wallTime)
  const expired = yield* expire(rules, route, progress, context)
  if (finished.length === SETTLE_BOARDS || expired === EXPIRE_BOARDS)
    timers.settle.schedule(route, wallTime + 1)
}

/** The durable timer `snapshot` of a board: says how it is now, unless that was said. */
export function makeSnapshot(rules: RankingRules, key: string, context: MergeContext): void {
  const { stores, emit, wallTime } = context
  const state = stores.states.get(key)
  if (state === undefined) return
  const name = parseSnapshotKey(key)
  const progress = stores.progress.get(boardRoute(name)) ?? noProgress
  const parts = progress.partitions.flatMap(({ partition }) => stores.parts.get([key, partition]) ?? [])
  const revision = sum(parts, (part) => part.applied)
  const final = state.end <= closedByAll(progress)
  const news = revision > state.revision || (revision === state.revision && final && !state.final)
  if (!news) return

  const { window, metric, category, start } = name
  const before = rules.calendar.at(start - 1)[window].start
  const previous = stores.boards.get(snapshotKey(name, before))?.entries ?? []
  const snapshot: RankingSnapshot = {
    window,
    metric,
    category,
    start,
    end: state.end,
    timeZone: rules.calendar.timeZone,
    depth: rules.depth,
    entries: mergeParts(parts, rules.depth, ranksOf(previous)),
    watermark: watermark(progress),
    revision,
    final,
    corrected: state.corrected,
    lateCount: sum(parts, (part) => part.lateCount),
  }
  stores.boards.put(key, snapshot)
  stores.states.put(key, { ...state, revision, final, emittedAt: wallTime })
  emit.snapshots(key, snapshot)
}

function sum(parts: readonly BoardPart[], count: (part: BoardPart) => number): number {
  return parts.reduce((total, part) => total + count(part), 0)
}

/** Deletes some boards that every partition is past by more than the retention, oldest first; answers how many. */
function* expire(
  rules: RankingRules,
  route: string,
  progress: MergeProgress,
  context: MergeContext,
): Scan<number> {
  const expiredThrough = watermark(progress) - rules.retentionMs
  if (!(expiredThrough > 0)) return 0
  const { stores, timers, emit } = context
  const oldest = yield* stores.states.index('oldest').top(route, EXPIRE_BOARDS)
  const expired = oldest.filter(({ value }) => value.end <= expiredThrough)
  for (const { key } of expired) {
    for (const { partition } of progress.partitions) stores.parts.delete([key, partition])
    stores.states.delete(key)
    stores.boards.delete(key)
    timers.snapshot.cancel(key)
    emit.snapshots(key, null)
  }
  if (expiredThrough > progress.expiredThrough) stores.progress.put(route, { ...progress, expiredThrough })
  return expired.length
}
