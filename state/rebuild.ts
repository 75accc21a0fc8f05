/** Makes the index rows of a store anew from its value rows: after an index was added, dropped or given a new version. */
import type { StateReader, WriteOp } from './backend.ts'
import { descriptorOp, oldestStored } from './descriptor.ts'
import { Journal } from './journal.ts'
import { ReadCache } from './read-cache.ts'
import { rowKey, rowPayload, rowVersion, sealRow } from './rows.ts'
import type { AnyStoreSpec } from './stores.ts'
import { Table } from './table.ts'
import { tableSpec } from './table-spec.ts'

/** Rows read, and at most dealt with, per batch. */
const sliceRows = 1_000

/**
 * The batches to write, in order, each before the next is asked for. The last one says that the indexes are there, so
 * a rebuild that was cut short is refused like one that was never begun, and is begun again. Only while no task uses
 * the store. Throws `STATE_CORRUPT`, `STATE_INCOMPATIBLE`.
 */
export async function* rebuildIndexes(
  reader: StateReader,
  spec: AnyStoreSpec,
): AsyncGenerator<WriteOp[], void> {
  const erased = tableSpec(spec)
  const table = new Table(erased, { reader, journal: new Journal(), cache: new ReadCache(0).store() })
  const whole = {
    gte: rowKey(reader.prefix, `${spec.name}\x01`),
    lt: rowKey(reader.prefix, `${spec.name}\x02`),
  }
  for (;;) {
    const page = await reader.page(whole, { limit: sliceRows })
    if (page.length === 0) break
    yield page.map(({ key }) => ({ type: 'del', key }))
  }
  let gte = rowKey(reader.prefix, table.rows)
  const lt = whole.gte
  for (;;) {
    const page = await reader.page({ gte, lt }, { limit: sliceRows })
    const last = page.at(-1)
    if (last === undefined) break
    yield page.flatMap((entry) => indexRowsOf(table, entry))
    gte = Buffer.concat([last.key], last.key.length + 1)
  }
  yield [descriptorOp(erased, reader, oldestStored(erased, reader))]
}

function indexRowsOf(table: Table, entry: { readonly key: Buffer; readonly value: Buffer }): WriteOp[] {
  const { prefix } = table.reader
  const value = table.decode(entry)
  const key = entry.key.toString('latin1', prefix.length + table.rows.length)
  const payload = rowPayload(entry.value)
  return table.indexKeys(key, value).flatMap((at, position) => {
    const index = table.indexes[position]
    if (at === undefined || index === undefined) return []
    return [sealRow(prefix, index.rows + at, rowVersion(entry.value), payload)]
  })
}
