/**
 * The commits of one topology in this process: when one begins, one after the other, again where the log could not take
 * it. What a commit does is in `commit.ts`.
 *
 * Invariants:
 * 1. At most one commit is under way; the next seals after it has ended.
 * 2. None begins between `pause` and `resume`, and one that waits for the log gives up.
 */
import type { Clock } from './clock.ts'
import { type Backends, type CommitResult, commitSealed, sealTasks } from './commit.ts'
import { reactionOf } from './errors.ts'
import type { StreamsHooks } from './hooks.ts'
import type { Log, TaskCommit } from './log.ts'
import type { Position } from './record.ts'
import type { Task } from './task.ts'

/** Milliseconds before a commit that the log could not take is offered again. */
const RETRY_MS = 200

export interface CommitsOptions {
  readonly topology: string
  readonly log: Log
  readonly clock: Clock
  readonly hooks: StreamsHooks
  /** Milliseconds between commits while work waits, fewer and larger ones being cheaper. */
  readonly commitIntervalMs: number
  /** Uncommitted bytes of all tasks at which a commit begins: what is sealed at once holds up everything else. */
  readonly commitBytes: number
  /** Without waiting work, a commit begins at once; else it waits for its interval as well. */
  readonly commitWhenIdle: boolean
  readonly tasks: () => readonly Task[]
  readonly backends: Backends
  /** Whether a commit that the log could not take may wait; else its tasks fail. */
  readonly mayWait: () => boolean
  /** Inputs are processed up to these positions, and it is durable. */
  readonly onAdvanced: (positions: readonly Position[]) => void
  /** One ended, well or not. */
  readonly onEnded: () => void
}

export class Commits {
  readonly #options: CommitsOptions
  #underWay: Promise<void> | undefined
  #paused = false
  #lastAt = 0

  constructor(options: CommitsOptions) {
    this.#options = options
  }

  get underWay(): boolean {
    return this.#underWay !== undefined
  }

  /** Resolves when none is under way. */
  async ended(): Promise<void> {
    await this.#underWay
  }

  /** None begins until `resume`. Resolves when none is under way. */
  async pause(): Promise<void> {
    this.#paused = true
    await this.#underWay
  }

  resume(): void {
    this.#paused = false
  }

  /** Whether one should begin. `busy`: there is more work at hand. */
  due(busy: boolean): boolean {
    if (!this.#possible()) return false
    const { clock, tasks, commitIntervalMs, commitBytes, commitWhenIdle } = this.#options
    if (!busy && commitWhenIdle) return true
    if (clock.monotonic() - this.#lastAt >= commitIntervalMs) return true
    return sumOf(tasks(), (task) => task.uncommittedBytes) >= commitBytes
  }

  /** Milliseconds until what is there has waited for its interval. */
  untilDue(): number {
    if (!this.#possible()) return Number.POSITIVE_INFINITY
    const { clock, commitIntervalMs } = this.#options
    return this.#lastAt + commitIntervalMs - clock.monotonic()
  }

  #possible(): boolean {
    return !this.#paused && this.#underWay === undefined && this.#options.tasks().some(committable)
  }

  /** Commits what is there now and waits for it; answers whether there was anything. */
  async now(): Promise<boolean> {
    await this.#underWay
    if (!this.#possible()) return false
    await this.begin()
    return true
  }

  /** Call only while none is under way. Never rejects: tasks whose commit failed are told to their `onFault`. */
  begin(): Promise<void> {
    const commit = this.#run().finally(() => {
      this.#underWay = undefined
      this.#options.onEnded()
    })
    this.#underWay = commit
    return commit
  }

  async #run(): Promise<void> {
    const { topology, tasks: candidates, backends, hooks, clock, onAdvanced } = this.#options
    const begin = (this.#lastAt = clock.monotonic())
    // The promise exists before anything can fail: see `begin`.
    await Promise.resolve()
    const { tasks, commits } = sealTasks(candidates().filter(committable), (task, error) =>
      backends.onFault(task, error),
    )
    if (tasks.length === 0) return
    try {
      const { records, outputs } = await this.#commitWithRetry(tasks, commits)
      for (const [i, commit] of commits.entries()) {
        // Readers of a task whose rows did not reach its database would not find what they waited for.
        if (tasks[i]?.failure === undefined) onAdvanced(commit.checkpoint.positions)
        countOutputs(commit, hooks)
      }
      hooks.onCommitted(topology, tasks.length, records, outputs, clock.monotonic() - begin)
    } catch (error) {
      for (const task of tasks) backends.onFault(task, error)
    }
  }

  /** The log may say that it cannot take the commit now: the sealed batches wait and are offered again. */
  async #commitWithRetry(tasks: readonly Task[], commits: readonly TaskCommit[]): Promise<CommitResult> {
    const { log, clock, backends, mayWait } = this.#options
    for (;;) {
      try {
        return await commitSealed(log, tasks, commits, backends)
      } catch (error) {
        if (reactionOf(error) !== 'retry' || this.#paused || !mayWait()) throw error
        await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve))
      }
    }
  }
}

/** Whole records are in the batch and none is under way. */
function committable(task: Task): boolean {
  return task.dirty && !task.committing && task.lifecycle.state === 'running'
}

function sumOf<T>(items: readonly T[], amount: (item: T) => number): number {
  let sum = 0
  for (const item of items) sum += amount(item)
  return sum
}

function countOutputs(commit: TaskCommit, hooks: StreamsHooks): void {
  const counts = new Map<string, number>()
  for (const { topic } of commit.outputs) counts.set(topic, (counts.get(topic) ?? 0) + 1)
  for (const [topic, count] of counts) hooks.onEmitted(commit.task, topic, count)
}
