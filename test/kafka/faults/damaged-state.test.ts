/**
 * F18: files of the tasks' databases are damaged while nobody has them open. What is no good is kept aside and comes
 * again from the changelogs; in no case is an answer wrong.
 */
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Random, seededRandom, seedOfRun } from '../../support/random.ts'
import { CouponRun } from './coupon-run.ts'
import { troubles } from './engines.ts'
import { kafkaRuns } from './runs.ts'

const KIBIBYTE = 1024
/** Bytes changed in a file. */
const FLIPS = 8
const seed = seedOfRun()
const rounds = Math.ceil(kafkaRuns(1) / 5)

type Damage = (directory: string, random: Random) => Promise<void>

const damages: readonly (readonly [what: string, damage: Damage, isAlwaysSeen: boolean])[] = [
  ['CURRENT is gone', removing(/^CURRENT$/), true],
  ['CURRENT is nonsense', changing(/^CURRENT$/), true],
  ['MANIFEST is gone', removing(/^MANIFEST-/), true],
  ['bytes of MANIFEST are others', changing(/^MANIFEST-/), false],
  ['half of the .ldb files are gone', removing(/\.ldb$/, 0.5), false],
  ['bytes of the .ldb files are others', changing(/\.ldb$/), false],
  ['bytes of the write-ahead file are others', changing(/\.log$/), false],
  ['the write-ahead file is gone', removing(/\.log$/), false],
]

test(
  `F18: ${rounds} × every kind of damage to every database (CRASH_SEED=${seed})`,
  async () => {
    const run = await CouponRun.open({
      name: 'f18',
      seed,
      users: 1_500,
      engine: { pipelines: ['coupons', 'ranking'], writeBufferBytes: 64 * KIBIBYTE },
    })
    const random = seededRandom(seed + 1)
    let engine = run.start('a')
    await run.openCampaigns()
    run.startLoad()
    await run.acceptedMore(600)
    const seen: string[] = []
    for (const [what, damage, isAlwaysSeen] of Array.from({ length: rounds }, () => damages).flat()) {
      await engine.kill()
      const directories = await databasesOf(run.directoryOf('a'))
      const asideBefore = await asideOf(run.directoryOf('a'))
      for (const directory of directories) await damage(directory, random)
      engine = run.start('a')
      await engine.stage('ready')
      await run.acceptedMore(150)
      const aside = (await asideOf(run.directoryOf('a'))) - asideBefore
      seen.push(`${what}: ${aside} of ${directories.length} kept aside`)
      if (isAlwaysSeen)
        expect(seen.at(-1)).toBe(`${what}: ${directories.length} of ${directories.length} kept aside`)
      expect(troubles([engine])).toEqual([])
    }
    console.log(`F18: seed ${seed}: ${await run.finish()}\n${seen.join('\n')}`)
  },
  120_000 + rounds * 120_000,
)

/** Directories of the tasks' databases. */
async function databasesOf(root: string): Promise<string[]> {
  const all = await directoriesIn(root)
  return all.filter((path) => /\d+_\d+$/.test(path))
}

/** How many were kept aside so far. */
async function asideOf(root: string): Promise<number> {
  return (await directoriesIn(root)).filter((path) => path.includes('.damaged-')).length
}

async function directoriesIn(root: string): Promise<string[]> {
  const topologies = await readdir(root)
  const tasks = await Promise.all(
    topologies.map(async (name) => (await readdir(join(root, name))).map((task) => join(root, name, task))),
  )
  return tasks.flat()
}

function removing(pattern: RegExp, share = 1): Damage {
  return async (directory, random) => {
    for (const file of await filesIn(directory, pattern)) if (random.chance(share)) await rm(file)
  }
}

function changing(pattern: RegExp): Damage {
  return async (directory, random) => {
    for (const file of await filesIn(directory, pattern)) {
      if ((await stat(file)).size === 0) continue
      const bytes = await readFile(file)
      for (let i = 0; i < FLIPS; i++) {
        const at = random.below(bytes.length)
        bytes[at] = (bytes[at] as number) ^ (1 + random.below(255))
      }
      await writeFile(file, bytes)
    }
  }
}

async function filesIn(directory: string, pattern: RegExp): Promise<string[]> {
  const names = await readdir(directory)
  return names.filter((name) => pattern.test(name)).map((name) => join(directory, name))
}
