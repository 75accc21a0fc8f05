/** Fail-over to standbys: what is left to restore when a process is killed under load, and whether all is exact then. */
import { expect, test } from 'vitest'
import { seedOfRun } from '../../support/random.ts'
import { CouponRun } from './coupon-run.ts'
import type { Engine } from './engine.ts'
import { everyTaskFollowed, everyTaskOnce, TAKEOVER_SLACK_MS, troubles } from './engines.ts'
import { kafkaRuns } from './runs.ts'
import { changesOf } from './shop-topics.ts'

const SESSION_MS = 3_000
const seed = seedOfRun()
const kills = kafkaRuns(2)

test(
  `F2: the tasks of a killed process run where their standbys are, and restore only what those lacked, ${kills} × (CRASH_SEED=${seed})`,
  async () => {
    const run = await CouponRun.open({
      name: 'standbys',
      seed,
      users: 400 + kills * 400,
      engine: { log: { sessionTimeoutMs: SESSION_MS, standbys: 1 } },
    })
    let [survivor, victim] = [run.start('a'), run.start('b')]
    await everyTaskOnce([survivor, victim])
    await run.openCampaigns()
    run.startLoad()
    for (let kill = 0; kill < kills; kill++) {
      await run.acceptedMore(300)
      await everyTaskFollowed([survivor, victim])
      const known = survivor.lines.length
      const killedAt = Date.now()
      await victim.kill()
      await everyTaskOnce([survivor], { timeoutMs: SESSION_MS + TAKEOVER_SLACK_MS })
      const restored = restoredSince(survivor, known)
      const whole = await changesOf(run)
      // Whoever had no standby would read the half that these tasks wrote.
      expect(restored).toBeLessThan(whole / 10)
      console.log(`standbys: after ${Date.now() - killedAt} ms restored ${restored} of ${whole} changes`)
      const back = run.start(victim.slot)
      await everyTaskOnce([survivor, back])
      // The next to go is the one that has been there longer: each is once a standby and once not.
      ;[survivor, victim] = [back, survivor]
    }
    await everyTaskFollowed([survivor, victim])
    expect(troubles([survivor, victim])).toEqual([])
    expect([survivor, victim].flatMap(failedStandbys)).toEqual([])
    console.log(`standbys: seed ${seed}: ${await run.finish()}`)
  },
  90_000 + kills * 40_000,
)

/** Changes read by the tasks that opened after so many lines. */
function restoredSince(engine: Engine, known: number): number {
  return engine.lines.slice(known).reduce((sum, line) => sum + (line.at === 'restored' ? line.records : 0), 0)
}

function failedStandbys(engine: Engine): string[] {
  return engine.told('standby').flatMap((line) => (line.to === 'failed' ? [JSON.stringify(line)] : []))
}
