import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type StateBackend, TaskDatabases, type TaskKey, type WriteOp } from '../../../state/index.ts'
import { scratchDirectory } from '../../support/scratch.ts'

const task: TaskKey = { topology: 'coupons', subTopology: 0, partition: 3 }
const value = Buffer.alloc(1_000, 7)

function put(key: string): WriteOp {
  return { type: 'put', key: Buffer.from(key), value }
}

async function fill(backend: StateBackend, batches: number): Promise<void> {
  for (let i = 0; i < batches; i++) await backend.write([put(`a${i}`), put(`b${i}`)])
}

describe("the tasks' databases", () => {
  test('keep what was written, each for itself', async () => {
    const databases = new TaskDatabases({
      directory: await scratchDirectory('task-databases'),
      application: 'shop',
    })
    const one = await databases.open(task)
    const other = await databases.open({ ...task, partition: 4 })
    await one.write([put('k')])
    expect(other.get(Buffer.from('k'))).toBeUndefined()
    await one.close()
    await other.close()
    const again = await databases.open(task)
    expect(again.get(Buffer.from('k'))).toEqual(value)
    await again.close()
    expect(await databases.stored('coupons')).toEqual(
      expect.arrayContaining([task, { ...task, partition: 4 }]),
    )
    expect(await databases.stored('rankings')).toEqual([])
  })

  test('are refused to another application, and to a second opener', async () => {
    const directory = await scratchDirectory('task-databases')
    const databases = new TaskDatabases({ directory, application: 'shop' })
    const open = await databases.open(task)
    await expect(databases.open(task)).rejects.toMatchObject({ code: 'STATE_LOCKED' })
    await open.close()
    const foreign = new TaskDatabases({ directory, application: 'other' })
    await expect(foreign.open(task)).rejects.toMatchObject({ code: 'STATE_INCOMPATIBLE' })
  })

  test('F18 a write-ahead file with a damaged middle is noticed, and a database put aside makes room', async () => {
    const directory = await scratchDirectory('task-databases')
    const databases = new TaskDatabases({ directory, application: 'shop', now: () => 42 })
    const backend = await databases.open(task)
    await fill(backend, 100)
    await backend.close()
    const home = join(directory, 'coupons', '0_3')
    await damageWriteAhead(home)
    await expect(databases.open(task)).rejects.toMatchObject({ code: 'STATE_CORRUPT' })
    await databases.setAside(task)
    const fresh = await databases.open(task)
    expect(fresh.get(Buffer.from('a1'))).toBeUndefined()
    await fresh.close()
    expect(await readdir(join(directory, 'coupons'))).toEqual(
      expect.arrayContaining(['0_3', '0_3.damaged-42']),
    )
    expect(await databases.stored('coupons')).toEqual([task])
  })

  test('F18 a database without its CURRENT is not taken for a new one', async () => {
    const directory = await scratchDirectory('task-databases')
    const databases = new TaskDatabases({ directory, application: 'shop' })
    const backend = await databases.open(task)
    await backend.close()
    await rm(join(directory, 'coupons', '0_3', 'CURRENT'))
    await expect(databases.open(task)).rejects.toMatchObject({ code: 'STATE_MISSING' })
  })

  test('a topology whose name is a path gets no directory', async () => {
    const databases = new TaskDatabases({
      directory: await scratchDirectory('task-databases'),
      application: 'shop',
    })
    await expect(databases.open({ ...task, topology: '../x' })).rejects.toThrow(RangeError)
  })

  test('are removed for good, what a removal that was cut short left behind too', async () => {
    const directory = await scratchDirectory('task-databases')
    const databases = new TaskDatabases({ directory, application: 'shop' })
    const topology = join(directory, 'coupons')
    const first = await databases.open(task)
    await first.write([put('k')])
    await first.close()
    // As far as a removal comes that a crash ends.
    await rename(join(topology, '0_3'), join(topology, '0_3.removed'))
    expect(await databases.stored('coupons')).toEqual([])
    const second = await databases.open(task)
    expect(second.get(Buffer.from('k'))).toBeUndefined()
    await second.close()
    await databases.remove(task)
    expect(await readdir(topology)).toEqual([])
    await databases.remove(task)
  })
})

/** Flips bytes in the middle of the newest write-ahead file. */
async function damageWriteAhead(directory: string): Promise<void> {
  const logs = (await readdir(directory)).filter((name) => name.endsWith('.log')).sort()
  const file = join(directory, logs.at(-1) ?? '')
  const bytes = await readFile(file)
  for (let at = bytes.length >> 1; at < (bytes.length >> 1) + 64; at++) bytes[at] = (bytes[at] ?? 0) ^ 0xff
  await writeFile(file, bytes)
}
