/**
 * Committed rows of a store or an index, decoded, page by page.
 *
 * Rankings ask for the same first rows of a group again and again, and a new LevelDB iterator costs 60 µs each time. So
 * the first pages of index scans are kept until the next commit changes what is committed.
 */
import { afterPrefix, endOfPart, int64At } from './bytes.ts'
import { rowKey } from './rows.ts'
import type { ScanRequest, ScanRow } from './stores.ts'
import type { Table, TableIndex } from './table.ts'

/** Rows read at a time. */
const pageRows = 1_000
/** Pages kept per index, and the rows of one that is kept. */
const keptPages = 64
const keptPageRows = 100

/** A row by where it stands in the scan; `at` is the key of an index row, else the key itself. */
export interface PlacedRow {
  readonly at: string
  readonly row: ScanRow
}

export class PageCache {
  readonly #pages = new Map<string, readonly PlacedRow[]>()
  /** Grows when what is committed changes: a page that was read before must not be kept after. */
  generation = 0

  get(key: string): readonly PlacedRow[] | undefined {
    return this.#pages.get(key)
  }

  keep(key: string, page: readonly PlacedRow[], generation: number): void {
    if (generation !== this.generation) return
    if (this.#pages.size >= keptPages) this.#pages.delete(this.#pages.keys().next().value as string)
    this.#pages.set(key, page)
  }

  clear(): void {
    this.generation++
    this.#pages.clear()
  }
}

/** Pages until the range or the caller's need ends. `kept`: whether pages may come from the cache and go there. */
export async function* committedPages(
  table: Table,
  index: TableIndex | undefined,
  { from, to, limit, reverse }: ScanRequest,
  kept: boolean,
): AsyncGenerator<readonly PlacedRow[], void> {
  const size = Math.min(limit, pageRows)
  const pages = kept && size <= keptPageRows ? index?.pages : undefined
  for (let range = { from, to }; size > 0 && (range.to === undefined || range.from < range.to); ) {
    const page = await readPage(table, index, { ...range, limit: size, reverse }, pages)
    yield page
    const last = page.at(-1)
    if (last === undefined || page.length < size) return
    range = reverse ? { from: range.from, to: last.at } : { from: `${last.at}\x00`, to: range.to }
  }
}

type PageRequest = Pick<ScanRequest, 'from' | 'to' | 'limit' | 'reverse'>

async function readPage(
  table: Table,
  index: TableIndex | undefined,
  { from, to, limit, reverse }: PageRequest,
  pages: PageCache | undefined,
): Promise<readonly PlacedRow[]> {
  const generation = pages?.generation ?? 0
  // The bounds may hold any byte, so one of them comes with its length.
  const cacheKey =
    pages === undefined ? '' : `${limit}${reverse ? '<' : '>'}${from.length}:${from}${to ?? ''}`
  const found = pages?.get(cacheKey)
  if (found !== undefined) return found
  const { reader } = table
  const { rows } = index ?? table
  const end = to === undefined ? (afterPrefix(rows) as string) : rows + to
  const range = { gte: rowKey(reader.prefix, rows + from), lt: rowKey(reader.prefix, end) }
  const start = reader.prefix.length + rows.length
  const page = (await reader.page(range, { limit, reverse })).map((entry): PlacedRow => {
    const value = table.decode(entry)
    const at = entry.key.toString('latin1', start)
    return { at, row: index === undefined ? { key: at, value } : { ...placeInIndex(at), value } }
  })
  pages?.keep(cacheKey, page, generation)
  return page
}

/** The primary key and the score in an index key. */
export function placeInIndex(at: string): { key: string; score: number } {
  const score = endOfPart(at, 0) + 2
  return { key: at.slice(score + 8), score: 0 - int64At(at, score) }
}
