/** The server that the other tests stand on: what is committed outlives its death. */
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { testClient } from '../support/postgres/database.ts'
import { PrivatePostgres } from '../support/postgres/private-server.ts'

test('a server that was killed or stopped comes back on its port with what was committed', async () => {
  const server = await PrivatePostgres.start()
  onTestFinished(() => server.close())
  const url = await server.database('kept')
  const before = await testClient(url)
  await before.query('CREATE TABLE kept (id int)')

  for (const end of ['kill', 'stop'] as const) {
    const client = await testClient(url)
    await client.query('INSERT INTO kept VALUES (1)')
    await server[end]()
    await expect(new pg.Client({ connectionString: url }).connect()).rejects.toThrow('ECONNREFUSED')
    await server.restart()
  }
  const after = await testClient(url)
  expect((await after.query('SELECT count(*)::int AS n FROM kept')).rows).toEqual([{ n: 2 }])
})
