/** A PostgreSQL server, over a small pool of connections that are made when they are needed. */
import { readFile } from 'node:fs/promises'
import type { ConnectionOptions } from 'node:tls'
import type pg from 'pg'
import type { Database, Session } from './database.ts'

const CONNECT_TIMEOUT_MS = 10_000
/** The server ends a statement first; only where it is gone without a word, this side does. */
const ANSWER_LATE_MS = 5_000
const IDLE_MS = 60_000
/** `int8`, as PostgreSQL numbers its types. */
const BIGINT = 20

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string
  readonly connections: number
  readonly statementTimeoutMs: number
  /** Absent: not encrypted. */
  readonly tls?: { readonly caFile?: string | undefined } | undefined
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

async function openPool({ url, connections, statementTimeoutMs, tls }: PostgresOptions): Promise<pg.Pool> {
  // Loaded by those who have a server only.
  const { default: driver } = await import('pg')
  const parserOf = (type: number, format?: 'text' | 'binary'): ((text: string) => unknown) =>
    // Offsets and amounts are safe integers.
    type === BIGINT ? Number : driver.types.getTypeParser(type, format)
  const pool = new driver.Pool({
    connectionString: url,
    ssl: tls === undefined ? false : await trusted(tls.caFile),
    max: connections,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: IDLE_MS,
    keepAlive: true,
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + ANSWER_LATE_MS,
    application_name: 'millrace',
    types: { getTypeParser: parserOf },
  })
  // An idle connection that breaks leaves the pool; whoever asks next gets another.
  pool.on('error', () => undefined)
  return pool
}

async function trusted(caFile: string | undefined): Promise<ConnectionOptions> {
  return caFile === undefined ? {} : { ca: await readFile(caFile, 'utf8') }
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
