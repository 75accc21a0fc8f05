import { expect, test } from 'vitest'
import { TokenBucket } from '../../../connectors/mail/rate.ts'
import { HurriedClock } from '../../support/hurried-clock.ts'

const never = new AbortController().signal

test('as many at once as a second has, then one after the other', async () => {
  const clock = new HurriedClock()
  const bucket = new TokenBucket(clock, 10)
  const times: number[] = []
  for (let i = 0; i < 30; i++) {
    await bucket.take(never)
    times.push(clock.monotonic())
  }
  expect(times.slice(0, 10).every((time) => time === 0)).toBe(true)
  expect(times[29]).toBeCloseTo(2_000, -1)
  for (let i = 11; i < 30; i++) expect((times[i] as number) - (times[i - 1] as number)).toBeCloseTo(100, -1)
})

test('those that wait together have their turns one after the other', async () => {
  const clock = new HurriedClock()
  const bucket = new TokenBucket(clock, 2, 1)
  const times = await Promise.all(
    [1, 2, 3].map(async () => {
      await bucket.take(never)
      return clock.monotonic()
    }),
  )
  expect(times).toEqual([0, 500, 1_000])
})

test('who is told to end does not wait', async () => {
  const bucket = new TokenBucket(new HurriedClock(), 1)
  const ended = new AbortController()
  ended.abort(new Error('over'))
  await expect(bucket.take(ended.signal)).rejects.toThrow('over')
})
