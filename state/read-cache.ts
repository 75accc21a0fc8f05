/**
 * Decoded committed values of one task, bounded by entries and by the bytes they were decoded from. Two generations: a
 * hit in the old one moves to the young one, and when the young one is full it becomes the old one. That keeps what is
 * used, without work on every hit.
 *
 * It also remembers that a key is absent, within the same bound.
 */
export const absent = Symbol('absent')

/** What a store needs of a cache. */
export type RowCache = Pick<StoreCache, 'get' | 'peek' | 'set' | 'delete'>

/** Bytes that a value costs besides those that it was decoded from. */
const ENTRY_BYTES = 64

/**
 * Bounds what the caches of all tasks hold together, by the bytes that the values were decoded from: when so much was
 * added that half of it is used, every cache begins a new generation. So those that are used have most of it.
 */
export class CacheBudget {
  readonly #limitBytes: number
  readonly #caches = new Set<ReadCache>()
  #young = 0

  constructor(bytes: number) {
    this.#limitBytes = bytes / 2
  }

  join(cache: ReadCache): void {
    this.#caches.add(cache)
  }

  /** Idempotent. */
  leave(cache: ReadCache): void {
    this.#caches.delete(cache)
  }

  /** Called by a cache for each entry that is new to its young generation. */
  grown(bytes: number): void {
    this.#young += bytes + ENTRY_BYTES
    if (this.#young < this.#limitBytes) return
    this.#young = 0
    for (const cache of this.#caches) cache.budgetUsed()
  }
}

export class ReadCache {
  readonly #limit: number
  readonly #limitBytes: number
  readonly #stores: StoreCache[] = []
  #budget: CacheBudget | undefined
  #agedAlone = false
  #young = 0
  #youngBytes = 0

  /** Holds up to `entries` values over all stores, and up to `bytes` of what they were decoded from. */
  constructor(entries: number, bytes = Number.POSITIVE_INFINITY) {
    this.#limit = Math.max(1, Math.ceil(entries / 2))
    this.#limitBytes = bytes / 2
  }

  /** From here on it holds less where others use the budget, until `close`. */
  share(budget: CacheBudget): void {
    this.#budget = budget
    budget.join(this)
  }

  /** Idempotent. */
  close(): void {
    this.#budget?.leave(this)
    this.#budget = undefined
  }

  store(): StoreCache {
    const store = new StoreCache(this)
    this.#stores.push(store)
    return store
  }

  /** For a store whose rows are hardly read again: holds nothing, so that it costs and displaces nothing. */
  static readonly none: RowCache = Object.freeze({
    get: () => undefined,
    peek: () => undefined,
    set: () => {},
    delete: () => {},
  })

  /** Called by a store for each entry that is new to its young generation. */
  grown(bytes: number): void {
    this.#youngBytes += bytes
    if (++this.#young >= this.#limit || this.#youngBytes >= this.#limitBytes) {
      this.#age()
      this.#agedAlone = true
    }
    this.#budget?.grown(bytes)
  }

  /** Half of the budget was added since this was last called. One that went on by itself since has let go already. */
  budgetUsed(): void {
    if (!this.#agedAlone) this.#age()
    this.#agedAlone = false
  }

  /** The young generation becomes the old one, and what was in that is gone. */
  #age(): void {
    this.#young = 0
    this.#youngBytes = 0
    for (const store of this.#stores) store.age()
  }
}

/** A value of this many bytes is worth remembering its size. */
const LARGE_BYTES = 1_024

export class StoreCache {
  readonly #cache: ReadCache
  #young = new Map<string, unknown>()
  #old = new Map<string, unknown>()
  /** Bytes of the large values: those of the others hardly matter when they move to the young generation. */
  readonly #sizes = new Map<string, number>()

  constructor(cache: ReadCache) {
    this.#cache = cache
  }

  /** The decoded value, `absent`, or `undefined` when the cache does not know. */
  get(key: string): unknown {
    const value = this.#young.get(key)
    if (value !== undefined) return value
    const older = this.#old.get(key)
    if (older !== undefined) this.set(key, older, this.#sizes.get(key) ?? 0)
    return older
  }

  /** `get` that leaves the generations alone. */
  peek(key: string): unknown {
    const value = this.#young.get(key)
    return value === undefined ? this.#old.get(key) : value
  }

  /** `bytes`: what the value was decoded from. */
  set(key: string, value: unknown, bytes: number): void {
    const before = this.#young.size
    this.#young.set(key, value)
    if (bytes >= LARGE_BYTES) this.#sizes.set(key, bytes)
    if (this.#young.size !== before) this.#cache.grown(bytes)
  }

  delete(key: string): void {
    this.#young.delete(key)
    this.#old.delete(key)
    this.#sizes.delete(key)
  }

  age(): void {
    for (const key of this.#sizes.keys()) if (!this.#young.has(key)) this.#sizes.delete(key)
    this.#old = this.#young
    this.#young = new Map()
  }
}
