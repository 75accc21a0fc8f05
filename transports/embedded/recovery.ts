/**
 * What a database says about itself when it is opened, and whether that can be true.
 *
 * LevelDB opens a damaged write-ahead file or manifest without a word: batches are missing then. So, in this order:
 *
 * 1. Batch numbers in the ring have no hole and reach the last one that was acknowledged.
 * 2. Ends of partitions follow from the bounds row and the notes of the batches after it. The last row of each
 *    partition ends exactly there.
 * 3. Every log row that a batch in the write-ahead files noted is there, with the right checksum.
 *
 * Anything else is `LOG_CORRUPT`, naming the place. Nothing is repaired.
 */
import { type Entry, type KeyRange, readRing, type RingRow } from '../../state/index.ts'
import { StreamsError } from '../../streams/index.ts'
import { Catalog, type PartitionState, topicFromJson } from './catalog.ts'
import { boundsKey, lastOffsetOf, logKey, logRange, rangeOf, ringPrefix } from './keys.ts'
import { type Bounds, decodeBounds, decodeNote, type RowNote, unsealed, unsealedJson } from './small-rows.ts'
import type { LogDatabase } from './storage.ts'
import { checkedHeader, type RowHeader } from './stored-record.ts'

/** Rows read at a time. */
const PAGE_ROWS = 1_000

export interface Recovered {
  readonly catalog: Catalog
  /** The ring's rows: what `BatchRing` goes on from. */
  readonly ring: readonly RingRow[]
  /** Number of the last batch; 0 in a new database. */
  readonly sequence: number
  /** Append time of the last batch, epoch milliseconds; 0 in a new database. */
  readonly appendTime: number
}

/** Throws `LOG_CORRUPT`. `acknowledged`: the last batch that is known to have been durable, 0 when none is. */
export async function recover(db: LogDatabase, acknowledged: number): Promise<Recovered> {
  const catalog = await readCatalog(db)
  const verdict = await readRing(db, ringPrefix)
  if (verdict.state === 'corrupt') throw damaged(`the ring's row ${verdict.key}`)
  if (verdict.state === 'hole') throw damaged(`batch ${verdict.missing} is missing`)
  const ring = verdict.rows
  const sequence = ring.at(-1)?.sequence ?? 0
  if (sequence < acknowledged) {
    throw damaged(`batches ${sequence + 1} to ${acknowledged} were acknowledged and are missing`)
  }
  const bounds = readBounds(db)
  if (
    bounds === undefined ? (ring[0]?.sequence ?? 1) !== 1 : (ring[0]?.sequence ?? 0) > bounds.sequence + 1
  ) {
    throw damaged('the bounds of the partitions are missing')
  }
  let appendTime = 0
  if (bounds !== undefined) {
    appendTime = bounds.appendTime
    for (const { topic, partition, start, end, bytes } of bounds.partitions) {
      Object.assign(partitionOf(catalog, topic, partition), { start, end, bytes })
    }
  }
  for (const row of ring) {
    const note = decodeNote(row.note)
    appendTime = Math.max(appendTime, note.appendTime)
    if (row.sequence > (bounds?.sequence ?? 0)) for (const rows of note.rows) advance(catalog, rows)
    for (const rows of note.rows) await checkRow(db, partitionOf(catalog, rows.topic, rows.partition), rows)
  }
  for (const partition of catalog.partitions) await checkEnd(db, partition)
  return { catalog, ring, sequence, appendTime }
}

async function readCatalog(db: LogDatabase): Promise<Catalog> {
  const catalog = new Catalog()
  for (const { key, value } of await readAll(db, rangeOf('topic'))) {
    catalog.set(key.readUInt16BE(1), topicFromJson(unsealedJson(key, value, 'a topic')))
  }
  return catalog
}

function readBounds(db: LogDatabase): Bounds | undefined {
  const value = db.get(boundsKey)
  return value === undefined
    ? undefined
    : decodeBounds(unsealed(boundsKey, value, 'the bounds of the partitions'))
}

function advance(catalog: Catalog, note: RowNote): void {
  const partition = partitionOf(catalog, note.topic, note.partition)
  if (note.baseOffset !== partition.end) {
    throw damaged(`${nameOf(partition)} goes on at ${note.baseOffset} after ${partition.end}`)
  }
  partition.end = note.lastOffset + 1
  partition.bytes += note.bytes
}

/** A row that a batch noted is there, unless retention took it or compaction put a larger one in its place. */
async function checkRow(db: LogDatabase, partition: PartitionState, note: RowNote): Promise<void> {
  if (note.lastOffset < partition.start) return
  const key = logKey(note.topic, note.partition, note.lastOffset)
  const value = db.get(key)
  if (value !== undefined) {
    checkedRow(partition, key, value)
    return
  }
  const [covering] = await db.page(logRange(note.topic, note.partition, note.lastOffset), { limit: 1 })
  const header = covering === undefined ? undefined : checkedRow(partition, covering.key, covering.value)
  if (header === undefined || header.baseOffset > note.baseOffset) {
    throw damaged(`${nameOf(partition)} has lost its offsets ${note.baseOffset} to ${note.lastOffset}`)
  }
}

async function checkEnd(db: LogDatabase, partition: PartitionState): Promise<void> {
  const { topicNumber, start, end } = partition
  const [row] = await db.page(logRange(topicNumber, partition.partition, 0), { limit: 1, reverse: true })
  const found = row === undefined ? start : lastOffsetOf(row.key) + 1
  if (found !== end) throw damaged(`${nameOf(partition)} ends at ${found}, not at ${end}`)
  if (row !== undefined) checkedRow(partition, row.key, row.value)
}

function checkedRow(partition: PartitionState, key: Buffer, value: Buffer): RowHeader {
  try {
    return checkedHeader(partition, key, value)
  } catch (cause) {
    throw new StreamsError('LOG_CORRUPT', cause instanceof StreamsError ? cause.detail : nameOf(partition), {
      cause,
    })
  }
}

function partitionOf(catalog: Catalog, topic: number, partition: number): PartitionState {
  const state = catalog.numbered(topic, partition)
  if (state === undefined) throw damaged(`topic ${topic}, partition ${partition} is not among the topics`)
  return state
}

function nameOf({ topic, partition }: PartitionState): string {
  return `${topic}-${partition}`
}

function damaged(what: string): StreamsError {
  return new StreamsError('LOG_CORRUPT', what)
}

/** All rows of a range that is known to be small. */
export async function readAll(db: Pick<LogDatabase, 'page'>, range: KeyRange): Promise<Entry[]> {
  const rows: Entry[] = []
  let gte = range.gte
  for (;;) {
    const page = await db.page({ gte, lt: range.lt }, { limit: PAGE_ROWS })
    rows.push(...page)
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE_ROWS) return rows
    gte = Buffer.concat([last.key, Buffer.of(0)])
  }
}
