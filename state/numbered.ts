/** A task's database whose every batch also has its number: one that went missing in the middle shows at the next open. */
import type { Entry, KeyRange, PageOptions, StateBackend, WriteOp } from './backend.ts'
import { StateError } from './errors.ts'
import { BatchRing, bytesOf, readRing } from './ring.ts'

/** No store's name begins like this. */
const RING_PREFIX = Buffer.from('\x00batches:')

/** `where` names the database in errors. Throws `STATE_CORRUPT` where the numbers have a hole. */
export async function numberedBackend(
  database: StateBackend,
  where: string,
  writeBufferBytes: number,
): Promise<StateBackend> {
  const verdict = await readRing(database, RING_PREFIX)
  if (verdict.state === 'hole')
    throw new StateError('STATE_CORRUPT', `${where}: batch ${verdict.missing} is missing`)
  if (verdict.state === 'corrupt')
    throw new StateError('STATE_CORRUPT', `${where}: the row of batch ${verdict.key} is damaged`)
  return new NumberedBackend(
    database,
    new BatchRing({ prefix: RING_PREFIX, writeBufferBytes, rows: verdict.rows }),
  )
}

class NumberedBackend implements StateBackend {
  readonly prefix: Buffer
  readonly #database: StateBackend
  readonly #ring: BatchRing

  constructor(database: StateBackend, ring: BatchRing) {
    this.prefix = database.prefix
    this.#database = database
    this.#ring = ring
  }

  get(key: Buffer): Buffer | undefined {
    return this.#database.get(key)
  }

  page(range: KeyRange, options: PageOptions): Promise<Entry[]> {
    return this.#database.page(range, options)
  }

  approximateBytes(range: KeyRange): Promise<number> {
    return this.#database.approximateBytes(range)
  }

  /** After a batch that failed the numbers have a hole: the database has to be opened again. */
  write(ops: readonly WriteOp[], options?: { readonly sync?: boolean }): Promise<void> {
    return this.#database.write([...ops, ...this.#ring.next(bytesOf(ops))], options)
  }

  close(): Promise<void> {
    return this.#database.close()
  }
}
