/** Rows of a table by their time, as one moment has them, however many there are. */
import { type Database, type Row, rolledBack } from './database.ts'
import type { AnyTable } from './tables.ts'

/** Rows in memory at a time. */
const PAGE_ROWS = 2_000

export interface RowRange {
  /** Epoch milliseconds; absent: from the first. */
  readonly from?: number | undefined
  /** Before this; absent: to the last. */
  readonly to?: number | undefined
}

/** In the order of their time, then of their identity. What is written meanwhile is not among them. */
export async function* readRows(
  database: Database,
  { name, columns, identity }: AnyTable,
  { from, to }: RowRange,
): AsyncGenerator<Row, void, undefined> {
  const session = await database.session()
  try {
    await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const wanted = [...bound('>=', from), ...bound('<', to)]
    const where = wanted.length === 0 ? '' : ` WHERE ${wanted.join(' AND ')}`
    const order = ['at', ...identity].join(', ')
    const names = columns.map((column) => column.name).join(', ')
    await session.query(`DECLARE page CURSOR FOR SELECT ${names} FROM ${name}${where} ORDER BY ${order}`)
    for (;;) {
      const { rows } = await session.query(`FETCH ${PAGE_ROWS} FROM page`)
      yield* rows
      if (rows.length < PAGE_ROWS) break
    }
  } finally {
    session.release(!(await rolledBack(session)))
  }
}

/** A cursor takes no parameters: the number stands in its text. */
function bound(comparison: string, time: number | undefined): readonly string[] {
  if (time === undefined) return []
  if (!Number.isSafeInteger(time)) throw new RangeError(`${time} is no time`)
  return [`at ${comparison} to_timestamp(${time} / 1000.0)`]
}
