/** The process is stopped for a while, as by a debugger or a suspended machine, and goes on. */
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { seedOfRun } from '../support/random.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { Harness } from './harness.ts'
import { openSeason } from './season.ts'

const STOPPED_MS = 3_000
const seed = seedOfRun()

vi.setConfig({ testTimeout: 120_000 })

test(`SIGSTOP for 3 s under load and SIGCONT: nothing is lost, nothing decided twice (CRASH_SEED=${seed})`, async () => {
  const directory = await scratchDirectory('stopped')
  const season = await openSeason({ directory, seed, users: 120 })
  const { run } = season
  const harness = await Harness.ready(season.harness)
  await run.underLoad(harness, async () => {
    await run.acknowledged(100)
    harness.child.signal('SIGSTOP')
    const before = run.acks.length
    // The length of the stop is the fault itself; nothing is waited for.
    await wait(STOPPED_MS)
    expect(run.acks.length - before).toBeLessThan(100)
    harness.child.signal('SIGCONT')
    await run.acknowledged(100)
  })
  expect(await harness.health()).toEqual(
    expect.arrayContaining([expect.objectContaining({ state: 'running', failures: [] })]),
  )
  await harness.kill()
  await run.sendTheRest()
  expect((await season.judge()).complaints).toEqual([])
})
