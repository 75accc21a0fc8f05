/** F7: user code that does not come back in time: nothing else in its process runs, the group goes on without it. */
import { expect, test } from 'vitest'
import { seedOfRun } from '../../support/random.ts'
import { CouponRun } from './coupon-run.ts'
import { everyTaskOnce, troubles } from './engines.ts'
import { kafkaRuns } from './runs.ts'

const seed = seedOfRun()
const times = kafkaRuns(1)
/** Half as long again as the session: 15 s to 10 s where it is repeated. */
const [SESSION_MS, BLOCKED_MS] = times === 1 ? [3_000, 4_500] : [10_000, 15_000]

test(
  `F7: ${times} × a rule blocks its process for longer than the session: what it has open is not committed, it tells, and its tasks begin anew (CRASH_SEED=${seed})`,
  async () => {
    const engine = { commitIntervalMs: 50, log: { sessionTimeoutMs: SESSION_MS } }
    const run = await CouponRun.open({ name: 'f7', seed, users: times * 600, engine })
    const [a, b] = [run.start('a'), run.start('b')]
    await everyTaskOnce([a, b])
    await run.openCampaigns()
    run.startLoad()
    for (let time = 0; time < times; time++) {
      await run.acceptedMore(100)
      const blocked = time % 2 === 0 ? a : b
      // What an operator is told by: an incident of this name, and an alert on incidents.
      const revoked = ['coupon-issuance', 'coupon-wallet'].map((topology) => {
        return blocked.next('revoked', (line) => line.topology === topology)
      })
      const begins = blocked.next('blocked')
      await blocked.order({ do: 'block', ms: BLOCKED_MS })
      await begins
      for (const { code } of await Promise.all(revoked)) expect(code).toBe('COMMIT_FENCED')
      await everyTaskOnce([a, b])
    }
    expect(troubles([a, b])).toEqual([])
    console.log(`F7: seed ${seed}: ${await run.finish()}`)
  },
  120_000 + times * 60_000,
)
