/**
 * A LevelDB database: the backend of a task that has a directory of its own, and, in ranges, of many tasks and a log
 * that share one.
 *
 * What a batch wrote is there whole or not at all after a crash of the process; without `sync`, a crash of the machine
 * may take the newest batches. LevelDB does not notice every damaged byte: values carry checksums (`rows.ts`), batches
 * a ring of numbers (`ring.ts`).
 */
import { ClassicLevel } from 'classic-level'
import type { Entry, KeyRange, PageOptions, StateBackend, WriteOp } from './backend.ts'
import { isStateError, StateError } from './errors.ts'
import { checkDatabase, forgetClosed, recordClosed } from './level-check.ts'
import {
  claimDirectory,
  type Identity,
  lockedError,
  lockedWhileChecking,
  prepareDirectory,
  readHolder,
  releaseDirectory,
  removeUnfinished,
} from './level-dir.ts'

export interface LevelOptions {
  /** Whose state it is. A directory of another application is refused. */
  readonly application: string
  /** Bytes in memory before a file is written; up to twice that is held. 16 MiB unless told. */
  readonly writeBufferSize?: number
  /** Bytes of uncompressed blocks kept in memory; 16 MiB unless told. */
  readonly cacheSize?: number
  /** Snappy; on unless told. */
  readonly compression?: boolean
  /** File handles at most; 256 unless told. */
  readonly maxOpenFiles?: number
  /** Whether every table is checked before it is opened, at about 1 GB/s; on unless told. */
  readonly checkTables?: boolean
}

const mebibyte = 1024 * 1024
export const defaultWriteBufferBytes = 16 * mebibyte
const defaultCacheBytes = 16 * mebibyte
const defaultOpenFiles = 256
/** Size of a table: of LevelDB's own 2 MiB a large database has thousands, and opens them again and again. */
const tableBytes = 8 * mebibyte
/** Rows that an iterator is asked for at once: the first time, and from then on. */
const firstReadRows = 32
const readRows = 256
/** One batch of a copy. */
const copyBatchRows = 10_000
const copyBatchBytes = mebibyte
/** Above every key that begins with anything but four bytes FF. */
const endOfKeys = Buffer.alloc(4, 0xff)

type Database = ClassicLevel<Buffer, Buffer>

/**
 * Opens the database in `dir`, which is made if it is not there.
 *
 * Throws `STATE_INCOMPATIBLE` (another application's, a newer format, or a database without a marker; nothing is
 * written), `STATE_MISSING` (there was a database here; nothing is written), `STATE_LOCKED` (`locked by pid …`),
 * `STATE_CORRUPT`, `STATE_IO`.
 */
export async function openLevelDb(dir: string, options: LevelOptions): Promise<LevelDatabase> {
  try {
    const { create } = await prepareDirectory(dir, options.application)
    if (!create) await checkFiles(dir, options.checkTables ?? true)
    const db = create ? await createFiles(dir, options) : await openFiles(dir, options, false)
    try {
      return new LevelDatabase(dir, db, await claimDirectory(dir, options.application), options)
    } catch (error) {
      await db.close()
      throw error
    }
  } catch (error) {
    throw asStateError(error, dir)
  }
}

async function checkFiles(dir: string, checkTables: boolean): Promise<void> {
  try {
    await checkDatabase(dir, checkTables)
  } catch (error) {
    throw (await lockedWhileChecking(dir, error)) ?? error
  }
  await forgetClosed(dir)
}

/**
 * LevelDB names its first manifest in `CURRENT` before it has synced it: after a power cut in between it cannot open
 * what it made. Nothing was committed to a directory that is still being made, so its files are made again.
 */
async function createFiles(dir: string, options: LevelOptions): Promise<Database> {
  try {
    return await openFiles(dir, options, true)
  } catch (error) {
    if (isStateError(error, 'STATE_LOCKED')) throw error
    await removeUnfinished(dir)
    return openFiles(dir, options, true)
  }
}

