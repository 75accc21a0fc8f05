/** kill -9 of the engine at random points under load, judged by an oracle that shares no code with it. */
import { expect, test, vi } from 'vitest'
import { crashRuns, seededRandom, seedOfRun } from '../support/random.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { Harness } from './harness.ts'
import { openSeason } from './season.ts'
import { planKill } from './kill-switch.ts'

/** Acknowledgements of one run of the process at most, each of one to four requests. */
const MOST_EVENTS = 150

const seed = seedOfRun()
const kills = crashRuns(10)

vi.setConfig({ testTimeout: 60_000 + kills * 20_000 })

test(`F26: ${kills} kills -9 with a store's write buffer of 64 KiB lose nothing and decide nothing twice (CRASH_SEED=${seed})`, async () => {
  const season = await openSeason({ directory: await scratchDirectory('kill'), seed, users: kills * 60 })
  const { run } = season
  const plans = seededRandom(seed + 1)
  for (let kill = 0; kill < kills; kill++) await run.untilKilled(planKill(plans, MOST_EVENTS))
  // Whatever the kills left time for, in the end everything has happened.
  const last = await Harness.ready(season.harness)
  await run.underLoad(last, () => run.acknowledged(200))
  await last.kill()
  await run.sendTheRest()

  const judged = await season.judge()
  const counts = [...judged.outcomes].map(([outcome, count]) => `${outcome} ${count}`).join(', ')
  console.log(`seed ${seed}: ${kills} kills (${run.summary}), ${run.acks.length} acknowledged, ${counts}`)
  expect(judged.complaints).toEqual([])
  const outcomes = ['ISSUED', 'DUPLICATE', 'SOLD_OUT', 'REQUEST_ID_CONFLICT', 'UNKNOWN_COUPON']
  expect([...judged.outcomes.keys()].toSorted()).toEqual(outcomes.toSorted())
})

test.each([
  ['positions without the state', 'state'],
  ['state without the positions', 'positions'],
] as const)('a commit that writes %s is found out by the same oracle', async (_name, lost) => {
  const season = await openSeason({ directory: await scratchDirectory('torn'), seed, users: 60 })
  const { run } = season
  await run.untilTorn({ atCommit: 20, lost })
  await run.sendTheRest()
  const judged = await season.judge()
  expect(judged.complaints).not.toEqual([])
})
