/** Committed rows in memory, in key order: for tests, the simulator, and the test driver. */
import type { Entry, KeyRange, PageOptions, StateBackend, WriteOp } from './backend.ts'
import { StateError } from './errors.ts'
import { OrderedMap } from './ordered-map.ts'

export interface MemoryBackendOptions {
  /** What every key begins with; none unless told. */
  readonly prefix?: Buffer
}

export function memoryBackend({ prefix = Buffer.alloc(0) }: MemoryBackendOptions = {}): StateBackend {
  return new MemoryBackend(prefix)
}

class MemoryBackend implements StateBackend {
  readonly prefix: Buffer
  readonly #rows = new OrderedMap<Buffer>()
  #open = true

  constructor(prefix: Buffer) {
    this.prefix = prefix
  }

  get(key: Buffer): Buffer | undefined {
    this.#check()
    return this.#rows.get(key.toString('latin1'))
  }

  async page({ gte, lt }: KeyRange, { limit, reverse = false }: PageOptions): Promise<Entry[]> {
    this.#check()
    const page: Entry[] = []
    if (limit <= 0) return page
    for (const [key, value] of this.#rows.range(gte.toString('latin1'), lt.toString('latin1'), reverse)) {
      page.push({ key: Buffer.from(key, 'latin1'), value })
      if (page.length >= limit) break
    }
    return page
  }

  async approximateBytes({ gte, lt }: KeyRange): Promise<number> {
    this.#check()
    let bytes = 0
    for (const [key, value] of this.#rows.range(gte.toString('latin1'), lt.toString('latin1')))
      bytes += key.length + value.length
    return bytes
  }

  async write(ops: readonly WriteOp[]): Promise<void> {
    this.#check()
    for (const op of ops) {
      if (op.type === 'put') this.#rows.set(op.key.toString('latin1'), op.value)
      else this.#rows.delete(op.key.toString('latin1'))
    }
  }

  async close(): Promise<void> {
    this.#open = false
  }

  #check(): void {
    if (!this.#open) throw new StateError('STATE_IO', 'the database in memory is closed')
  }
}
