/** What processors hold of a store: types outside, byte strings inside. */
import { afterPrefix, terminated, utf8Bytes } from './bytes.ts'
import { keys, windowPrefix } from './keys.ts'
import type { KeyCodec } from './serde.ts'
import type {
  IndexRow,
  KeyPrefix,
  KeyValueStore,
  Scan,
  ScanOptions,
  ScanRequest,
  ScanRow,
  StoreIndex,
  WindowedKey,
  WindowStore,
} from './stores.ts'
import type { Table } from './table.ts'

const defaultLimit = 1_000

export class KeyValueHandle<K, V> implements KeyValueStore<K, V, string> {
  readonly #table: Table
  readonly #codec: KeyCodec<K>

  constructor(table: Table, codec: KeyCodec<K>) {
    this.#table = table
    this.#codec = codec
  }

  get(key: K): V | undefined {
    return this.#table.get(this.#codec.encode(key)) as V | undefined
  }

  put(key: K, value: V): void {
    this.#table.put(this.#codec.encode(key), value, key)
  }

  delete(key: K): void {
    this.#table.delete(this.#codec.encode(key))
  }

  *scan(options: ScanOptions<K> = {}): Scan<(readonly [K, V])[]> {
    const rows = yield rangeRequest(this.#table, this.#codec, options)
    return pairs<K, V>(this.#codec, rows)
  }

  index(name: string): StoreIndex<K, V> {
    return indexHandle<K, V>(this.#table, this.#codec, name)
  }
}

export class WindowHandle<K, V> implements WindowStore<K, V, string> {
  readonly #table: Table
  readonly #key: KeyCodec<K>
  readonly #codec: KeyCodec<WindowedKey<K>>

  constructor(table: Table, key: KeyCodec<K>) {
    this.#table = table
    this.#key = key
    this.#codec = keys.windowed(key)
  }

  get(window: string, start: number, key: K): V | undefined {
    return this.#table.get(this.#at(window, start, key)) as V | undefined
  }

  put(window: string, start: number, key: K, value: V): void {
    this.#table.put(this.#at(window, start, key), value, { window, start, key })
  }

  delete(window: string, start: number, key: K): void {
    this.#table.delete(this.#at(window, start, key))
  }

  *scanWindow(window: string, start: number, limit = defaultLimit): Scan<(readonly [WindowedKey<K>, V])[]> {
    const rows = yield prefixRequest(this.#table, windowPrefix(window, start), limit)
    return pairs<WindowedKey<K>, V>(this.#codec, rows)
  }

  *clearWindow(window: string, start: number, limit: number): Scan<number> {
    const rows = yield prefixRequest(this.#table, windowPrefix(window, start), limit)
    for (const { key } of rows) this.#table.delete(key)
    return rows.length
  }

  *oldestWindow(window: string): Scan<number | undefined> {
    const [first] = yield prefixRequest(this.#table, terminated(utf8Bytes(window)), 1)
    return first === undefined ? undefined : this.#codec.decode(first.key).start
  }

  index(name: string): StoreIndex<WindowedKey<K>, V> {
    return indexHandle<WindowedKey<K>, V>(this.#table, this.#codec, name)
  }

  #at(window: string, start: number, key: K): string {
    return windowPrefix(window, start) + this.#key.encode(key)
  }
}

export function rangeRequest<K>(table: Table, codec: KeyCodec<K>, options: ScanOptions<K>): ScanRequest {
  const { prefix, from, to, limit = defaultLimit, reverse = false } = options
  const within = prefix === undefined ? '' : prefixBytes(codec, prefix)
  const lowest = from === undefined ? within : codec.encode(from)
  const end = afterPrefix(within)
  const highest = to === undefined ? end : codec.encode(to)
  return {
    store: table.name,
    from: lowest < within ? within : lowest,
    to: end !== undefined && highest !== undefined && highest > end ? end : highest,
    limit,
    reverse,
  }
}

function prefixBytes<K>(codec: KeyCodec<K>, prefix: KeyPrefix<K>): string {
  if (codec.prefix === undefined) throw new TypeError('Only keys of several parts have a prefix')
  return codec.prefix(prefix)
}

export function indexRequest(table: Table, index: string, group: string, limit: number): ScanRequest {
  return { ...prefixRequest(table, terminated(utf8Bytes(group)), limit), index }
}

function prefixRequest(table: Table, prefix: string, limit: number): ScanRequest {
  return { store: table.name, from: prefix, to: afterPrefix(prefix), limit, reverse: false }
}

function indexHandle<K, V>(table: Table, codec: KeyCodec<K>, name: string): StoreIndex<K, V> {
  if (!table.indexes.some((index) => index.name === name)) {
    throw new RangeError(`Store ${table.name} has no index ${name}`)
  }
  return {
    *top(group, limit) {
      return indexRows<K, V>(codec, yield indexRequest(table, name, group, limit))
    },
  }
}

export function pairs<K, V>(codec: KeyCodec<K>, rows: readonly ScanRow[]): (readonly [K, V])[] {
  return rows.map(({ key, value }) => [codec.decode(key), value as V] as const)
}

export function indexRows<K, V>(codec: KeyCodec<K>, rows: readonly ScanRow[]): IndexRow<K, V>[] {
  return rows.map(({ key, value, score }) => ({
    key: codec.decode(key),
    value: value as V,
    score: score ?? 0,
  }))
}
