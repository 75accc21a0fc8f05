/**
 * Looks at what a task has stored, row by row, without a task: for tools that check or print it. Memory holds one page.
 *
 * Not its job: opening databases; rows that are no store's (positions, the ring).
 */
import type { Entry, StateReader } from './backend.ts'
import { afterPrefix, utf8Bytes } from './bytes.ts'
import { isStateError, StateError } from './errors.ts'
import { Journal } from './journal.ts'
import { ReadCache } from './read-cache.ts'
import { rowKey, rowPayload, rowVersion, valueRowsPrefix, verifyRow } from './rows.ts'
import type { AnyStoreSpec } from './stores.ts'
import { Table } from './table.ts'
import { tableSpec } from './table-spec.ts'
import { timerStoreName, timerTableSpec } from './timer-book.ts'

const PAGE_ROWS = 500
/** Names of stores begin with a small letter; keys of other rows do not. */
const STORES = { from: 'a', to: '{' }

/**
 * Checks every row of every store against its checksum; answers how many there are, by store, those of indexes
 * included. `onDamage` is told of each that is not whole, and may throw. Throws what the reader throws.
 */
export async function verifyStores(
  reader: StateReader,
  onDamage: (error: StateError) => void,
): Promise<ReadonlyMap<string, number>> {
  const rows = new Map<string, number>()
  for await (const entry of entriesOf(reader, STORES.from, STORES.to)) {
    const store = storeOf(entry.key.toString('latin1', reader.prefix.length))
    rows.set(store, (rows.get(store) ?? 0) + 1)
    try {
      verifyRow(store, reader.prefix.length, entry)
    } catch (error) {
      if (!isStateError(error)) throw error
      onDamage(error)
    }
  }
  return rows
}

/** A row of a store as its changelog has it. */
export interface StoredRow {
  readonly key: Buffer
  /** Without its envelope. */
  readonly value: Buffer
  /** Of the value's schema, as it was written. */
  readonly version: number
}

/** The rows of one store in the order of their keys, timers included. Throws `STATE_CORRUPT` for one that is damaged. */
export async function* storedRows(reader: StateReader, store: string): AsyncGenerator<StoredRow> {
  const rows = valueRowsPrefix(store)
  const keyStart = reader.prefix.length + rows.length
  for await (const entry of entriesOf(reader, rows, afterPrefix(rows) ?? '\xff')) {
    verifyRow(store, reader.prefix.length, entry)
    const { key, value } = entry
    yield { key: key.subarray(keyStart), value: rowPayload(value), version: rowVersion(value) }
  }
}

export interface DumpOptions {
  readonly store: string
  /** Absent: the program does not know the store, and bytes are told as they are. */
  readonly spec: AnyStoreSpec | undefined
  /** Only rows whose keys begin with these bytes, as `keyBeginning` gives them. */
  readonly begins?: string
}

export interface DumpedRow {
  readonly key: unknown
  readonly value: unknown
  /** Of the value's schema, as it was written. */
  readonly version: number
}

/** A row that cannot be read: key and value in hex. */
export interface UnreadableRow {
  readonly rawKey: string
  readonly rawValue: string
  readonly error: string
}

/**
 * What keys begin with that begin like `text`: for keys of several parts a JSON array of the first ones, for others the
 * text itself. Throws a `TypeError` for parts that no key has.
 */
export function keyBeginning(spec: AnyStoreSpec | undefined, text: string): string {
  const codec = spec === undefined ? undefined : tableSpec(spec).key
  if (codec?.prefix === undefined || text === '') return utf8Bytes(text)
  try {
    return codec.prefix(JSON.parse(text) as readonly unknown[])
  } catch (cause) {
    throw new TypeError(`${text} is no JSON array of a key's first parts, like ["a"]`, { cause })
  }
}

/** The rows of one store in the order of their keys, decoded where the program knows how. */
export async function* dumpStore(
  reader: StateReader,
  { store, spec, begins = '' }: DumpOptions,
): AsyncGenerator<DumpedRow | UnreadableRow> {
  const known = spec === undefined ? undefined : tableSpec(spec)
  const described = store === timerStoreName ? timerTableSpec : known
  const parts = { reader, journal: new Journal(), cache: ReadCache.none }
  const table = described === undefined ? undefined : new Table(described, parts)
  const rows = valueRowsPrefix(store)
  const begin = rows + begins
  for await (const entry of entriesOf(reader, begin, afterPrefix(begin) ?? '\xff')) {
    const key = entry.key.toString('latin1', reader.prefix.length + rows.length)
    yield dumped(table, key, entry, reader.prefix.length)
  }
}

function dumped(
  table: Table | undefined,
  key: string,
  entry: Entry,
  prefixLength: number,
): DumpedRow | UnreadableRow {
  const hex = Buffer.from(key, 'latin1').toString('hex')
  try {
    if (table !== undefined) {
      const value = table.decode(entry)
      return { key: table.spec.key.decode(key), value, version: rowVersion(entry.value) }
    }
    verifyRow('', prefixLength, entry)
    return { key: hex, value: rowPayload(entry.value).toString('hex'), version: rowVersion(entry.value) }
  } catch (error) {
    return { rawKey: hex, rawValue: entry.value.toString('hex'), error: (error as Error).message }
  }
}

async function* entriesOf(reader: StateReader, from: string, to: string): AsyncGenerator<Entry> {
  const lt = rowKey(reader.prefix, to)
  let gte = rowKey(reader.prefix, from)
  for (;;) {
    const page = await reader.page({ gte, lt }, { limit: PAGE_ROWS })
    yield* page
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE_ROWS) return
    gte = Buffer.concat([last.key, Buffer.of(0)])
  }
}

/** A name ends at the first byte that no name has. */
function storeOf(row: string): string {
  for (let at = 0; at < row.length; at++) if (row.charCodeAt(at) < 0x20) return row.slice(0, at)
  return row
}
