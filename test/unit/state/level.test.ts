/** The LevelDB directory: whose it is, who has it open, and that nothing is touched before that is known. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { ClassicLevel } from 'classic-level'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type LevelOptions, openLevelDb, type StateBackend, stateFormat } from '../../../state/index.ts'
import { allRows } from './life.ts'

let dir: string
const children: ChildProcess[] = []
const key = Buffer.from('key')

beforeEach(async () => {
  dir = join(await mkdtemp(join(tmpdir(), 'millrace-level-')), 'state')
})

afterEach(async () => {
  for (const child of children.splice(0)) await end(child)
  await rm(join(dir, '..'), { recursive: true })
})

const open = (options: Partial<LevelOptions> = {}) => openLevelDb(dir, { application: 'shop', ...options })

async function create(value = 'value'): Promise<void> {
  const database = await open()
  await database.write([{ type: 'put', key, value: Buffer.from(value) }])
  await database.close()
}

/** Names, sizes, times and bytes of all files: what changes when anything is touched. */
async function fingerprint(): Promise<string[]> {
  const names = (await readdir(dir)).toSorted()
  return Promise.all(
    names.map(async (name) => {
      const { size, mtimeMs, ino } = await stat(join(dir, name))
      return `${name} ${size} ${mtimeMs} ${ino} ${crc32(await readFile(join(dir, name)))}`
    }),
  )
}

async function refusedUntouched(
  code: string,
  detail: RegExp,
  options: Partial<LevelOptions> = {},
): Promise<void> {
  const before = await fingerprint()
  await expect(open(options)).rejects.toMatchObject({ code, detail: expect.stringMatching(detail) as string })
  expect(await fingerprint()).toEqual(before)
}

async function changeMarker(change: Record<string, unknown>): Promise<void> {
  const path = join(dir, 'millrace.json')
  const { crc: _, ...marker } = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
  const changed = { ...marker, ...change }
  await writeFile(path, JSON.stringify({ ...changed, crc: crc32(JSON.stringify(changed)) }))
}

/** Starts a second process on the directory; resolves with the first line that it prints. */
async function startHolder(): Promise<{ child: ChildProcess; said: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'holder.ts'), dir, 'shop'])
  children.push(child)
  const [said] = (await once(child.stdout as NodeJS.EventEmitter, 'data')) as [Buffer]
  return { child, said: said.toString().trim() }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

