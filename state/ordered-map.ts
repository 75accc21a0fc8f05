/**
 * A map whose keys can also be walked in order. New keys are only noted when they come and sorted in when somebody
 * walks, so that a map nobody walks costs no more than a plain one. Keys are byte strings.
 *
 * The sorted keys lie in short arrays, so that one insert or removal moves a few hundred keys at most.
 */
const chunkKeys = 512

export class OrderedMap<V> {
  readonly #values = new Map<string, V>()
  #chunks: string[][] = []
  /** Keys not sorted in yet; none of them is in a chunk. */
  #fresh: string[] = []

  get size(): number {
    return this.#values.size
  }

  get(key: string): V | undefined {
    return this.#values.get(key)
  }

  has(key: string): boolean {
    return this.#values.has(key)
  }

  set(key: string, value: V): void {
    const before = this.#values.size
    this.#values.set(key, value)
    if (this.#values.size !== before) this.#fresh.push(key)
  }

  delete(key: string): boolean {
    if (!this.#values.delete(key)) return false
    // The last key noted is the one a rollback takes back first.
    if (this.#fresh.at(-1) === key) {
      this.#fresh.pop()
      return true
    }
    this.#settle(key)
    const at = this.#chunkOf(key)
    const chunk = this.#chunks[at]
    if (chunk === undefined) return true
    chunk.splice(lowerBound(chunk, key), 1)
    if (chunk.length === 0) this.#chunks.splice(at, 1)
    return true
  }

  /** In the order in which the keys came. */
  entries(): MapIterator<[string, V]> {
    return this.#values.entries()
  }

  /** The least key. */
  firstKey(): string | undefined {
    this.#settle()
    return this.#chunks[0]?.[0]
  }

  lastKey(): string | undefined {
    this.#settle()
    return this.#chunks.at(-1)?.at(-1)
  }

  /** Entries with `from` ≤ key < `to` in key order, or from the end; the map must not change meanwhile. */
  *range(from: string, to: string | undefined, reverse = false): Generator<[string, V], void> {
    this.#settle()
    for (const key of reverse ? this.#backward(from, to) : this.#forward(from, to)) {
      yield [key, this.#values.get(key) as V]
    }
  }

  *#forward(from: string, to: string | undefined): Generator<string, void> {
    for (let c = this.#chunkOf(from); c < this.#chunks.length; c++) {
      const chunk = this.#chunks[c] as string[]
      for (let i = lowerBound(chunk, from); i < chunk.length; i++) {
        const key = chunk[i] as string
        if (to !== undefined && key >= to) return
        yield key
      }
    }
  }

  *#backward(from: string, to: string | undefined): Generator<string, void> {
    const last = this.#chunks.length - 1
    for (let c = to === undefined ? last : Math.min(last, this.#chunkOf(to)); c >= 0; c--) {
      const chunk = this.#chunks[c] as string[]
      for (let i = (to === undefined ? chunk.length : lowerBound(chunk, to)) - 1; i >= 0; i--) {
        const key = chunk[i] as string
        if (key < from) return
        yield key
      }
    }
  }

  /** Sorts the noted keys in; `except` has just left the values and stays among the sorted ones. */
  #settle(except?: string): void {
    const fresh = this.#fresh
    if (fresh.length === 0) return
    this.#fresh = []
    if (fresh.length * 8 > this.#values.size) {
      const sorted = [...this.#values.keys()]
      if (except !== undefined) sorted.push(except)
      sorted.sort(byBytes)
      this.#chunks = []
      for (let i = 0; i < sorted.length; i += chunkKeys / 2)
        this.#chunks.push(sorted.slice(i, i + chunkKeys / 2))
      return
    }
    for (const key of fresh) this.#insert(key)
  }

  #insert(key: string): void {
    const at = Math.min(this.#chunkOf(key), this.#chunks.length - 1)
    const chunk = this.#chunks[at]
    if (chunk === undefined) {
      this.#chunks.push([key])
      return
    }
    chunk.splice(lowerBound(chunk, key), 0, key)
    if (chunk.length > chunkKeys) this.#chunks.splice(at + 1, 0, chunk.splice(chunkKeys / 2))
  }

  /** The first chunk whose last key is not below `key`. */
  #chunkOf(key: string): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#chunks[middle]?.at(-1) as string) < key) low = middle + 1
      else high = middle
    }
    return low
  }
}

export function byBytes(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] as string) < key) low = middle + 1
    else high = middle
  }
  return low
}
