import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type AnyTable, readRows, type Row, tables } from '../../connectors/index.ts'
import { closeAfter } from '../closing.ts'
import { configure } from '../configure.ts'
import type { Context } from '../context.ts'
import { UsageError } from '../errors.ts'
import { csvHeader, csvLine } from '../export/csv.ts'
import { writeParquet } from '../export/parquet.ts'
import type { ExportFlags } from '../flags.ts'
import { count } from '../output.ts'
import { openOfflineLog } from '../pipeline/embedded-shop-log.ts'
import { platformDatabase } from '../pipeline/platform-connector.ts'

/** Writes rows of a table into a file, which is there once it is whole. Throws a `UsageError` for a time that is none. */
export async function exportTable(context: Context, flags: ExportFlags): Promise<void> {
  const { config } = configure(context, flags)
  const path = resolve(context.cwd, flags.out)
  const range = { from: timeOf('--from', flags.from), to: timeOf('--to', flags.to) }
  const table = tables[flags.table]
  const database = platformDatabase(config)
  // PGlite's directory is one process's: whoever has the log has it.
  const lock = config.dataPlatform.target === 'pglite' ? (await openOfflineLog(config)).log : undefined
  const close = (): Promise<void> =>
    closeAfter(
      () => database.close(),
      async () => lock?.close(),
    )
  const rows = await closeAfter(async () => {
    const counted = new CountedRows(readRows(database, table, range), context.stop)
    await writeWhole(path, (part) => write(flags.format, part, table, counted))
    return counted.count
  }, close)
  if (flags.json === true) context.output.data(JSON.stringify({ table: flags.table, rows, file: path }))
  else context.output.say(`Wrote ${count(rows)} rows of ${flags.table} to ${path}.`)
}

/** Under another name first: a file of that name is all of it. */
async function writeWhole(path: string, work: (part: string) => Promise<void>): Promise<void> {
  const part = `${path}.part`
  try {
    await work(part)
    await rename(part, path)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}

async function write(
  format: ExportFlags['format'],
  path: string,
  table: AnyTable,
  rows: AsyncIterable<Row>,
): Promise<void> {
  if (format === 'parquet') return writeParquet(path, table, rows)
  await pipeline(Readable.from(csvLines(table, rows)), createWriteStream(path))
}

async function* csvLines({ columns }: AnyTable, rows: AsyncIterable<Row>): AsyncGenerator<string> {
  const names = columns.map(({ name }) => name)
  yield `${csvHeader(names)}\n`
  for await (const row of rows) yield `${csvLine(names, row)}\n`
}

class CountedRows implements AsyncIterable<Row> {
  count = 0
  readonly #rows: AsyncIterable<Row>
  readonly #signal: AbortSignal

  constructor(rows: AsyncIterable<Row>, signal: AbortSignal) {
    this.#rows = rows
    this.#signal = signal
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Row> {
    for await (const row of this.#rows) {
      this.#signal.throwIfAborted()
      this.count++
      yield row
    }
  }
}

/** A day is its first moment, UTC. */
function timeOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const time = Date.parse(text)
  if (Number.isNaN(time)) throw new UsageError(`${flag} ${text}: write 2026-01-31 or 2026-01-31T12:00:00Z`)
  return time
}
