/** A seed is a schedule: the same one gives the same events, and turning faults off finds those that a failure needs. */
import { describe, expect, test } from 'vitest'
import { ALL_FAULTS, type Fault } from '../../transports/simulated/index.ts'
import { planOf, shrink, simulate, type SimulatedApp } from '../../testing/index.ts'
import { appOf } from './apps.ts'
import { timers } from './reminders.ts'

async function logOf(seed: number): Promise<string[]> {
  const lines: string[] = []
  await simulate({ app: appOf(seed), seed, note: (line) => lines.push(line) })
  return lines
}

describe('a seed', () => {
  test.each([6, 11, 19])('%i gives the same event log each time', async (seed) => {
    const first = await logOf(seed)
    expect(first.length).toBeGreaterThan(20)
    expect(await logOf(seed)).toEqual(first)
  })

  test('turns some faults off, and each fault is on in some seed', () => {
    const on = new Set<Fault>()
    for (let seed = 1; seed <= 200; seed++) {
      const { faults } = planOf(seed)
      expect(faults.length).toBeLessThan(ALL_FAULTS.length)
      for (const fault of faults) on.add(fault)
    }
    expect([...on].toSorted()).toEqual([...ALL_FAULTS].toSorted())
  })

  test('keeps its other choices when its faults are given', () => {
    const { faults: _given, ...rest } = planOf(7, ['kill'])
    const { faults: _own, ...own } = planOf(7)
    expect(rest).toEqual(own)
  })
})

test('a failure that needs no fault shrinks to none', async () => {
  const failing = (): SimulatedApp => ({ ...timers(), judge: () => ['always wrong'] })
  const failed = await simulate({ app: failing(), seed: 3, faults: ['slow-markers', 'kill', 'compaction'] })
  const smallest = await shrink(failed, failing)
  expect(smallest.complaints).toEqual(['always wrong'])
  expect(smallest.plan.faults).toEqual([])
})
