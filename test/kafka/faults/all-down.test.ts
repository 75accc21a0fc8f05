/** F13: there is no broker at all for a while. Nobody ends, nobody grows, and all go on once there is one. */
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { oneBroker } from '../../support/kafka/own-cluster.ts'
import { seedOfRun } from '../../support/random.ts'
import { CouponRun } from './coupon-run.ts'
import type { Engine } from './engine.ts'
import { everyTaskOnce, troubles } from './engines.ts'
import { kafkaRuns } from './runs.ts'

const KIBIBYTE = 1024
const MEBIBYTE = 1024 * KIBIBYTE
/** What a process may need more than before while it waits: nothing is taken in meanwhile. */
const GROWTH_LIMIT_BYTES = 64 * MEBIBYTE
const seed = seedOfRun()
const isLong = kafkaRuns(1) > 1
/** Longer than any session here; in the long form also longer than everything else that is waited for. */
const DOWN_MS = isLong ? 70_000 : 6_000
const times = isLong ? 2 : 1

const cluster = oneBroker()

test(
  `F13: ${times} × no broker for ${DOWN_MS / 1000} s: processes that run, and one that starts meanwhile, go on once there is one (CRASH_SEED=${seed})`,
  async () => {
    const { bootstrap, brokers } = cluster()
    const [broker] = brokers
    const run = await CouponRun.open({ name: 'f13', seed, users: times * 800, bootstrap })
    const a = run.start('a')
    await a.stage('ready')
    await run.openCampaigns()
    run.startLoad()
    const late: Engine[] = []
    for (let time = 0; time < times; time++) {
      await run.acceptedMore(100)
      await broker?.kill()
      late.push(run.start(`late-${time}`))
      const before = residentBytes(a)
      await delay(DOWN_MS)
      const growth = residentBytes(a) - before
      expect(growth).toBeLessThan(GROWTH_LIMIT_BYTES)
      await broker?.start()
      await everyTaskOnce([a, ...late])
      await run.acceptedMore(100)
      console.log(`F13: ${Math.round(growth / KIBIBYTE)} KiB more after ${DOWN_MS / 1000} s`)
    }
    expect([a, ...late].map(({ child }) => child.running)).toEqual([true, ...late.map(() => true)])
    expect(troubles([a, ...late])).toEqual([])
    console.log(`F13: seed ${seed}: ${await run.finish()}`)
  },
  120_000 + times * (DOWN_MS + 60_000),
)

function residentBytes({ child }: Engine): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * KIBIBYTE
}
