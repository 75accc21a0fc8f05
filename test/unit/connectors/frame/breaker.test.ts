/** When a breaker lets deliveries go, and whom. */
import { expect, test } from 'vitest'
import { DeliveryBreaker } from '../../../../connectors/frame/breaker.ts'
import { HurriedClock } from '../../../support/hurried-clock.ts'

const never = new AbortController().signal
const OPEN_MS = 1_000

function opened(clock: HurriedClock): DeliveryBreaker {
  const breaker = new DeliveryBreaker({ clock, failures: 2, openMs: OPEN_MS, onChange: () => {} })
  breaker.unavailable('deliver')
  breaker.unavailable('deliver')
  return breaker
}

test('it opens after so many in a row, not after as many with an answer between them', () => {
  const clock = new HurriedClock()
  const breaker = new DeliveryBreaker({ clock, failures: 2, openMs: OPEN_MS, onChange: () => {} })
  breaker.unavailable('deliver')
  breaker.answered()
  breaker.unavailable('deliver')
  expect(breaker.state).toBe('closed')
  breaker.unavailable('deliver')
  expect(breaker.state).toBe('open')
})

test('a try that is given up leaves the next one to somebody else, at once', async () => {
  const clock = new HurriedClock()
  const breaker = opened(clock)
  await breaker.permit(never)
  expect(breaker.state).toBe('half-open')
  const other = breaker.permit(never)
  breaker.givenUp()
  const before = clock.monotonic()
  await other
  expect(breaker.state).toBe('half-open')
  expect(clock.monotonic() - before).toBeLessThan(OPEN_MS)
})

test('one that is not wanted any more waits no longer, and tries nothing', async () => {
  const clock = new HurriedClock()
  const breaker = opened(clock)
  const leaving = new AbortController()
  const waiting = breaker.permit(leaving.signal)
  leaving.abort()
  await waiting
  expect(breaker.state).toBe('open')
})

test('a target that was only not to be opened is there once it opens; one that took nothing, once it takes something', async () => {
  const clock = new HurriedClock()
  const breaker = new DeliveryBreaker({ clock, failures: 2, openMs: OPEN_MS, onChange: () => {} })
  breaker.unavailable('open')
  breaker.unavailable('open')
  await breaker.permit(never)
  breaker.opened()
  expect(breaker.state).toBe('closed')
  breaker.unavailable('deliver')
  breaker.unavailable('open')
  await breaker.permit(never)
  breaker.opened()
  expect(breaker.state).toBe('open')
  breaker.answered()
  expect(breaker.state).toBe('closed')
})
