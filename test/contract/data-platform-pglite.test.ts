/** PGlite in its thread. One for all tests: it takes a second to start. */
import { afterAll, beforeAll } from 'vitest'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, inSession } from '../../connectors/data-platform/database.ts'
import { pgliteDatabase } from '../../connectors/data-platform/pglite-database.ts'
import { dataPlatformContract } from './data-platform-contract.ts'

let directory: string
let database: Database

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-pglite-'))
  database = pgliteDatabase(join(directory, 'data'))
})

afterAll(async () => {
  await database.close()
  await rm(directory, { recursive: true, force: true, maxRetries: 3 })
})

dataPlatformContract({
  name: 'PGlite',
  async empty() {
    await inSession(database, async (session) => {
      await session.query('DROP SCHEMA public CASCADE')
      await session.query('CREATE SCHEMA public')
    })
    return database
  },
})
