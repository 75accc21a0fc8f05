/**
 * Pages of a store or of one of its indexes: committed rows, with the uncommitted ones merged over them in order.
 *
 * The pending overlay is looked up once, before the first read. When its commit ends while a page is being read, the
 * rows under it are either old or already new, and the overlay's rows win over both.
 */
import type { Entry, StateReader } from './backend.ts'
import { afterPrefix, endOfPart, int64At } from './bytes.ts'
import type { Cell } from './journal.ts'
import type { OrderedMap } from './ordered-map.ts'
import { rowKey } from './rows.ts'
import type { ScanRequest, ScanRow } from './stores.ts'
import type { Table, TableIndex } from './table.ts'

/** Committed rows read at a time. */
const pageRows = 1_000
/** Rows at most in one answer. */
export const maxScanRows = 100_000

/** The layers that hide committed rows. */
interface Overlays {
  readonly running: OrderedMap<Cell>
  readonly pending: OrderedMap<Cell> | undefined
}

/** A row by where it stands in the scan; `at` is the key of an index row, else the key itself. */
interface PlacedRow {
  readonly at: string
  readonly row: ScanRow
}

/** Committed and uncommitted rows. */
export function scanVisible(table: Table, request: ScanRequest): Promise<readonly ScanRow[]> {
  const index = indexOf(table, request)
  const overlays = { running: table.running, pending: table.pending }
  const dirty = index === undefined ? dirtyRows(overlays, request) : dirtyIndexRows(table, index, request)
  return merge(table, index, request, dirty, overlays)
}

/** Committed rows only. */
export function scanCommitted(table: Table, request: ScanRequest): Promise<readonly ScanRow[]> {
  return merge(table, indexOf(table, request), request, [], undefined)
}

function indexOf(table: Table, request: ScanRequest): TableIndex | undefined {
  if (!Number.isSafeInteger(request.limit) || request.limit < 0 || request.limit > maxScanRows) {
    throw new RangeError(`A scan takes a limit of 0 to ${maxScanRows} rows, not ${request.limit}`)
  }
  if (request.index === undefined) return undefined
  const index = table.indexes.find(({ name }) => name === request.index)
  if (index === undefined) throw new RangeError(`Store ${table.name} has no index ${request.index}`)
  return index
}

/** The first uncommitted rows in the scan's order, as many as it may answer. */
function dirtyRows(overlays: Overlays, { from, to, limit, reverse }: ScanRequest): PlacedRow[] {
  const rows: PlacedRow[] = []
  const running = overlays.running.range(from, to, reverse)
  const pending = (overlays.pending ?? noCells).range(from, to, reverse)
  let upper = running.next()
  let lower = pending.next()
  while (rows.length < limit) {
    let entry: [string, Cell]
    if (!upper.done && (lower.done || !isBefore(lower.value[0], upper.value[0], reverse))) {
      entry = upper.value
      if (!lower.done && lower.value[0] === entry[0]) lower = pending.next()
      upper = running.next()
    } else if (!lower.done) {
      entry = lower.value
      lower = pending.next()
    } else break
    const [key, { payload, value }] = entry
    if (payload !== null) rows.push({ at: key, row: { key, value } })
  }
  return rows
}

const noCells = { *range(): Generator<[string, Cell], void> {} }

function dirtyIndexRows(
  table: Table,
  index: TableIndex,
  { from, to, limit, reverse }: ScanRequest,
): PlacedRow[] {
  const rows: PlacedRow[] = []
  if (limit === 0) return rows
  for (const [at, key] of index.dirty.rows().range(from, to, reverse)) {
    rows.push({ at, row: { key, value: table.get(key), score: placeInIndex(at).score } })
    if (rows.length === limit) break
  }
  return rows
}

async function merge(
  table: Table,
  index: TableIndex | undefined,
  request: ScanRequest,
  dirty: readonly PlacedRow[],
  overlays: Overlays | undefined,
): Promise<readonly ScanRow[]> {
  const { limit, reverse } = request
  const rows: ScanRow[] = []
  let taken = 0
  const takeDirty = (before?: string): void => {
    for (; taken < dirty.length && rows.length < limit; taken++) {
      const { at, row } = dirty[taken] as PlacedRow
      if (before !== undefined && !isBefore(at, before, reverse)) return
      rows.push(row)
    }
  }
  for await (const page of committedPages(table.reader, index?.rows ?? table.rows, request)) {
    for (const entry of page) {
      const at = entry.key.toString('latin1', table.reader.prefix.length + (index ?? table).rows.length)
      const placed = index === undefined ? { key: at } : placeInIndex(at)
      if (overlays?.running.has(placed.key) || overlays?.pending?.has(placed.key)) continue
      takeDirty(at)
      if (rows.length >= limit) return rows
      rows.push({ ...placed, value: table.decode(entry) })
      if (rows.length >= limit) return rows
    }
  }
  takeDirty()
  return rows
}

async function* committedPages(
  reader: StateReader,
  rows: string,
  { from, to, limit, reverse }: ScanRequest,
): AsyncGenerator<readonly Entry[], void> {
  const end = to === undefined ? (afterPrefix(rows) as string) : rows + to
  let range = { gte: rowKey(reader.prefix, rows + from), lt: rowKey(reader.prefix, end) }
  const size = Math.min(limit, pageRows)
  while (size > 0 && Buffer.compare(range.gte, range.lt) < 0) {
    const page = await reader.page(range, { limit: size, reverse })
    yield page
    const last = page.at(-1)
    if (last === undefined || page.length < size) return
    range = reverse ? { gte: range.gte, lt: last.key } : { gte: successor(last.key), lt: range.lt }
  }
}

/** The primary key and the score in an index key. */
function placeInIndex(at: string): { key: string; score: number } {
  const score = endOfPart(at, 0) + 2
  return { key: at.slice(score + 8), score: 0 - int64At(at, score) }
}

/** The least key above `key`. */
function successor(key: Buffer): Buffer {
  return Buffer.concat([key], key.length + 1)
}

function isBefore(a: string, b: string, reverse: boolean): boolean {
  return reverse ? a > b : a < b
}
