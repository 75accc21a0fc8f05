/**
 * Flipped bits and cut files, in every kind of file that a state directory has. The rule: opening is refused, or the
 * ring of batches shows a hole, or every row is what it was. Never a wrong answer, never a row missing without a word.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isStateError, openLevelDb, readRing, type StateBackend, TaskState } from '../../../state/index.ts'
import { batchCount, fill, history, keyCount, levelOptions, ringPrefix, store } from './filler.ts'

let root: string
/** A directory that was closed, and one whose process was killed. */
let closed: string
let crashed: string
const past = history()

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'millrace-damage-'))
  closed = join(root, 'closed')
  crashed = join(root, 'crashed')
  await (await fill(closed)).close()
  const child = spawn(process.execPath, [join(import.meta.dirname, 'filler.ts'), crashed])
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
}, 60_000)

afterAll(() => rm(root, { recursive: true }))

type Outcome = 'refused' | 'hole' | 'corrupt' | 'older' | 'same' | 'wrong'

/** Opens the directory and reads every row of it by key and by scan. */
async function lookAt(dir: string): Promise<Outcome> {
  let database: StateBackend
  try {
    database = await openLevelDb(dir, levelOptions)
  } catch (error) {
    return isStateError(error) ? 'refused' : 'wrong'
  }
  try {
    const verdict = await readRing(database, ringPrefix)
    if (verdict.state !== 'whole') return 'hole'
    const rows = await readAll(database)
    const at = verdict.rows.at(-1)?.sequence ?? 0
    if (!equal(rows, past[at])) return 'wrong'
    return at === batchCount ? 'same' : 'older'
  } catch (error) {
    return isStateError(error, 'STATE_CORRUPT') ? 'corrupt' : 'wrong'
  } finally {
    await database.close()
  }
}

async function readAll(database: StateBackend): Promise<Map<string, number>> {
  const view = new TaskState({ reader: database, specs: [store], withChanges: false }).committedView(store)
  const rows = new Map<string, number>()
  for (let i = 0; i < keyCount; i++) {
    const found = view.get(`member-${i}`)
    if (found !== undefined) rows.set(`member-${i}`, found.count)
  }
  const scanned = new Map((await view.page({ limit: 10_000 })).map(([key, { count }]) => [key, count]))
  return equal(rows, scanned) ? rows : new Map([['get and scan differ', -1]])
}

function equal(a: Map<string, number>, b: Map<string, number> | undefined): boolean {
  return a.size === b?.size && [...a].every(([key, count]) => b.get(key) === count)
}

async function filesOf(dir: string, pattern: RegExp): Promise<string[]> {
  return (await readdir(dir)).filter((name) => pattern.test(name))
}

/** Looks at copies of `dir`, in each of which one byte of a file that matches is changed. */
async function outcomesOfFlips(dir: string, pattern: RegExp, flips: number): Promise<Map<Outcome, number>> {
  const outcomes = new Map<Outcome, number>()
  for (const name of await filesOf(dir, pattern)) {
    const bytes = await readFile(join(dir, name))
    for (let flip = 0; flip < flips; flip++) {
      // Spread over the file, its last byte included, and over the bits.
      const at = Math.round(((bytes.length - 1) * flip) / Math.max(1, flips - 1))
      const damaged = Buffer.from(bytes)
      damaged.writeUInt8(damaged.readUInt8(at) ^ (1 << (flip % 8)), at)
      const copy = join(root, 'copy')
      await cp(dir, copy, { recursive: true })
      await writeFile(join(copy, name), damaged)
      const outcome = await lookAt(copy)
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      await rm(copy, { recursive: true })
    }
  }
  return outcomes
}

async function outcomeOfCut(dir: string, pattern: RegExp): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const name of await filesOf(dir, pattern)) {
    const copy = join(root, 'copy')
    await cp(dir, copy, { recursive: true })
    await truncate(join(copy, name), Math.floor((await readFile(join(dir, name))).length / 2))
    outcomes.push(await lookAt(copy))
    await rm(copy, { recursive: true })
  }
  return outcomes
}

describe('without damage', () => {
  test('both directories are what they were', async () => {
    for (const dir of [closed, crashed]) {
      await cp(dir, join(root, 'copy'), { recursive: true })
      expect(await lookAt(join(root, 'copy'))).toBe('same')
      await rm(join(root, 'copy'), { recursive: true })
    }
    expect((await filesOf(closed, /\.ldb$/)).length).toBeGreaterThan(2)
  })
})

