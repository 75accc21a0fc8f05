/**
 * Compaction of one partition: of each key the last record stays, and every offset keeps its place.
 *
 * A pass reads the part that is not clean yet and remembers each key's last offset there; then it goes over the rows
 * from the start of the partition in offset order, takes out what is superseded, and writes neighbouring rows together
 * as one that covers all their offsets. Each rewritten group is one small batch. Since older values go before the
 * tombstone that deleted them, a crash in between brings no value back.
 */
import type { WriteOp } from '../../state/index.ts'
import type { LogRecord } from '../../streams/index.ts'
import type { Catalog, PartitionState } from './catalog.ts'
import { logKey } from './keys.ts'
import { MAX_ROW_RECORDS, RowEncoder } from './log-row.ts'
import type { EmbeddedLogLimits } from './options.ts'
import type { ReadPage } from './reader.ts'
import type { CachedRow } from './tail-cache.ts'
import type { Upkeep } from './upkeep.ts'

/** Keys remembered in one pass; a partition with more takes several. */
const MAX_KEYS = 200_000
/** A pass is worth it once this part of the partition's bytes is not clean. */
const DIRTY_SHARE = 0.3

/** What the last pass left. Only in memory: after a start the first pass looks at everything. */
export interface CompactionState {
  /** Offset before which every key has one record at most. */
  cleanedTo: number
  /** The partition's bytes right after the pass. */
  cleanBytes: number
  /** Append time of the oldest tombstone that was kept. */
  oldestTombstone: number
}

export interface CompactionParts {
  readonly catalog: Catalog
  readonly upkeep: Upkeep
  readonly readPage: ReadPage
  readonly limits: EmbeddedLogLimits
}

export interface CompactionBounds {
  /** Offsets from here on are left alone. */
  readonly limit: number
  /** Tombstones appended before this time go; epoch milliseconds. */
  readonly tombstonesBefore: number
  readonly stopping: () => boolean
}

/** Answers how many records were taken out. Throws `LOG_RECORD_CORRUPT`; what is done by then stays. */
export async function compactPartition(
  parts: CompactionParts,
  partition: PartitionState,
  state: CompactionState,
  bounds: CompactionBounds,
): Promise<number> {
  const dirty = partition.bytes - state.cleanBytes >= partition.bytes * DIRTY_SHARE
  const hasNew = bounds.limit > state.cleanedTo && dirty
  if (!hasNew && state.oldestTombstone >= bounds.tombstonesBefore) return 0
  const { latest, upTo } = await latestOffsets(parts, partition, state.cleanedTo, bounds.limit)
  if (upTo <= partition.start) return 0
  const pass = new Pass(parts, partition, latest, bounds)
  await pass.run(upTo)
  if (bounds.stopping()) return pass.removed
  state.cleanedTo = upTo
  state.cleanBytes = partition.bytes
  state.oldestTombstone = pass.oldestTombstone
  return pass.removed
}

/** The last offset of every key between `from` and `limit`, and how far the memory for keys reached. */
async function latestOffsets(
  { readPage }: CompactionParts,
  partition: PartitionState,
  from: number,
  limit: number,
): Promise<{ latest: ReadonlyMap<string, number>; upTo: number }> {
  const latest = new Map<string, number>()
  let upTo = from
  while (upTo < limit && latest.size < MAX_KEYS) {
    const { rows, fault } = await readPage(partition, upTo, limit)
    for (const row of rows) {
      for (const { key, offset } of row.records) if (key !== null) latest.set(key.toString('latin1'), offset)
      upTo = row.header.lastOffset + 1
    }
    if (fault !== undefined) throw fault
    // The row that reaches over the limit stays as it is.
    if (rows.length === 0) break
  }
  return { latest, upTo }
}

/** Rows that become one. */
interface Group {
  readonly rows: CachedRow[]
  readonly kept: LogRecord[]
  keptBytes: number
  removed: number
}

class Pass {
  removed = 0
  oldestTombstone = Number.POSITIVE_INFINITY
  readonly #parts: CompactionParts
  readonly #partition: PartitionState
  readonly #latest: ReadonlyMap<string, number>
  readonly #bounds: CompactionBounds
  readonly #encoder: RowEncoder

  constructor(
    parts: CompactionParts,
    partition: PartitionState,
    latest: ReadonlyMap<string, number>,
    bounds: CompactionBounds,
  ) {
    this.#parts = parts
    this.#partition = partition
    this.#latest = latest
    this.#bounds = bounds
    this.#encoder = new RowEncoder(parts.catalog)
  }

  async run(upTo: number): Promise<void> {
    const { readPage, limits } = this.#parts
    let group: Group = emptyGroup()
    let next = this.#partition.start
    while (next < upTo && !this.#bounds.stopping()) {
      const { rows, fault } = await readPage(this.#partition, next, upTo)
      if (fault !== undefined) throw fault
      if (rows.length === 0) break
      for (const row of rows) {
        const full = group.keptBytes + row.bytes > limits.housekeepingSliceBytes
        if (group.rows.length > 0 && (full || group.kept.length + row.header.count > MAX_ROW_RECORDS)) {
          await this.#write(group)
          group = emptyGroup()
        }
        this.#sift(row, group)
        next = row.header.lastOffset + 1
      }
    }
    await this.#write(group)
  }

  #sift(row: CachedRow, group: Group): void {
    group.rows.push(row)
    const share = row.bytes / Math.max(1, row.header.count)
    for (const record of row.records) {
      if (this.#isGone(record)) {
        group.removed++
      } else {
        group.kept.push(record)
        group.keptBytes += share
        if (isTombstone(record)) this.oldestTombstone = Math.min(this.oldestTombstone, record.appendTime)
      }
    }
  }

  #isGone(record: LogRecord): boolean {
    if (record.key === null) return false
    const last = this.#latest.get(record.key.toString('latin1'))
    if (last !== undefined && record.offset < last) return true
    return isTombstone(record) && record.appendTime < this.#bounds.tombstonesBefore
  }

  /** One batch: the group's row in, the rows it was made of out. A single row that loses nothing stays as it is. */
  async #write({ rows, kept, removed }: Group): Promise<void> {
    const first = rows[0]
    const last = rows.at(-1)
    if (first === undefined || last === undefined || (rows.length === 1 && removed === 0)) return
    const { topic, topicNumber, partition: number } = this.#partition
    const place = {
      topic: topicNumber,
      partition: number,
      appendTime: last.header.appendTime,
      appendTimestamps: this.#parts.catalog.topic(topic).spec.timestamps === 'LogAppendTime',
    }
    const row = this.#encoder.encodeCompacted(place, kept, first.header.baseOffset, last.header.lastOffset)
    const ops: WriteOp[] = rows
      .slice(0, -1)
      .map(({ header }) => ({ type: 'del', key: logKey(topicNumber, number, header.lastOffset) }))
    ops.push({ type: 'put', key: row.key, value: row.value })
    let bytes = -row.key.length - row.value.length
    for (const old of rows) bytes += old.bytes
    await this.#parts.upkeep.write((draft) => {
      draft.ops.push(...ops)
      draft.trims.set(this.#partition, { start: this.#partition.start, bytes })
    })
    this.removed += removed
  }
}

function emptyGroup(): Group {
  return { rows: [], kept: [], keptBytes: 0, removed: 0 }
}

function isTombstone(record: LogRecord): boolean {
  return record.value === null
}
