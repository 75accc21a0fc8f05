/**
 * Disks with the tasks' databases: what is on them outlives the processes, or some of it does.
 *
 * A write reaches the system at some moment between its call and its answer, and the disk when it is synced. A process
 * that is killed loses nothing that reached the system; a power cut takes the unsynced tail, from some batch on; a torn
 * disk may have kept a later batch without an earlier one.
 *
 * Not its job: numbering batches and checking values, which the engine's own code does (`state/`).
 */
import {
  type Entry,
  type KeyRange,
  memoryBackend,
  numberedBackend,
  type PageOptions,
  type StateBackend,
  StateError,
  type WriteOp,
} from '../../state/index.ts'
import { parseTaskName, type StateDirectory, type TaskId, taskName } from '../../streams/index.ts'
import type { Faults } from './faults.ts'
import type { SimulatedProcess } from './process.ts'
import type { Random } from './random.ts'

const WRITE_MS = 3
const OPEN_MS = 5
/** As small as LevelDB's least: the ring of batch numbers is short. */
const WRITE_BUFFER_BYTES = 64 * 1024
const READ_ERROR = 0.0005

/** The rows of one database, and which of its last batches a power cut may take. */
class Database {
  #rows: StateBackend = memoryBackend()
  readonly #synced = new Map<string, { readonly key: Buffer; readonly value: Buffer }>()
  #tail: (readonly WriteOp[])[] = []
  owner: SimulatedProcess | undefined
  /** What flipped bits made of rows, by key. */
  readonly flipped = new Map<string, Buffer>()

  get rows(): StateBackend {
    return this.#rows
  }

  async write(ops: readonly WriteOp[], sync: boolean): Promise<void> {
    this.#tail.push(ops)
    await this.#rows.write(ops)
    if (sync) this.#sync()
  }

  /** The system writes what is old to the disk, sooner or later. */
  #sync(): void {
    for (const ops of this.#tail) this.#settle(ops)
    this.#tail = []
  }

  #settle(ops: readonly WriteOp[]): void {
    for (const op of ops) {
      const name = op.key.toString('latin1')
      if (op.type === 'put') this.#synced.set(name, { key: op.key, value: op.value })
      else this.#synced.delete(name)
    }
  }

  /** Answers how many batches were lost. */
  async powerCut(random: Random, isTorn: boolean): Promise<number> {
    const tail = this.#tail
    const kept = tail.slice(0, random.below(tail.length + 1))
    if (isTorn && kept.length > 1) kept.splice(random.below(kept.length - 1), 1)
    this.#tail = kept
    this.#sync()
    await this.#rebuild()
    return tail.length - kept.length
  }

  /** Answers whether there was a row to change. */
  async flipBit(random: Random): Promise<boolean> {
    this.#sync()
    const names = [...this.#synced.keys()]
    if (names.length === 0) return false
    const name = random.pick(names)
    const { key, value } = this.#synced.get(name) as Entry
    if (value.length === 0) return false
    const flipped = Buffer.from(value)
    const at = random.below(flipped.length)
    flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8))
    this.#synced.set(name, { key, value: flipped })
    this.flipped.set(name, flipped)
    await this.#rebuild()
    return true
  }

  async #rebuild(): Promise<void> {
    this.#rows = memoryBackend()
    await this.#rows.write(
      Array.from(this.#synced.values(), ({ key, value }) => ({ type: 'put', key, value })),
    )
  }
}

export interface DiskOptions {
  readonly faults: Faults
  readonly random: Random
  readonly note: (line: string) => void
  /** Plans what the system does, whether or not the process lives on. */
  readonly later: (ms: number, run: () => void) => void
}

/** One machine's disk. */
export class SimulatedDisk {
  readonly #options: DiskOptions
  readonly #databases = new Map<string, Database>()
  /** Takes no write. */
  isFull = false

  constructor(options: DiskOptions) {
    this.#options = options
  }

