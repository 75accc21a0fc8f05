/**
 * A PostgreSQL, wherever it is: what the data platform and its commands need of one.
 *
 * A session is one connection. It is used by one caller at a time and given back, broken or not.
 */

/** Rows as plain objects: `bigint` is a number, `timestamptz` a Date. */
export type Row = Readonly<Record<string, unknown>>

export interface Session {
  /** One statement; `$1` is the first parameter. Resolves with its rows, and how many it touched. */
  query(sql: string, parameters?: readonly unknown[]): Promise<QueryResult>
  /** Gives it back. `broken`: nobody knows what state it is in. */
  release(broken: boolean): void
}

export interface QueryResult {
  readonly rows: readonly Row[]
  readonly count: number
}

export interface Database {
  /** Waits for its turn. Rejects where the server cannot be reached. */
  session(): Promise<Session>
  /** Idempotent. */
  close(): Promise<void>
}

/** Works in one transaction: all of it is there, or nothing. What the work throws is thrown. */
export function transaction<T>(database: Database, work: (session: Session) => Promise<T>): Promise<T> {
  return inSession(database, async (session) => {
    await session.query('BEGIN')
    const result = await work(session)
    await session.query('COMMIT')
    return result
  })
}

/** Works with one session, and leaves no transaction open in it. */
export async function inSession<T>(database: Database, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await database.session()
  let result: T
  try {
    result = await work(session)
  } catch (error) {
    session.release(!(await rolledBack(session)))
    throw error
  }
  session.release(false)
  return result
}

export async function rolledBack(session: Session): Promise<boolean> {
  try {
    await session.query('ROLLBACK')
    return true
  } catch {
    return false
  }
}

/**
 * Whether a record's own values are why the database refused: SQLSTATE classes 22 (data exception) and 23 (integrity
 * constraint). All else, from a lost connection to a full disk or a missing right, is no fault of a record.
 */
export function isDataFault(error: unknown): boolean {
  const code = (error as { readonly code?: unknown } | null)?.code
  return typeof code === 'string' && /^2[23][0-9A-Z]{3}$/.test(code)
}
