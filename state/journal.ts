/**
 * What was overwritten since the last mark, so that a record whose processor threw leaves no trace.
 *
 * A cell written since the mark carries the current epoch and is changed in place: only the first write of a key after
 * a mark costs a journal entry, and marking costs nothing but a number.
 */
export interface Cell {
  /** The epoch of the journal in which this cell was made. */
  epoch: number
  /** The decoded value; `undefined` when deleted. */
  value: unknown
  /** The encoded value; `null` when deleted. */
  payload: Buffer | null
  /** Per index of the store, the row's key there, if it has one; absent until somebody needs it. */
  indexKeys: readonly (string | undefined)[] | undefined
}

export interface Undoable {
  /** Puts the cell of `key` back to what it was; `undefined`: there was none. */
  undo(key: string, before: Cell | undefined): void
}

interface Overwritten {
  readonly table: Undoable
  readonly key: string
  readonly before: Cell | undefined
}

export class Journal {
  /** Grows with every mark. */
  epoch = 1
  /** Bytes of keys and values in the running overlay, roughly. */
  runningBytes = 0
  readonly #overwritten: Overwritten[] = []

  note(table: Undoable, key: string, before: Cell | undefined): void {
    this.#overwritten.push({ table, key, before })
  }

  mark(): void {
    this.epoch++
    if (this.#overwritten.length > 0) this.#overwritten.length = 0
  }

  rollback(): void {
    for (let i = this.#overwritten.length - 1; i >= 0; i--) {
      const { table, key, before } = this.#overwritten[i] as Overwritten
      table.undo(key, before)
    }
    this.mark()
  }
}
