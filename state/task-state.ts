/**
 * The state of one task: its stores and timers, what the running batch wrote, and what the batch being committed wrote.
 *
 * It never writes: `seal` gives the writes of a batch to whoever commits, who answers with `committed` or `discard`.
 * It knows no clock and starts nothing. Invariants:
 *
 * 1. A processor reads what it wrote: running over pending over committed.
 * 2. A query sees committed rows only (`committedView`).
 * 3. At most one batch is pending; what is sealed does not change any more.
 * 4. After `rollback` nothing written since `mark` can be seen, neither in stores and indexes nor in timers.
 * 5. The read cache holds committed values only: `discard` takes out what the pending batch touched, for nobody knows
 *    whether that arrived.
 */
import { AbsenceFilter } from './absence-filter.ts'
import type { StateReader, WriteOp } from './backend.ts'
import { readDescriptor } from './descriptor.ts'
import { KeyValueHandle, WindowHandle } from './handles.ts'
import { Journal } from './journal.ts'
import { type CacheBudget, ReadCache } from './read-cache.ts'
import { scanVisible } from './scan.ts'
import { type SealedChange, sealTable } from './seal.ts'
import type { AnyStoreSpec, HandleOf, ScanRequest, ScanRow, ViewOf } from './stores.ts'
import { Table } from './table.ts'
import { type TableSpec, tableSpec } from './table-spec.ts'
import { defaultHeldTimers, TimerBook, timerStoreName, timerTableSpec } from './timer-book.ts'
import type { DueTimer, TimerClock, TimerHandle } from './timers.ts'
import { StoreView } from './view.ts'

const DEFAULT_CACHE_BYTES = 4 * 1024 * 1024

export interface TaskStateOptions {
  readonly reader: StateReader
  readonly specs: readonly AnyStoreSpec[]
  /** Whether `seal` lists the changes for the changelogs too. */
  readonly withChanges: boolean
  /** Decoded committed values held over all stores; 20,000 unless told. */
  readonly cacheEntries?: number
  /** The same in bytes of what the values were decoded from; 4 MiB unless told. */
  readonly cacheBytes?: number
  /** Shared with other tasks: what all of them hold together. */
  readonly cacheBudget?: CacheBudget | undefined
  /** Timers held in memory per clock, for a while twice as many; 4,096 unless told. */
  readonly heldTimers?: number
  /** Bytes of key and value that a row may have, where a changelog must take it; no limit unless told. */
  readonly maxRowBytes?: number | undefined
}

/** What one batch writes. */
export interface SealedBatch {
  /** Keys and values are slices that nobody changes. */
  readonly ops: readonly WriteOp[]
  /** Per changed row: key and value without prefix and envelope. Timers come as the store `timers`. */
  readonly changes: readonly SealedChange[]
}

/** Wants to know which rows a commit changed. */
export interface RowWatch {
  wants(store: string): boolean
  /** Called when queries see them; must not throw. */
  changed(store: string, keys: readonly unknown[]): void
}

interface OpenStore {
  readonly spec: AnyStoreSpec
  readonly table: Table
  readonly handle: KeyValueHandle<unknown, unknown> | WindowHandle<unknown, unknown>
  readonly view: StoreView<unknown, unknown>
}

export class TaskState {
  readonly #reader: StateReader
  readonly #withChanges: boolean
  readonly #maxRowBytes: number | undefined
  readonly #journal = new Journal()
  readonly #stores = new Map<string, OpenStore>()
  readonly #tables = new Map<string, Table>()
  readonly #timers: TimerBook
  readonly #cache: ReadCache
  #hasPending = false
  /** Goes up with every `discard`. */
  #life = 0
  #learning: Promise<void> | undefined

