/**
 * F19: the transaction has ended, and the databases cannot take what it changed. The changelogs have it: the tasks close,
 * and open again from there once the disk can be written.
 */
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { seedOfRun } from '../../support/random.ts'
import { brokenFiles, limitedFiles, smallDisk } from '../../support/shortage.ts'
import { hasStrace } from '../../support/strace.ts'
import { CouponRun } from './coupon-run.ts'
import type { Engine } from './engine.ts'
import { everyTaskOnce, troubles } from './engines.ts'
import { kafkaRuns } from './runs.ts'

const seed = seedOfRun()
const times = kafkaRuns(1)

interface Fault {
  /** Else the run's own. */
  readonly directory?: string
  /** Resolves with what ends it. */
  begin(engine: Engine, directory: string): Promise<() => Promise<void>>
}

/** Only root may fill a disk of the test's own; for others no file may grow. */
async function fullDisk(): Promise<Fault | undefined> {
  const shortage = (await smallDisk()) ?? (await limitedFiles())
  return {
    directory: shortage.directory,
    async begin({ child }) {
      await shortage.fill(child.pid, 0)
      return () => shortage.free(child.pid)
    },
  }
}

function brokenDisk(): Promise<Fault | undefined> {
  // Where tests are to be complete, it has to be there.
  if (!hasStrace() && process.env['CI'] !== 'true') return Promise.resolve(undefined)
  const begin: Fault['begin'] = ({ child }, directory) => {
    const writeAheads = globSync('*/*/*.log', { cwd: directory })
    return brokenFiles(
      child.pid,
      writeAheads.map((file) => join(directory, file)),
    )
  }
  return Promise.resolve({ begin })
}

test.each([
  ['is full (ENOSPC)', fullDisk],
  ['breaks (EIO)', brokenDisk],
])(
  `F19: ${times} × the disk %s between a transaction and its databases: tasks close, and open again (CRASH_SEED=${seed})`,
  async (what, make) => {
    const fault = await make()
    if (fault === undefined) return console.log('skipped: strace is not installed')
    const run = await CouponRun.open({ name: 'f19', seed, users: times * 800 })
    const directory = fault.directory ?? run.directoryOf('a')
    const a = run.start('a', { directory })
    await everyTaskOnce([a])
    await run.openCampaigns()
    run.startLoad()
    for (let time = 0; time < times; time++) {
      await run.acceptedMore(100)
      const failed = a.next('task', ({ to, code }) => to === 'failed' && code === 'STATE_IO')
      const end = await fault.begin(a, directory)
      await failed
      await run.acceptedMore(100)
      await end()
      await everyTaskOnce([a])
    }
    const closed = a.told('task').filter(({ to }) => to === 'failed').length
    expect(troubles([a])).toEqual([])
    console.log(`F19, ${what}: seed ${seed}: ${closed} times a task closed: ${await run.finish()}`)
  },
  90_000 + times * 60_000,
)
