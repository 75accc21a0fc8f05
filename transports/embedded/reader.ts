/**
 * Reads one partition forward: from the rows in memory where they are, else from pages of the disk, one of which is
 * read ahead while the other is taken.
 *
 * Not its job: deciding what is readable (`PartitionState.end` says that) and reading pages (`readPage`).
 *
 * Invariants:
 * 1. Rows join: the next row begins where the last one ended, or there is a fault. Offsets inside a compacted row may
 *    be missing.
 * 2. What lies before a fault is handed out first.
 * 3. At most one page is being read and one is waiting: `readAheadBytes` each, or one row.
 * 4. After an empty `take` the owner is called once, when there is more or a fault.
 */
import { type LogRecord, type PartitionReader, StreamsError } from '../../streams/index.ts'
import type { PartitionState } from './catalog.ts'
import { corrupt } from './stored-record.ts'
import type { CachedRow } from './tail-cache.ts'

const NOTHING: readonly LogRecord[] = Object.freeze([])

/** Rows from `from` on and before `end`, in order; `fault` says why there are not more of them. */
export interface Page {
  readonly rows: readonly CachedRow[]
  readonly fault?: Error | undefined
}

/** Reads the rows that cover offsets from `from` on and end before `end`; the first may begin before `from`. */
export type ReadPage = (partition: PartitionState, from: number, end: number) => Promise<Page>

export class PartitionReaderCore implements PartitionReader {
  readonly topic: string
  readonly partition: number
  readonly #state: PartitionState
  readonly #readPage: ReadPage
  readonly #onReadable: () => void
  #position: number
  /** The row being taken, and the next record in it. */
  #records: readonly LogRecord[] = NOTHING
  #next = 0
  #rowEnd: number
  #page: CachedRow[] = []
  /** Offset after the last row in `#page`. */
  #loadedTo: number
  #loading = false
  /** A fault behind what is loaded. */
  #coming: Error | undefined
  #fault: Error | undefined
  #armed = false
  #closed = false

  constructor(state: PartitionState, from: number, readPage: ReadPage, onReadable: () => void) {
    this.topic = state.topic
    this.partition = state.partition
    this.#state = state
    this.#readPage = readPage
    this.#onReadable = onReadable
    this.#position = from
    this.#rowEnd = from
    this.#loadedTo = from
    if (from < state.start || from > state.end || !Number.isSafeInteger(from))
      this.#fault = this.#outOfRange()
    state.readers.add(this)
  }

  get position(): number {
    return this.#position
  }

  get end(): number {
    return this.#state.end
  }

  get fault(): Error | undefined {
    return this.#fault
  }

  take(limit: number): readonly LogRecord[] {
    if (this.#closed || this.#fault !== undefined || limit < 1) return NOTHING
    if (!this.#inRow()) {
      this.#armed = this.#fault === undefined
      return NOTHING
    }
    const taken: LogRecord[] = []
    do {
      const end = Math.min(this.#records.length, this.#next + limit - taken.length)
      while (this.#next < end) taken.push(this.#records[this.#next++] as LogRecord)
      // What compaction took from the end of the row counts as read.
      const isRowDone = this.#next === this.#records.length
      this.#position = isRowDone ? this.#rowEnd : (this.#records[end - 1] as LogRecord).offset + 1
    } while (taken.length < limit && this.#inRow())
    return taken
  }

  close(): void {
    this.#closed = true
    this.#armed = false
    this.#records = NOTHING
    this.#page = []
    this.#state.readers.delete(this)
  }

  /** New rows are published. Tells the owner once they are in memory. */
  wake(): void {
    if (!this.#armed) return
    if (this.#page.length === 0 && this.#coming === undefined) {
      this.#readAhead()
      if (this.#loading) return
    }
    this.#armed = false
    // On its own stack: what the owner throws must not reach the writer.
    queueMicrotask(this.#onReadable)
  }

  /** The record at the position is in memory. */
  #inRow(): boolean {
    return this.#next < this.#records.length || this.#nextRow()
  }

  /** Goes on to the row at the position. False: it is not in memory, or there is a fault. */
  #nextRow(): boolean {
    for (;;) {
      const row = this.#page.shift() ?? this.#state.tail.find(this.#position)
      this.#readAhead()
      if (row === undefined) {
        if (!this.#loading) this.#fault = this.#coming
        return false
      }
      const { baseOffset, lastOffset } = row.header
      try {
        if (baseOffset > this.#position) throw this.#missing(this.#position)
        this.#records = row.records
      } catch (error) {
        this.#fault = error as Error
        return false
      }
      this.#rowEnd = lastOffset + 1
      this.#loadedTo = Math.max(this.#loadedTo, this.#rowEnd)
      this.#next = this.#records.findIndex((record) => record.offset >= this.#position)
      if (this.#next !== -1) return true
      // Compaction left nothing of what was asked for in this row.
      this.#next = this.#records.length
      this.#position = this.#rowEnd
    }
  }

  /** Begins to read the next page when none is waiting and the rows are not in memory anyway. */
  #readAhead(): void {
    if (this.#page.length > 0 || this.#loading || this.#coming !== undefined) return
    const from = this.#loadedTo
    const { end, tail } = this.#state
    if (from >= end || from >= tail.start) return
    this.#loading = true
    void this.#readPage(this.#state, from, end).then(
      (page) => this.#loaded(page, from),
      (error: unknown) => this.#loaded({ rows: [], fault: error as Error }, from),
    )
  }

  #loaded(page: Page, from: number): void {
    this.#loading = false
    if (this.#closed) return
    this.#page.push(...page.rows)
    const last = page.rows[page.rows.length - 1]
    if (last !== undefined) this.#loadedTo = last.header.lastOffset + 1
    this.#coming = page.fault ?? (last === undefined ? this.#missing(from) : undefined)
    this.wake()
  }

  /** There is no row where one must be: retention took it, or it is lost. */
  #missing(from: number): StreamsError {
    if (from < this.#state.start) return this.#outOfRange()
    return corrupt(this.#state, from, `there is no row for it, though the partition ends at ${this.end}`)
  }

  #outOfRange(): StreamsError {
    const { topic, partition, start, end } = this.#state
    return new StreamsError(
      'OFFSET_OUT_OF_RANGE',
      `${topic}-${partition} has ${start} to ${end}; asked for ${this.#position}`,
    )
  }
}
