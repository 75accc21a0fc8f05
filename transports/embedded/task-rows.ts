import type { Entry, KeyRange, PageOptions, StateReader } from '../../state/index.ts'
import { statePrefix } from './keys.ts'
import type { Storage } from './storage.ts'

/** Committed rows of one task, whichever database is open: after a failed write that is another one. */
export class TaskRows implements StateReader {
  readonly prefix: Buffer
  readonly #storage: Storage

  constructor(storage: Storage, ordinal: number) {
    this.#storage = storage
    this.prefix = statePrefix(ordinal)
  }

  get(key: Buffer): Buffer | undefined {
    return this.#storage.db.get(key)
  }

  async page(range: KeyRange, options: PageOptions): Promise<Entry[]> {
    return (await this.#storage.ready()).page(range, options)
  }

  async approximateBytes(range: KeyRange): Promise<number> {
    return (await this.#storage.ready()).approximateBytes(range)
  }
}
