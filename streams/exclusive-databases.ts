/**
 * The databases of a topology's tasks on this process's disk, each open once at most: who opens one waits for whoever
 * has it. A task that becomes active gets its standby's database this way, and the other way round; neither knows the
 * other.
 *
 * Not its job: what is in them, when to open them again.
 *
 * Invariants:
 * 1. Between two opens of a database lies the close of the first.
 * 2. Who gives up waiting leaves nothing open, and holds up nobody.
 * 3. Closing never fails: a database that did not close well counts as closed, and is checked when it is opened.
 */
import { isStateError, type StateBackend } from '../state/index.ts'
import { asError, reactionOf } from './errors.ts'
import type { StreamsHooks } from './hooks.ts'
import { unlessAborted } from './places.ts'
import type { StateDirectory } from './state-directory.ts'
import { type TaskId, taskName } from './task-id.ts'

export interface OpenDatabase {
  readonly backend: StateBackend
  /** Idempotent. Never rejects. */
  close(): Promise<void>
}

type DatabaseHooks = Pick<StreamsHooks, 'onDatabaseSetAside' | 'onDatabaseCloseFailed'>

export class ExclusiveDatabases {
  readonly #directory: StateDirectory
  readonly #hooks: DatabaseHooks
  /** By task: resolves when everybody who has its database, or waits for it, is through. */
  readonly #through = new Map<string, Promise<void>>()

  constructor(directory: StateDirectory, hooks: DatabaseHooks) {
    this.#directory = directory
    this.#hooks = hooks
  }

  /**
   * A database that is damaged is put aside, and a fresh one opened: what was in it comes again from the changelogs.
   *
   * @param failure why it was closed the last time, which may be damage
   */
  async open(task: TaskId, signal: AbortSignal, failure?: Error): Promise<OpenDatabase> {
    const name = taskName(task)
    const before = this.#through.get(name) ?? Promise.resolve()
    const { promise: closed, resolve: release } = Promise.withResolvers<void>()
    const through = Promise.all([before, closed]).then(() => {
      if (this.#through.get(name) === through) this.#through.delete(name)
    })
    this.#through.set(name, through)
    try {
      await unlessAborted(signal, before)
      const backend = await this.#openWhole(task, failure)
      let closing: Promise<void> | undefined
      return { backend, close: () => (closing ??= this.#close(task, backend).finally(release)) }
    } catch (error) {
      release()
      throw error
    }
  }

  async #openWhole(task: TaskId, failure: Error | undefined): Promise<StateBackend> {
    const directory = this.#directory
    if (isDamage(failure)) await this.#setAside(task, failure)
    try {
      return await directory.open(task)
    } catch (error) {
      if (!isDamage(error)) throw error
      await this.#setAside(task, error)
      return await directory.open(task)
    }
  }

  async #setAside(task: TaskId, damage: Error): Promise<void> {
    await this.#directory.setAside(task, damage.message)
    this.#hooks.onDatabaseSetAside(task, damage)
  }

  /** Whoever gives a task up must go on: what is not on the disk comes again from the changelogs. */
  async #close(task: TaskId, backend: StateBackend): Promise<void> {
    try {
      await backend.close()
    } catch (error) {
      this.#hooks.onDatabaseCloseFailed(task, asError(error))
    }
  }

  /** Tasks of the topology that have a database here, open or not. */
  stored(topology: string): Promise<readonly TaskId[]> {
    return this.#directory.stored(topology)
  }

  /** Resolves when none is open. */
  async allClosed(): Promise<void> {
    await Promise.all(this.#through.values())
  }
}

/** The database itself is no good any more. */
function isDamage(error: unknown): error is Error {
  return isStateError(error, 'STATE_CORRUPT') || isStateError(error, 'STATE_MISSING')
}

/** Whether opening again what failed may go better. Damage heals where changelogs have everything. */
export function mayReopen(failure: Error, hasChangelogs: boolean): boolean {
  const reaction = reactionOf(failure)
  return reaction === 'restore' || reaction === 'retry' || (hasChangelogs && isDamage(failure))
}
