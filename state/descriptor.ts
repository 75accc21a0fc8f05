/**
 * One row per store that says which indexes its rows were written with: `store 02` → names and versions.
 *
 * An index that is new, or orders in another way, would answer from the rows it happens to have, and old rows of it
 * would never go. So a task whose stores were written with other indexes is refused until they are rebuilt.
 */
import type { StateReader, WriteOp } from './backend.ts'
import { StateError } from './errors.ts'
import { rowKey, rowPayload, sealRow, verifyRow } from './rows.ts'
import type { TableSpec } from './table-spec.ts'

const descriptorVersion = 1

/**
 * Whether the store's descriptor is there; it is not before the first write. Throws `STATE_INCOMPATIBLE` when it names
 * other indexes.
 */
export function isDescribed(spec: TableSpec, reader: StateReader): boolean {
  const key = rowKey(reader.prefix, rowOf(spec))
  const value = reader.get(key)
  if (value === undefined) return false
  verifyRow(spec.name, reader.prefix.length, { key, value })
  const [stored, present] = [rowPayload(value).toString('utf8'), descriptor(spec)]
  if (stored === present) return true
  throw new StateError(
    'STATE_INCOMPATIBLE',
    `store ${spec.name} was written with the indexes ${stored}; this program has ${present}: rebuild them`,
  )
}

export function descriptorOp(spec: TableSpec, reader: StateReader): WriteOp {
  return sealRow(reader.prefix, rowOf(spec), descriptorVersion, Buffer.from(descriptor(spec)))
}

function rowOf({ name }: TableSpec): string {
  return `${name}\x02`
}

function descriptor({ indexes }: TableSpec): string {
  const versions = Object.entries(indexes).map(([name, { version = 1 }]) => [name, version] as const)
  return JSON.stringify(Object.fromEntries(versions.toSorted(([a], [b]) => (a < b ? -1 : 1))))
}
