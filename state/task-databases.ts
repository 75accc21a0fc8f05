/**
 * The databases of the tasks that run in this process, a directory each, for logs that keep no state.
 *
 * `<root>/<topology>/<sub-topology>_<partition>` holds one LevelDB. Each belongs to one application and one task, and
 * numbers its batches (`numbered.ts`): a batch that went missing in the middle shows when it is opened. Write buffers,
 * block caches and file handles come out of one budget, shared by the number of tasks that may be open.
 *
 * Writes are not synced: what a machine loses with its power comes back from the changelogs.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { StateBackend } from './backend.ts'
import { type LevelDatabase, openLevelDb } from './level.ts'
import { numberedBackend } from './numbered.ts'

const MEBIBYTE = 1024 * 1024
const DEFAULT_BUDGET: TaskDatabaseBudget = {
  tasks: 64,
  writeBufferBytes: 256 * MEBIBYTE,
  cacheBytes: 256 * MEBIBYTE,
  openFiles: 4_096,
}
/** What LevelDB can do with at least and gains nothing from above, per database. */
const WRITE_BUFFER_BYTES = { least: 64 * 1024, most: 16 * MEBIBYTE }
const CACHE_BYTES = { least: MEBIBYTE, most: 16 * MEBIBYTE }
const OPEN_FILES = { least: 20, most: 256 }
const TASK_DIRECTORY = /^(\d+)_(\d+)$/
const TOPOLOGY_NAME = /^[A-Za-z0-9._-]{1,249}$/

/** Which task a database belongs to. */
export interface TaskKey {
  readonly topology: string
  readonly subTopology: number
  readonly partition: number
}

/** For all databases of the process together. */
export interface TaskDatabaseBudget {
  /** Databases that may be open at a time; more are opened, and overdraw the rest. */
  readonly tasks: number
  /** LevelDB holds up to twice that. */
  readonly writeBufferBytes: number
  readonly cacheBytes: number
  readonly openFiles: number
}

export interface TaskDatabasesOptions {
  readonly directory: string
  readonly application: string
  readonly budget?: Partial<TaskDatabaseBudget>
  /** Names a directory put aside; the system clock unless told. Epoch milliseconds. */
  readonly now?: () => number
}

export class TaskDatabases {
  readonly #options: TaskDatabasesOptions
  readonly #budget: TaskDatabaseBudget

  constructor(options: TaskDatabasesOptions) {
    this.#options = options
    this.#budget = { ...DEFAULT_BUDGET, ...options.budget }
  }

  /**
   * Opens the task's database, or makes it. Throws what `openLevelDb` throws, and `STATE_CORRUPT` where a batch is
   * missing.
   */
  async open(task: TaskKey): Promise<StateBackend> {
    const directory = this.#directoryOf(task)
    const database = await this.#openLevel(task)
    try {
      return await numberedBackend(database, directory, this.#share().writeBufferSize)
    } catch (error) {
      await database.close()
      throw error
    }
  }

  async #openLevel(task: TaskKey): Promise<LevelDatabase> {
    const directory = this.#directoryOf(task)
    await mkdir(join(directory, '..'), { recursive: true })
    const application = `${this.#options.application}/${task.topology}/${task.subTopology}_${task.partition}`
    return openLevelDb(directory, { application, ...this.#share() })
  }

  /** As `LevelDatabase.compact`, of a database that nobody has open. */
  async compact(task: TaskKey): Promise<void> {
    const database = await this.#openLevel(task)
    try {
      await database.compact()
    } finally {
      await database.close()
    }
  }

  /** Topologies that have a directory here. */
  async topologies(): Promise<readonly string[]> {
    const entries = await readdir(this.#options.directory).catch(ifMissing)
    return entries.filter((name) => TOPOLOGY_NAME.test(name))
  }

  /** Tasks of a topology that have a database here. */
  async stored(topology: string): Promise<readonly TaskKey[]> {
    const names = await readdir(join(this.#options.directory, checkedName(topology))).catch(ifMissing)
    return names.flatMap((name) => {
      const match = TASK_DIRECTORY.exec(name)
      return match === null ? [] : [{ topology, subTopology: Number(match[1]), partition: Number(match[2]) }]
    })
  }

  /** Moves a database aside, to `<name>.damaged-<time>`, where nothing reads it. */
  async setAside(task: TaskKey): Promise<void> {
    const directory = this.#directoryOf(task)
    const now = (this.#options.now ?? Date.now)()
    await rename(directory, `${directory}.damaged-${now}`).catch(ifMissing)
  }

  /**
   * Deletes a database that nobody has open. It loses its name first, so that what a crash leaves of it is taken for no
   * database, and goes with the next removal.
   */
  async remove(task: TaskKey): Promise<void> {
    const directory = this.#directoryOf(task)
    const doomed = `${directory}.removed`
    await rm(doomed, { recursive: true, force: true })
    await rename(directory, doomed).catch(ifMissing)
    await rm(doomed, { recursive: true, force: true })
  }

  #directoryOf({ topology, subTopology, partition }: TaskKey): string {
    return join(this.#options.directory, checkedName(topology), `${subTopology}_${partition}`)
  }

  #share() {
    const { tasks, writeBufferBytes, cacheBytes, openFiles } = this.#budget
    return {
      writeBufferSize: within(WRITE_BUFFER_BYTES, writeBufferBytes / tasks),
      cacheSize: within(CACHE_BYTES, cacheBytes / tasks),
      maxOpenFiles: within(OPEN_FILES, openFiles / tasks),
    }
  }
}

function within({ least, most }: { least: number; most: number }, wanted: number): number {
  return Math.min(most, Math.max(least, Math.floor(wanted)))
}

function checkedName(topology: string): string {
  if (!TOPOLOGY_NAME.test(topology) || topology === '.' || topology === '..')
    throw new RangeError(`not a name for a directory: ${topology}`)
  return topology
}

function ifMissing(error: unknown): string[] {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
  throw error
}
