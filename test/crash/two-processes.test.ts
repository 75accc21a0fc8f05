/** Two processes on one data directory: the second ends and says who has it; the first does not notice. */
import { expect, test, vi } from 'vitest'
import { seedOfRun } from '../support/random.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { Harness } from './harness.ts'
import { openSeason } from './season.ts'
import { Server } from './server.ts'

const seed = seedOfRun()

vi.setConfig({ testTimeout: 120_000 })

test('a second process on the directory ends with the pid of the first, which goes on', async () => {
  const directory = await scratchDirectory('two')
  const season = await openSeason({ directory, seed, users: 120 })
  const { run } = season
  const first = await Harness.ready(season.harness)
  await run.underLoad(first, async () => {
    await run.acknowledged(50)
    const second = new Harness(season.harness)
    const { code } = await second.child.exited
    expect(code).toBe(1)
    expect(second.child.said).toContain(`locked by pid ${first.child.pid}`)
    await run.acknowledged(50)
  })

  // A process that is stopped has its directory still.
  first.child.signal('SIGSTOP')
  const third = new Harness(season.harness)
  expect((await third.child.exited).code).toBe(1)
  expect(third.child.said).toContain(`locked by pid ${first.child.pid}`)
  first.child.signal('SIGCONT')
  await run.underLoad(first, () => run.acknowledged(50))

  // One that was killed has not.
  await first.kill()
  await run.sendTheRest()
  expect((await season.judge()).complaints).toEqual([])
})

test('a second server on the directory ends, names the first and leaves everything as it is', async () => {
  const dataDir = await scratchDirectory('two-servers')
  const first = await Server.ready({ dataDir })
  const second = new Server({ dataDir })
  const { code } = await second.child.exited
  expect(code).toBeGreaterThan(0)
  expect(second.child.said).toContain(`locked by pid ${first.child.pid}`)
  expect((await first.get('/readyz')).status).toBe(200)
  expect(await first.stop()).toBe(0)
  const third = await Server.ready({ dataDir })
  expect((await third.get('/readyz')).status).toBe(200)
  await third.kill()
})
