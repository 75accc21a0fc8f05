/** The server on its embedded log for a long time, under load over HTTP, killed and started again now and then. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Server } from '../crash/server.ts'
import { ShopLoad } from '../crash/shop-load.ts'
import { ShopRun } from '../crash/shop-run.ts'
import { seededRandom, seedOfRun } from '../support/random.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { soakSeconds } from './limits.ts'
import { complaintsAbout, usageTable, watchUsage } from './usage.ts'

/** Of each of five clients: about 100 calls a second in all. */
const PAUSE_MS = 50
/** Acknowledgements of one life of the process. */
const LIFE = { least: 1_000, most: 12_000 }
const USERS = 20_000

const seconds = soakSeconds()
const seed = seedOfRun()

test(
  `${seconds} s under load with kills -9: memory and open files are flat, nothing is lost (CRASH_SEED=${seed})`,
  async () => {
    const dataDir = join(await scratchDirectory('soak'), 'data')
    const now = Date.now()
    let serving: Server | undefined
    const load = new ShopLoad(seededRandom(seed), USERS, now)
    const pace = { pauseMs: PAUSE_MS, onServer: (server: Server) => (serving = server) }
    const run = new ShopRun({ dataDir }, load, seededRandom(seed + 2), USERS / 2, pace)
    await run.open(now)
    const end = performance.now() + seconds * 1_000
    const isOver = (): boolean => performance.now() > end
    const pid = (): number | undefined => (serving?.child.running === true ? serving.child.pid : undefined)
    const [looks] = await Promise.all([watchUsage({ pid, directory: dataDir }, isOver), killAgain()])
    const { issued } = await run.finish()
    const counts = `${load.acknowledged} acknowledged, ${load.tickets.size} requests, ${issued} issued`
    console.log(`seed ${seed}: kills: ${run.summary} in ${seconds} s: ${counts}\n${usageTable(looks)}`)
    expect(run.complaints).toEqual([])
    expect(complaintsAbout(looks)).toEqual([])

    async function killAgain(): Promise<void> {
      const random = seededRandom(seed + 1)
      while (!isOver()) {
        const count = LIFE.least + random.below(LIFE.most - LIFE.least)
        await run.untilKilled({ trigger: 'acknowledged', count })
      }
    }
  },
  seconds * 1_000 + 1_200_000,
)
