/**
 * Numbers the batches of a LevelDB database, so that one that went missing in the middle is seen at open.
 *
 * Recent batches live in LevelDB's write-ahead files until they are written out as tables. When such a file is damaged
 * (one flipped bit is enough), LevelDB skips the damaged block and opens without a word: batches before and after it
 * are there, those inside are not. The same can come of a power cut, when an older file was not synced and a newer one
 * was. So every batch also puts one row under its number. A batch and its row are there or gone together: a hole in
 * the numbers is a lost batch. What to do then is the caller's to decide.
 *
 * Rows are kept as long as their batch may still be in a write-ahead file only: LevelDB fills at most two write
 * buffers, and a batch may overshoot, so a row goes once more than `2 × writeBufferBytes + the largest batch` was
 * written after it. Each row says which was the oldest kept when it was written, so that holes at the start show too.
 * A lost tail cannot be told from batches never written; there the database is simply older.
 *
 *   key    prefix ∣ number (8)
 *   value  oldest number kept (8) ∣ bytes of the batch (8) ∣ note ∣ CRC-32 over the number's bytes and the value (4)
 */
import { crc32 } from 'node:zlib'
import type { Entry, StateReader, WriteOp } from './backend.ts'
import { afterPrefix, int64At, int64Bytes, latin1 } from './bytes.ts'

const numberBytes = 8
const headBytes = 2 * numberBytes
const checksumBytes = 4
/** Rows read at a time. */
const pageRows = 1_000
/** Old rows deleted with one batch at most. */
const maxDeletes = 1_000

export interface RingRow {
  /** The batch's number. */
  readonly sequence: number
  /** Bytes of keys and values in the batch. */
  readonly bytes: number
  /** What the caller wanted to know of its newest batch. */
  readonly note: Buffer
}

/** What was found at open. */
export type RingVerdict =
  | { readonly state: 'whole'; readonly rows: readonly RingRow[] }
  /** `missing`: the first number that should be there and is not. */
  | { readonly state: 'hole'; readonly missing: number }
  /** `key`: the damaged row's key in hex. */
  | { readonly state: 'corrupt'; readonly key: string }

export interface RingOptions {
  /** What the ring's keys begin with; nothing else may. */
  readonly prefix: Buffer
  /** LevelDB's `writeBufferSize`, or the largest one the database was opened with. */
  readonly writeBufferBytes: number
  /** The kept rows, from a `whole` verdict; none for a new ring. */
  readonly rows?: readonly RingRow[]
  /** Number of the batch before the first; 0 unless told. Only for a new ring. */
  readonly last?: number
}

export class BatchRing {
  readonly #prefix: Buffer
  readonly #writeBufferBytes: number
  #kept: { readonly sequence: number; readonly bytes: number }[]
  /** Where the kept rows begin in `#kept`; what lies before is cut off now and then. */
  #start = 0
  #bytes = 0
  #largest = 0
  #last: number

  constructor({ prefix, writeBufferBytes, rows = [], last = 0 }: RingOptions) {
    this.#prefix = prefix
    this.#writeBufferBytes = writeBufferBytes
    this.#kept = rows.map(({ sequence, bytes }) => ({ sequence, bytes }))
    this.#last = rows.at(-1)?.sequence ?? last
    for (const { bytes } of rows) {
      this.#bytes += bytes
      this.#largest = Math.max(this.#largest, bytes)
    }
  }

  /** Number of the newest batch. */
  get last(): number {
    return this.#last
  }

