/**
 * The uncommitted rows of one index, in order. Built when the first scan of a batch asks, then kept up with the keys
 * touched since; a batch that never scans pays nothing.
 */
import type { Cell } from './journal.ts'
import { OrderedMap } from './ordered-map.ts'

interface DirtyRows {
  dirty(key: string): Cell | undefined
  indexKeysOf(key: string, cell: Cell): readonly (string | undefined)[]
  readonly running: OrderedMap<Cell>
  readonly pending: OrderedMap<Cell> | undefined
}

export class DirtyIndex {
  readonly #table: DirtyRows
  readonly #position: number
  /** Index key → primary key. */
  #rows: OrderedMap<string> | undefined
  readonly #byPrimary = new Map<string, string>()
  readonly #touched: string[] = []

  /** `position`: which of the table's indexes this is. */
  constructor(table: DirtyRows, position: number) {
    this.#table = table
    this.#position = position
  }

  /** The row of `key` changed in an overlay. */
  touched(key: string): void {
    if (this.#rows !== undefined) this.#touched.push(key)
  }

  /** An overlay was dropped. */
  forget(): void {
    this.#rows = undefined
    this.#byPrimary.clear()
    this.#touched.length = 0
  }

  rows(): OrderedMap<string> {
    let rows = this.#rows
    if (rows === undefined) {
      rows = this.#rows = new OrderedMap()
      for (const overlay of [this.#table.pending, this.#table.running]) {
        if (overlay !== undefined) for (const [key] of overlay.entries()) this.#sync(rows, key)
      }
    } else if (this.#touched.length > 0) {
      for (const key of this.#touched) this.#sync(rows, key)
      this.#touched.length = 0
    }
    return rows
  }

  #sync(rows: OrderedMap<string>, key: string): void {
    const before = this.#byPrimary.get(key)
    const cell = this.#table.dirty(key)
    const now = cell === undefined ? undefined : this.#table.indexKeysOf(key, cell)[this.#position]
    if (before === now) return
    if (before !== undefined) {
      rows.delete(before)
      this.#byPrimary.delete(key)
    }
    if (now !== undefined) {
      rows.set(now, key)
      this.#byPrimary.set(key, now)
    }
  }
}
