/**
 * One store of one task: its rows as they will be once everything is committed.
 *
 * Three layers, the upper hides the lower: `running` (the batch being processed), `pending` (the batch being
 * committed), and the committed rows behind the read cache. Keys are byte strings here; types end at the handles.
 */
import type { Entry, StateReader } from './backend.ts'
import { int64Bytes, terminated, utf8Bytes } from './bytes.ts'
import { PageCache } from './committed-pages.ts'
import { Description } from './description.ts'
import { DirtyIndex } from './dirty-index.ts'
import { StateError } from './errors.ts'
import type { Cell, Journal, Undoable } from './journal.ts'
import { OrderedMap } from './ordered-map.ts'
import type { AbsenceFilter } from './absence-filter.ts'
import { absent, ReadCache, type RowCache } from './read-cache.ts'
import { indexRowsPrefix, rowKey, rowPayload, rowVersion, valueRowsPrefix, verifyRow } from './rows.ts'
import type { IndexSpec } from './stores.ts'
import type { TableSpec } from './table-spec.ts'

export interface TableIndex {
  readonly name: string
  /** What its rows begin with, without the task's prefix. */
  readonly rows: string
  readonly spec: IndexSpec<unknown, unknown>
  readonly dirty: DirtyIndex
  readonly pages: PageCache
}

export interface TableParts {
  readonly reader: StateReader
  readonly journal: Journal
  readonly cache: RowCache
  readonly filter?: AbsenceFilter | undefined
  /** Where committed rows lie in the indexes; a cache like the one of values. */
  readonly placed?: RowCache
  /** Bytes of key and value together; no limit unless told. */
  readonly maxRowBytes?: number | undefined
  /** Told after a rollback changed a key. */
  readonly undone?: (key: string) => void
}

/** Stands for a value that a restore wrote and nobody has read yet. */
const undecoded = Symbol('undecoded')
const noIndexKeys: readonly undefined[] = []
/** Keys shown to a filter at a time. */
const learnRows = 1_000
/** Rough cost of an overlay row besides its bytes. */
const cellBytes = 64

export class Table implements Undoable {
  readonly spec: TableSpec
  readonly name: string
  readonly reader: StateReader
  /** What the value rows begin with, without the task's prefix. */
  readonly rows: string
  readonly indexes: readonly TableIndex[]
  readonly cache: RowCache
  readonly filter: AbsenceFilter | undefined
  running = new OrderedMap<Cell>()
  pending: OrderedMap<Cell> | undefined
  readonly description: Description
  readonly #journal: Journal
  readonly #maxRowBytes: number
  readonly #undone: ((key: string) => void) | undefined
  readonly #placed: RowCache

  constructor(spec: TableSpec, parts: TableParts) {
    this.spec = spec
    this.name = spec.name
    this.reader = parts.reader
    this.rows = valueRowsPrefix(spec.name)
    this.description = new Description(this)
    this.cache = parts.cache
    this.filter = parts.filter
    this.#placed = parts.placed ?? ReadCache.none
    this.#journal = parts.journal
    this.#maxRowBytes = parts.maxRowBytes ?? Number.POSITIVE_INFINITY
    this.#undone = parts.undone
    this.indexes = Object.entries(spec.indexes).map(([name, index], position) => ({
      name,
      rows: indexRowsPrefix(spec.name, name),
      spec: index,
      dirty: new DirtyIndex(this, position),
      pages: new PageCache(),
    }))
  }

  /** The cell of an uncommitted key. */
  dirty(key: string): Cell | undefined {
    return this.running.get(key) ?? this.pending?.get(key)
  }

  get(key: string): unknown {
    const cell = this.running.get(key) ?? this.pending?.get(key)
    if (cell === undefined) return this.committed(key)
    return this.valueOf(cell)
  }

  /** What a restore wrote is decoded when somebody reads it. */
  valueOf(cell: Cell): unknown {
    if (cell.value === undecoded && cell.payload !== null)
      cell.value = this.spec.value.deserialize(cell.payload)
    return cell.value
  }

