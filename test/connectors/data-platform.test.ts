/** The data platform on a real PostgreSQL. */
import { expect, onTestFinished, test } from 'vitest'
import { inSession } from '../../connectors/data-platform/database.ts'
import { migrate } from '../../connectors/data-platform/migrations.ts'
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

test('once the tables are there, a role needs no right to make any', async () => {
  const url = await testDatabase()
  const owner = postgresDatabase({ url, connections: 1, statementTimeoutMs: 10_000 })
  onTestFinished(() => owner.close())
  await migrate(owner, 'shop')
  const role = `writer_${new URL(url).pathname.slice(1)}`
  await inSession(owner, async (session) => {
    await session.query(`CREATE ROLE ${role} LOGIN`)
    await session.query(`REVOKE CREATE ON SCHEMA public FROM PUBLIC`)
    await session.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}`)
  })
  const theirs = new URL(url)
  theirs.username = role
  const writer = postgresDatabase({ url: theirs.href, connections: 1, statementTimeoutMs: 10_000 })
  onTestFinished(() => writer.close())
  await migrate(writer, 'shop')
  const whoami = await inSession(writer, (session) => session.query('SELECT current_user AS name'))
  expect(whoami.rows).toEqual([{ name: role }])
  await expect(inSession(writer, (session) => session.query('CREATE TABLE more (id int)'))).rejects.toThrow(
    'permission denied',
  )
})
