/** kill -9 of `millrace start` at random points under load over HTTP, judged by plain counting. */
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { bestSellers, catalog, couponIssuance, wallet } from '../../topologies/index.ts'
import { Engine } from '../support/engine.ts'
import { crashRuns, seededRandom, seedOfRun } from '../support/random.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { judgeJournals } from './engine-judge.ts'
import { planKill } from './kill-switch.ts'
import { ShopLoad } from './shop-load.ts'
import { ShopRun } from './shop-run.ts'

/** Acknowledgements of one life of the process at most. */
const MOST_EVENTS = 120

const seed = seedOfRun()
const kills = crashRuns(8)

vi.setConfig({ testTimeout: 60_000 + kills * 20_000 })

test(`${kills} kills -9 of the server under load lose nothing and decide nothing twice, and boards are those of the orders (CRASH_SEED=${seed})`, async () => {
  const dataDir = join(await scratchDirectory('shop'), 'data')
  const now = Date.now()
  const users = kills * 25
  const quota = Math.ceil(users * 0.5)
  const load = new ShopLoad(seededRandom(seed), users, now)
  const run = new ShopRun(
    { dataDir, set: ['log.writeBufferBytes=65536'] },
    load,
    seededRandom(seed + 2),
    quota,
  )
  await run.open(now)
  const plans = seededRandom(seed + 1)
  for (let kill = 0; kill < kills; kill++) await run.untilKilled(planKill(plans, MOST_EVENTS))
  const { issued, boards } = await run.finish()

  const counts = `${load.acknowledged} acknowledged, ${load.tickets.size} requests, ${issued} issued of ${quota}`
  const orders = `${load.sales.length} orders, ${load.reversals.length} reversals, ${boards} boards`
  console.log(`seed ${seed}: ${kills} kills (${run.summary}), ${counts}, ${orders}`)
  expect(run.complaints).toEqual([])
  expect(issued).toBeGreaterThan(0)

  // I24: what the last process left, decided again from its inputs.
  const ranking = bestSellers({ closing: 'wallClock' })
  const topologies = [couponIssuance, wallet(), catalog, ranking]
  const engine = await Engine.open(dataDir, { application: 'millrace', topologies })
  try {
    await engine.drain()
    expect(await judgeJournals(engine)).toEqual([])
  } finally {
    await engine.close()
  }
})