describe('a directory', () => {
  test('keeps its identity and its rows from one opening to the next', async () => {
    const first = await open()
    const { identity } = first
    expect(identity).toMatchObject({ application: 'shop', format: stateFormat })
    await first.write([{ type: 'put', key, value: Buffer.from('value') }], { sync: true })
    await first.close()
    const second = await open()
    expect(second.identity).toEqual(identity)
    expect(second.get(key)?.toString()).toBe('value')
    await second.close()
  })

  test('of another application is refused and not touched', async () => {
    await create()
    await refusedUntouched('STATE_INCOMPATIBLE', /belongs to shop, not to warehouse/, {
      application: 'warehouse',
    })
  })

  test('of a newer format is refused and not touched', async () => {
    await create()
    await changeMarker({ format: stateFormat + 1 })
    await refusedUntouched('STATE_INCOMPATIBLE', /has format 2; this program knows formats up to 1/)
  })

  test('with a database but no marker is refused and not touched', async () => {
    const foreign = new ClassicLevel(dir)
    await foreign.put('a', 'b')
    await foreign.close()
    await refusedUntouched('STATE_INCOMPATIBLE', /but no marker millrace.json/)
  })

  test('whose CURRENT is gone is refused and not touched', async () => {
    await create()
    await unlink(join(dir, 'CURRENT'))
    await refusedUntouched('STATE_MISSING', /no CURRENT file/)
  })

  test('whose files are all gone but the marker is refused and not touched', async () => {
    await create()
    for (const name of await readdir(dir)) if (name !== 'millrace.json') await unlink(join(dir, name))
    await refusedUntouched('STATE_MISSING', /no CURRENT file/)
  })

  test('whose write-ahead file is gone is refused and not touched', async () => {
    await create()
    const log = (await readdir(dir)).find((name) => name.endsWith('.log')) ?? ''
    await unlink(join(dir, log))
    await refusedUntouched(
      'STATE_CORRUPT',
      /the write-ahead file \d+\.log that MANIFEST-\d+ needs is not there/,
    )
  })

  test('whose write-ahead file was cut after it was closed is refused and not touched', async () => {
    await create()
    const log = join(dir, (await readdir(dir)).find((name) => name.endsWith('.log')) ?? '')
    await writeFile(log, (await readFile(log)).subarray(0, -1))
    await refusedUntouched('STATE_CORRUPT', /is not as it was when the database was closed/)
  })

  test('whose making was cut short is made again', async () => {
    await create()
    await changeMarker({ stage: 'creating' })
    for (const name of await readdir(dir)) if (name !== 'millrace.json') await unlink(join(dir, name))
    const database = await open()
    expect(await allRows(database)).toEqual([])
    await database.close()
    await unlink(join(dir, 'CURRENT'))
    await refusedUntouched('STATE_MISSING', /no CURRENT file/)
  })

  // LevelDB 1.20 names its first manifest in CURRENT before it has synced that manifest.
  test.each([
    ['an empty manifest', { 'MANIFEST-000001': '', CURRENT: 'MANIFEST-000001\n' }],
    ['a manifest of zeros', { 'MANIFEST-000001': '\0'.repeat(50), CURRENT: 'MANIFEST-000001\n' }],
    ['a manifest that is not there', { CURRENT: 'MANIFEST-000001\n' }],
    ['an empty CURRENT', { CURRENT: '' }],
  ])('whose making a power cut ended with %s is made again', async (_, files) => {
    await create()
    await changeMarker({ stage: 'creating' })
    for (const name of await readdir(dir)) if (name !== 'millrace.json') await unlink(join(dir, name))
    for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text)
    await create('made again')
    const database = await open()
    expect(database.get(key)?.toString()).toBe('made again')
    await database.close()
  })

  test('with a damaged marker is refused and not touched', async () => {
    await create()
    const path = join(dir, 'millrace.json')
    await writeFile(
      path,
      (await readFile(path, 'utf8')).replace('"application":"shop"', '"application":"shoq"'),
    )
    await refusedUntouched('STATE_CORRUPT', /millrace.json is damaged/)
  })
})

describe('two processes', () => {
  test('do not open one directory: the second is told who has it', { timeout: 20_000 }, async () => {
    const { child, said } = await startHolder()
    expect(said).toBe('open')
    await refusedUntouched('STATE_LOCKED', new RegExp(`locked by pid ${child.pid} `))
  })

  test('take turns: after a kill -9 the next opens, with what was written', { timeout: 20_000 }, async () => {
    const { child } = await startHolder()
    await end(child)
    expect(await readdir(dir)).toContain('millrace.lock')
    const database = await open()
    expect(database.get(Buffer.from('held'))?.toString()).toBe(String(child.pid))
    const second = await startHolder()
    expect(second.said).toMatch(`STATE_LOCKED ${dir} is locked by pid ${process.pid} `)
    await database.close()
    expect(await readdir(dir)).not.toContain('millrace.lock')
  })

  test('are told by LevelDB’s own lock, when the lock file is gone', { timeout: 20_000 }, async () => {
    await startHolder()
    await unlink(join(dir, 'millrace.lock'))
    await expect(open()).rejects.toMatchObject({
      code: 'STATE_LOCKED',
      detail: expect.stringMatching(/locked by another process/) as string,
    })
  })

  test('that one process opens it twice is refused too', async () => {
    const database = await open()
    await expect(open()).rejects.toMatchObject({ code: 'STATE_LOCKED' })
    await database.close()
  })

  test('a lock file of a process that is gone, or whose number another has by now, does not lock', async () => {
    await create()
    const holders = [
      { pid: 2 ** 22 + 1, host: 'here', started: 'boot 1' },
      { pid: process.pid, host: 'here', started: 'another-boot 1' },
    ]
    for (const text of [...holders.map((holder) => JSON.stringify(holder)), 'no json', 'null', '']) {
      await writeFile(join(dir, 'millrace.lock'), text)
      await (await open()).close()
    }
  })
})

