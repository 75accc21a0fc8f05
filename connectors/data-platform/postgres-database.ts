/** A PostgreSQL server, over a small pool of connections that are made when they are needed. */
import type pg from 'pg'
import { clientConfig, type PostgresAddress } from '../postgres/client-config.ts'
import type { Database, Session } from './database.ts'

const IDLE_MS = 60_000
/** `int8`, as PostgreSQL numbers its types. */
const BIGINT = 20

export interface PostgresOptions extends PostgresAddress {
  /** At most. */
  readonly connections: number
}

export function postgresDatabase(options: PostgresOptions): Database {
  let pool: Promise<pg.Pool> | undefined
  let closed = false
  return {
    async session() {
      if (closed) throw new Error('the database was closed')
      pool ??= openPool(options)
      // A file of certificates that cannot be read may be there the next time.
      pool.catch(() => (pool = undefined))
      return sessionOf(await (await pool).connect())
    },
    async close() {
      if (closed) return
      closed = true
      await (await pool)?.end()
    },
  }
}

async function openPool({ connections, ...address }: PostgresOptions): Promise<pg.Pool> {
  // Loaded by those who have a server only.
  const { default: driver } = await import('pg')
  const parserOf = (type: number, format?: 'text' | 'binary'): ((text: string) => unknown) =>
    // Offsets and amounts are safe integers.
    type === BIGINT ? Number : driver.types.getTypeParser(type, format)
  const pool = new driver.Pool({
    ...(await clientConfig(address)),
    max: connections,
    idleTimeoutMillis: IDLE_MS,
    types: { getTypeParser: parserOf },
  })
  // An idle connection that breaks leaves the pool; whoever asks next gets another.
  pool.on('error', () => undefined)
  return pool
}

function sessionOf(client: pg.PoolClient): Session {
  // What breaks it is told to the query that runs, or to the next one.
  const ignore = (): void => undefined
  client.on('error', ignore)
  return {
    async query(sql, parameters) {
      const { rows, rowCount } = await client.query(sql, parameters as unknown[] | undefined)
      return { rows, count: rowCount ?? 0 }
    },
    release(broken) {
      client.off('error', ignore)
      client.release(broken)
    },
  }
}
