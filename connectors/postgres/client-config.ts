/** How a PostgreSQL server is reached. */
import { readFile } from 'node:fs/promises'
import type { ConnectionOptions } from 'node:tls'
import type pg from 'pg'

const CONNECT_TIMEOUT_MS = 10_000
/** The server ends a statement first; only where it is gone without a word, this side does. */
const ANSWER_LATE_MS = 5_000

export interface PostgresAddress {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string
  readonly statementTimeoutMs: number
  /** Absent: not encrypted. The server's certificate is verified. */
  readonly tls?: { readonly caFile?: string | undefined } | undefined
}

/** Rejects where the file of certificates cannot be read. */
export async function clientConfig({
  url,
  statementTimeoutMs,
  tls,
}: PostgresAddress): Promise<pg.ClientConfig> {
  return {
    connectionString: url,
    ssl: tls === undefined ? false : await trusted(tls.caFile),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + ANSWER_LATE_MS,
    application_name: 'millrace',
  }
}

async function trusted(caFile: string | undefined): Promise<ConnectionOptions> {
  return caFile === undefined ? {} : { ca: await readFile(caFile, 'utf8') }
}
