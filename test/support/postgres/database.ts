/** An empty database for one test, on the server of the run. */
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { inject, onTestFinished } from 'vitest'
import './fixture.ts'
import { makeDatabase } from './private-server.ts'

/** Its address. */
export function testDatabase(): Promise<string> {
  return makeDatabase(inject('postgres').url, `test_${randomUUID().replaceAll('-', '')}`)
}

/** A connection that is closed when the test is over. */
export async function testClient(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  // A server that is killed on purpose tells its connections.
  client.on('error', () => undefined)
  await client.connect()
  onTestFinished(() => client.end().catch(() => undefined))
  return client
}
