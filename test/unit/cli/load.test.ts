import { build } from 'hdr-histogram-js'
import { describe, expect, test } from 'vitest'
import { planRush, type RushOptions } from '../../../cli/load/plan.ts'
import { describeRush, reportOf } from '../../../cli/load/report.ts'
import type { RushResult, Verdict } from '../../../cli/load/rush.ts'
import { checkRush, isDense } from '../../../cli/load/verdicts.ts'
import { silent } from './output.ts'

const options: RushOptions = { requests: 2_000, ratePerSecond: 1_000, users: 1_000, seed: 7, followed: 0.1 }

describe('the plan of a rush', () => {
  test('is the same for the same seed and another for another', () => {
    expect(planRush(options)).toEqual(planRush(options))
    expect(planRush({ ...options, seed: 8 }).dueMs).not.toEqual(planRush(options).dueMs)
  })

  test('lets each user ask once before anyone asks again', () => {
    const { user } = planRush(options)
    expect(new Set(user.subarray(0, 1_000)).size).toBe(1_000)
    expect(Math.max(...user)).toBe(999)
  })

  test('keeps the rate on average, at moments that are no grid', () => {
    const { dueMs } = planRush({ ...options, requests: 20_000 })
    expect((dueMs.at(-1) as number) / 20_000).toBeCloseTo(1, 1)
    const gaps = dueMs.slice(1).map((due, index) => due - (dueMs[index] as number))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(0)
    expect(gaps.filter((gap) => gap > 3).length).toBeGreaterThan(500)
  })

  test('follows the share that was asked for', () => {
    const followed = planRush({ ...options, requests: 20_000 }).followed.reduce((sum, one) => sum + one, 0)
    expect(followed / 20_000).toBeCloseTo(0.1, 1)
  })
})

function histogram(...microseconds: readonly number[]) {
  const made = build({ highestTrackableValue: 3_600_000_000 })
  for (const value of microseconds) made.recordValue(value)
  return made
}

function resultOf(verdicts: readonly (Verdict | undefined)[]): RushResult {
  const known = verdicts.flatMap((verdict, index) =>
    verdict === undefined ? [] : [[index, verdict] as const],
  )
  return {
    tickets: verdicts.map((_, index) => `0.${index}`),
    verdicts: new Map(known),
    accepted: histogram(1_000, 2_000, 50_000),
    decided: histogram(5_000),
    retries: 0,
    refused: new Map(),
    seconds: 2,
  }
}

function issued(sequence: number): Verdict {
  return { status: 'ISSUED', reason: undefined, sequence }
}

const soldOut: Verdict = { status: 'REJECTED', reason: 'SOLD_OUT', sequence: undefined }

describe('the verdicts of a rush', () => {
  const plan = planRush({ ...options, requests: 4, users: 4 })

  function failed(result: RushResult, quota = 2): string[] {
    return checkRush(plan, quota, result)
      .filter(({ ok }) => !ok)
      .map(({ name }) => name)
  }

  test('hold when as many were issued as there were', () => {
    expect(failed(resultOf([issued(2), issued(1), soldOut, soldOut]))).toEqual([])
  })

  test.each([
    ['one too many', [issued(1), issued(2), issued(3), soldOut], 'issued as many as the quota allows'],
    ['one too few', [issued(1), soldOut, soldOut, soldOut], 'issued as many as the quota allows'],
    ['a gap', [issued(1), issued(3), soldOut, soldOut], 'sequence is dense'],
    ['the same number twice', [issued(1), issued(1), soldOut, soldOut], 'sequence is dense'],
    ['one undecided', [issued(1), issued(2), soldOut, undefined], 'every request was decided'],
  ])('do not hold with %s', (_what, verdicts, name) => {
    expect(failed(resultOf(verdicts))).toContain(name)
  })

  test('do not hold when a user has two', () => {
    const twice = { ...plan, user: Uint32Array.of(1, 1, 2, 3) }
    const checks = checkRush(twice, 2, resultOf([issued(1), issued(2), soldOut, soldOut]))
    expect(checks.find(({ name }) => name === 'no user twice')?.ok).toBe(false)
  })

  test('do not hold when a request was not taken', () => {
    const result = resultOf([issued(1), issued(2), soldOut, undefined])
    expect(failed({ ...result, tickets: result.tickets.with(3, undefined) })).toEqual([
      'every request was taken',
    ])
  })
})

test('the report has latencies in milliseconds, counts of verdicts and the checks', () => {
  const result = resultOf([issued(1), issued(2), soldOut, soldOut])
  const report = reportOf('spring', result, [{ name: 'all is well', ok: true, detail: '4 of 4' }])
  expect(report).toMatchObject({ requests: 4, accepted: 4, requestsPerSecond: 2 })
  expect(report.verdicts).toEqual({ ISSUED: 2, SOLD_OUT: 2 })
  expect(report.latencyMs.accepted).toMatchObject({ count: 3, p50: 2 })
  expect(report.latencyMs.accepted.p999).toBeCloseTo(50, 0)
  const text = describeRush(report, silent())
  expect(text).toMatch(/p50 +p99 +p99\.9 +max/)
  expect(text).toMatch(/SOLD_OUT +2/)
  expect(text).toContain('ok   all is well: 4 of 4')
})

test('a sequence is dense in any order', () => {
  expect(isDense([3, 1, 2])).toBe(true)
  expect(isDense([])).toBe(true)
  expect(isDense([0, 1])).toBe(false)
  expect(isDense([1, 2, 2])).toBe(false)
})
