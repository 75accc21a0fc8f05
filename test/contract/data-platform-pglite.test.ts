/** PGlite in its thread, one for all tests. */
import { afterAll, beforeAll } from 'vitest'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, inSession } from '../../connectors/data-platform/database.ts'
import { pgliteDatabase } from '../../connectors/data-platform/pglite-database.ts'
import { dataPlatformToolsContract } from './data-platform-tools-contract.ts'
import { type DatabaseKind, dataPlatformContract } from './data-platform-contract.ts'

/** Making a database takes seconds where the machine is busy. */
const START_WITHIN_MS = 120_000

let directory: string
let database: Database

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-pglite-'))
  database = pgliteDatabase(join(directory, 'data'))
  await inSession(database, (session) => session.query('SELECT 1'))
}, START_WITHIN_MS)

afterAll(async () => {
  await database.close()
  await rm(directory, { recursive: true, force: true, maxRetries: 3 })
})

const kind: DatabaseKind = {
  name: 'PGlite',
  async empty() {
    await inSession(database, async (session) => {
      await session.query('DROP SCHEMA public CASCADE')
      await session.query('CREATE SCHEMA public')
    })
    return database
  },
}

dataPlatformContract(kind)
dataPlatformToolsContract(kind)
