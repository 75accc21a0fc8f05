/**
 * The standbys of one topology in this process: tasks that run elsewhere, and whose databases are kept up to their
 * changelogs here, so that they can run here at once.
 *
 * Not its job: where standbys are (the log's group), serving queries (a standby answers none).
 *
 * Invariants:
 * 1. A standby only reads the log, and writes to nothing but its task's database, which it has to itself.
 * 2. What goes wrong with a standby ends that one, until it is tried again; nobody else notices.
 * 3. One that is not wanted any more ends after the slice under way, and leaves its database closed and whole.
 */
import { TaskState } from '../state/index.ts'
import { ChangelogReplay } from './changelog-replay.ts'
import type { Clock } from './clock.ts'
import { asError, StreamsError } from './errors.ts'
import { type ExclusiveDatabases, mayReopen, type OpenDatabase } from './exclusive-databases.ts'
import type { SubTopology, Topology } from './graph.ts'
import type { StreamsHooks } from './hooks.ts'
import { type Lifecycle, standbyLifecycle, type StandbyPhase } from './lifecycle.ts'
import type { Log } from './log.ts'
import { Places, unlessAborted } from './places.ts'
import { type TaskId, taskName } from './task-id.ts'

/** Standbys whose databases are open at a time; the others wait until one ends. */
const OPEN_LIMIT = 64
/** Databases that are opened at a time: each is checked, and the tasks that run need the disk. */
const OPENING_LIMIT = 2
/** Slices applied at a time: what they hold in memory is bounded by one, whatever the number of standbys. */
const SLICE_LIMIT = 1
/** Milliseconds before a standby that failed is tried again: nobody waits for it. */
const RETRY_MS = 5_000
/** Milliseconds between looks whether a standby that gets nothing lacks nothing; far less than deletions are kept. */
const CONFIRM_MS = 24 * 3_600_000
/** Decoded rows that a standby keeps at hand: the old values that its indexes must forget. */
const CACHE_ENTRIES = 1_000
const CACHE_BYTES = 1024 * 1024

export interface StandbySetOptions {
  readonly application: string
  readonly topology: Topology
  readonly log: Log
  readonly clock: Clock
  readonly hooks: StreamsHooks
  /** Absent for a log that keeps state: then there are no standbys. */
  readonly databases: ExclusiveDatabases | undefined
}

interface Standby {
  readonly id: TaskId
  readonly lifecycle: Lifecycle<StandbyPhase>
  readonly dropped: AbortController
  /** While it follows. */
  replay: ChangelogReplay | undefined
  failure: Error | undefined
  /** Resolves when it has ended for good. */
  ended: Promise<void>
}

export class StandbySet {
  readonly #options: StandbySetOptions
  readonly #standbys = new Map<string, Standby>()
  readonly #open = new Places(OPEN_LIMIT)
  readonly #openings = new Places(OPENING_LIMIT)
  readonly #slices = new Places(SLICE_LIMIT)

  constructor(options: StandbySetOptions) {
    this.#options = options
  }

