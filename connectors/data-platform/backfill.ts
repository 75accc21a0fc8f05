/** Lets a platform go through the log anew. */
import { type Database, transaction } from './database.ts'
import { migrate } from './migrations.ts'
import { allTables } from './tables.ts'

export interface BackfillOptions {
  readonly database: Database
  readonly application: string
  /** Rows go too, also those that the log does not hold any more. */
  readonly empties: boolean
}

/**
 * Forgets every position: the next process that starts, or one that runs with a partition's next record, begins with the
 * oldest record of the log and writes every row over. One transaction: a crash leaves all as it was, or all forgotten.
 * Answers how many rows went.
 */
export async function forgetPositions({ database, application, empties }: BackfillOptions): Promise<number> {
  await migrate(database, application)
  return transaction(database, async (session) => {
    await session.query('DELETE FROM millrace_position WHERE application = $1', [application])
    let rows = 0
    if (empties) for (const { name } of allTables) rows += (await session.query(`DELETE FROM ${name}`)).count
    return rows
  })
}