  /** As a process of the machine sees it. */
  directory(process: SimulatedProcess): StateDirectory {
    return {
      open: (task) => this.#open(process, task),
      stored: (topology) => {
        const tasks = [...this.#databases.keys()].map(parseTaskName)
        return Promise.resolve(tasks.filter((task) => task.topology === topology))
      },
      setAside: (task, why) => {
        this.#options.note(`${process.name}: ${taskName(task)} is put aside: ${why}`)
        this.#databases.delete(taskName(task))
        return Promise.resolve()
      },
    }
  }

  /** The rows of a task as they are now, for a judge. */
  rows(task: TaskId): StateBackend | undefined {
    return this.#databases.get(taskName(task))?.rows
  }

  /** Whether the row is as a flipped bit left it, and nobody has read it since: nobody can know. */
  isFlipped(task: TaskId, key: Buffer, value: Buffer): boolean {
    return this.#databases.get(taskName(task))?.flipped.get(key.toString('latin1'))?.equals(value) === true
  }

  /** The machine lost its power. Only while nobody runs on it. */
  async powerCut(isTorn: boolean): Promise<void> {
    const { random, note } = this.#options
    for (const [name, database] of this.#databases) {
      const lost = await database.powerCut(random, isTorn && random.chance(0.5))
      if (lost > 0) note(`${name} lost ${lost} batches of its disk`)
    }
  }

  /** In so many rows of databases, a bit each. Only while nobody runs on it. */
  async flipBits(rows: number): Promise<void> {
    const { random, note } = this.#options
    for (let i = 0; i < rows && this.#databases.size > 0; i++) {
      const name = random.pick([...this.#databases.keys()])
      if (await this.#databases.get(name)?.flipBit(random)) note(`a bit of ${name} flipped`)
    }
  }

  /** Another disk, with nothing on it. */
  clear(): void {
    this.#databases.clear()
  }

  async #open(process: SimulatedProcess, task: TaskId): Promise<StateBackend> {
    const name = taskName(task)
    await new Promise<void>((resolve) => process.later(this.#options.random.next() * OPEN_MS, resolve))
    const database = this.#databases.get(name) ?? new Database()
    this.#databases.set(name, database)
    if (database.owner?.isAlive === true)
      throw new StateError('STATE_LOCKED', `${name} by ${database.owner.name}`)
    database.owner = process
    const handle = new OpenDatabase(this, this.#options, process, name, database)
    try {
      return await numberedBackend(handle, name, WRITE_BUFFER_BYTES)
    } catch (error) {
      await handle.close()
      throw error
    }
  }
}

/** A database as the process that opened it sees it. */
class OpenDatabase implements StateBackend {
  readonly prefix = Buffer.alloc(0)
  readonly #disk: SimulatedDisk
  readonly #options: DiskOptions
  readonly #process: SimulatedProcess
  readonly #name: string
  readonly #database: Database
  #isOpen = true
  #writing: Promise<unknown> = Promise.resolve()

  constructor(
    disk: SimulatedDisk,
    options: DiskOptions,
    process: SimulatedProcess,
    name: string,
    database: Database,
  ) {
    this.#disk = disk
    this.#options = options
    this.#process = process
    this.#name = name
    this.#database = database
  }

  get(key: Buffer): Buffer | undefined {
    this.#checkRead()
    return this.#database.rows.get(key)
  }

  async page(range: KeyRange, options: PageOptions): Promise<Entry[]> {
    this.#checkRead()
    return this.#database.rows.page(range, options)
  }

  async approximateBytes(range: KeyRange): Promise<number> {
    this.#checkRead()
    return this.#database.rows.approximateBytes(range)
  }

  write(ops: readonly WriteOp[], { sync = false }: { readonly sync?: boolean } = {}): Promise<void> {
    const written = this.#writing.then(() => this.#write(ops, sync))
    this.#writing = written.catch(() => undefined)
    return written
  }

  async #write(ops: readonly WriteOp[], sync: boolean): Promise<void> {
    if (!this.#isOpen) throw new StateError('STATE_IO', `${this.#name} is closed`)
    if (this.#disk.isFull) throw new StateError('STATE_IO', `${this.#name}: no space left`)
    const { random, later } = this.#options
    const half = (random.next() * WRITE_MS) / 2
    // The system has it from here on, whatever becomes of the process.
    await new Promise<void>((resolve, reject) => {
      later(half, () => void this.#database.write(ops, sync).then(resolve, reject))
    })
    await new Promise<void>((resolve) => this.#process.later(half, resolve))
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    await this.#writing
    if (this.#database.owner === this.#process) this.#database.owner = undefined
  }

  #checkRead(): void {
    if (!this.#isOpen) throw new StateError('STATE_IO', `${this.#name} is closed`)
    if (this.#options.faults.strikes('read-error', READ_ERROR)) {
      this.#options.note(`${this.#process.name}: a read of ${this.#name} fails`)
      throw new StateError('STATE_IO', `${this.#name}: input/output error`)
    }
  }
}
