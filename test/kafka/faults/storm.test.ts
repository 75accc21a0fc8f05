/** F16: processes come and go faster than a group likes; whoever stays makes progress all the same. */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { within } from '../../support/kafka/eventually.ts'
import { seedOfRun } from '../../support/random.ts'
import { CouponRun } from './coupon-run.ts'
import type { Engine } from './engine.ts'
import { everyTaskOnce, troubles } from './engines.ts'
import { kafkaRuns } from './runs.ts'
import { tasksOf } from './shop-topics.ts'

/** Between a process that joins and the same one leaving: a hundred of these are five minutes. */
const INTERVAL_MS = 3_000
/** Within which something new is decided, whatever the group is doing. */
const PROGRESS_LIMIT_MS = 30_000
const seed = seedOfRun()
const changes = kafkaRuns(1) * 5

test(
  `F16: ${changes} times a process joins, leaves or dies, one every 3 s: positions move the whole time (CRASH_SEED=${seed})`,
  async () => {
    const engine = { log: { sessionTimeoutMs: INTERVAL_MS, leaves: true } }
    const run = await CouponRun.open({ name: 'f16', seed, users: changes * 300, engine })
    const a = run.start('a')
    await everyTaskOnce([a])
    await run.openCampaigns()
    run.startLoad()
    const guests: Engine[] = []
    let guest: Engine | undefined
    for (let change = 0; change < changes; change++) {
      const turn: Promise<unknown>[] = [delay(INTERVAL_MS)]
      if (guest === undefined) {
        guests.push((guest = run.start(`guest-${change}`)))
        // Every other guest stays until it has something.
        if (change % 4 === 0) turn.push(guest.stage('task', ({ to }) => to === 'running'))
      } else {
        if (change % 4 === 1) await guest.stop()
        else await guest.kill()
        guest = undefined
      }
      const moved = anyDecides(guest === undefined ? [a] : [a, guest])
      turn.push(within(PROGRESS_LIMIT_MS, `progress after change ${change}`, moved))
      await Promise.all(turn)
    }
    await guest?.kill()
    await everyTaskOnce([a])
    // Tasks went to the others, and came back.
    expect(a.assignments).toBeGreaterThan(tasksOf(a.pipelines).length)
    expect(troubles([a, ...guests])).toEqual([])
    console.log(
      `F16: seed ${seed}: ${a.assignments} tasks opened by the one that stays: ${await run.finish()}`,
    )
  },
  90_000 + changes * 40_000,
)

/** Requests are decided by one of them, and committed. */
async function anyDecides(engines: readonly Engine[]): Promise<void> {
  const decided = engines.map((engine) => {
    return engine.next('committed', ({ topology, records }) => topology === 'coupon-issuance' && records > 0)
  })
  await Promise.any(decided)
}
