/**
 * Whose turn it is: gives the tasks of a topology that have records a few at a time each.
 *
 * Turns are short, so that HTTP and the log's writer get theirs. Within a sub-topology the task whose next record is
 * oldest comes first, so that a backlog does not drive partitions apart in event time; the sub-topologies take turns.
 */
import type { Clock } from './clock.ts'
import type { StreamsHooks } from './hooks.ts'
import type { Task } from './task.ts'

/** Records that a task processes before the next task has its turn. */
const TURN_RECORDS = 64
/** Milliseconds of turns before everything else in the process has its own. */
const TURN_LIMIT_MS = 4

export interface TaskTurnsOptions {
  readonly clock: Clock
  readonly hooks: StreamsHooks
  /** The task's inputs went on by marks alone: no commit will tell. */
  readonly onMarksPassed: (task: Task) => void
  readonly onFailed: (task: Task, failure: Error) => void
}

export class TaskTurns {
  readonly #options: TaskTurnsOptions
  /** Whose turn is first, among the sub-topologies. */
  #first = 0

  constructor(options: TaskTurnsOptions) {
    this.#options = options
  }

  /** Gives the tasks their turns; answers whether any had records. `groups`: the tasks by sub-topology. */
  async round(groups: readonly (readonly Task[])[]): Promise<boolean> {
    const { clock } = this.#options
    const end = clock.monotonic() + TURN_LIMIT_MS
    const first = this.#first++
    let busy = false
    for (let i = 0; i < groups.length; i++) {
      const group = groups[(first + i) % groups.length] as readonly Task[]
      for (const task of group) if (task.nextTimestamp() === undefined) await this.#turn(task)
      for (let task = oldest(group); task !== undefined; task = oldest(group)) {
        if (await this.#turn(task)) busy = true
        if (clock.monotonic() > end) return busy
      }
    }
    return busy
  }

  async #turn(task: Task): Promise<boolean> {
    const { clock, hooks, onMarksPassed, onFailed } = this.#options
    const start = clock.monotonic()
    const records = await task.run(TURN_RECORDS)
    if (records > 0) hooks.onProcessed(task.task, records, clock.monotonic() - start)
    task.dropEmptyBatch()
    if (records === 0 && task.passedMarks()) onMarksPassed(task)
    if (task.failure !== undefined) onFailed(task, task.failure)
    return records > 0
  }
}

/** The task whose next record is oldest; nothing when none has one at hand. */
function oldest(tasks: readonly Task[]): Task | undefined {
  let best: Task | undefined
  let bestTimestamp = Number.POSITIVE_INFINITY
  for (const task of tasks) {
    const timestamp = task.nextTimestamp()
    if (timestamp !== undefined && timestamp < bestTimestamp) {
      best = task
      bestTimestamp = timestamp
    }
  }
  return best
}
