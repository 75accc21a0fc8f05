/**
 * Writes values of older versions anew, some at a time, beside the work of the task: each is put again as it is read,
 * and so becomes part of the running batch, of its indexes and of the changelog.
 *
 * Invariants:
 * 1. What a batch puts or deletes is never put back: only keys without an uncommitted row are rewritten, as they are
 *    committed at that moment.
 * 2. The store says that it has no older values only with, or after, the commit of the last that was rewritten.
 */
import { rowKey, rowVersion } from './rows.ts'
import type { Table } from './table.ts'

/** Rows looked at per batch. */
const SLICE_ROWS = 500

export class OldRows {
  readonly #table: Table
  /** Key, with store, from which on rows were not looked at; undefined: all were. */
  #from: string | undefined

  constructor(table: Table) {
    this.#table = table
    this.#from = table.rows
  }

  /** Every row was looked at; what was rewritten may not be committed yet. */
  get done(): boolean {
    return this.#from === undefined
  }

  /** Uncommitted work is void: begins anew. */
  discard(): void {
    this.#from = this.#table.rows
  }

  /** Looks at the next rows. Not while records are processed. Throws what reading throws. */
  async rewriteSome(): Promise<void> {
    const { reader, rows, spec } = this.#table
    const from = this.#from
    if (from === undefined) return
    const range = { gte: rowKey(reader.prefix, from), lt: rowKey(reader.prefix, `${rows.slice(0, -1)}\x01`) }
    const page = await reader.page(range, { limit: SLICE_ROWS })
    // A discard came meanwhile.
    if (this.#from !== from) return
    for (const { key, value } of page) {
      if (rowVersion(value) < spec.version)
        this.#rewrite(key.toString('latin1', reader.prefix.length + rows.length))
    }
    const last = page.at(-1)
    this.#from =
      last === undefined || page.length < SLICE_ROWS
        ? undefined
        : `${last.key.toString('latin1', reader.prefix.length)}\x00`
  }

  /** As it is committed now: while the page was read, a commit may have ended. */
  #rewrite(key: string): void {
    const table = this.#table
    if (table.dirty(key) !== undefined) return
    const value = table.readCommitted(key)
    if (value !== undefined) table.put(key, value)
  }
}
