/**
 * Calendar windows of event time: hours, days and weeks (Monday first) as the clocks of one time zone show them.
 *
 * Windows of one name tile time: each instant lies in exactly one, and every hour lies in one day and one week. What
 * daylight saving does to them:
 *
 * - A day has 23 or 25 hours, or whatever the zone made of it; a week likewise.
 * - An hour that the clocks show twice is two windows; one that they jump over is none.
 * - Where clocks move by less than an hour, or to a time that is no full hour, hours still begin when the clocks show a
 *   full hour. Those beside the change are shorter or longer.
 */
import { Temporal } from 'temporal-polyfill'

export const windowNames = ['hour', 'day', 'week'] as const
export type WindowName = (typeof windowNames)[number]

/** A window, in epoch milliseconds; `end` is exclusive. */
export interface Window {
  readonly name: WindowName
  readonly start: number
  readonly end: number
}

/** The window of each name that an instant lies in. */
export type Windows = Readonly<Record<WindowName, Window>>

export interface Calendar {
  /** IANA name, in the case that the time zone database writes. */
  readonly timeZone: string
  /** The windows that hold `time`, epoch milliseconds. Remembers what it was asked, within a bound. */
  at(time: number): Windows
}

const HOUR_MS = 3_600_000
/** Every border of today's time zones is a multiple of this. Where one is not, only the memory below works less well. */
const SLOT_MS = 900_000
/** Slots held: more than two years of hours. */
const MAX_SLOTS = 20_000

/** The calendar of an IANA time zone. Throws a `RangeError` for a zone that there is not. */
export function calendarOf(timeZone: string): Calendar {
  const zone = zoneOf(timeZone)
  const slots = new Map<number, Windows>()
  let last: Windows | undefined

  function at(time: number): Windows {
    if (last !== undefined && holds(last.hour, time)) return last
    const slot = Math.floor(time / SLOT_MS)
    const known = slots.get(slot)
    if (known !== undefined && holds(known.hour, time)) return (last = known)
    if (slots.size >= MAX_SLOTS) slots.clear()
    last = windowsAt(zone, time)
    slots.set(slot, last)
    return last
  }

  return Object.freeze({ timeZone: zone.id, at })
}

export function isWindowName(name: string): name is WindowName {
  return (windowNames as readonly string[]).includes(name)
}

function holds({ start, end }: Window, time: number): boolean {
  return start <= time && time < end
}

function windowsAt(zone: Zone, time: number): Windows {
  const hour: Window = { name: 'hour', start: hourStart(zone, time), end: hourEnd(zone, time) }
  const date = dayOf(zone, time)
  const day: Window = {
    name: 'day',
    start: zone.startOfDay(date),
    end: zone.startOfDay(date.add({ days: 1 })),
  }
  const monday = date.subtract({ days: date.dayOfWeek - 1 })
  const week: Window = {
    name: 'week',
    start: zone.startOfDay(monday),
    end: zone.startOfDay(monday.add({ weeks: 1 })),
  }
  return { hour, day, week }
}

/**
 * The date whose day holds `time`. That is not always the date on the clocks: where they went back from one minute past
 * midnight, the new day had begun already.
 */
function dayOf(zone: Zone, time: number): Temporal.PlainDate {
  const shown = zone.dateAt(time)
  const next = shown.add({ days: 1 })
  return zone.startOfDay(next) <= time ? next : shown
}

/** The last instant, at or before `time`, at which the clocks showed or passed a full hour. */
function hourStart(zone: Zone, time: number): number {
  const offset = zone.offsetAt(time)
  const shown = floorHour(time + offset) - offset
  const change = shown === time ? undefined : zone.changeBefore(time)
  if (change === undefined || change <= shown) return shown
  return startsHour(zone, change) ? change : hourStart(zone, change - 1)
}

/** The first instant after `time` at which the clocks show or pass a full hour. */
function hourEnd(zone: Zone, time: number): number {
  const offset = zone.offsetAt(time)
  const shown = floorHour(time + offset) + HOUR_MS - offset
  const change = zone.changeAfter(time)
  if (change === undefined || change > shown) return shown
  return startsHour(zone, change) ? change : hourEnd(zone, change)
}

/** Whether the clocks, moved at `change`, show a full hour then, or jump over the beginning of one. */
function startsHour(zone: Zone, change: number): boolean {
  const before = change + zone.offsetAt(change - 1)
  const after = change + zone.offsetAt(change)
  return after % HOUR_MS === 0 || (after > before && floorHour(after) >= before)
}

function floorHour(local: number): number {
  return Math.floor(local / HOUR_MS) * HOUR_MS
}

/** What is asked of a time zone; all times in epoch milliseconds. */
interface Zone {
  readonly id: string
  /** Local time less UTC, milliseconds. */
  offsetAt(time: number): number
  dateAt(time: number): Temporal.PlainDate
  startOfDay(date: Temporal.PlainDate): number
  /** The last change of the clocks at or before `time`. */
  changeBefore(time: number): number | undefined
  /** The first change of the clocks after `time`. */
  changeAfter(time: number): number | undefined
}

function zoneOf(timeZone: string): Zone {
  if (!/^[A-Za-z]/.test(timeZone)) throw new RangeError(`${timeZone} is no IANA time zone`)
  const id = timeZone.toUpperCase() === 'UTC' ? 'UTC' : local(0, timeZone).timeZoneId
  const at = (time: number) => local(time, id)
  return {
    id,
    offsetAt: (time) => at(time).offsetNanoseconds / 1_000_000,
    dateAt: (time) => at(time).toPlainDate(),
    startOfDay: (date) => date.toZonedDateTime(id).epochMilliseconds,
    changeBefore: (time) => at(time + 1).getTimeZoneTransition('previous')?.epochMilliseconds,
    changeAfter: (time) => at(time).getTimeZoneTransition('next')?.epochMilliseconds,
  }
}

function local(time: number, zone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(time).toZonedDateTimeISO(zone)
}
