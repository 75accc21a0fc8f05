/** Rows as Parquet: integers of 32 and 64 bits, texts, and times in milliseconds of UTC. */
import { fileWriter, parquetWriteRows } from 'hyparquet-writer'
import type { AnyTable, Row } from '../../connectors/index.ts'

/** Rows in memory at a time. */
const GROUP_ROWS = 20_000
const TYPES = { text: 'STRING', integer: 'INT32', bigint: 'INT64', timestamptz: 'TIMESTAMP' } as const

/** Resolves once the file is whole. */
export async function writeParquet(
  path: string,
  { columns }: AnyTable,
  rows: AsyncIterable<Row>,
): Promise<void> {
  const bigints = columns.filter(({ type }) => type === 'bigint').map(({ name }) => name)
  await parquetWriteRows({
    writer: fileWriter(path),
    columns: columns.map(({ name, type }) => ({ name, type: TYPES[type] })),
    rows: withBigints(rows, bigints),
    rowGroupSize: GROUP_ROWS,
  })
}

/** A 64-bit column is written from bigints. */
async function* withBigints(rows: AsyncIterable<Row>, names: readonly string[]): AsyncGenerator<Row> {
  for await (const row of rows) {
    const numbers = names.map((name) => {
      const value = row[name]
      return [name, typeof value === 'number' ? BigInt(value) : value] as const
    })
    yield { ...row, ...Object.fromEntries(numbers) }
  }
}
