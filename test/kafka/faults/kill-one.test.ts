/** kill -9 of the only process, again and again: Java's client reads what it did, an oracle of plain maps judges it. */
import { expect, test } from 'vitest'
import { type Random, seededRandom, seedOfRun } from '../../support/random.ts'
import { CouponRun } from './coupon-run.ts'
import type { Engine } from './engine.ts'
import { troubles } from './engines.ts'
import { kafkaRuns } from './runs.ts'
import { changesOf } from './shop-topics.ts'

const KIBIBYTE = 1024
const kills = kafkaRuns(5)
const TIMEOUT_MS = 90_000 + kills * 30_000
const seed = seedOfRun()

/** When to kill: at what the process tells, or when so much was asked of it; never after so much time. */
type Moment = 'opening' | 'opened' | 'restored' | 'running' | 'asked' | 'committed' | 'ended'

const moments: readonly Moment[] = ['ended', 'restored', 'asked', 'committed', 'opening', 'opened', 'running']

test(
  `F1: ${kills} kills -9 of the only process, with commits every 5 s (CRASH_SEED=${seed})`,
  async () => {
    const run = await CouponRun.open({
      name: 'f1',
      seed,
      users: kills * 500,
      engine: { pipelines: ['coupons', 'ranking'], commitIntervalMs: 5_000 },
    })
    const { engines, summary } = await killAgainAndAgain(run)
    // A life restores what the last one could not write any more, never all there is.
    const restored = engines.map(restoredBy)
    const whole = await changesOf(run)
    expect(Math.max(...restored)).toBeGreaterThan(0)
    expect(Math.max(...restored)).toBeLessThan(whole / 2)
    console.log(`F1: ${summary}; restored ${restored.join(', ')} of ${whole}`)
  },
  TIMEOUT_MS,
)

test(
  `F26: ${kills} kills -9 under load with write buffers of 64 KiB (CRASH_SEED=${seed})`,
  async () => {
    const run = await CouponRun.open({
      name: 'f26',
      seed,
      users: kills * 300,
      engine: { pipelines: ['coupons', 'ranking'], writeBufferBytes: 64 * KIBIBYTE },
    })
    const { summary } = await killAgainAndAgain(run)
    console.log(`F26: ${summary}`)
  },
  TIMEOUT_MS,
)

/** Every life but the first and the last ends with a kill. */
async function killAgainAndAgain(run: CouponRun) {
  const random = seededRandom(seed + 1)
  const first = run.start('a')
  await run.openCampaigns()
  run.startLoad()
  await run.acceptedMore(100)
  await first.kill()
  const engines = [first]
  const plan: Moment[] = []
  for (let kill = 1; kill < kills; kill++) {
    const moment = moments[(kill - 1) % moments.length] as Moment
    plan.push(moment)
    engines.push(await killedAt(run, moment, random))
  }
  const last = run.start('a')
  await last.stage('ready')
  const summary = `seed ${seed}: ${plan.join(', ')}: ${await run.finish()}`
  expect(troubles(engines)).toEqual([])
  return { engines: [...engines, last], summary }
}

async function killedAt(run: CouponRun, moment: Moment, random: Random): Promise<Engine> {
  // Between the end of a transaction and the databases: what it changed is missing there.
  if (moment === 'ended') {
    const mortal = run.start('a', { diesAfterCommit: 1 + random.below(4) })
    await mortal.child.exited
    return mortal
  }
  const engine = run.start('a')
  if (moment === 'running') await engine.stage('task', ({ to }) => to === 'running')
  else if (moment === 'asked') {
    await engine.stage('ready')
    await run.acceptedMore(1 + random.below(300))
  } else if (moment === 'committed') {
    await engine.stage('ready')
    for (let n = 1 + random.below(3); n > 0; n--) await engine.next('committed')
  } else await engine.stage(moment)
  await engine.kill()
  return engine
}

function restoredBy(engine: Engine): number {
  return engine.told('restored').reduce((sum, { records }) => sum + records, 0)
}
