/** Declares stores. A spec is data: frozen, checked once here, shared by every task of a sub-topology. */
import { keys } from './keys.ts'
import type { KeyCodec, Serde } from './serde.ts'
import type { IndexSpec, KeyValueStoreSpec, Lookups, Upcast, WindowedKey, WindowStoreSpec } from './stores.ts'
import { timerStoreName } from './timer-book.ts'

const storeName = /^[a-z][a-z0-9-]{0,99}$/
const indexName = /^[A-Za-z][A-Za-z0-9-]{0,99}$/

interface CommonOptions<K, V> {
  /** `[a-z][a-z0-9-]*`, 100 characters at most; also part of the changelog's name. */
  readonly name: string
  readonly key?: KeyCodec<K>
  readonly value: Serde<V>
  /** Version of the value's schema, 0–255; 1 unless told. */
  readonly version?: number
  /** Reads values of older versions; without it they are refused with `STATE_INCOMPATIBLE`. */
  readonly upcast?: Upcast<NoInfer<V>>
  /** What the store is mostly asked for; `repeated` unless told. */
  readonly lookups?: Lookups
  /** What is deleted must be gone from its changelog as well, soon; false unless told. */
  readonly erasable?: boolean
}

export interface KeyValueStoreOptions<K, V, I extends string> extends CommonOptions<K, V> {
  readonly indexes?: { readonly [P in I]: IndexSpec<NoInfer<K>, NoInfer<V>> }
}

export interface WindowStoreOptions<K, V, I extends string> extends CommonOptions<K, V> {
  /** A window's rows may be dropped once stream time has passed its start by this much; `Infinity` keeps them. */
  readonly retentionMs: number
  readonly indexes?: { readonly [P in I]: IndexSpec<WindowedKey<NoInfer<K>>, NoInfer<V>> }
}

/**
 * Rows by key. Keys are strings unless a codec says otherwise (`keys`).
 * Throws a `RangeError` for a name or version that cannot be.
 */
export function keyValueStore<V, K = string, I extends string = never>(
  options: KeyValueStoreOptions<K, V, I>,
): KeyValueStoreSpec<K, V, I> {
  return Object.freeze({
    kind: 'key-value',
    ...common(options),
    indexes: indexesOf<I, IndexSpec<K, V>>(options),
  })
}

/** Rows by window and key; what `keyValueStore` says holds here too. */
export function windowStore<V, K = string, I extends string = never>(
  options: WindowStoreOptions<K, V, I>,
): WindowStoreSpec<K, V, I> {
  if (!(options.retentionMs >= 0))
    throw new RangeError(`Store ${options.name}: retentionMs must not be negative`)
  return Object.freeze({
    kind: 'window',
    ...common(options),
    retentionMs: options.retentionMs,
    indexes: indexesOf<I, IndexSpec<WindowedKey<K>, V>>(options),
  })
}

function common<K, V>(options: CommonOptions<K, V>) {
  const { name, key, value, version = 1, upcast, lookups = 'repeated', erasable = false } = options
  if (!storeName.test(name))
    throw new RangeError(`A store's name must match ${storeName.source}, not ${name}`)
  if (name === timerStoreName) throw new RangeError(`The store name ${name} is taken by the timers`)
  if (!Number.isInteger(version) || version < 0 || version > 255) {
    throw new RangeError(`Store ${name}: a version is a whole number from 0 to 255, not ${version}`)
  }
  // Without a codec nothing else can have fixed K, so it is the default: string.
  return {
    name,
    key: key ?? (keys.string as KeyCodec<unknown> as KeyCodec<K>),
    value,
    version,
    upcast,
    lookups,
    erasable,
  }
}

function indexesOf<I extends string, S>(options: {
  readonly name: string
  readonly indexes?: { readonly [P in I]: S }
}): Readonly<Record<I, S>> {
  const indexes = options.indexes ?? ({} as { readonly [P in I]: S })
  for (const name of Object.keys(indexes)) {
    if (!indexName.test(name)) {
      throw new RangeError(
        `Store ${options.name}: an index's name must match ${indexName.source}, not ${name}`,
      )
    }
  }
  return Object.freeze({ ...indexes })
}