describe('closing', () => {
  test('waits for writes under way, and refuses later ones', async () => {
    const database = await open()
    const writing = database.write([{ type: 'put', key, value: Buffer.alloc(1_000_000) }])
    const closing = database.close()
    await expect(database.write([])).rejects.toMatchObject({ code: 'STATE_IO' })
    await Promise.all([writing, closing])
    const again = await open()
    expect(again.get(key)).toHaveLength(1_000_000)
    await again.close()
  })
})

describe('a page', () => {
  /** Calls of the binding's iterators, whichever database they read. */
  async function iteratorCalls() {
    const other = new ClassicLevel(join(dir, '..', 'other'))
    await other.open()
    const rows = other.iterator()
    const calls = vi.spyOn(Object.getPrototypeOf(rows) as typeof rows, 'nextv')
    await rows.close()
    await other.close()
    return calls
  }

  test.each([
    { rows: 3, limit: 1_000, sizes: [32, 256] },
    { rows: 600, limit: 10, sizes: [32] },
    { rows: 600, limit: 1_000, sizes: [32, 256, 256, 256, 256] },
    { rows: 600, limit: 300, sizes: [32, 256, 256] },
  ])(
    'of up to $limit of $rows rows asks for $sizes: the binding keeps room for what was asked for',
    async ({ rows, limit, sizes }) => {
      const database = await open()
      const keyOf = (row: number): Buffer => Buffer.from(String(row).padStart(4, '0'))
      await database.write(
        Array.from({ length: rows }, (_, row) => ({ type: 'put' as const, key: keyOf(row), value: key })),
      )
      const calls = await iteratorCalls()
      const page = await database.page({ gte: keyOf(0), lt: Buffer.from('9') }, { limit })
      expect(page.map((row) => row.key)).toEqual(
        Array.from({ length: Math.min(rows, limit) }, (_, row) => keyOf(row)),
      )
      expect(calls.mock.calls.map(([size]) => size)).toEqual(sizes)
      await database.close()
    },
  )
})

describe('a copy', () => {
  test('has the rows of the moment it was begun, while writes go on', async () => {
    const database = await open()
    const rows = Array.from({ length: 12_345 }, (_, i) => Buffer.from(`key-${String(i).padStart(6, '0')}`))
    const put = (value: string) =>
      rows.map((at) => ({ type: 'put', key: at, value: Buffer.from(value) }) as const)
    await database.write(put('before'))
    const copying = database.copyTo(join(dir, '..', 'copy'))
    await database.write(put('after'))
    await copying
    const copy = await openLevelDb(join(dir, '..', 'copy'), { application: 'shop' })
    const copied = await allRows(copy)
    expect(copied.map((row) => row.key)).toEqual(rows)
    expect(new Set(copied.map((row) => row.value.toString()))).toEqual(new Set(['before']))
    expect(copy.identity.id).not.toBe(database.identity.id)
    await Promise.all([copy.close(), database.close()])
  })

  test('does not go into a directory that holds rows, nor into an open one', async () => {
    await create('kept')
    const source = await openLevelDb(join(dir, '..', 'source'), { application: 'shop' })
    await expect(source.copyTo(dir)).rejects.toMatchObject({ code: 'STATE_INCOMPATIBLE' })
    const target: StateBackend = await open()
    await expect(source.copyTo(dir)).rejects.toMatchObject({ code: 'STATE_LOCKED' })
    expect(target.get(key)?.toString()).toBe('kept')
    await Promise.all([source.close(), target.close()])
  })
})
