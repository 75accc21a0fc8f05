/**
 * What the parts of the ranker share. One task has all sums of a product; it knows its own best products only.
 *
 * | store | key | value |
 * | --- | --- | --- |
 * | fresh | window, start, productId | quantity and amount that are not in the window's sum yet; put once per delta |
 * | tallies | start of an hour | how many deltas of that hour were applied; put once per delta |
 * | sums | window, start, productId | quantity and amount, each with an exact order per window |
 * | windows | `windowKey` | whether it is closed, when it was last sent; put when one of these changes |
 * | progress | `TASK` | how far windows are closed |
 *
 * Keeping the sums and their two orders for three windows costs fifteen rows of the database per change. So a delta goes
 * into one row, and the sums are brought up to date when a board is sent, which is once a second and not once a delta.
 *
 * Invariants:
 *
 * 1. What was sold of a product in a window is its row in `sums` plus its rows in `fresh` of that window and of the
 *    shorter windows in it.
 * 2. A window with fresh rows has a `send` timer, and so have the longer ones it lies in: no change stays unsent.
 * 3. What is sent as `closedThrough` is sent after the boards of every window of that name that ends by then.
 */
import type {
  HourTally,
  RankerProgress,
  RankingPartitionUpdate,
  WindowMeta,
  WindowSum,
} from '../../schemas/index.ts'
import type { KeyValueStore, TimerHandle, WindowStore } from '../../state/index.ts'
import type { TaskId } from '../../streams/index.ts'
import type { Metric } from './boards.ts'
import { type Calendar, type WindowName, windowNames, type Windows } from './windows.ts'

/** How windows close and how long they are kept. Milliseconds of event time. */
export interface RankingRules {
  readonly calendar: Calendar
  /** A window closes once stream time has passed its end by this much. */
  readonly graceMs: number
  /** `wallClock`: idle tasks also close windows whose end and grace are over by the wall clock. */
  readonly closing: 'streamTime' | 'wallClock'
  /** A window goes once stream time has passed its end by this much; `Infinity` keeps all. */
  readonly retentionMs: number
  /** Entries of a board at most. */
  readonly depth: number
}

/** Index of the sums by metric. */
export const sumIndexes = { quantity: 'byQuantity', amount: 'byAmount' } as const satisfies Record<
  Metric,
  string
>
export type SumIndex = (typeof sumIndexes)[Metric]

/** The key of stores and timers of which a task has one. */
export const TASK = 'task'

/** What the ranker uses; `topologies/best-sellers.ts` gives it. */
export interface RankContext {
  readonly stores: {
    readonly fresh: KeyValueStore<readonly [name: WindowName, start: number, productId: string], WindowSum>
    readonly sums: WindowStore<string, WindowSum, SumIndex>
    readonly tallies: KeyValueStore<number, HourTally>
    readonly windows: KeyValueStore<string, WindowMeta, 'open'>
    readonly progress: KeyValueStore<string, RankerProgress>
  }
  readonly emit: {
    readonly updates: (key: string, update: RankingPartitionUpdate, timestamp: number) => void
  }
  readonly timers: {
    /** Wall, per window: sends its boards. */
    readonly send: TimerHandle
    /** Stream, one: the next end of an hour plus grace. */
    readonly close: TimerHandle
    /** Wall, one: looks whether the task is idle. */
    readonly idle: TimerHandle
    /** Wall, one: sends the progress that had to wait. */
    readonly report: TimerHandle
    /** Stream, per window: its retention is over. */
    readonly expire: TimerHandle
    /** Wall, per window: deletes some more of its rows. */
    readonly sweep: TimerHandle
  }
  readonly task: TaskId
  readonly streamTime: number
  readonly wallTime: number
  readonly idleMs: number
  deadLetter(reason: string, message: string): void
  dropped(reason: string): void
}

const NO_PROGRESS: RankerProgress = Object.freeze({ closedThrough: 0, sentThrough: 0, sentAt: 0 })

/** The windows that stream time has not passed by more than the retention. */
export function keptNames(rules: RankingRules, windows: Windows, streamTime: number): readonly WindowName[] {
  const expiredThrough = streamTime - rules.retentionMs
  // The hour ends first: when it is kept, so are the others.
  if (windows.hour.end > expiredThrough) return windowNames
  return windowNames.filter((name) => windows[name].end > expiredThrough)
}

export function progressOf({ stores }: Pick<RankContext, 'stores'>): RankerProgress {
  return stores.progress.get(TASK) ?? NO_PROGRESS
}
