/** Pages of log rows from the disk: checked, joined, bounded in bytes. */
import type { Entry, KeyRange, PageOptions } from '../../state/index.ts'
import { isStreamsError } from '../../streams/index.ts'
import type { PartitionState } from './catalog.ts'
import { logRange } from './keys.ts'
import type { TopicNumbers } from './lineage.ts'
import type { Page, ReadPage } from './reader.ts'
import { checkedHeader, corrupt } from './stored-record.ts'
import { CachedRow } from './tail-cache.ts'

/** Rows of the first page of a partition, before their size is known. */
const FIRST_ROWS = 4
const MAX_ROWS = 1_000

/** The open database, once there is one. */
export type RowSource = () => Promise<{ page(range: KeyRange, options: PageOptions): Promise<Entry[]> }>

/**
 * Pages of about `pageBytes`, at least one row. The database answers a number of rows, so that follows from the size of
 * the rows that the partition's last page had.
 */
export function pageReader(source: RowSource, topics: TopicNumbers, pageBytes: number): ReadPage {
  const rowsPerPage = new WeakMap<PartitionState, number>()

  return async (partition, from, end) => {
    const { topicNumber, partition: number } = partition
    const range = { gte: logRange(topicNumber, number, from).gte, lt: logRange(topicNumber, number, end).gte }
    const limit = rowsPerPage.get(partition) ?? FIRST_ROWS
    let entries: readonly Entry[]
    try {
      entries = await (await source()).page(range, { limit })
    } catch (cause) {
      if (isStreamsError(cause)) throw cause
      throw corrupt(partition, from, 'it cannot be read', cause)
    }
    let bytes = 0
    for (const { value } of entries) bytes += value.length
    if (entries.length > 0) {
      const fitting = Math.floor((pageBytes * entries.length) / bytes)
      // Not more than doubled: the rows to come may be larger.
      rowsPerPage.set(partition, Math.max(1, Math.min(fitting, limit * 2, MAX_ROWS)))
    }
    return joined(partition, entries, from, topics)
  }
}

/** The rows up to the first that is damaged or does not join; the first may cover offsets before the one asked for. */
function joined(
  partition: PartitionState,
  entries: readonly Entry[],
  from: number,
  topics: TopicNumbers,
): Page {
  const rows: CachedRow[] = []
  // Below the start there is nothing to join: retention was faster than the reader, who will say so.
  let next = Math.max(from, partition.start)
  try {
    for (const { key, value } of entries) {
      const header = checkedHeader(partition, key, value)
      if (rows.length === 0 ? header.baseOffset > next : header.baseOffset !== next) {
        throw corrupt(partition, header.lastOffset, `it begins at ${header.baseOffset}, not at ${next}`)
      }
      next = header.lastOffset + 1
      rows.push(new CachedRow(partition, header, value, topics))
    }
  } catch (error) {
    return { rows, fault: error as Error }
  }
  return { rows }
}
