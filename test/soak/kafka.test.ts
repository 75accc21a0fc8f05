/**
 * Three processes on Kafka for a long time: two are killed, stopped and started again all the while, so that the third
 * lives through one rebalance after the other. It must neither grow nor lose anything.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { seededRandom, seedOfRun } from '../support/random.ts'
import { CouponRun } from '../kafka/faults/coupon-run.ts'
import type { Engine } from '../kafka/faults/engine.ts'
import { everyTaskOnce, troubles } from '../kafka/faults/engines.ts'
import { soakSeconds } from './limits.ts'
import { type Alive, aliveTable, complaintsAbout, usageTable, watchUsage } from './usage.ts'

const SESSION_MS = 3_000
/** Between two disturbances. */
const CALM_MS = { least: 5_000, most: 25_000 }
const USERS_PER_SECOND = 150
/** Between two looks at what is alive. */
const COLLECT_EVERY_MS = 120_000
/** Caches and buffers of each task that are full within the warm-up: what grows afterwards is none of them. */
const SMALL = { cacheEntries: 500, writeBufferBytes: 64 * 1024, cacheBytes: 1024 * 1024 }

const seconds = soakSeconds()
const seed = seedOfRun()

test(
  `F2, F15: ${seconds} s of kills and restarts beside a process that lives on: memory and open files are flat (CRASH_SEED=${seed})`,
  async () => {
    const pipelines = ['coupons', 'ranking'] as const
    const engine = { pipelines, ...SMALL, log: { sessionTimeoutMs: SESSION_MS } }
    const run = await CouponRun.open({ name: 'soak', seed, users: seconds * USERS_PER_SECOND, engine })
    const witness = run.start('a')
    const others = new Map<string, Engine>(['b', 'c'].map((slot) => [slot, run.start(slot)]))
    const all = (): Engine[] => [witness, ...others.values()]
    await everyTaskOnce(all())
    await run.openCampaigns()
    run.startLoad()
    const end = performance.now() + seconds * 1_000
    const isOver = (): boolean => performance.now() > end
    const watched = { pid: () => witness.child.pid, directory: run.directoryOf('a') }
    const [looks, alive, disturbances] = await Promise.all([
      watchUsage(watched, isOver),
      watchAlive(witness, end),
      disturb(isOver),
    ])
    await everyTaskOnce(all())
    const { kills, stops } = disturbances
    const summary = await run.finish()
    console.log(
      `seed ${seed}: ${kills} kills, ${stops} stops in ${seconds} s: ${summary}\n${usageTable(looks)}\n${aliveTable(alive)}`,
    )
    expect(troubles(all())).toEqual([])
    expect(complaintsAbout(looks, alive)).toEqual([])

    async function disturb(enough: () => boolean): Promise<{ kills: number; stops: number }> {
      const random = seededRandom(seed + 1)
      const counts = { kills: 0, stops: 0 }
      while (!enough()) {
        await delay(CALM_MS.least + random.below(CALM_MS.most - CALM_MS.least))
        const slot = random.pick(['b', 'c'])
        const gone = others.get(slot) as Engine
        if (random.chance(0.5)) {
          counts.kills++
          await gone.kill()
        } else {
          counts.stops++
          await gone.stop()
        }
        others.delete(slot)
        // Half of them come back before anybody misses them.
        if (random.chance(0.5)) await everyTaskOnce(all())
        others.set(slot, run.start(slot))
        await everyTaskOnce(all())
      }
      return counts
    }
  },
  seconds * 1_000 + 600_000,
)

async function watchAlive(engine: Engine, end: number): Promise<Alive[]> {
  const begin = performance.now()
  const looks: Alive[] = []
  while (performance.now() < end) {
    const alive = engine.next('alive')
    await engine.order({ do: 'collect' })
    const { heapMiB, externalMiB } = await alive
    looks.push({ at: performance.now() - begin, heapMiB, externalMiB })
    await delay(Math.max(0, Math.min(COLLECT_EVERY_MS, end - performance.now())))
  }
  return looks
}