  /**
   * Throws a `RangeError` when two specs have the same name, and `STATE_INCOMPATIBLE` when a store was written otherwise than
   * its spec says (`descriptor.ts`).
   */
  constructor(options: TaskStateOptions) {
    const {
      reader,
      specs,
      withChanges,
      cacheEntries = 20_000,
      cacheBytes = DEFAULT_CACHE_BYTES,
      heldTimers = defaultHeldTimers,
    } = options
    this.#reader = reader
    this.#withChanges = withChanges
    this.#maxRowBytes = options.maxRowBytes
    const cache = (this.#cache = new ReadCache(cacheEntries, cacheBytes))
    for (const spec of specs) {
      if (this.#stores.has(spec.name)) throw new RangeError(`Two stores have the name ${spec.name}`)
      this.#stores.set(spec.name, this.#open(spec, cache))
    }
    const timers = this.#openTable(timerTableSpec, cache, (timer) => this.#timers.resync(timer))
    this.#timers = new TimerBook(timers, heldTimers)
    if (options.cacheBudget !== undefined) cache.share(options.cacheBudget)
  }

  #open(spec: AnyStoreSpec, cache: ReadCache): OpenStore {
    const erased = tableSpec(spec)
    const table = this.#openTable(erased, cache)
    const handle =
      spec.kind === 'window' ? new WindowHandle(table, spec.key) : new KeyValueHandle(table, spec.key)
    return { spec, table, handle, view: new StoreView(table, erased.key) }
  }

  #openTable(spec: TableSpec, cache: ReadCache, undone?: (key: string) => void): Table {
    const { lookups = 'repeated' } = spec
    const kept = lookups === 'repeated' ? cache.store() : ReadCache.none
    const filter = lookups === 'mostly-absent' ? new AbsenceFilter() : undefined
    const placed = Object.keys(spec.indexes).length > 0 ? cache.store() : ReadCache.none
    const parts = {
      reader: this.#reader,
      journal: this.#journal,
      placed,
      maxRowBytes: this.#maxRowBytes,
      cache: kept,
      filter,
    }
    const table = new Table(spec, undone === undefined ? parts : { ...parts, undone })
    table.description.openAs(readDescriptor(spec, this.#reader))
    this.#tables.set(spec.name, table)
    return table
  }

  /**
   * Reads the keys of the stores that are mostly asked for absent ones, so that their filters can answer. Meant to run
   * beside the work; ends early once `discard` was called. Rejects with what the backend throws: then those filters
   * go on answering nothing. A second call waits for the first.
   */
  learnKeys(): Promise<void> {
    return (this.#learning ??= this.#learnKeys())
  }

  async #learnKeys(): Promise<void> {
    const life = this.#life
    for (const { table } of this.#stores.values()) await table.learnKeys(() => this.#life !== life)
  }

  /** Values of older versions may be stored: `rewriteSome` is to be called, once per batch, until this is false. */
  get hasOldRows(): boolean {
    return [...this.#tables.values()].some(({ description }) => description.hasOldRows)
  }

  /**
   * Puts some values of older versions again, as values of the present one, into the running batch; answers whether
   * there is something to commit. Not while a record is processed. Throws `STATE_CORRUPT`, `STATE_INCOMPATIBLE`, what an
   * `upcast` throws.
   */
  async rewriteSome(): Promise<boolean> {
    const descriptions = [...this.#tables.values()].map(({ description }) => description)
    for (const description of descriptions) await description.rewriteSome()
    return this.overlayBytes > 0 || descriptions.some(({ isDone }) => isDone)
  }

  /** The same handle on every call. Throws a `RangeError` for a spec that is not of this task. */
  handle<S extends AnyStoreSpec>(spec: S): HandleOf<S> {
    return this.#store(spec).handle as unknown as HandleOf<S>
  }

  /** Committed rows only, for queries; may be used at any time, also while a batch runs. */
  committedView<S extends AnyStoreSpec>(spec: S): ViewOf<S> {
    return this.#store(spec).view as unknown as ViewOf<S>
  }

  #store(spec: AnyStoreSpec): OpenStore {
    const store = this.#stores.get(spec.name)
    if (store?.spec !== spec) throw new RangeError(`Store ${spec.name} is not of this task`)
    return store
  }

  #table(name: string): Table {
    const table = this.#tables.get(name)
    if (table === undefined) throw new RangeError(`Store ${name} is not of this task`)
    return table
  }

  /** `name`: printable ASCII without blanks. A timer of the same clock, name and key is the same timer. */
  timer(clock: TimerClock, name: string): TimerHandle {
    return this.#timers.handle(clock, name)
  }

  /**
   * When something is to be done for this clock at the earliest: a timer that is due then, or timers to be loaded.
   * `Infinity` when no timer is set. 0 before the first load.
   */
  nextTimerAt(clock: TimerClock): number {
    return this.#timers.nextAt(clock)
  }

  /** Whether timers that are due at `now` may lie beyond what is held in memory: then `loadTimers` comes first. */
  needsTimerLoad(clock: TimerClock, now: number): boolean {
    return this.#timers.needsLoad(clock, now)
  }

  /** Holds the next stretch of timers, committed or not, in memory; a bounded number of them. */
  loadTimers(clock: TimerClock): Promise<void> {
    return this.#timers.load(clock)
  }

  /**
   * The first timer due at `now` (inclusive), by time, then name, then key; it is no longer set. Nothing when none is
   * due, or when `needsTimerLoad` says so. A rollback sets it again, so mark first.
   */
  popDueTimer(clock: TimerClock, now: number): DueTimer | undefined {
    return this.#timers.pop(clock, now)
  }

  /** What a processor's generator asked for: exactly the rows it would see if all were committed. */
  async readPage(request: ScanRequest): Promise<readonly ScanRow[]> {
    return scanVisible(this.#table(request.store), request)
  }

  /** From here on `rollback` undoes. Cheap: once per record. */
  mark(): void {
    this.#journal.mark()
  }

  /** Undoes every write to stores and timers since the last `mark`, `seal` or `discard`. */
  rollback(): void {
    this.#journal.rollback()
  }

  /** Bytes of what the running batch wrote, roughly; 0 when it wrote nothing. What is pending does not count. */
  get overlayBytes(): number {
    return this.#journal.runningBytes
  }

  get hasPending(): boolean {
    return this.#hasPending
  }

  /**
   * The writes since the last `seal`, which are pending from now on. Throws when a batch is pending already, and
   * `STATE_CORRUPT` when a committed row that an index must forget is damaged; then nothing has changed.
   */
  seal(): SealedBatch {
    if (this.#hasPending) throw new Error('A batch is pending: committed() or discard() comes first')
    const ops: WriteOp[] = []
    const changes: SealedChange[] = []
    const tables = [...this.#tables.values()]
    const described = tables.filter((table) => sealTable(table, ops, this.#withChanges ? changes : undefined))
    for (const table of described) table.description.sealed()
    for (const table of tables) table.advance()
    this.#hasPending = true
    this.#journal.runningBytes = 0
    this.#journal.mark()
    return { ops, changes }
  }

  /** The pending batch is in the backend now; tells `watch` of its rows. Throws when none is pending. */
  committed(watch?: RowWatch): void {
    if (!this.#hasPending) throw new Error('No batch is pending')
    const watched = [...this.#tables.values()].filter(({ name }) => watch?.wants(name) === true)
    const changed = watched.map((table) => [table.name, table.pendingKeys()] as const)
    for (const table of this.#tables.values()) table.settle()
    this.#hasPending = false
    for (const [store, keys] of changed) if (keys.length > 0) watch?.changed(store, keys)
  }

  /** Drops everything that is not committed; reads then answer what the backend holds. */
  discard(): void {
    this.#life++
    this.#learning = undefined
    this.#journal.mark()
    this.#journal.runningBytes = 0
    this.#hasPending = false
    for (const table of this.#tables.values()) table.discard()
    this.#timers.discard()
  }

  /** What is uncommitted is void, and nothing is asked of it any more. Idempotent. */
  close(): void {
    this.discard()
    this.#cache.close()
  }

  /**
   * A row of a changelog, as it was written: it becomes part of the running batch, so that `seal` gives the writes,
   * those of the indexes included. `version` is the one the value's payload was written with.
   */
  applyChange(store: string, key: Buffer, payload: Buffer | null, version: number): void {
    const bytes = key.toString('latin1')
    this.#table(store).restore(bytes, payload, version)
    if (store === timerStoreName) this.#timers.resync(bytes)
  }
}