describe('a table', () => {
  test('that a compaction left half written is no damage', async () => {
    await cp(closed, join(root, 'copy'), { recursive: true })
    await writeFile(join(root, 'copy', '009999.ldb'), 'half a table')
    expect(await lookAt(join(root, 'copy'))).toBe('same')
    await rm(join(root, 'copy'), { recursive: true })
  })

  test('in use that is gone keeps the directory from being opened', async () => {
    const outcomes: Outcome[] = []
    for (const name of await filesOf(closed, /\.ldb$/)) {
      await cp(closed, join(root, 'copy'), { recursive: true })
      await rm(join(root, 'copy', name))
      outcomes.push(await lookAt(join(root, 'copy')))
      await rm(join(root, 'copy'), { recursive: true })
    }
    expect(outcomes.filter((outcome) => outcome === 'refused').length).toBeGreaterThan(1)
    expect(outcomes.every((outcome) => outcome === 'refused' || outcome === 'same')).toBe(true)
  })
})

describe('a flipped bit', () => {
  test.each([
    ['the write-ahead file', /\.log$/, 60],
    ['the manifest', /^MANIFEST-/, 60],
    ['CURRENT', /^CURRENT$/, 16],
  ])(
    'in %s of a closed directory: opening is refused',
    { timeout: 60_000 },
    async (_file, pattern, flips) => {
      const outcomes = await outcomesOfFlips(closed, pattern, flips)
      expect([...outcomes.keys()]).toEqual(['refused'])
    },
  )

  test.each([
    ['the marker', /^millrace\.json$/, 60],
    ['the record of closing', /^millrace\.closed$/, 30],
    ['LevelDB’s own log', /^LOG$/, 4],
  ])('in %s: opening is refused, or all is there', { timeout: 60_000 }, async (_file, pattern, flips) => {
    const outcomes = await outcomesOfFlips(closed, pattern, flips)
    expect([...outcomes.keys()].filter((outcome) => outcome !== 'refused' && outcome !== 'same')).toEqual([])
  })

  // The end may come while LevelDB writes a table that is not in use yet, or before it deletes a file that is not in
  // use any more: damage there changes nothing.
  test.each(['closed', 'crashed'] as const)(
    'in a table in use of a %s directory: opening is refused',
    { timeout: 60_000 },
    async (which) => {
      const outcomes = await outcomesOfFlips(which === 'closed' ? closed : crashed, /\.ldb$/, 16)
      expect([...outcomes.keys()].filter((outcome) => outcome !== 'refused' && outcome !== 'same')).toEqual(
        [],
      )
      expect(outcomes.get('refused')).toBeGreaterThanOrEqual(16)
    },
  )

  test('in the manifest after a crash: opening is refused', { timeout: 60_000 }, async () => {
    expect([...(await outcomesOfFlips(crashed, /^MANIFEST-/, 60)).keys()]).toEqual(['refused'])
  })

  test('in the write-ahead file after a crash: the ring has a hole, or the newest batches are gone', {
    timeout: 60_000,
  }, async () => {
    const outcomes = await outcomesOfFlips(crashed, /\.log$/, 100)
    expect([...outcomes.keys()].filter((outcome) => !['hole', 'older', 'same'].includes(outcome))).toEqual([])
    expect(outcomes.get('hole')).toBeGreaterThan(50)
  })
})

describe('a file cut in half', () => {
  test.each([
    ['the manifest', /^MANIFEST-/],
    ['the write-ahead file', /\.log$/],
    ['CURRENT', /^CURRENT$/],
    ['the marker', /^millrace\.json$/],
  ])('%s of a closed directory: opening is refused', async (_file, pattern) => {
    expect(new Set(await outcomeOfCut(closed, pattern))).toEqual(new Set(['refused']))
  })

  test('a table of a closed directory: opening is refused where it is in use', async () => {
    const outcomes = await outcomeOfCut(closed, /\.ldb$/)
    expect(outcomes.filter((outcome) => outcome === 'refused').length).toBeGreaterThan(1)
    expect(outcomes.every((outcome) => outcome === 'refused' || outcome === 'same')).toBe(true)
  })

  test('the write-ahead file after a crash is a torn tail: the newest batches are gone, whole', async () => {
    const outcomes = await outcomeOfCut(crashed, /\.log$/)
    // Where the kill came while an older file was being written out, cutting that one makes a hole.
    expect(outcomes.at(-1)).toBe('older')
    expect(outcomes.slice(0, -1).every((outcome) => outcome === 'hole' || outcome === 'same')).toBe(true)
  })
})
