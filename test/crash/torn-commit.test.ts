/** kill -9 while the disk is taking thousands of records at once: all of the batch is there afterwards, or none of it. */
import { expect, test, vi } from 'vitest'
import { crashRuns, seededRandom, seedOfRun } from '../support/random.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { Harness } from './harness.ts'
import { openSeason } from './season.ts'

const KIBIBYTE = 1024
const REQUESTS = 4_000
/** Turns of the event loop between the beginning of the write and the kill, at most. */
const MOST_TURNS = 300

const seed = seedOfRun()
const kills = Math.min(crashRuns(4), 30)

vi.setConfig({ testTimeout: 60_000 + kills * 20_000 })

test(`${kills} kills -9 in the middle of a large batch tear nothing (CRASH_SEED=${seed})`, async () => {
  const directory = await scratchDirectory('torn-commit')
  const season = await openSeason({ directory, seed, users: REQUESTS })
  const { run } = season
  // One commit for as much as there is at hand.
  const options = { ...season.harness, commitIntervalMs: 60_000, announceOverBytes: 128 * KIBIBYTE }
  const random = seededRandom(seed + 1)
  const batches: string[] = []
  for (let kill = 0; kill < kills; kill++) {
    const harness = await Harness.ready(options)
    const asking = run.askAtOnce(harness, REQUESTS)
    // Large batches in turn: verdicts that the last kill prevented, the requests, their verdicts, the wallets.
    const nth = kill === 0 ? 1 : 1 + random.below(3)
    const drained = asking.then(() => harness.drained())
    const line = await Promise.race([harness.stage('writing', nth), drained])
    for (let turns = random.below(MOST_TURNS); turns > 0; turns--) await new Promise(setImmediate)
    await harness.kill()
    await Promise.allSettled([drained])
    batches.push(line === undefined ? 'none' : `${nth}: ${Math.round(Number(line['bytes']) / KIBIBYTE)} KiB`)
  }
  await run.sendTheRest()
  console.log(`seed ${seed}: killed in batch ${batches.join(', ')}`)
  expect((await season.judge()).complaints).toEqual([])
  expect(batches.some((batch) => batch !== 'none')).toBe(true)
})
