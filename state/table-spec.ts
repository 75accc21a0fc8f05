import { keys } from './keys.ts'
import type { KeyCodec, Serde } from './serde.ts'
import type { AnyStoreSpec, IndexSpec, Lookups } from './stores.ts'

/** A spec with its types erased, which every kind of store comes down to. */
export interface TableSpec {
  readonly kind: 'key-value' | 'window' | 'timers'
  readonly name: string
  readonly key: KeyCodec<unknown>
  readonly value: Serde<unknown>
  readonly version: number
  readonly upcast?: ((version: number, payload: Buffer) => unknown) | undefined
  readonly indexes: Readonly<Record<string, IndexSpec<unknown, unknown>>>
  /** `repeated` unless told. */
  readonly lookups?: Lookups
}

/** In a window store, a row's key is the window and the key. */
export function tableSpec(spec: AnyStoreSpec): TableSpec {
  const { kind, name, value, version, upcast, indexes, lookups } = spec
  const key = spec.kind === 'window' ? keys.windowed(spec.key) : spec.key
  // The codec and the index functions of one spec fit each other; what they take is forgotten here.
  return { kind, name, key, value, version, upcast, indexes, lookups } as TableSpec
}
