import fc from 'fast-check'
import { Temporal } from 'temporal-polyfill'
import { describe, expect, test } from 'vitest'
import { calendarOf, type WindowName, windowNames } from '../../../processors/ranking/windows.ts'
import { DAY, HOUR, MINUTE, MONDAY } from './given.ts'

function ms(text: string): number {
  return Temporal.Instant.from(text).epochMilliseconds
}

/** Window of a local time, as the clocks of its zone show its ends. */
function shown(name: WindowName, text: string): string {
  const time = Temporal.ZonedDateTime.from(text)
  const { start, end } = calendarOf(time.timeZoneId).at(time.epochMilliseconds)[name]
  const local = (at: number) =>
    Temporal.Instant.fromEpochMilliseconds(at)
      .toZonedDateTimeISO(time.timeZoneId)
      .toString({ timeZoneName: 'never', smallestUnit: 'minute' })
  return `${local(start)} ${local(end)}`
}

function hoursOf(name: WindowName, text: string): number {
  const time = Temporal.ZonedDateTime.from(text)
  const { start, end } = calendarOf(time.timeZoneId).at(time.epochMilliseconds)[name]
  return (end - start) / HOUR
}

describe('in UTC', () => {
  const calendar = calendarOf('UTC')

  test('windows begin at full hours, at midnight, on Mondays', () => {
    const windows = calendar.at(MONDAY + 2 * DAY + 5 * HOUR + 7)
    expect(windows).toEqual({
      hour: { name: 'hour', start: MONDAY + 2 * DAY + 5 * HOUR, end: MONDAY + 2 * DAY + 6 * HOUR },
      day: { name: 'day', start: MONDAY + 2 * DAY, end: MONDAY + 3 * DAY },
      week: { name: 'week', start: MONDAY, end: MONDAY + 7 * DAY },
    })
  })

  test('a window has its start and not its end', () => {
    expect(calendar.at(MONDAY).week.start).toBe(MONDAY)
    expect(calendar.at(MONDAY - 1).week).toEqual({ name: 'week', start: MONDAY - 7 * DAY, end: MONDAY })
  })
})

describe('where clocks change by an hour', () => {
  test('the day that they go forward has 23 hours, and its week 167', () => {
    expect(shown('day', '2026-03-29T12:00[Europe/Berlin]')).toBe(
      '2026-03-29T00:00+01:00 2026-03-30T00:00+02:00',
    )
    expect(hoursOf('day', '2026-03-29T12:00[Europe/Berlin]')).toBe(23)
    expect(hoursOf('week', '2026-03-29T12:00[Europe/Berlin]')).toBe(167)
  })

  test('the day that they go back has 25 hours, and its week 169', () => {
    expect(shown('day', '2026-10-25T12:00[Europe/Berlin]')).toBe(
      '2026-10-25T00:00+02:00 2026-10-26T00:00+01:00',
    )
    expect(hoursOf('day', '2026-10-25T12:00[Europe/Berlin]')).toBe(25)
    expect(hoursOf('week', '2026-10-25T12:00[Europe/Berlin]')).toBe(169)
  })

  test('the hour that is jumped over is no window', () => {
    expect(shown('hour', '2026-03-29T01:30[Europe/Berlin]')).toBe(
      '2026-03-29T01:00+01:00 2026-03-29T03:00+02:00',
    )
    expect(hoursOf('hour', '2026-03-29T01:30[Europe/Berlin]')).toBe(1)
  })

  test('the hour that comes twice is two windows', () => {
    expect(shown('hour', '2026-10-25T02:30+02:00[Europe/Berlin]')).toBe(
      '2026-10-25T02:00+02:00 2026-10-25T02:00+01:00',
    )
    expect(shown('hour', '2026-10-25T02:30+01:00[Europe/Berlin]')).toBe(
      '2026-10-25T02:00+01:00 2026-10-25T03:00+01:00',
    )
  })

  test('a day without midnight begins with its first instant', () => {
    expect(shown('day', '2018-11-04T12:00[America/Sao_Paulo]')).toBe(
      '2018-11-04T01:00-02:00 2018-11-05T00:00-02:00',
    )
    expect(shown('hour', '2018-11-04T01:30[America/Sao_Paulo]')).toBe(
      '2018-11-04T01:00-02:00 2018-11-04T02:00-02:00',
    )
  })
})

