/**
 * F18 and the embedded faults: whatever happens to the files, the log refuses to open or stops at the first read of the
 * damage. It never gives wrong records, and never fewer than it acknowledged.
 */
import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BatchRing } from '../../../state/index.ts'
import type { EmbeddedLog, EmbeddedLogOptions } from '../../../transports/embedded/index.ts'
import { boundsKey, logKey } from '../../../transports/embedded/keys.ts'
import { openDatabase } from '../../../transports/embedded/open-database.ts'
import { encodeBounds, encodeNote, sealed } from '../../../transports/embedded/small-rows.ts'
import {
  appendRecord,
  checkpointAt,
  commitOf,
  groupOf,
  joined,
  output,
  readAll,
  taskOf,
  topicSpec,
  values,
} from '../../contract/log-fixtures.ts'
import { type Faults, freshDirectory, type Later, newestLogFile, openLog } from './support.ts'

const BATCHES = 120
const small: Partial<EmbeddedLogOptions> = { writeBufferBytes: 64 * 1024, tailCacheBytes: 1 }
const pad = 'x'.repeat(300)

/** Everything that somebody was told is durable. */
async function contentsOf(log: EmbeddedLog): Promise<string[]> {
  const lines: string[] = []
  for (const topic of ['in', 'out']) {
    for (const partition of [0, 1]) {
      for (const { offset, key, value, timestamp, lineage } of await readAll(log, { topic, partition })) {
        const texts = [key, value].map((bytes) => bytes?.toString() ?? null)
        lines.push(JSON.stringify([topic, partition, offset, ...texts, timestamp, lineage]))
      }
    }
  }
  lines.push(JSON.stringify([...log.committedAll()]))
  for await (const journal of log.journal(taskOf(0))) lines.push(JSON.stringify(journal))
  return lines
}

async function fill(log: EmbeddedLog, from: number, to: number): Promise<void> {
  const { assignment } = await joined(log, groupOf('in'))
  for (let i = from; i < to; i++) {
    await log.append([appendRecord('in', `${i}${pad}`, { partition: i % 2 })])
    await log.commit([
      commitOf(assignment.epoch, checkpointAt(i, i + 1), { outputs: [output(`${i}${pad}`)] }),
    ])
  }
}

/** Opens a copy of a damaged directory and compares. `refused`: at open. `stopped`: at a read. */
async function look(
  directory: string,
  truth: readonly string[],
): Promise<'refused' | 'stopped' | 'intact' | 'wrong'> {
  let log: EmbeddedLog
  try {
    log = await openLog(directory, small)
  } catch (error) {
    expect(error).toMatchObject({ code: expect.stringMatching(/^LOG_CORRUPT$|^STATE_(MISSING|IO)$/) })
    return 'refused'
  }
  try {
    const found = await contentsOf(log)
    return JSON.stringify(found) === JSON.stringify(truth) ? 'intact' : 'wrong'
  } catch (error) {
    expect(error).toMatchObject({ code: expect.stringMatching(/^LOG_(RECORD_)?CORRUPT$/) })
    return 'stopped'
  } finally {
    await log.close()
  }
}

/** Two thirds of it in tables, the rest in the write-ahead file. As the process left it: killed. */
let killed: { readonly directory: string; readonly truth: readonly string[] }

async function prepare(later: Later): Promise<typeof killed> {
  const directory = await freshDirectory(later)
  const log = await openLog(directory, small, {}, later)
  await log.ensureTopics([topicSpec('in'), topicSpec('out')])
  await fill(log, 0, (BATCHES * 2) / 3)
  await log.close()
  const again = await openLog(directory, small, {}, later)
  await fill(again, (BATCHES * 2) / 3, BATCHES)
  const truth = await contentsOf(again)
  const copy = await freshDirectory(later)
  await cp(directory, copy, { recursive: true })
  await rm(join(copy, 'millrace.lock'))
  return { directory: copy, truth }
}

async function damaged(name: string, damage: (bytes: Buffer) => Buffer): Promise<string> {
  const directory = await freshDirectory()
  await cp(killed.directory, directory, { recursive: true })
  const path = join(directory, name)
  await writeFile(path, damage(await readFile(path)))
  return directory
}

function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  return copy
}

