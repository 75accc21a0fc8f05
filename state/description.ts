/**
 * What a store's descriptor says, and when it is to be written: with the store's first write, and again once no value of
 * an older version is left.
 */
import type { WriteOp } from './backend.ts'
import { type Described, descriptorOp } from './descriptor.ts'
import { OldRows } from './old-rows.ts'
import type { Table } from './table.ts'

export class Description {
  readonly #table: Table
  /** Whether the row is stored, or goes with the pending batch. */
  #row: 'stored' | 'pending' | 'missing' = 'missing'
  /** Version of the oldest values that there may be, and what the pending batch says of that. */
  #oldest: number
  #pendingOldest: number
  #oldRows: OldRows | undefined

  constructor(table: Table) {
    this.#table = table
    this.#oldest = this.#pendingOldest = table.spec.version
  }

  /** As it was found when the task was opened. */
  openAs({ isStored, oldest }: Described): void {
    this.#row = isStored ? 'stored' : 'missing'
    this.#oldest = oldest
    if (oldest < this.#table.spec.version) this.#oldRows = new OldRows(this.#table)
  }

  /** Some were not looked at yet. */
  get hasOldRows(): boolean {
    return this.#oldRows?.done === false
  }

  /** Nothing old is left, and that is to be written. */
  get isDone(): boolean {
    return this.#oldRows?.done === true && this.#row === 'missing'
  }

  async rewriteSome(): Promise<void> {
    await this.#oldRows?.rewriteSome()
    this.#dueWhenDone()
  }

  /** The write that goes with a batch, if it is due; from then on it is pending. */
  seal(hasWrites: boolean): WriteOp | undefined {
    const { isDone } = this
    if (this.#row !== 'missing' || !(hasWrites || isDone)) return undefined
    const { spec, reader } = this.#table
    this.#pendingOldest = isDone ? spec.version : this.#oldest
    return descriptorOp(spec, reader, this.#pendingOldest)
  }

  /** The batch that `seal` was called for is pending with all its writes. */
  sealed(): void {
    this.#row = 'pending'
  }

  settle(): void {
    if (this.#row !== 'pending') return
    this.#row = 'stored'
    this.#oldest = this.#pendingOldest
    if (this.#oldest === this.#table.spec.version) this.#oldRows = undefined
    // The last was rewritten while this was pending.
    this.#dueWhenDone()
  }

  discard(): void {
    if (this.#row === 'pending') this.#row = 'missing'
    this.#oldRows?.discard()
  }

  #dueWhenDone(): void {
    if (this.#oldRows?.done === true && this.#row === 'stored') this.#row = 'missing'
  }
}
