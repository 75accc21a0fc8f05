/** What is exported can be read again, whatever is in it. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { parquetReadObjects } from 'hyparquet'
import { expect, test } from 'vitest'
import { csvHeader, csvLine } from '../../../cli/export/csv.ts'
import { writeParquet } from '../../../cli/export/parquet.ts'
import { type AnyTable, type Row, tables } from '../../../connectors/index.ts'
import { scratchDirectory } from '../../support/scratch.ts'

const names = tables.order_line.columns.map(({ name }) => name)
const AT = new Date('2026-01-05T01:02:03.004Z')

function row(index: number, changes: Row = {}): Row {
  return {
    order_id: `o${index}`,
    line_no: 1,
    kind: 'SALE',
    return_id: '',
    user_id: 'ann',
    product_id: 'tea',
    category_id: null,
    quantity: 2,
    unit_price: 300,
    amount: 600,
    currency: 'GBP',
    sold_at: AT,
    at: new Date(AT.getTime() + index),
    source_partition: 0,
    source_offset: index,
    ...changes,
  }
}

const odd = row(1, {
  order_id: 'comma, "quote"\r\nand a line',
  user_id: '차 ☕',
  product_id: 'NULL',
  category_id: '',
  quantity: -Number.MAX_SAFE_INTEGER,
  amount: Number.MIN_SAFE_INTEGER,
})

test('CSV keeps quotes, commas and lines, and tells an empty text from nothing', () => {
  const text = `${[csvHeader(names), csvLine(names, row(0)), csvLine(names, odd)].join('\n')}\n`
  const [header, first, second] = parse(text) as string[][]
  expect(header).toEqual(names)
  const words = Object.values(odd).map((value) =>
    value instanceof Date ? value.toISOString() : String(value),
  )
  expect(second).toEqual(words)
  expect(first?.[names.indexOf('at')]).toBe('2026-01-05T01:02:03.004Z')
  expect(csvLine(['return_id', 'category_id'], row(0))).toBe('"",')
  expect(csvLine(['return_id', 'category_id'], odd)).toBe('"",""')
})

test('Parquet keeps types, over several groups of rows', async () => {
  const path = join(await scratchDirectory('parquet'), 'lines.parquet')
  const rows = [odd, ...Array.from({ length: 45_000 }, (_, index) => row(index + 2))]
  await writeParquet(path, tables.order_line as AnyTable, given(rows))
  const { buffer, byteOffset, byteLength } = await readFile(path)
  const file = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer
  const read = await parquetReadObjects({ file })
  expect(read).toHaveLength(rows.length)
  const asWritten = (one: Row): Row => ({
    ...one,
    ...Object.fromEntries(
      ['quantity', 'unit_price', 'amount', 'source_offset'].map((name) => [
        name,
        BigInt(one[name] as number),
      ]),
    ),
  })
  expect(read[0]).toEqual(asWritten(odd))
  expect(read.at(-1)).toEqual(asWritten(rows.at(-1) as Row))
})

test('a table without rows is a file without rows', async () => {
  const path = join(await scratchDirectory('parquet'), 'empty.parquet')
  await writeParquet(path, tables.order_line as AnyTable, given([]))
  const { buffer, byteOffset, byteLength } = await readFile(path)
  const file = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer
  expect(await parquetReadObjects({ file })).toEqual([])
})

async function* given(rows: readonly Row[]): AsyncGenerator<Row> {
  yield* rows
}