async function filesLike(pattern: RegExp): Promise<{ name: string; bytes: Buffer }[]> {
  const names = (await readdir(killed.directory)).filter((name) => pattern.test(name))
  const files = await Promise.all(
    names.map(async (name) => ({ name, bytes: await readFile(join(killed.directory, name)) })),
  )
  expect(files.length).toBeGreaterThan(0)
  return files.filter(({ bytes }) => bytes.length > 0)
}

describe('a log that was killed', () => {
  const cleanups: (() => Promise<void>)[] = []

  beforeAll(async () => {
    killed = await prepare((run) => cleanups.unshift(run))
  })

  afterAll(async () => {
    for (const run of cleanups) await run()
  })

  test('opens with everything it acknowledged', async () => {
    const copy = await freshDirectory()
    await cp(killed.directory, copy, { recursive: true })
    expect(await look(copy, killed.truth)).toBe('intact')
  })

  const kinds = [
    ['write-ahead file', /^\d+\.log$/, ['refused']],
    ['table', /\.ldb$/, ['refused']],
    ['manifest', /^MANIFEST/, ['refused']],
    ['CURRENT', /^CURRENT$/, ['refused']],
    // A slot that is damaged leaves the other, one batch older.
    ['acknowledged number', /^acknowledged$/, ['refused', 'intact']],
  ] as const

  test.each(kinds)('shows a flipped bit in its %s', async (_what, pattern, possible) => {
    for (const { name, bytes } of await filesLike(pattern)) {
      const bits = bytes.length * 8
      const tries = Math.min(16, bits)
      for (let i = 0; i < tries; i++) {
        const bit = Math.floor(((i + 0.37) * bits) / tries)
        const directory = await damaged(name, (all) => flipped(all, bit))
        expect(possible, `${name}, bit ${bit}`).toContain(await look(directory, killed.truth))
      }
    }
  })

  test.each(kinds)('shows where its %s was cut', async (_what, pattern, possible) => {
    for (const { name, bytes } of await filesLike(pattern)) {
      for (const share of [0, 0.2, 0.5, 0.9]) {
        const end = Math.floor(bytes.length * share)
        const directory = await damaged(name, (all) => all.subarray(0, end))
        expect(possible, `${name}, cut to ${end}`).toContain(await look(directory, killed.truth))
      }
    }
  })

  test.each([/\.ldb$/, /^MANIFEST/, /^CURRENT$/, /^\d+\.log$/])('shows that %s is gone', async (pattern) => {
    for (const { name } of await filesLike(pattern)) {
      const directory = await freshDirectory()
      await cp(killed.directory, directory, { recursive: true })
      await rm(join(directory, name))
      expect(await look(directory, killed.truth)).toBe('refused')
    }
  })

  test('shows damage in the last batch, which LevelDB takes for one that was never finished', async () => {
    const { path } = await newestLogFile(killed.directory)
    const name = path.slice(killed.directory.length + 1)
    const directory = await damaged(name, (all) => flipped(all, (all.length - 20) * 8))
    await expect(openLog(directory, small)).rejects.toMatchObject({
      code: 'LOG_CORRUPT',
      detail: expect.stringContaining('were acknowledged and are missing'),
    })
  })

  test('opens without what lay half written behind the last batch', async () => {
    const { path } = await newestLogFile(killed.directory)
    const name = path.slice(killed.directory.length + 1)
    // The beginning of another batch, as a write that was under way leaves it.
    const directory = await damaged(name, (all) => Buffer.concat([all, all.subarray(0, 100)]))
    expect(await look(directory, killed.truth)).toBe('intact')
  })
})

test('a hole in the middle of the write-ahead file is refused, naming the first batch that is missing', async () => {
  const directory = await freshDirectory()
  const log = await openLog(directory)
  await log.ensureTopics([topicSpec('in')])
  for (let i = 0; i < 200; i++) await log.append([appendRecord('in', `${i}${pad.repeat(3)}`)])
  const copy = await freshDirectory()
  await cp(directory, copy, { recursive: true })
  await rm(join(copy, 'millrace.lock'))
  // LevelDB skips to the next block of 32 KiB and goes on there.
  const { path } = await newestLogFile(copy)
  await writeFile(path, flipped(await readFile(path), 40_000 * 8))
  await expect(openLog(copy)).rejects.toMatchObject({
    code: 'LOG_CORRUPT',
    detail: expect.stringMatching(/^batch \d+ is missing$/),
  })
})

