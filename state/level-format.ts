/**
 * Reads LevelDB's files as far as it takes to tell whether they are damaged: the framing of write-ahead and manifest
 * files, the version edits of a manifest, and the blocks of a table.
 *
 * LevelDB checks less than its files allow: it reads tables without looking at their checksums, and what looks like the
 * torn end of a file it passes over. Pure functions over whole files; formats after LevelDB's `doc/log_format.md`,
 * `doc/table_format.md` and `db/version_edit.cc` (1.20).
 */
import { crc32c, masked } from './crc32c.ts'
import { snappyBytes } from './snappy.ts'

const logBlockBytes = 32_768
const logHeaderBytes = 7
const footerBytes = 48
/** Type of compression and checksum behind every block of a table. */
const trailerBytes = 5
const snappy = 1
const magicLow = 0x8b80fb57
const magicHigh = 0xdb477524

export interface LogRecords {
  readonly records: readonly Buffer[]
  /** The file ends within a record: what a crash in the middle of a write leaves. */
  readonly torn: boolean
}

/** Kinds of a record's pieces. */
const whole = 1
const first = 2
const last = 4

/** The records of a manifest or write-ahead file. Throws a `RangeError` with the offset of damage. */
export function readLogRecords(file: Buffer): LogRecords {
  const records: Buffer[] = []
  let pieces: Buffer[] = []
  let at = 0
  while (at < file.length) {
    const left = logBlockBytes - (at % logBlockBytes)
    if (left < logHeaderBytes) {
      at += left
      continue
    }
    const length = at + logHeaderBytes <= file.length ? file.readUInt16LE(at + 4) : left
    const end = at + logHeaderBytes + length
    if (length > left - logHeaderBytes && at + logHeaderBytes <= file.length)
      throw damage('record length', at)
    if (end > file.length) return { records, torn: true }
    const type = file[at + 6] as number
    if (masked(crc32c(file.subarray(at + 6, end))) !== file.readUInt32LE(at)) throw damage('record', at)
    const opens = type === whole || type === first
    if (type < whole || type > last || opens !== (pieces.length === 0)) throw damage('record type', at)
    pieces.push(file.subarray(at + logHeaderBytes, end))
    if (type === whole || type === last) {
      records.push(Buffer.concat(pieces))
      pieces = []
    }
    at = end
  }
  return { records, torn: pieces.length > 0 }
}

/** Tags of a version edit. */
const comparator = 1
const logNumber = 2
const nextFile = 3
const lastSequence = 4
const compactPointer = 5
const deletedFile = 6
const newFile = 7
const previousLog = 9

/** What the edits of a manifest add up to. */
export interface Version {
  /** Number of the oldest write-ahead file that is needed; 0 when there is none yet. */
  readonly log: number
  /** Number → bytes of every table in use. Others are left over from compactions that did not end. */
  readonly tables: ReadonlyMap<number, number>
}

export function readVersion(edits: readonly Buffer[]): Version {
  const tables = new Map<number, number>()
  let log = 0
  for (const edit of edits) {
    const fields = new Fields(edit)
    while (!fields.ended) {
      const tag = fields.number()
      if (tag === logNumber) log = fields.number()
      else if (tag === nextFile || tag === lastSequence || tag === previousLog) fields.number()
      else if (tag === comparator) fields.bytes()
      else if (tag === compactPointer) fields.skip('number', 'bytes')
      else if (tag === deletedFile) {
        fields.skip('number')
        tables.delete(fields.number())
      } else if (tag === newFile) {
        fields.skip('number')
        tables.set(fields.number(), fields.number())
        fields.skip('bytes', 'bytes')
      } else throw damage(`edit tag ${tag}`, 0)
    }
  }
  return { log, tables }
}

/** Checks every block of a table file. Throws a `RangeError` with the offset of damage. */
export function checkTable(file: Buffer): void {
  const footerAt = file.length - footerBytes
  if (footerAt < 0) throw damage('table of no footer', 0)
  if (file.readUInt32LE(file.length - 8) !== magicLow || file.readUInt32LE(file.length - 4) !== magicHigh) {
    throw damage('footer', footerAt)
  }
  const footer = new Fields(file.subarray(footerAt))
  const metaIndex = { at: footer.number(), length: footer.number() }
  const index = { at: footer.number(), length: footer.number() }
  let end = 0
  // Blocks lie one behind the other: data, filters, their two indexes. A gap would be bytes that nobody checks.
  for (const handle of [...handlesIn(file, index), ...handlesIn(file, metaIndex), metaIndex, index]) {
    if (handle.at !== end) throw damage('block order', handle.at)
    blockAt(file, handle)
    end = handle.at + handle.length + trailerBytes
  }
  if (end !== footerAt) throw damage('block order', end)
}

interface Handle {
  readonly at: number
  readonly length: number
}

function blockAt(file: Buffer, { at, length }: Handle): Buffer {
  const end = at + length
  if (end + trailerBytes > file.length) throw damage('block handle', at)
  if (masked(crc32c(file.subarray(at, end + 1))) !== file.readUInt32LE(end + 1)) throw damage('block', at)
  return file.subarray(at, end)
}

/** The values of an index block: where other blocks lie. */
function handlesIn(file: Buffer, handle: Handle): Handle[] {
  const stored = blockAt(file, handle)
  const block = file[handle.at + handle.length] === snappy ? snappyBytes(stored) : stored
  const restarts = block.readUInt32LE(block.length - 4)
  const entries = new Fields(block.subarray(0, block.length - 4 * (restarts + 1)))
  const handles: Handle[] = []
  while (!entries.ended) {
    entries.number()
    const keyBytes = entries.number()
    const valueBytes = entries.number()
    entries.take(keyBytes)
    const value = new Fields(entries.take(valueBytes))
    handles.push({ at: value.number(), length: value.number() })
  }
  return handles
}

/** Numbers of seven bits a byte, lowest first, and byte strings behind their length. */
class Fields {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get ended(): boolean {
    return this.#at >= this.#bytes.length
  }

  number(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined || scale > 2 ** 49) throw damage('number', this.#at)
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }

  bytes(): Buffer {
    return this.take(this.number())
  }

  take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.length) throw damage('length', this.#at)
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }

  skip(...kinds: readonly ('number' | 'bytes')[]): void {
    for (const kind of kinds) this[kind]()
  }
}

function damage(what: string, offset: number): RangeError {
  return new RangeError(`damaged ${what} at offset ${offset}`)
}
