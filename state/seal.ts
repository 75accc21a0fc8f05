/** Turns the running overlay of a table into the writes of one atomic batch. */
import type { WriteOp } from './backend.ts'
import { absent } from './read-cache.ts'
import { rowKey, sealRow } from './rows.ts'
import type { Table } from './table.ts'

/** One changed row, for the store's changelog: key and value without prefix and envelope; `null`: deleted. */
export interface SealedChange {
  readonly store: string
  readonly key: Buffer
  readonly value: Buffer | null
  /** Of the value's schema. */
  readonly version: number
}

/**
 * Appends the table's writes to `ops` and, where given, its changes to `changes`. Says whether the store's descriptor
 * is among them: it goes with the first write.
 */
export function sealTable(table: Table, ops: WriteOp[], changes: SealedChange[] | undefined): boolean {
  const { prefix } = table.reader
  const { version } = table.spec
  const keyStart = prefix.length + table.rows.length
  const opsBefore = ops.length
  for (const [key, cell] of table.running.entries()) {
    const { payload } = cell
    if (payload === null && isAbsent(table, key)) continue
    const op: WriteOp =
      payload === null
        ? { type: 'del', key: rowKey(prefix, table.rows + key) }
        : sealRow(prefix, table.rows + key, version, payload)
    ops.push(op)
    if (changes !== undefined)
      changes.push({ store: table.name, key: op.key.subarray(keyStart), value: payload, version })
    if (table.indexes.length > 0) sealIndexRows(table, key, payload, table.indexKeysOf(key, cell), ops)
  }
  const description = table.description.seal(ops.length > opsBefore)
  if (description !== undefined) ops.push(description)
  return description !== undefined
}

/** A delete of what was never committed needs no write. Only an index makes it worth asking the backend. */
function isAbsent(table: Table, key: string): boolean {
  if (table.indexes.length > 0) return table.committed(key) === undefined
  return table.cache.peek(key) === absent
}

function sealIndexRows(
  table: Table,
  key: string,
  payload: Buffer | null,
  now: readonly (string | undefined)[],
  ops: WriteOp[],
): void {
  const { prefix } = table.reader
  const before = table.committedIndexKeys(key)
  for (let i = 0; i < table.indexes.length; i++) {
    const index = table.indexes[i]
    const old = before[i]
    const current = now[i]
    if (index === undefined) continue
    if (old !== undefined && old !== current) ops.push({ type: 'del', key: rowKey(prefix, index.rows + old) })
    if (current !== undefined && payload !== null) {
      ops.push(sealRow(prefix, index.rows + current, table.spec.version, payload))
    }
  }
}
