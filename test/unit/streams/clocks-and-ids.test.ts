import { describe, expect, test } from 'vitest'
import {
  type ClockIncident,
  EventIdMaker,
  formatUuid7,
  murmur2,
  parseTaskName,
  partitionFor,
  taskName,
  WallClock,
} from '../../../streams/index.ts'
import { ManualClock } from '../../../testing/index.ts'

const START = Date.UTC(2026, 0, 1)
const MINUTE = 60_000

describe('F23: the wall time of tasks', () => {
  function make(lastCommitted: number) {
    const clock = new ManualClock(START)
    const incidents: ClockIncident['kind'][] = []
    return { clock, incidents, wall: new WallClock(clock, lastCommitted, ({ kind }) => incidents.push(kind)) }
  }

  test('starts at the later of the last committed one and the system clock', () => {
    expect(make(START - 5_000).wall.now()).toBe(START)
    expect(make(START + 5_000).wall.now()).toBe(START + 5_000)
  })

  test('moves by the monotonic clock, not by the system clock', () => {
    const { clock, wall } = make(0)
    clock.advance(1_500)
    clock.jump(30_000)
    expect(wall.now()).toBe(START + 1_500)
    expect(wall.frozen).toBe(false)
  })

  test.each([3_600_000, -3_600_000])(
    'a jump of %d ms freezes expiries until the clocks agree for 5 minutes',
    (jump) => {
      const { clock, wall, incidents } = make(0)
      clock.jump(jump)
      wall.now()
      expect(wall.frozen).toBe(true)
      clock.jump(-jump)
      wall.now()
      clock.advance(5 * MINUTE - 1)
      wall.now()
      expect(wall.frozen).toBe(true)
      clock.advance(1)
      wall.now()
      expect(wall.frozen).toBe(false)
      expect(incidents).toEqual(['clock-frozen', 'clock-thawed'])
    },
  )

  test('the five minutes begin anew when the clocks part again', () => {
    const { clock, wall } = make(0)
    clock.jump(2 * MINUTE)
    wall.now()
    clock.jump(-2 * MINUTE)
    wall.now()
    clock.advance(4 * MINUTE)
    clock.jump(2 * MINUTE)
    wall.now()
    clock.jump(-2 * MINUTE)
    wall.now()
    clock.advance(4 * MINUTE)
    wall.now()
    expect(wall.frozen).toBe(true)
  })

  test('a system clock more than 60 s behind the last committed time freezes from the start', () => {
    expect(make(START + MINUTE).wall.frozen).toBe(false)
    expect(make(START + MINUTE + 1).wall.frozen).toBe(true)
  })

  test('set right after a start behind, the system clock may be ahead by the time that the process was down', () => {
    const { clock, wall, incidents } = make(START + 30 * MINUTE)
    clock.jump(60 * MINUTE)
    wall.now()
    clock.advance(4 * MINUTE)
    wall.now()
    clock.jump(2 * MINUTE)
    wall.now()
    clock.advance(5 * MINUTE - 1)
    wall.now()
    expect(wall.frozen).toBe(true)
    clock.advance(1)
    wall.now()
    expect(incidents).toEqual(['clock-frozen', 'clock-thawed'])
    expect(wall.now()).toBe(START + 71 * MINUTE)
    clock.jump(2 * MINUTE)
    wall.now()
    expect(wall.frozen).toBe(true)
  })

  test('an operator may thaw it: then the system clock counts, but time never goes back', () => {
    const ahead = make(0)
    ahead.clock.jump(3_600_000)
    ahead.wall.now()
    ahead.wall.thaw()
    expect(ahead.wall.now()).toBe(START + 3_600_000)
    const behind = make(0)
    behind.clock.jump(-3_600_000)
    behind.wall.now()
    behind.wall.thaw()
    expect(behind.wall.now()).toBe(START)
  })

  test('thawed while the system clock is behind, time stands still until that has caught up, and freezes no more', () => {
    const { clock, wall, incidents } = make(START + 10 * MINUTE)
    wall.thaw()
    clock.advance(9 * MINUTE)
    expect(wall.now()).toBe(START + 10 * MINUTE)
    expect([wall.frozen, wall.standsStill]).toEqual([false, true])
    clock.advance(MINUTE + 5)
    expect(wall.now()).toBe(START + 10 * MINUTE)
    clock.advance(7)
    expect(wall.now()).toBe(START + 10 * MINUTE + 7)
    expect(wall.standsStill).toBe(false)
    expect(incidents).toEqual(['clock-frozen', 'clock-thawed'])
  })
})

describe('partitions', () => {
  test.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('murmur2 of %s is what Java computes', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash)
    expect(partitionFor(Buffer.from(text), 7)).toBe((hash & 0x7fffffff) % 7)
  })
})

describe('event ids', () => {
  test('are UUIDv7 with the time of the cause', () => {
    const id = new EventIdMaker('a').derive(START, 3, 77, 0)
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(START)
  })

  test('differ by maker, place and ordinal, and are the same for the same', () => {
    const ids = new Set<string>()
    for (const maker of ['a', 'b', 'a|t', 'b|t'].map((name) => new EventIdMaker(name))) {
      for (let partition = 0; partition < 10; partition++) {
        for (let offset = 0; offset < 500; offset++) {
          ids.add(maker.derive(START, partition, offset, 0))
          ids.add(maker.derive(START, partition, offset * 0x1_0000_0000 + 1_000, 1))
        }
      }
    }
    expect(ids.size).toBe(40_000)
    expect(new EventIdMaker('a').derive(START, 1, 2, 3)).toBe(new EventIdMaker('a').derive(START, 1, 2, 3))
  })

  test('sort by time', () => {
    expect(formatUuid7(START + 1, 0, 0, 0) > formatUuid7(START, -1, -1, -1)).toBe(true)
  })
})

test('a task name reads back', () => {
  const id = { topology: 'best.sellers-2', subTopology: 1, partition: 12 }
  expect(taskName(id)).toBe('best.sellers-2.1_12')
  expect(parseTaskName(taskName(id))).toEqual(id)
  expect(() => parseTaskName('x')).toThrow(RangeError)
})