  /**
   * The rows that go into the next batch, whose own keys and values take `bytes`. When the batch fails, the database
   * has to be opened again, and the ring with it.
   */
  next(bytes: number, note: Buffer = Buffer.alloc(0)): WriteOp[] {
    const sequence = this.#last + 1
    const row = this.#prefix.length + numberBytes + headBytes + note.length + checksumBytes
    const total = bytes + row
    this.#largest = Math.max(this.#largest, total)
    this.#bytes += total
    this.#kept.push({ sequence, bytes: total })
    this.#last = sequence
    const ops: WriteOp[] = this.#dropOld()
    const oldest = this.#kept[this.#start]?.sequence ?? sequence
    ops.push({ type: 'put', ...encodeRow(this.#prefix, oldest, { sequence, bytes: total, note }) })
    return ops
  }

  #dropOld(): WriteOp[] {
    const needed = 2 * this.#writeBufferBytes + this.#largest
    const ops: WriteOp[] = []
    while (ops.length < maxDeletes) {
      const row = this.#kept[this.#start]
      if (row === undefined || this.#bytes - row.bytes < needed) break
      this.#bytes -= row.bytes
      this.#start++
      ops.push({ type: 'del', key: rowKey(this.#prefix, row.sequence) })
    }
    if (this.#start > this.#kept.length / 2) {
      this.#kept = this.#kept.slice(this.#start)
      this.#start = 0
    }
    return ops
  }
}

/** Bytes of a batch as the ring counts them. */
export function bytesOf(ops: readonly WriteOp[]): number {
  let bytes = 0
  for (const op of ops) bytes += op.key.length + (op.type === 'put' ? op.value.length : 0)
  return bytes
}

/** Reads and checks the ring under `prefix`. Throws what the reader throws. */
export async function readRing(reader: StateReader, prefix: Buffer): Promise<RingVerdict> {
  const rows: Entry[] = []
  const end = afterPrefix(prefix.toString('latin1'))
  if (end === undefined) throw new RangeError('A ring needs a prefix that something comes after')
  let gte = prefix
  for (;;) {
    const page = await reader.page({ gte, lt: latin1(end) }, { limit: pageRows })
    rows.push(...page)
    const last = page.at(-1)
    if (last === undefined || page.length < pageRows) return verifyRing(prefix, rows)
    gte = Buffer.concat([last.key], last.key.length + 1)
  }
}

/** Checks the ring's rows, given in key order. */
export function verifyRing(prefix: Buffer, entries: readonly Entry[]): RingVerdict {
  const rows: RingRow[] = []
  let oldest = 0
  for (const entry of entries) {
    const decoded = decodeRow(prefix, entry)
    if (decoded === undefined) return { state: 'corrupt', key: entry.key.toString('hex') }
    rows.push(decoded.row)
    oldest = decoded.oldest
  }
  // An older row whose deletion was lost with its batch may lie before the oldest; that batch shows as a hole itself.
  const kept = rows.filter(({ sequence }) => sequence >= oldest)
  for (let i = 0; i < kept.length; i++) {
    if (kept[i]?.sequence !== oldest + i) return { state: 'hole', missing: oldest + i }
  }
  return { state: 'whole', rows: kept }
}

function encodeRow(prefix: Buffer, oldest: number, { sequence, bytes, note }: RingRow): Entry {
  const value = Buffer.allocUnsafe(headBytes + note.length + checksumBytes)
  value.write(int64Bytes(oldest) + int64Bytes(bytes), 0, 'latin1')
  value.set(note, headBytes)
  const key = rowKey(prefix, sequence)
  value.writeUInt32BE(checksum(prefix, key, value), value.length - checksumBytes)
  return { key, value }
}

function decodeRow(prefix: Buffer, { key, value }: Entry): { row: RingRow; oldest: number } | undefined {
  if (key.length !== prefix.length + numberBytes || value.length < headBytes + checksumBytes) return undefined
  if (checksum(prefix, key, value) !== value.readUInt32BE(value.length - checksumBytes)) return undefined
  const head = value.toString('latin1', 0, headBytes)
  const sequence = int64At(key.toString('latin1', prefix.length))
  const note = value.subarray(headBytes, value.length - checksumBytes)
  return { row: { sequence, bytes: int64At(head, numberBytes), note }, oldest: int64At(head) }
}

function rowKey(prefix: Buffer, sequence: number): Buffer {
  return Buffer.concat([prefix, latin1(int64Bytes(sequence))])
}

function checksum(prefix: Buffer, key: Buffer, value: Buffer): number {
  return crc32(value.subarray(0, value.length - checksumBytes), crc32(key.subarray(prefix.length)))
}
