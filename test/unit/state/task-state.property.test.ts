/** `TaskState` against a model of plain maps, over random lives (invariants 1 to 5 of `state/task-state.ts`). */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryBackend, openLevelDb, TaskState } from '../../../state/index.ts'
import { type Command, commands } from './commands.ts'
import { allRows, Life } from './life.ts'
import { rowStore, windowedStore } from './subject.ts'

test('in memory, every answer is the model’s', { timeout: 60_000 }, async () => {
  const live = async (life: Command[]): Promise<void> => {
    const backend = memoryBackend({ prefix: Buffer.from('task\x00') })
    const subject = new Life(backend, async () => backend)
    for (const command of life) await subject.run(command)
    await subject.finish()
  }
  await fc.assert(fc.asyncProperty(commands, live), { numRuns: 1_500 })
})

test('on LevelDB, every answer is the model’s, also after reopening', { timeout: 60_000 }, async () => {
  const live = async (life: Command[]): Promise<void> => {
    const dir = await mkdtemp(join(tmpdir(), 'millrace-state-'))
    const open = () => openLevelDb(dir, { application: 'model' })
    let database = await open()
    const subject = new Life(database, async () => {
      await database.close()
      database = await open()
      return database
    })
    for (const command of life) await subject.run(command)
    await subject.finish()
    await database.close()
    await rm(dir, { recursive: true })
  }
  await fc.assert(fc.asyncProperty(commands, live), { numRuns: 40 })
})

test('the changes of all batches restore the same rows, byte for byte', { timeout: 60_000 }, async () => {
  const live = async (life: Command[]): Promise<void> => {
    const [origin, replica] = [memoryBackend(), memoryBackend()]
    const options = { specs: [rowStore, windowedStore], withChanges: true, cacheEntries: 4 }
    const restored = new TaskState({ ...options, reader: replica })
    const subject = new Life(
      origin,
      async () => origin,
      async ({ changes }) => {
        for (const { store, key, value } of changes) restored.applyChange(store, key, value, 1)
        await replica.write(restored.seal().ops)
        restored.committed()
      },
    )
    for (const command of life) await subject.run(command)
    await subject.finish()
    expect(await allRows(replica)).toEqual(await allRows(origin))
  }
  await fc.assert(fc.asyncProperty(commands, live), { numRuns: 300 })
})
