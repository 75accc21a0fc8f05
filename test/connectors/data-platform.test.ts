/** The data platform on a real PostgreSQL. */
import { onTestFinished } from 'vitest'
import { postgresDatabase } from '../../connectors/data-platform/postgres-database.ts'
import { dataPlatformToolsContract } from '../contract/data-platform-tools-contract.ts'
import { type DatabaseKind, dataPlatformContract } from '../contract/data-platform-contract.ts'
import { testDatabase } from '../support/postgres/database.ts'

const kind: DatabaseKind = {
  name: 'PostgreSQL',
  async empty() {
    const url = await testDatabase()
    const database = postgresDatabase({ url, connections: 4, statementTimeoutMs: 10_000 })
    onTestFinished(() => database.close())
    return database
  },
}

dataPlatformContract(kind)
dataPlatformToolsContract(kind)
