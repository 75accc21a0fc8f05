/** Processes of a shop that takes orders are killed; Java's client reads what they did, plain books judge it. */
import { expect, test } from 'vitest'
import { seededRandom, seedOfRun } from '../../support/random.ts'
import { everyTaskOnce, troubles } from './engines.ts'
import { OrderRun } from './order-run.ts'
import { kafkaRuns } from './runs.ts'

const kills = kafkaRuns(2)
const ORDERS_PER_KILL = 8
const TIMEOUT_MS = 400_000 + kills * 30_000
const seed = seedOfRun()

test(
  `F1: I10 to I21: ${kills} kills -9 of the only process while orders run (CRASH_SEED=${seed})`,
  async () => {
    const run = await OrderRun.open({ name: 'f1-orders', seed, orders: kills * ORDERS_PER_KILL })
    const random = seededRandom(seed + 1)
    run.startLoad()
    const engines = []
    for (let kill = 0; kill < kills; kill++) {
      const engine = run.start('a')
      engines.push(engine)
      await engine.stage('ready')
      await run.acceptedMore(1 + random.below(12))
      await engine.kill()
    }
    const last = run.start('a')
    await last.stage('ready')
    console.log(`F1, orders: seed ${seed}: ${kills} kills: ${await run.finish()}`)
    expect(troubles([...engines, last])).toEqual([])
  },
  TIMEOUT_MS,
)

test(
  `F2: I10 to I21: ${kills} kills -9 of one of two processes while orders run (CRASH_SEED=${seed})`,
  async () => {
    const run = await OrderRun.open({ name: 'f2-orders', seed, orders: kills * ORDERS_PER_KILL })
    const random = seededRandom(seed + 1)
    const engines = new Map(['a', 'b'].map((slot) => [slot, run.start(slot)]))
    const all = () => [...engines.values()]
    await everyTaskOnce(all())
    run.startLoad()
    for (let kill = 0; kill < kills; kill++) {
      const slot = random.pick(['a', 'b'])
      await run.acceptedMore(1 + random.below(12))
      await engines.get(slot)?.kill()
      engines.set(slot, run.start(slot))
      await everyTaskOnce(all())
    }
    console.log(`F2, orders: seed ${seed}: ${kills} kills: ${await run.finish()}`)
    expect(troubles(all())).toEqual([])
  },
  TIMEOUT_MS,
)
