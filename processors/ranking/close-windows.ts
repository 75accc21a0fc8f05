/**
 * Closes windows and tells the merge tasks how far the partition is.
 *
 * By stream time: one timer at the next end of an hour plus grace; days and weeks end where an hour does. By the wall
 * clock, where that is wanted: one timer that looks whether the task is idle.
 */
import type { RankerProgress } from '../../schemas/index.ts'
import type { Scan } from '../../state/index.ts'
import { metrics, SEND_EVERY_MS } from './boards.ts'
import { progressOf, type RankContext, type RankingRules, TASK } from './ranker.ts'
import { sendBoards, sendUpdate } from './send-boards.ts'
import { windowNames } from './windows.ts'

/** Wall milliseconds without a record after which a task counts as idle. */
export const IDLE_MS = 10_000
/** Windows read at a time. */
const PAGE = 64

/** The durable stream timer `close`: stream time has passed the end of an hour plus grace. */
export function* closeByStreamTime(rules: RankingRules, context: RankContext): Scan<void> {
  const { hour } = rules.calendar.at(context.streamTime - rules.graceMs)
  yield* closeThrough(rules, hour.start, context)
  context.timers.close.schedule(TASK, hour.end + rules.graceMs)
}

/**
 * The durable wall timer `idle`: closes what is over by the wall clock, unless input is flowing. A timer that comes late
 * says that the process was down and records may be waiting, so it looks again, once.
 */
export function* closeWhenIdle(
  rules: RankingRules,
  key: string,
  context: RankContext,
  dueAt: number,
): Scan<void> {
  const { idleMs, wallTime, timers } = context
  if (key === TASK && wallTime - dueAt >= IDLE_MS) return timers.idle.schedule(AGAIN, wallTime + IDLE_MS)
  if (idleMs < IDLE_MS) return timers.idle.schedule(TASK, wallTime + IDLE_MS - idleMs)
  const { hour } = rules.calendar.at(wallTime - rules.graceMs)
  yield* closeThrough(rules, hour.start, context)
  timers.idle.schedule(TASK, hour.end + rules.graceMs)
}

/** Key of the timer `idle` where it looks again. */
export const AGAIN = 'again'

/** Closes every window that ends by `through`, earliest end first, and sends its boards for the last time on time. */
function* closeThrough(rules: RankingRules, through: number, context: RankContext): Scan<void> {
  const { stores, timers } = context
  if (through <= progressOf(context).closedThrough) return
  for (;;) {
    const open = yield* stores.windows.index('open').top(OPEN, PAGE)
    const due = open.filter(({ value }) => value.end <= through)
    for (const { key, value } of due) {
      timers.send.cancel(key)
      yield* sendBoards(rules, key, { ...value, closed: true }, value.end, context)
    }
    if (due.length < PAGE) break
  }
  stores.progress.put(TASK, { ...progressOf(context), closedThrough: through })
  reportProgress(rules, context)
}

/** The group of all open windows in the index `open`. */
export const OPEN = ''

/** Tells the merge tasks how far windows are closed, at most once a second: at once, or by the timer `report`. */
export function reportProgress(rules: RankingRules, context: RankContext): void {
  const { stores, timers, wallTime } = context
  const progress = progressOf(context)
  const at = progress.sentAt + SEND_EVERY_MS
  if (at > wallTime) {
    if (timers.report.dueAt(TASK) === undefined) timers.report.schedule(TASK, at)
    return
  }
  sendProgress(rules, progress, context)
  stores.progress.put(TASK, { ...progress, sentThrough: progress.closedThrough, sentAt: wallTime })
}

/** A window name whose windows all end before or after what was not sent yet need not be told. */
function sendProgress(rules: RankingRules, progress: RankerProgress, context: RankContext): void {
  const { closedThrough, sentThrough } = progress
  const windows = rules.calendar.at(closedThrough)
  for (const name of windowNames) {
    if (windows[name].start <= sentThrough) continue
    for (const metric of metrics) sendUpdate(name, metric, closedThrough, null, context)
  }
}
