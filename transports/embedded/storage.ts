/**
 * The one database: opened and checked, written one batch at a time, opened again when a write failed.
 *
 * After a failed write the write-ahead file may end in half a batch, behind which LevelDB would go on writing what it
 * could not read back. So the database is closed, opened and checked before anything else is written; then it shows
 * whether the batch is there.
 */
import {
  BatchRing,
  bytesOf,
  isStateError,
  type LevelDatabase,
  type RingRow,
  type WriteOp,
} from '../../state/index.ts'
import { isStreamsError, StreamsError } from '../../streams/index.ts'
import { Acknowledged } from './acknowledged.ts'
import { ringPrefix } from './keys.ts'
import { type Recovered, recover } from './recovery.ts'
import { type BatchNote, encodeNote } from './small-rows.ts'

/** What the log needs of a database; tests put faults in between. */
export type LogDatabase = Pick<
  LevelDatabase,
  'dir' | 'prefix' | 'get' | 'page' | 'approximateBytes' | 'write' | 'copyTo' | 'compact' | 'close'
>

export interface StorageOptions {
  readonly directory: string
  readonly writeBufferBytes: number
  readonly sync: boolean
  /** Opens the database in `directory`. */
  readonly open: () => Promise<LogDatabase>
}

/** Whether a batch whose write failed is in the database all the same. */
export type Outcome = 'written' | 'not written' | 'unknown'

export class Storage {
  readonly #options: StorageOptions
  readonly #acknowledged: Acknowledged
  #db: LogDatabase | undefined
  #ring: BatchRing
  #lastSequence: number
  #reopening: Promise<void> | undefined
  #closed = false

  private constructor(
    options: StorageOptions,
    acknowledged: Acknowledged,
    db: LogDatabase,
    found: Recovered,
  ) {
    this.#options = options
    this.#acknowledged = acknowledged
    this.#db = db
    this.#ring = this.#newRing(found.ring)
    this.#lastSequence = found.sequence
  }

  /**
   * Throws `LOG_CORRUPT`, or the database's own `STATE_LOCKED`, `STATE_INCOMPATIBLE`, `STATE_MISSING`, `STATE_IO`.
   */
  static async open(options: StorageOptions): Promise<{ storage: Storage; recovered: Recovered }> {
    const db = await openChecked(options)
    try {
      const acknowledged = Acknowledged.open(options.directory)
      try {
        const recovered = await recoverChecked(db, acknowledged.last)
        return { storage: new Storage(options, acknowledged, db, recovered), recovered }
      } catch (error) {
        acknowledged.close()
        throw error
      }
    } catch (error) {
      await db.close()
      throw error
    }
  }

  /** Number of the last batch that is durable. */
  get sequence(): number {
    return this.#lastSequence
  }

  /** False after a failed write, until `reopen` succeeds. */
  get usable(): boolean {
    return this.#db !== undefined
  }

  /** The open database. Throws `LOG_WRITE_FAILED` while it could not be opened again, `LOG_CLOSED` after the end. */
  get db(): LogDatabase {
    if (this.#closed) throw new StreamsError('LOG_CLOSED', 'its database is closed')
    if (this.#db === undefined)
      throw new StreamsError('LOG_WRITE_FAILED', 'its database is being opened again')
    return this.#db
  }

  /** The database, once it is open again where it is being opened. */
  async ready(): Promise<LogDatabase> {
    await this.#reopening?.catch(() => undefined)
    return this.db
  }

  /**
   * One batch, durable when the promise resolves; answers its bytes. One at a time. After an error only `reopen` tells
   * what became of it.
   */
  async write(ops: readonly WriteOp[], note: BatchNote): Promise<number> {
    const { db } = this
    const bytes = bytesOf(ops)
    const ring = this.#ring.next(bytes, encodeNote(note))
    await db.write([...ops, ...ring], { sync: this.#options.sync })
    this.#acknowledged.set(this.#ring.last)
    this.#lastSequence = this.#ring.last
    return bytes
  }

  /** After a failed write: opens the database again and says whether the batch is there. */
  async reopen(): Promise<{ outcome: Outcome; recovered?: Recovered; cause?: unknown }> {
    let done = () => {}
    this.#reopening = new Promise((resolve) => (done = resolve))
    const broken = this.#db
    this.#db = undefined
    try {
      await broken?.close().catch(() => undefined)
      const db = await openChecked(this.#options)
      try {
        const recovered = await recoverChecked(db, this.#lastSequence)
        const outcome = this.#judge(recovered)
        this.#db = db
        this.#ring = this.#newRing(recovered.ring)
        this.#lastSequence = recovered.sequence
        if (outcome === 'written') this.#acknowledged.set(recovered.sequence)
        return { outcome, recovered }
      } catch (error) {
        await db.close()
        throw error
      }
    } catch (cause) {
      return { outcome: 'unknown', cause }
    } finally {
      this.#reopening = undefined
      done()
    }
  }

  #judge({ sequence }: Recovered): Outcome {
    const tried = this.#ring.last
    if (sequence === tried && tried > this.#lastSequence) return 'written'
    if (sequence === this.#lastSequence) return 'not written'
    throw new StreamsError('LOG_CORRUPT', `its last batch is ${sequence}; ${this.#lastSequence} was expected`)
  }

  #newRing(rows: readonly RingRow[]): BatchRing {
    const { writeBufferBytes } = this.#options
    return new BatchRing({ prefix: ringPrefix, writeBufferBytes, rows })
  }

  /** Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#acknowledged.close()
    await this.#db?.close()
  }
}

async function openChecked({ open }: StorageOptions): Promise<LogDatabase> {
  try {
    return await open()
  } catch (error) {
    throw asCorrupt(error)
  }
}

async function recoverChecked(db: LogDatabase, acknowledged: number): Promise<Recovered> {
  try {
    return await recover(db, acknowledged)
  } catch (error) {
    throw asCorrupt(error)
  }
}

/** Damage is the log's to report; who holds the directory or cannot read the disk is the database's. */
function asCorrupt(error: unknown): unknown {
  if (isStateError(error, 'STATE_CORRUPT'))
    return new StreamsError('LOG_CORRUPT', error.detail, { cause: error })
  if (error instanceof RangeError && !isStreamsError(error)) {
    return new StreamsError('LOG_CORRUPT', 'a row cannot be decoded', { cause: error })
  }
  return error
}
