import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BreakerWindow, isFlood, TaskBreaker } from '../../../streams/breaker.ts'
import { type BreakerPolicy, type Flood, defaultBreaker } from '../../../streams/index.ts'

const policy: BreakerPolicy = { windowRecords: 10, leastDeadLetters: 3, percent: 50, cooldownMs: 1_000 }

describe('a flood of dead letters', () => {
  test.each([
    [2, 2, false],
    [3, 3, true],
    [6, 3, true],
    [7, 3, false],
    [10, 5, true],
    [10, 4, false],
  ])('among %i records, %i dead letters: %s', (records, deadLetters, flood) => {
    expect(isFlood(records, deadLetters, policy)).toBe(flood)
  })

  test('by default is a hundred and at least half of the last thousand', () => {
    expect(isFlood(99, 99, defaultBreaker)).toBe(false)
    expect(isFlood(200, 100, defaultBreaker)).toBe(true)
    expect(isFlood(1_000, 499, defaultBreaker)).toBe(false)
  })

  test('is judged by the last records alone, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (all) => {
        const window = new BreakerWindow(policy)
        all.forEach((died, index) => {
          const last = all.slice(0, index + 1).slice(-policy.windowRecords)
          const deadLetters = last.filter(Boolean).length
          expect(window.note(died)).toBe(died && isFlood(last.length, deadLetters, policy))
          expect([window.records, window.deadLetters]).toEqual([last.length, deadLetters])
        })
      }),
    )
  })
})

describe('the breaker of a task', () => {
  function make(given: BreakerPolicy | 'off' = policy) {
    const changes: [string, Flood | undefined][] = []
    const clock = { time: 0 }
    const breaker = new TaskBreaker(
      given,
      () => clock.time,
      (...change) => changes.push(change),
    )
    const flood = (topic: string, count = policy.leastDeadLetters): void => {
      for (let i = 0; i < count; i++) breaker.note(topic, true)
    }
    return { breaker, changes, clock, flood }
  }

  test('holds it from the flood to the end of the cool-down, and says both', () => {
    const { breaker, changes, clock, flood } = make()
    flood('a', 2)
    expect(breaker.holds()).toBe(false)
    flood('a', 1)
    expect(breaker.holds()).toBe(true)
    const told = { topic: 'a', records: 3, deadLetters: 3, cooldownMs: 1_000 }
    expect(breaker.flood).toEqual(told)
    clock.time = 999
    expect(breaker.holds()).toBe(true)
    clock.time = 1_000
    expect(breaker.holds()).toBe(false)
    expect(changes).toEqual([
      ['a', told],
      ['a', undefined],
    ])
  })

  test('opens again after as many more, not with the first', () => {
    const { breaker, clock, flood } = make()
    flood('a')
    clock.time = 1_000
    flood('a', 2)
    expect(breaker.holds()).toBe(false)
    flood('a', 1)
    expect(breaker.holds()).toBe(true)
  })

  test('counts each topic for itself', () => {
    const { breaker, flood } = make()
    flood('a', 2)
    flood('b', 2)
    expect(breaker.holds()).toBe(false)
  })

  test('without a cool-down waits until it is released', () => {
    const { breaker, clock, flood } = make({ ...policy, cooldownMs: Number.POSITIVE_INFINITY })
    flood('a')
    clock.time = Number.MAX_SAFE_INTEGER
    expect(breaker.holds()).toBe(true)
    expect(breaker.release()).toBe(true)
    expect(breaker.release()).toBe(false)
    expect(breaker.holds()).toBe(false)
  })

  test('that is off holds nothing', () => {
    const { breaker, flood } = make('off')
    flood('a', 1_000)
    expect(breaker.holds()).toBe(false)
  })
})