  /** The committed value, through the cache. */
  committed(key: string): unknown {
    const cached = this.cache.get(key)
    if (cached !== undefined) return cached === absent ? undefined : cached
    if (this.filter?.surelyAbsent(key) === true) return undefined
    const row = this.#committedRow(key)
    const value = row === undefined ? undefined : this.decode(row)
    this.cache.set(key, value === undefined ? absent : value, row?.value.length ?? 0)
    return value
  }

  /** The committed value from the backend, checked and decoded. */
  readCommitted(key: string): unknown {
    const row = this.#committedRow(key)
    return row === undefined ? undefined : this.decode(row)
  }

  #committedRow(key: string): Entry | undefined {
    const physical = rowKey(this.reader.prefix, this.rows + key)
    const value = this.reader.get(physical)
    return value === undefined ? undefined : { key: physical, value }
  }

  /** Encodes at once: what cannot be encoded, or is too large, is the fault of the record that puts it. */
  put(key: string, value: unknown, decodedKey?: unknown): void {
    if (value === undefined) throw new TypeError(`Store ${this.name}: undefined is no value, use delete`)
    if (this.indexes.length > 0) this.#checkScores(decodedKey ?? this.spec.key.decode(key), value)
    const payload = this.spec.value.serialize(value)
    const bytes = key.length + payload.length
    if (bytes > this.#maxRowBytes)
      throw new RangeError(
        `Store ${this.name}: a row of ${bytes} bytes, and ${this.#maxRowBytes} are possible`,
      )
    this.#write(key, value, payload)
  }

  #checkScores(key: unknown, value: unknown): void {
    for (const { name, spec } of this.indexes) {
      const score = spec.score(key, value)
      if (score !== undefined && !Number.isSafeInteger(score))
        throw new RangeError(`Store ${this.name}, index ${name}: the score ${score} is no safe integer`)
    }
  }

  delete(key: string): void {
    this.#write(key, undefined, null)
  }

  /** Shows the filter every committed key; until then it answers nothing. Stops when `stopped` says so. */
  async learnKeys(stopped: () => boolean): Promise<void> {
    const { filter, reader } = this
    if (filter === undefined || filter.complete) return
    const { length } = reader.prefix
    let from = this.rows
    const lt = rowKey(reader.prefix, `${this.rows.slice(0, -1)}\x01`)
    for (;;) {
      const page = await reader.page({ gte: rowKey(reader.prefix, from), lt }, { limit: learnRows })
      if (stopped()) return
      for (const { key } of page) filter.add(key.toString('latin1', length + this.rows.length))
      const last = page.at(-1)
      if (last === undefined || page.length < learnRows) return filter.completed()
      from = `${last.key.toString('latin1', length)}\x00`
    }
  }

  /** A row from a changelog: bytes as they were committed with `version`. */
  restore(key: string, payload: Buffer | null, version: number): void {
    if (payload === null) this.delete(key)
    else if (version !== this.spec.version) this.put(key, this.#decodePayload(version, payload, key))
    else this.#write(key, undecoded, payload)
  }

  #write(key: string, value: unknown, payload: Buffer | null): void {
    const journal = this.#journal
    const cell = this.running.get(key)
    const bytes = payload === null ? 0 : payload.length
    if (cell !== undefined && cell.epoch === journal.epoch) {
      journal.runningBytes += bytes - payloadBytes(cell)
      cell.value = value
      cell.payload = payload
      cell.indexKeys = undefined
    } else {
      journal.note(this, key, cell)
      journal.runningBytes += bytes + (cell === undefined ? key.length + cellBytes : -payloadBytes(cell))
      this.running.set(key, { epoch: journal.epoch, value, payload, indexKeys: undefined })
      if (payload !== null) this.filter?.add(key)
    }
    for (const index of this.indexes) index.dirty.touched(key)
  }

  undo(key: string, before: Cell | undefined): void {
    const cell = this.running.get(key)
    if (cell !== undefined) this.#journal.runningBytes -= payloadBytes(cell)
    if (before === undefined) {
      this.#journal.runningBytes -= key.length + cellBytes
      this.running.delete(key)
    } else {
      this.#journal.runningBytes += payloadBytes(before)
      this.running.set(key, before)
    }
    for (const index of this.indexes) index.dirty.touched(key)
    this.#undone?.(key)
  }

  /** The running overlay becomes the pending one. */
  advance(): void {
    this.pending = this.running
    this.running = new OrderedMap()
  }

  /** Keys of what is being committed, as processors know them. */
  pendingKeys(): unknown[] {
    return Array.from(this.pending?.entries() ?? [], ([key]) => this.spec.key.decode(key))
  }

  /** The pending overlay is committed: its values go to the cache. */
  settle(): void {
    const pending = this.pending
    this.pending = undefined
    this.description.settle()
    for (const index of this.indexes) {
      index.dirty.forget()
      index.pages.clear()
    }
    if (pending === undefined) return
    for (const [key, cell] of pending.entries()) {
      if (cell.value === undecoded) this.cache.delete(key)
      else this.cache.set(key, cell.payload === null ? absent : cell.value, cell.payload?.length ?? 0)
      if (this.indexes.length > 0) this.#placed.set(key, this.indexKeysOf(key, cell), 0)
    }
  }

  /** Whether the pending rows arrived nobody knows, so the cache must not know them either. */
  discard(): void {
    for (const [key] of this.pending?.entries() ?? []) {
      this.cache.delete(key)
      this.#placed.delete(key)
    }
    this.running = new OrderedMap()
    this.pending = undefined
    this.description.discard()
    for (const index of this.indexes) {
      index.dirty.forget()
      index.pages.clear()
    }
  }

  /** Where an uncommitted row lies in each index; worked out once, for the value that stays. */
  indexKeysOf(key: string, cell: Cell): readonly (string | undefined)[] {
    if (cell.payload === null) return noIndexKeys
    return (cell.indexKeys ??= this.indexKeys(key, this.valueOf(cell)))
  }

  /** Where the committed row lies in each index. */
  committedIndexKeys(key: string): readonly (string | undefined)[] {
    const known = this.#placed.get(key) as readonly (string | undefined)[] | undefined
    if (known !== undefined) return known
    const committed = this.committed(key)
    return committed === undefined ? noIndexKeys : this.indexKeys(key, committed)
  }

  /** Per index, where a row lies in it: group, inverted score, key. */
  indexKeys(key: string, value: unknown): readonly (string | undefined)[] {
    if (this.indexes.length === 0) return noIndexKeys
    const decoded = this.spec.key.decode(key)
    return this.indexes.map(({ spec }) => {
      const score = spec.score(decoded, value)
      if (score === undefined) return undefined
      return terminated(utf8Bytes(spec.group(decoded, value))) + int64Bytes(-score) + key
    })
  }

  /** Checks and decodes a row. Throws `STATE_CORRUPT`, `STATE_INCOMPATIBLE`. */
  decode(entry: Entry): unknown {
    verifyRow(this.name, this.reader.prefix.length, entry)
    const payload = rowPayload(entry.value)
    const version = rowVersion(entry.value)
    if (version === this.spec.version) return this.spec.value.deserialize(payload)
    return this.#decodePayload(version, payload, entry.key.toString('latin1', this.reader.prefix.length))
  }

  #decodePayload(version: number, payload: Buffer, key: string): unknown {
    if (version < this.spec.version && this.spec.upcast !== undefined)
      return this.spec.upcast(version, payload)
    const hex = Buffer.from(key, 'latin1').toString('hex')
    const known = version < this.spec.version ? 'has no upcast from it' : 'does not know it yet'
    throw new StateError(
      'STATE_INCOMPATIBLE',
      `store ${this.name}, key ${hex}: written with version ${version}; this program has version ` +
        `${this.spec.version} and ${known}`,
    )
  }
}

function payloadBytes(cell: Cell): number {
  return cell.payload === null ? 0 : cell.payload.length
}
