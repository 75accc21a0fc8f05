/** kill -9 of the process in the middle, on both databases. */
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Database } from '../../connectors/data-platform/database.ts'
import { pgliteDatabase } from '../../connectors/data-platform/pglite-database.ts'
import { postgresDatabase } from '../../connectors/data-platform/postgres-database.ts'
import { testDatabase } from '../support/postgres/database.ts'
import { crashRuns, seededRandom, seedOfRun } from '../support/random.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { PlatformRun, storedKept, storedLines, textOf } from './platform-run.ts'

const seed = seedOfRun()
const kills = crashRuns(6)

vi.setConfig({ testTimeout: 60_000 + kills * 20_000 })

interface Kind {
  readonly target: { readonly url: string } | { readonly pglite: string }
  readonly open: () => Database
}

async function postgres(): Promise<Kind> {
  const url = await testDatabase()
  const open = (): Database => postgresDatabase({ url, connections: 1, statementTimeoutMs: 60_000 })
  return { target: { url }, open }
}

async function pglite(): Promise<Kind> {
  const directory = join(await scratchDirectory('pglite'), 'data')
  return { target: { pglite: directory }, open: () => pgliteDatabase(directory) }
}

test.each([
  ['PostgreSQL', postgres],
  ['PGlite', pglite],
] as const)(
  `after ${kills} kills -9 the lines in %s equal those of the log exactly (CRASH_SEED=${seed})`,
  async (_, kindOf) => {
    const { target, open } = await kindOf()
    const run = new PlatformRun({ directory: await scratchDirectory('platform'), target }, seededRandom(seed))
    for (let kill = 0; kill < kills; kill++) await run.untilKilled()
    const last = run.start()
    await last.line((line) => line.startsWith('appended'))
    await run.drain(last)

    const { lines, kept } = await run.logged()
    const database = open()
    onTestFinished(() => database.close())
    expect(lines.length).toBeGreaterThan(kills)
    console.log(`seed ${seed}: ${kills} kills, ${lines.length} lines`)
    const stored = await storedLines(database)
    expect(stored.toSorted()).toEqual(lines.map(textOf).toSorted())
    expect(await storedKept(database)).toEqual(kept)
  },
)
