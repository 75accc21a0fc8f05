/**
 * What queries see of one store: committed rows only, never an overlay. A query leaves the read cache as it found it,
 * so that a stranger's scan does not push out what the processors use.
 */
import { indexRequest, indexRows, pairs, rangeRequest } from './handles.ts'
import { absent } from './read-cache.ts'
import { scanCommitted } from './scan.ts'
import type { KeyCodec } from './serde.ts'
import type { CommittedView, IndexRow, ViewPageOptions } from './stores.ts'
import type { Table } from './table.ts'

export class StoreView<K, V> implements CommittedView<K, V, string> {
  readonly #table: Table
  readonly #codec: KeyCodec<K>

  constructor(table: Table, codec: KeyCodec<K>) {
    this.#table = table
    this.#codec = codec
  }

  get(key: K): V | undefined {
    const bytes = this.#codec.encode(key)
    const cached = this.#table.cache.peek(bytes)
    if (cached === absent) return undefined
    return (cached === undefined ? this.#table.readCommitted(bytes) : cached) as V | undefined
  }

  async page(options: ViewPageOptions<K> = {}): Promise<(readonly [K, V])[]> {
    const request = rangeRequest(this.#table, this.#codec, options)
    const after = options.after === undefined ? undefined : this.#codec.encode(options.after)
    const next = after === undefined ? request : goOn(request, after)
    return pairs<K, V>(this.#codec, await scanCommitted(this.#table, next))
  }

  async top(index: string, group: string, limit: number): Promise<IndexRow<K, V>[]> {
    const rows = await scanCommitted(this.#table, indexRequest(this.#table, index, group, limit))
    return indexRows<K, V>(this.#codec, rows)
  }
}

function goOn<R extends { from: string; to: string | undefined; reverse: boolean }>(
  request: R,
  after: string,
): R {
  if (request.reverse)
    return request.to === undefined || after < request.to ? { ...request, to: after } : request
  const from = `${after}\x00`
  return from > request.from ? { ...request, from } : request
}
