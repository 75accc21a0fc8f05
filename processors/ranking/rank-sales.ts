/** Applies deltas: the hot path of the ranker. Sums and boards wait for timers (`send-boards.ts`). */
import type { HourTally, RankingSalesDelta, WindowCounts } from '../../schemas/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import { SEND_EVERY_MS, windowKey } from './boards.ts'
import { AGAIN, IDLE_MS } from './close-windows.ts'
import { keptNames, progressOf, type RankContext, type RankingRules, TASK } from './ranker.ts'
import { addFresh, addToSum, MAX_FRESH } from './sums.ts'
import { type WindowName, windowNames, type Windows } from './windows.ts'

const NO_COUNTS: WindowCounts = Object.freeze({ hour: 0, day: 0, week: 0 })
const NO_TALLY: HourTally = Object.freeze({ applied: 0, late: NO_COUNTS, corrected: NO_COUNTS, fresh: 0 })

export function applyDelta(
  rules: RankingRules,
  { value: delta }: StreamRecord<string, RankingSalesDelta>,
  context: RankContext,
): void {
  // A kind from a later version of this program: what it means is not known here.
  if (delta.kind === 'UNKNOWN') return context.deadLetter('UnknownKind', 'the kind of the delta is not known')
  const windows = rules.calendar.at(delta.eventTime)
  const names = keptNames(rules, windows, context.streamTime)
  for (let i = names.length; i < windowNames.length; i++) context.dropped('WindowExpired')
  if (names.length === 0) return

  const { tallies } = context.stores
  const hour = windows.hour.start
  const tally = tallies.get(hour) ?? NO_TALLY
  const closedThrough = closedNow(rules, context)
  if (tally.fresh === 0) scheduleSending(rules, windows, names, closedThrough, context)
  const fresh = tally.fresh + addDelta(windows, names, tally, delta, context)
  tallies.put(hour, counted({ ...tally, fresh }, delta, windows, names, closedThrough))
}

/** Adds the delta to its fresh row, or to the sums where there are too many of these; answers how many rows that made. */
function addDelta(
  windows: Windows,
  names: readonly WindowName[],
  tally: HourTally,
  delta: RankingSalesDelta,
  context: RankContext,
): number {
  if (tally.fresh < MAX_FRESH) return addFresh(['hour', windows.hour.start, delta.productId], delta, context)
  for (const name of names) addToSum(name, windows[name].start, delta.productId, delta, context)
  return 0
}

/** Windows that end by this instant are closed. */
function closedNow(rules: RankingRules, context: RankContext): number {
  const byStream = context.streamTime - rules.graceMs
  return rules.closing === 'streamTime' ? byStream : Math.max(byStream, progressOf(context).closedThrough)
}

function counted(
  tally: HourTally,
  { kind }: RankingSalesDelta,
  windows: Windows,
  names: readonly WindowName[],
  closedThrough: number,
): HourTally {
  const next = { ...tally, applied: tally.applied + 1 }
  // The hour ends first: when it is open, so are the others.
  if (windows.hour.end > closedThrough) return next
  const count = kind === 'SALE' ? 'late' : 'corrected'
  const counts = { ...tally[count] }
  for (const name of names) if (windows[name].end <= closedThrough) counts[name]++
  return { ...next, [count]: counts }
}

/** Sees to it that the windows are known, will be sent, will close and will go. */
function scheduleSending(
  rules: RankingRules,
  windows: Windows,
  names: readonly WindowName[],
  closedThrough: number,
  context: RankContext,
): void {
  const { stores, timers, wallTime } = context
  for (const name of names) {
    const { start, end } = windows[name]
    const key = windowKey(name, start)
    const known = stores.windows.get(key)
    if (known === undefined) {
      stores.windows.put(key, { end, closed: end <= closedThrough, emittedAt: 0 })
      if (rules.retentionMs !== Number.POSITIVE_INFINITY) timers.expire.schedule(key, end + rules.retentionMs)
    }
    if (timers.send.dueAt(key) === undefined) {
      // The first board waits too: where much comes at once, the window closes meanwhile and is sent once.
      timers.send.schedule(key, Math.max(wallTime, (known?.emittedAt ?? wallTime) + SEND_EVERY_MS))
    }
  }
  const { hour } = windows
  if (timers.close.dueAt(TASK) === undefined) {
    // The first record: its own stream time has passed the ends of hours already.
    const { start } = rules.calendar.at(hour.start - rules.graceMs).hour
    timers.close.schedule(TASK, Math.max(0, start + rules.graceMs))
  }
  if (rules.closing === 'wallClock' && (timers.idle.dueAt(TASK) ?? timers.idle.dueAt(AGAIN)) === undefined) {
    timers.idle.schedule(TASK, Math.max(wallTime + IDLE_MS, hour.end + rules.graceMs))
  }
}
