/** Starts a PostgreSQL server for one run of `test/connectors`. What cannot be started fails the run. */
import type { TestProject } from 'vitest/node'
import './fixture.ts'
import { PrivatePostgres } from './private-server.ts'

let server: PrivatePostgres | undefined

export async function setup(project: TestProject): Promise<void> {
  server = await PrivatePostgres.start()
  project.provide('postgres', { url: server.url })
}

export async function teardown(): Promise<void> {
  await server?.close()
}