describe('where zones are odd', () => {
  test('hours begin when the clocks show a full hour', () => {
    expect(calendarOf('Asia/Kolkata').at(ms('2026-01-05T10:45Z')).hour).toEqual({
      name: 'hour',
      start: ms('2026-01-05T10:30Z'),
      end: ms('2026-01-05T11:30Z'),
    })
    expect(calendarOf('Asia/Kathmandu').at(ms('2026-01-05T10:14Z')).hour.start).toBe(ms('2026-01-05T09:15Z'))
  })

  test('clocks that move by half an hour make one hour of 30 and one of 90 minutes', () => {
    const zone = '[Australia/Lord_Howe]'
    expect(shown('hour', `2026-10-04T02:45${zone}`)).toBe('2026-10-04T02:30+11:00 2026-10-04T03:00+11:00')
    const long = '2026-04-05T01:00+11:00 2026-04-05T02:00+10:30'
    expect(shown('hour', `2026-04-05T01:45+11:00${zone}`)).toBe(long)
    expect(shown('hour', `2026-04-05T01:45+10:30${zone}`)).toBe(long)
    expect(hoursOf('hour', `2026-04-05T01:45+10:30${zone}`)).toBe(1.5)
  })

  test('a day that had begun when the clocks went back to the one before goes on', () => {
    const zone = '[America/St_Johns]'
    const sunday = '2010-11-07T00:00-02:30 2010-11-08T00:00-03:30'
    expect(shown('day', `2010-11-07T00:00:30-02:30${zone}`)).toBe(sunday)
    expect(shown('day', `2010-11-06T23:30-03:30${zone}`)).toBe(sunday)
    expect(shown('day', `2010-11-06T23:30-02:30${zone}`)).toBe(
      '2010-11-06T00:00-02:30 2010-11-07T00:00-02:30',
    )
    expect(shown('hour', `2010-11-06T23:30-03:30${zone}`)).toBe(
      '2010-11-07T00:00-02:30 2010-11-07T00:00-03:30',
    )
  })

  test('a day that the zone left out is no window', () => {
    expect(shown('day', '2011-12-29T12:00[Pacific/Apia]')).toBe(
      '2011-12-29T00:00-10:00 2011-12-31T00:00+14:00',
    )
    expect(hoursOf('day', '2011-12-29T12:00[Pacific/Apia]')).toBe(24)
  })

  test('UTC is UTC in any case, and what is no zone is refused', () => {
    expect(calendarOf('utc').timeZone).toBe('UTC')
    expect(calendarOf('europe/berlin').timeZone).toBe('Europe/Berlin')
    for (const wrong of ['', 'Mars/Olympus', '+01:00', '-5'])
      expect(() => calendarOf(wrong)).toThrow(RangeError)
  })
})

const zones = [
  'UTC',
  'Europe/London',
  'America/Sao_Paulo',
  'America/St_Johns',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Asia/Pyongyang',
  'Australia/Lord_Howe',
  'America/Caracas',
  'Antarctica/Troll',
  'Pacific/Apia',
  'Pacific/Chatham',
  'Africa/Casablanca',
] as const

/** Instants of any time, and of the hours around a change of the clocks. */
const instants = fc.constantFrom(...zones).chain((zone) =>
  fc
    .record({
      time: fc.integer({ min: Date.UTC(1990, 0), max: Date.UTC(2035, 0) }),
      nearChange: fc.boolean(),
      off: fc.integer({ min: -3 * HOUR, max: 3 * HOUR }),
    })
    .map(({ time, nearChange, off }) => {
      const at = Temporal.Instant.fromEpochMilliseconds(time).toZonedDateTimeISO(zone)
      const change = nearChange ? at.getTimeZoneTransition('next')?.epochMilliseconds : undefined
      return { zone, time: change === undefined ? time : change + off }
    }),
)

describe('in every zone', () => {
  test('windows tile time', () => {
    fc.assert(
      fc.property(instants, ({ zone, time }) => {
        for (const name of windowNames) {
          const { start, end } = calendarOf(zone).at(time)[name]
          expect(start <= time && time < end).toBe(true)
          for (const inside of [start, end - 1])
            expect(calendarOf(zone).at(inside)[name]).toEqual({ name, start, end })
          expect(calendarOf(zone).at(end)[name].start).toBe(end)
          expect(calendarOf(zone).at(start - 1)[name].end).toBe(start)
        }
      }),
      { numRuns: 150 },
    )
  })

  test('hours lie in days, days in weeks', () => {
    fc.assert(
      fc.property(instants, ({ zone, time }) => {
        const { hour, day, week } = calendarOf(zone).at(time)
        expect(week.start <= day.start && day.start <= hour.start).toBe(true)
        expect(hour.end <= day.end && day.end <= week.end).toBe(true)
      }),
      { numRuns: 150 },
    )
  })

  test('what is remembered is what is computed', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 60 }),
        (zone, quarters) => {
          const begin = Temporal.Instant.fromEpochMilliseconds(Date.UTC(2010, 8, 1)).toZonedDateTimeISO(zone)
          const change = begin.getTimeZoneTransition('next')?.epochMilliseconds ?? begin.epochMilliseconds
          const calendar = calendarOf(zone)
          for (const quarter of quarters) {
            const time = change + (quarter - 200) * 7 * MINUTE
            expect(calendar.at(time)).toEqual(calendarOf(zone).at(time))
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})
