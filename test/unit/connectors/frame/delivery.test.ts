/** How long a batch waits for a target that is not there. */
import { expect, test } from 'vitest'
import { DeliveryBreaker } from '../../../../connectors/frame/breaker.ts'
import { Delivery } from '../../../../connectors/frame/delivery.ts'
import { defaultDelivery } from '../../../../connectors/frame/policy.ts'
import { Turns } from '../../../../connectors/frame/turns.ts'
import { Latch } from '../../../../connectors/frame/waiting.ts'
import { type Incoming, noConnectorHooks, Unavailable } from '../../../../connectors/index.ts'
import { ManualClock } from '../../../../testing/index.ts'

const never = new AbortController().signal
const MINUTE = 60_000

/** Remembers what was waited for between deliveries, and waits for none of it. */
class HurriedClock extends ManualClock {
  readonly waits: number[] = []

  override after(ms: number, run: () => void): () => void {
    if (ms === defaultDelivery.timeoutMs) return () => {}
    this.waits.push(ms)
    queueMicrotask(run)
    return () => {}
  }
}

async function waitsFor(...asked: readonly (number | undefined)[]): Promise<readonly number[]> {
  const clock = new HurriedClock(0)
  const breaker = new DeliveryBreaker({ clock, failures: 100, openMs: 1, onChange: () => {} })
  const delivery = new Delivery({
    connector: 'test',
    policy: defaultDelivery,
    clock,
    random: () => 1,
    breaker,
    going: new Latch(true),
    hooks: noConnectorHooks,
  })
  const left = [...asked]
  const target = {
    deliver: async () => {
      if (left.length === 0) return {}
      throw new Unavailable('full', { retryAfterMs: left.shift() as number })
    },
    close: () => Promise.resolve(),
  }
  const batch = { records: [{} as Incoming], next: [] }
  const turns = new Turns()
  turns.open()
  const task = { dropped: never, stopping: never, turn: turns.make() }
  for await (const { count } of delivery.parts(target, batch, task)) expect(count).toBe(1)
  return clock.waits
}

test('a target is asked again when it says, and in six minutes where it says a month', async () => {
  const month = 30 * 24 * 60 * MINUTE
  expect(await waitsFor(undefined, 5_000, month, Number.POSITIVE_INFINITY, 1)).toEqual([
    200,
    5_000,
    6 * MINUTE,
    6 * MINUTE,
    3_200,
  ])
})
