/**
 * One row per store that says how its rows were written: `store 02` → kind, key, newest and oldest version of values,
 * indexes.
 *
 * An index that is new, or orders in another way, would answer from the rows it happens to have, and old rows of it
 * would never go; keys of another codec would be other keys. So a store that was written otherwise is refused, with the
 * way out. Values of older versions are read through the spec's `upcast`, and written anew bit by bit (`old-rows.ts`):
 * the oldest version is what may still be there.
 *
 * The first programs wrote nothing but the indexes. Such a row counts as one that fits, if those do, and is replaced with
 * the store's next write.
 */
import type { StateReader, WriteOp } from './backend.ts'
import { StateError } from './errors.ts'
import { rowKey, rowPayload, sealRow, verifyRow } from './rows.ts'
import type { TableSpec } from './table-spec.ts'

const descriptorVersion = 1
const WAY_OUT = "'millrace state rebuild' makes the store anew, 'millrace reset' lets its topology begin anew"

interface Descriptor {
  readonly kind: string
  readonly key: string
  readonly newest: number
  readonly oldest: number
  /** Names and versions, as JSON. */
  readonly indexes: string
}

export interface Described {
  /** Whether the row is there as this program writes it; not before the first write. */
  readonly isStored: boolean
  /** Version of the oldest values that may be there. */
  readonly oldest: number
}

/**
 * Throws `STATE_INCOMPATIBLE` where the store was written as another kind, with another key or with other indexes, by a
 * newer program, or with older values that the spec does not read; `STATE_CORRUPT`.
 */
export function readDescriptor(spec: TableSpec, reader: StateReader): Described {
  const stored = storedDescriptor(spec, reader)
  if (stored === undefined) return { isStored: false, oldest: spec.version }
  const present = descriptorOf(spec, stored.oldest)
  refuseOther(spec, 'the kind', stored.kind, present.kind)
  refuseOther(spec, 'the key', stored.key, present.key)
  refuseOther(spec, 'the indexes', stored.indexes, present.indexes)
  if (stored.newest > spec.version) {
    throw incompatible(
      spec,
      `was written with version ${stored.newest}; this program knows versions up to ${spec.version}: use a newer one`,
    )
  }
  if (stored.oldest < spec.version && spec.upcast === undefined) {
    throw incompatible(
      spec,
      `has values of version ${stored.oldest}; this program has version ${spec.version} and no upcast: ${WAY_OUT}`,
    )
  }
  return { isStored: stored.newest === spec.version && !stored.isFirstForm, oldest: stored.oldest }
}

/** Of the oldest values that the store may have, whatever else it was written with. */
export function oldestStored(spec: TableSpec, reader: StateReader): number {
  return storedDescriptor(spec, reader)?.oldest ?? spec.version
}

export function descriptorOp(spec: TableSpec, reader: StateReader, oldest: number): WriteOp {
  const { kind, key, newest, indexes } = descriptorOf(spec, oldest)
  const text = `[${JSON.stringify(kind)},${JSON.stringify(key)},${newest},${oldest},${indexes}]`
  return sealRow(reader.prefix, rowOf(spec), descriptorVersion, Buffer.from(text))
}

function storedDescriptor(
  spec: TableSpec,
  reader: StateReader,
): (Descriptor & { readonly isFirstForm: boolean }) | undefined {
  const key = rowKey(reader.prefix, rowOf(spec))
  const value = reader.get(key)
  if (value === undefined) return undefined
  verifyRow(spec.name, reader.prefix.length, { key, value })
  const stored: unknown = JSON.parse(rowPayload(value).toString('utf8'))
  if (Array.isArray(stored)) {
    const [kind, codec, newest, oldest, indexes] = stored as [string, string, number, number, object]
    return { kind, key: codec, newest, oldest, indexes: JSON.stringify(indexes), isFirstForm: false }
  }
  // Which versions there are it does not say.
  const oldest = spec.upcast === undefined ? spec.version : 0
  return { ...descriptorOf(spec, oldest), indexes: JSON.stringify(stored), isFirstForm: true }
}

function descriptorOf({ kind, key, version, indexes }: TableSpec, oldest: number): Descriptor {
  const versions = Object.entries(indexes).map(([name, index]) => [name, index.version ?? 1] as const)
  const sorted = Object.fromEntries(versions.toSorted(([a], [b]) => (a < b ? -1 : 1)))
  return { kind, key: key.name ?? 'custom', newest: version, oldest, indexes: JSON.stringify(sorted) }
}

function refuseOther(spec: TableSpec, what: string, stored: string, present: string): void {
  if (stored === present) return
  throw incompatible(spec, `was written with ${what} ${stored}; this program has ${present}: ${WAY_OUT}`)
}

function incompatible({ name }: TableSpec, why: string): StateError {
  return new StateError('STATE_INCOMPATIBLE', `store ${name} ${why}`)
}

function rowOf({ name }: TableSpec): string {
  return `${name}\x02`
}
