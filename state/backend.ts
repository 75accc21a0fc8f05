/**
 * Where committed state lives: a range of ordered byte keys that belongs to one task.
 *
 * Reads of one key are synchronous, because processors are; ranges are read in pages. A backend never sees
 * uncommitted data: the overlay (`task-state.ts`) holds that until the commit.
 */

/** One row as it lies in the backend; keys carry the backend's prefix. */
export interface Entry {
  readonly key: Buffer
  readonly value: Buffer
}

/** One write of an atomic batch; the shape that LevelDB's own batch takes. */
export type WriteOp =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer }

/** Keys from `gte` (inclusive) to `lt` (exclusive), compared as bytes. */
export interface KeyRange {
  readonly gte: Buffer
  readonly lt: Buffer
}

export interface PageOptions {
  /** Rows at most in the page. */
  readonly limit: number
  /** From the end of the range towards its start. */
  readonly reverse?: boolean
}

/** Committed rows of one task. */
export interface StateReader {
  /** What every key of this task begins with: empty where the task has a database of its own. */
  readonly prefix: Buffer
  /** The committed value under a whole key (prefix included). */
  get(key: Buffer): Buffer | undefined
  /** One page of committed rows in key order. */
  page(range: KeyRange, options: PageOptions): Promise<Entry[]>
  /** Bytes on disk (or in memory) of a range, roughly. */
  approximateBytes(range: KeyRange): Promise<number>
}

/** A database of a task's own: what `StateReader` reads, plus the atomic batch. */
export interface StateBackend extends StateReader {
  /** All of the batch or none of it. `sync` waits until the disk has it. */
  write(ops: readonly WriteOp[], options?: { readonly sync?: boolean }): Promise<void>
  /** Idempotent. */
  close(): Promise<void>
}