  /** What each of the standbys here is in, and how many offsets it lacks, where that is known. */
  get standbys(): readonly {
    readonly task: TaskId
    readonly state: StandbyPhase
    readonly lag: number | undefined
  }[] {
    return [...this.#standbys.values()].map(({ id, lifecycle, replay }) => {
      return { task: id, state: lifecycle.state, lag: replay?.remaining }
    })
  }

  /** Offsets that the standby of a task lacks; nothing where there is none, or nobody knows. */
  lagOf(task: TaskId): number | undefined {
    return this.#standbys.get(taskName(task))?.replay?.remaining
  }

  /** Begins with what is new, goes on with what stays, and ends the rest, which waits for nobody. */
  assign(tasks: readonly TaskId[]): void {
    const { databases } = this.#options
    const wanted = new Set(tasks.map(taskName))
    for (const [name, standby] of this.#standbys) if (!wanted.has(name)) this.#drop(name, standby)
    if (databases === undefined) return
    for (const id of tasks) if (!this.#standbys.has(taskName(id))) this.#begin(id, databases)
  }

  /** Ends all of them; resolves when their databases are closed. Idempotent. */
  async closeAll(): Promise<void> {
    const all = [...this.#standbys]
    for (const [name, standby] of all) this.#drop(name, standby)
    await Promise.all(all.map(([, { ended }]) => ended))
  }

  #drop(name: string, { dropped }: Standby): void {
    this.#standbys.delete(name)
    dropped.abort(new StreamsError('COMMIT_FENCED', `${name} is no standby here any more`))
  }

  #begin(id: TaskId, databases: ExclusiveDatabases): void {
    const { hooks } = this.#options
    const standby: Standby = {
      id,
      lifecycle: standbyLifecycle(taskName(id), (from, to) => {
        hooks.onStandbyState(id, from, to, to === 'failed' ? standby.failure : undefined)
      }),
      dropped: new AbortController(),
      replay: undefined,
      failure: undefined,
      ended: Promise.resolve(),
    }
    this.#standbys.set(taskName(id), standby)
    standby.ended = this.#run(standby, databases)
  }

  /** Never rejects. A standby that failed, and that no other try can help, stays so until it is dropped. */
  async #run(standby: Standby, databases: ExclusiveDatabases): Promise<void> {
    const { lifecycle, dropped } = standby
    const { signal } = dropped
    while (!signal.aborted) {
      try {
        await this.#open.take(signal, () => this.#follow(standby, databases))
      } catch (error) {
        if (!signal.aborted) await this.#failed(standby, asError(error))
      }
    }
    lifecycle.to('closed')
  }

  /** Resolves when it is time to try again. */
  async #failed(standby: Standby, failure: Error): Promise<void> {
    const { lifecycle, dropped } = standby
    standby.failure = failure
    lifecycle.to('failed')
    let cancel = (): void => {}
    const later = new Promise<void>((resolve) => {
      if (mayReopen(failure, true)) cancel = this.#options.clock.after(RETRY_MS, resolve)
    })
    await unlessAborted(dropped.signal, later).then(() => lifecycle.to('opening'), cancel)
  }

  async #follow(standby: Standby, databases: ExclusiveDatabases): Promise<never> {
    const { id, dropped, failure } = standby
    const { signal } = dropped
    const database = await this.#openings.take(signal, () => databases.open(id, signal, failure))
    try {
      const replay = await this.#replayOf(id, database, signal)
      try {
        signal.throwIfAborted()
        standby.failure = undefined
        standby.replay = replay
        standby.lifecycle.to('following')
        return await this.#applyAll(standby, replay)
      } finally {
        standby.replay = undefined
        replay.close()
      }
    } finally {
      await database.close()
    }
  }

  #replayOf(id: TaskId, { backend }: OpenDatabase, signal: AbortSignal): Promise<ChangelogReplay> {
    const { log, clock, application, topology } = this.#options
    const subTopology = topology.subTopologies[id.subTopology] as SubTopology
    const state = new TaskState({
      reader: backend,
      specs: subTopology.stores,
      withChanges: false,
      cacheEntries: CACHE_ENTRIES,
      cacheBytes: CACHE_BYTES,
    })
    const place = { application, task: id, subTopology, state, backend }
    return ChangelogReplay.open({ log, clock, signal, until: 'ever', ...place })
  }

  /** Applies what is there and what comes, until the signal. */
  async #applyAll(standby: Standby, replay: ChangelogReplay): Promise<never> {
    const { clock, hooks } = this.#options
    const { signal } = standby.dropped
    for (;;) {
      const records = await this.#slices.take(signal, () => replay.applySlice())
      signal.throwIfAborted()
      if (records === 0) {
        await this.#rest(signal, replay)
        continue
      }
      hooks.onStandbyUpdated(standby.id, records, replay.remaining)
      await clock.yield()
    }
  }

  /** Resolves when there may be more. Quiet days make a database no older, as long as the log says that they are. */
  async #rest(signal: AbortSignal, replay: ChangelogReplay): Promise<void> {
    let cancel = (): void => {}
    const confirmed = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(CONFIRM_MS, () => resolve(replay.confirm()))
    })
    try {
      await unlessAborted(signal, Promise.race([replay.awake, confirmed]))
    } finally {
      cancel()
    }
  }
}
