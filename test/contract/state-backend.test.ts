import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type LevelDatabase, memoryBackend, openLevelDb } from '../../state/index.ts'
import { type OpenedBackend, stateBackendContract } from './state-backend.ts'

async function openDatabase(): Promise<{ database: LevelDatabase; dispose: () => Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-state-'))
  const database = await openLevelDb(dir, { application: 'contract' })
  const dispose = async (): Promise<void> => {
    await database.close()
    await rm(dir, { recursive: true })
  }
  return { database, dispose }
}

async function ofMemory(prefix: string): Promise<OpenedBackend> {
  const backend = memoryBackend({ prefix: Buffer.from(prefix) })
  return { backend, dispose: () => backend.close() }
}

stateBackendContract('memory', () => ofMemory(''))
stateBackendContract('memory, in a range', () => ofMemory('task\x00'))
stateBackendContract('LevelDB', async () => {
  const { database, dispose } = await openDatabase()
  return { backend: database, dispose }
})
stateBackendContract('LevelDB, in a range', async () => {
  const { database, dispose } = await openDatabase()
  return { backend: database.range(Buffer.from('task\x00')), dispose }
})

describe('once closed', () => {
  test('memory refuses reads and writes', async () => {
    const backend = memoryBackend()
    await backend.close()
    expect(() => backend.get(Buffer.from('a'))).toThrow(expect.objectContaining({ code: 'STATE_IO' }))
    await expect(backend.write([])).rejects.toMatchObject({ code: 'STATE_IO' })
  })

  test('LevelDB refuses reads and writes', async () => {
    const { database, dispose } = await openDatabase()
    await database.close()
    const range = { gte: Buffer.from('a'), lt: Buffer.from('b') }
    expect(() => database.get(Buffer.from('a'))).toThrow(expect.objectContaining({ code: 'STATE_IO' }))
    await expect(database.page(range, { limit: 1 })).rejects.toMatchObject({ code: 'STATE_IO' })
    await expect(database.write([])).rejects.toMatchObject({ code: 'STATE_IO' })
    await expect(database.approximateBytes(range)).rejects.toMatchObject({ code: 'STATE_IO' })
    await dispose()
  })

  test('a range of LevelDB leaves the database open', async () => {
    const { database, dispose } = await openDatabase()
    await database.range(Buffer.from('task')).close()
    expect(database.get(Buffer.from('a'))).toBeUndefined()
    await dispose()
  })
})
