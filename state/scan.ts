/**
 * Pages of a store or of one of its indexes: committed rows, with the uncommitted ones merged over them in order.
 *
 * The pending overlay is looked up once, before the first read. When its commit ends while a page is being read, the
 * rows under it are either old or already new, and the overlay's rows win over both.
 */
import { committedPages, type PlacedRow, placeInIndex } from './committed-pages.ts'
import type { Cell } from './journal.ts'
import type { OrderedMap } from './ordered-map.ts'
import type { ScanRequest, ScanRow } from './stores.ts'
import type { Table, TableIndex } from './table.ts'

/** Rows at most in one answer. */
export const maxScanRows = 100_000

/** The layers that hide committed rows. */
interface Overlays {
  readonly running: OrderedMap<Cell>
  readonly pending: OrderedMap<Cell> | undefined
}

/** Committed and uncommitted rows. */
export async function scanVisible(table: Table, request: ScanRequest): Promise<readonly ScanRow[]> {
  const index = indexOf(table, request)
  const overlays = { running: table.running, pending: table.pending }
  const dirty =
    index === undefined ? dirtyRows(table, overlays, request) : dirtyIndexRows(table, index, request)
  return merge(table, index, request, dirty, overlays)
}

/** Committed rows only. */
export async function scanCommitted(table: Table, request: ScanRequest): Promise<readonly ScanRow[]> {
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
function dirtyRows(table: Table, overlays: Overlays, { from, to, limit, reverse }: ScanRequest): PlacedRow[] {
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
    const [key, cell] = entry
    if (cell.payload !== null) rows.push({ at: key, row: { key, value: table.valueOf(cell) } })
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
  for await (const page of committedPages(table, index, request, overlays !== undefined)) {
    for (const { at, row } of page) {
      if (overlays?.running.has(row.key) || overlays?.pending?.has(row.key)) continue
      takeDirty(at)
      if (rows.length >= limit) return rows
      rows.push(row)
      if (rows.length >= limit) return rows
    }
  }
  takeDirty()
  return rows
}

function isBefore(a: string, b: string, reverse: boolean): boolean {
  return reverse ? a > b : a < b
}
