/** The tasks' own databases on this process's disk: a port for logs that keep no state. */
import type { StateBackend } from '../state/index.ts'
import type { TaskId } from './task-id.ts'

export interface StateDirectory {
  /**
   * Opens the task's database, or makes it. Throws a `StateError`: `STATE_CORRUPT` and `STATE_MISSING` where it is
   * damaged, `STATE_LOCKED`, `STATE_INCOMPATIBLE`, `STATE_IO`.
   */
  open(task: TaskId): Promise<StateBackend>
  /** Tasks of a topology that have a database here. */
  stored(topology: string): Promise<readonly TaskId[]>
  /** Moves a damaged database aside, for people to look at; the next `open` makes a fresh one. */
  setAside(task: TaskId, why: string): Promise<void>
}