async function openFiles(dir: string, options: LevelOptions, create: boolean): Promise<Database> {
  const db = new ClassicLevel<Buffer, Buffer>(dir, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  try {
    await db.open({
      createIfMissing: create,
      writeBufferSize: options.writeBufferSize ?? defaultWriteBufferBytes,
      cacheSize: options.cacheSize ?? defaultCacheBytes,
      compression: options.compression ?? true,
      maxOpenFiles: options.maxOpenFiles ?? defaultOpenFiles,
      maxFileSize: tableBytes,
    })
    return db
  } catch (error) {
    await db.close()
    if (levelCode(error) === 'LEVEL_LOCKED') throw lockedError(dir, await readHolder(dir), error)
    throw error
  }
}

export class LevelDatabase implements StateBackend {
  readonly prefix = Buffer.alloc(0)
  readonly dir: string
  readonly identity: Identity
  readonly #db: Database
  readonly #options: LevelOptions
  readonly #writing = new Set<Promise<void>>()
  #closing: Promise<void> | undefined

  /** Use `openLevelDb`. */
  constructor(dir: string, db: Database, identity: Identity, options: LevelOptions) {
    this.dir = dir
    this.identity = identity
    this.#db = db
    this.#options = options
  }

  get(key: Buffer): Buffer | undefined {
    try {
      return this.#db.getSync(key)
    } catch (error) {
      throw asStateError(error, this.dir)
    }
  }

  async page({ gte, lt }: KeyRange, { limit, reverse = false }: PageOptions): Promise<Entry[]> {
    try {
      const rows = this.#db.iterator({ gte, lt, limit, reverse })
      try {
        return await firstEntries(rows, limit)
      } finally {
        await rows.close()
      }
    } catch (error) {
      throw asStateError(error, this.dir)
    }
  }

  /** Bytes in files; what is only in memory and the write-ahead file is not counted. */
  async approximateBytes({ gte, lt }: KeyRange): Promise<number> {
    try {
      return await this.#db.approximateSize(gte, lt)
    } catch (error) {
      throw asStateError(error, this.dir)
    }
  }

  /** The batch is copied before this returns its promise. */
  write(ops: readonly WriteOp[], { sync = false }: { readonly sync?: boolean } = {}): Promise<void> {
    const writing = this.#write(ops, sync)
    this.#writing.add(writing)
    return writing.finally(() => this.#writing.delete(writing))
  }

  async #write(ops: readonly WriteOp[], sync: boolean): Promise<void> {
    try {
      if (this.#closing !== undefined) throw new Error('the database is closed')
      // Measured with 2,000 puts of 150 bytes: 640,000 puts/s chained, 435,000 as an array, which is copied and checked
      // object by object.
      const batch = this.#db.batch()
      for (const op of ops) {
        if (op.type === 'put') batch.put(op.key, op.value)
        else batch.del(op.key)
      }
      await batch.write({ sync })
    } catch (error) {
      throw asStateError(error, this.dir)
    }
  }

  /** The rows of one task in a database that several share: all keys begin with `prefix`. Closing it does nothing. */
  range(prefix: Buffer): StateBackend {
    return new LevelRange(this, prefix)
  }

  /**
   * Copies all rows as they are now into a new database in `dir`, while writes go on. The copy has an identity of its
   * own, and is synced when the promise resolves. Throws what `openLevelDb` throws, and `STATE_INCOMPATIBLE` when there
   * is a database in `dir` already.
   */
  async copyTo(dir: string): Promise<void> {
    const snapshot = this.#db.snapshot()
    try {
      const copy = await openLevelDb(dir, this.#options)
      try {
        const [first] = await copy.page({ gte: Buffer.alloc(0), lt: endOfKeys }, { limit: 1 })
        if (first !== undefined) throw new StateError('STATE_INCOMPATIBLE', `${dir} is not empty`)
        await this.#copyRows(copy, snapshot)
      } finally {
        await copy.close()
      }
    } catch (error) {
      throw asStateError(error, this.dir)
    } finally {
      await snapshot.close()
    }
  }

  async #copyRows(copy: LevelDatabase, snapshot: ReturnType<Database['snapshot']>): Promise<void> {
    const rows = this.#db.iterator({ snapshot, highWaterMarkBytes: copyBatchBytes })
    try {
      for (;;) {
        const page = await rows.nextv(copyBatchRows)
        if (page.length === 0) break
        // Every batch synced: a synced batch does not sync an older write-ahead file that is still needed.
        await copy.write(
          page.map(([key, value]) => ({ type: 'put', key, value })),
          { sync: true },
        )
      }
    } finally {
      await rows.close()
    }
  }

  /**
   * Writes tables anew, all or those over the range, without what was deleted or replaced. The disk holds both for a
   * while.
   */
  async compact({ gte, lt }: KeyRange = { gte: Buffer.alloc(0), lt: endOfKeys }): Promise<void> {
    try {
      await this.#db.compactRange(gte, lt)
    } catch (error) {
      throw asStateError(error, this.dir)
    }
  }

  /** Waits for the writes under way. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#writing)
    const failures: unknown[] = []
    for (const step of [recordClosed, releaseDirectory, () => this.#db.close()]) {
      await step(this.dir).catch((error: unknown) => failures.push(error))
    }
    if (failures.length === 0) return
    throw asStateError(failures.length === 1 ? failures[0] : new AggregateError(failures), this.dir)
  }
}

class LevelRange implements StateBackend {
  readonly prefix: Buffer
  readonly #database: LevelDatabase

  constructor(database: LevelDatabase, prefix: Buffer) {
    this.#database = database
    this.prefix = prefix
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

  write(ops: readonly WriteOp[], options?: { readonly sync?: boolean }): Promise<void> {
    return this.#database.write(ops, options)
  }

  async close(): Promise<void> {}
}

/**
 * LevelDB's binding makes room for as many rows as it is asked for at once, outside of what the garbage collector counts,
 * and keeps it until the iterator is collected: 64 kB each for 1,000 rows, where most pages have a few.
 */
async function firstEntries(
  rows: { nextv(size: number): Promise<[Buffer, Buffer][]> },
  limit: number,
): Promise<Entry[]> {
  const entries: Entry[] = []
  for (let size = firstReadRows; entries.length < limit; size = readRows) {
    const read = await rows.nextv(size)
    if (read.length === 0) break
    for (const [key, value] of read) entries.push({ key, value })
  }
  return entries
}

function asStateError(error: unknown, dir: string): StateError {
  if (error instanceof StateError) return error
  const code = levelCode(error)
  const detail = `${dir}: ${code ?? (error instanceof Error ? error.message : String(error))}`
  return new StateError(code === 'LEVEL_CORRUPTION' ? 'STATE_CORRUPT' : 'STATE_IO', detail, { cause: error })
}

/** LevelDB's own code, which an error at opening wraps in another. */
function levelCode(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && /^LEVEL_(?!DATABASE_NOT_OPEN)/.test(String(at.code))) return String(at.code)
  }
  return undefined
}