describe('a row that is missing from the database', () => {
  /** Five records; then the row of one is taken out behind the log's back. */
  async function without(offset: number, options: Partial<EmbeddedLogOptions> = {}) {
    const directory = await freshDirectory()
    const log = await openLog(directory, options)
    await log.ensureTopics([topicSpec('in')])
    for (let i = 0; i < 5; i++) await log.append([appendRecord('in', `${i}`)])
    await log.close()
    const db = await openDatabase({ directory, application: 'contract' })
    await db.write([{ type: 'del', key: logKey(0, 0, offset) }], { sync: true })
    await db.close()
    return directory
  }

  test('is missed at open, by the batch that wrote it', async () => {
    await expect(openLog(await without(2))).rejects.toMatchObject({
      code: 'LOG_CORRUPT',
      detail: 'in-0 has lost its offsets 2 to 2',
    })
  })

  test('is missed at open where it was the last of its partition, however long ago', async () => {
    const directory = await without(4)
    // As after many more batches: the ring has forgotten the one that wrote the row.
    const db = await openDatabase({ directory, application: 'contract' })
    const rows = await db.page({ gte: Buffer.from('r'), lt: Buffer.from('s') }, { limit: 100 })
    const ring = new BatchRing({ prefix: Buffer.from('r'), writeBufferBytes: 1, last: rows.length })
    const bounds = {
      sequence: rows.length,
      appendTime: 0,
      partitions: [{ topic: 0, partition: 0, start: 0, end: 5, bytes: 1 }],
    }
    await db.write([
      ...rows.map(({ key }) => ({ type: 'del', key }) as const),
      { type: 'put', key: boundsKey, value: sealed(boundsKey, encodeBounds(bounds)) },
      ...ring.next(0, encodeNote({ appendTime: 0, rows: [] })),
    ])
    await db.close()
    await expect(openLog(directory)).rejects.toMatchObject({
      code: 'LOG_CORRUPT',
      detail: 'in-0 ends at 4, not at 5',
    })
  })
})

describe('a damaged row that is found while the log runs', () => {
  test('ends its reader with the place, after what lies before it; others go on', async () => {
    const directory = await freshDirectory()
    const faults: Faults = {}
    const log = await openLog(directory, { ...small, readAheadBytes: 1 }, faults)
    await log.ensureTopics([topicSpec('in'), topicSpec('out')])
    for (let i = 0; i < 10; i++) {
      // One bit of the fifth record's row is wrong by the time it is written.
      faults.beforeWrite = (ops) => {
        const row = ops.find((op) => op.key[0] === 'l'.charCodeAt(0) && i === 5)
        if (row?.type === 'put') row.value.writeUInt8(row.value.readUInt8(40) ^ 1, 40)
      }
      await log.append([appendRecord('in', `${i}`)])
    }
    await expect(readAll(log, { topic: 'in', partition: 0 })).rejects.toMatchObject({
      code: 'LOG_RECORD_CORRUPT',
      reaction: 'drop-task',
      detail: expect.stringContaining('in-0 at the row that ends with offset 5'),
    })
    expect(values(await readAll(log, { topic: 'in', partition: 0 }, 6))).toEqual(['6', '7', '8', '9'])
  })
})

describe('syncing', () => {
  /** Appends, then cuts the write-ahead file to what the disk was made to take, as a power cut may. */
  async function powerCut(sync: boolean) {
    const directory = await freshDirectory()
    let synced = 0
    const log = await openLog(
      directory,
      { sync },
      {
        async afterWrite(waited) {
          if (waited) synced = (await newestLogFile(directory)).bytes
        },
      },
    )
    await log.ensureTopics([topicSpec('in')])
    for (let i = 0; i < 20; i++) await log.append([appendRecord('in', `${i}`)])
    const copy = await freshDirectory()
    await cp(directory, copy, { recursive: true })
    await rm(join(copy, 'millrace.lock'))
    await truncate((await newestLogFile(copy)).path, synced)
    return copy
  }

  test('keeps every acknowledged record through a power cut', async () => {
    const log = await openLog(await powerCut(true))
    expect(values(await readAll(log, { topic: 'in', partition: 0 }))).toEqual(
      Array.from({ length: 20 }, (_, index) => `${index}`),
    )
  })

  test('is what keeps them: without it they are lost, and the log says so', async () => {
    await expect(openLog(await powerCut(false))).rejects.toMatchObject({ code: 'LOG_CORRUPT' })
  })
})
