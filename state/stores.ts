/**
 * What processors declare (specs) and what they get (handles).
 *
 * A range of a store is read with `yield*` inside a generator: the task reads the page, merges what is not committed
 * yet over it, and goes on. That keeps processors free of promises and of any other input or output.
 */
import type { KeyCodec, Serde } from './serde.ts'

/** A request for one page of a store; what a processor's generator yields and only the task answers. */
export interface ScanRequest {
  readonly store: string
  readonly index?: string
  /** Byte strings without prefix and store name: `from` inclusive, `to` exclusive (`undefined`: to the end). */
  readonly from: string
  readonly to: string | undefined
  readonly limit: number
  readonly reverse: boolean
}

/** A row of a page: the key's byte string and the decoded value, `score` for rows of an index. */
export interface ScanRow {
  readonly key: string
  readonly value: unknown
  readonly score?: number
}

/** A read that spans the store's committed and uncommitted rows; run with `yield*`. */
export type Scan<T> = Generator<ScanRequest, T, readonly ScanRow[]>

/** The first parts of a key of several parts. */
export type KeyPrefix<K> = K extends readonly [...infer Rest, unknown] ? Rest | KeyPrefix<Rest> : never

export interface ScanOptions<K> {
  /** Only keys with these first parts, within `from` and `to`. */
  readonly prefix?: KeyPrefix<K>
  /** First key, inclusive. Absent: from the start. */
  readonly from?: K
  /** Last key, exclusive. Absent: to the end. */
  readonly to?: K
  /** Rows at most; 1,000 unless told. */
  readonly limit?: number
  readonly reverse?: boolean
}

/** A secondary order over a store's rows, kept exact with every change. */
export interface IndexSpec<K, V> {
  /** Rows of one group are ordered among themselves. */
  group(key: K, value: V): string
  /** Higher scores first; equal scores by key. `undefined`: not in the index. A safe integer. */
  score(key: K, value: V): number | undefined
  /**
   * To be raised when `group` or `score` answer otherwise for values that are stored already, be it because of an upcast.
   * 1 unless told.
   */
  readonly version?: number
}

/** Turns a payload that an older version of the schema wrote into a value of the present one. */
export type Upcast<V> = (version: number, payload: Buffer) => V

/**
 * What a store is mostly asked for. `repeated`: rows it has, again and again; they stay at hand. `mostly-absent`: keys
 * it does not have; a filter in memory (about 10 bits a key) answers those, and rows are not kept. `seldom`: its task
 * writes and hardly ever reads; nothing is kept.
 */
export type Lookups = 'repeated' | 'mostly-absent' | 'seldom'

export interface KeyValueStoreSpec<K, V, I extends string = never> {
  readonly kind: 'key-value'
  readonly name: string
  readonly key: KeyCodec<K>
  readonly value: Serde<V>
  /** Version of the value's schema, written into each value's envelope (0–255). */
  readonly version: number
  readonly upcast?: Upcast<V> | undefined
  readonly lookups: Lookups
  /** What is deleted must be gone from its changelog as well, soon. */
  readonly erasable: boolean
  readonly indexes: Readonly<Record<I, IndexSpec<K, V>>>
}

export interface WindowStoreSpec<K, V, I extends string = never> {
  readonly kind: 'window'
  readonly name: string
  readonly key: KeyCodec<K>
  readonly value: Serde<V>
  readonly version: number
  readonly upcast?: Upcast<V> | undefined
  readonly lookups: Lookups
  /** What is deleted must be gone from its changelog as well, soon. */
  readonly erasable: boolean
  /** A window's rows may be dropped once stream time has passed its start by this much. `Infinity` keeps them. */
  readonly retentionMs: number
  readonly indexes: Readonly<Record<I, IndexSpec<WindowedKey<K>, V>>>
}

/** A spec whose types do not matter: for lists of specs. */
export type AnyStoreSpec =
  | KeyValueStoreSpec<unknown, unknown, string>
  | WindowStoreSpec<unknown, unknown, string>

/** A key in a window: `window` names its kind and size (for example `day`), `start` is epoch milliseconds. */
export interface WindowedKey<K> {
  readonly window: string
  readonly start: number
  readonly key: K
}

export interface IndexRow<K, V> {
  readonly key: K
  readonly value: V
  readonly score: number
}

export interface StoreIndex<K, V> {
  /** The group's first `limit` rows: highest score first, equal scores by key. */
  top(group: string, limit: number): Scan<IndexRow<K, V>[]>
}

export interface ReadOnlyKeyValueStore<K, V> {
  get(key: K): V | undefined
  /** Rows in key order. */
  scan(options?: ScanOptions<K>): Scan<(readonly [K, V])[]>
}

export interface KeyValueStore<K, V, I extends string = never> extends ReadOnlyKeyValueStore<K, V> {
  /** The value must not be changed afterwards: the store keeps it. */
  put(key: K, value: V): void
  delete(key: K): void
  index(name: I): StoreIndex<K, V>
}

export interface WindowStore<K, V, I extends string = never> {
  get(window: string, start: number, key: K): V | undefined
  put(window: string, start: number, key: K, value: V): void
  delete(window: string, start: number, key: K): void
  /** Rows of one window in key order. */
  scanWindow(window: string, start: number, limit?: number): Scan<(readonly [WindowedKey<K>, V])[]>
  /** Deletes up to `limit` rows of one window; answers how many it deleted. */
  clearWindow(window: string, start: number, limit: number): Scan<number>
  /** Start of the oldest window of this name that has rows. */
  oldestWindow(window: string): Scan<number | undefined>
  index(name: I): StoreIndex<WindowedKey<K>, V>
}

/** The handle that belongs to a spec. */
export type HandleOf<S> =
  S extends KeyValueStoreSpec<infer K, infer V, infer I>
    ? KeyValueStore<K, V, I>
    : S extends WindowStoreSpec<infer K, infer V, infer I>
      ? WindowStore<K, V, I>
      : never

/** What queries see of a store: committed rows only. Rows of a window store have a `WindowedKey`. */
export interface CommittedView<K, V, I extends string = never> {
  get(key: K): V | undefined
  /** Rows in key order; throws a `RangeError` for a limit that is none. */
  page(options?: ViewPageOptions<K>): Promise<(readonly [K, V])[]>
  /** The group's first `limit` rows: highest score first, equal scores by key. */
  top(index: I, group: string, limit: number): Promise<IndexRow<K, V>[]>
}

export interface ViewPageOptions<K> extends ScanOptions<K> {
  /** Goes on after this key, the last of the page before. */
  readonly after?: K
}

/** The committed view that belongs to a spec. */
export type ViewOf<S> =
  S extends KeyValueStoreSpec<infer K, infer V, infer I>
    ? CommittedView<K, V, I>
    : S extends WindowStoreSpec<infer K, infer V, infer I>
      ? CommittedView<WindowedKey<K>, V, I>
      : never
