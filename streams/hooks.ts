/**
 * What the engine tells about itself. Hooks are called synchronously, outside the per-record path (once per slice,
 * commit or event), and must not throw.
 */
import type { Flood } from './breaker.ts'
import type { RunnerState, StandbyPhase, TaskPhase } from './lifecycle.ts'
import type { TaskId } from './task-id.ts'
import type { ClockIncident } from './wall-clock.ts'

export interface StreamsHooks {
  /** A task processed `records` records in `ms` milliseconds. */
  onProcessed(task: TaskId, records: number, ms: number): void
  /** A commit of `tasks` tasks became durable; `ms` from its first step to its last. */
  onCommitted(topology: string, tasks: number, records: number, outputs: number, ms: number): void
  onDropped(task: TaskId, reason: string): void
  onDeadLetter(task: TaskId, topic: string, reason: string): void
  /**
   * Dead letters of a topic flood: the task takes nothing until its breaker closes. Without a flood: it has closed.
   */
  onBreaker(task: TaskId, topic: string, flood: Flood | undefined): void
  /** Records decided per output of a processor in a commit, for counting business facts. */
  onEmitted(task: TaskId, topic: string, records: number): void
  onTaskState(task: TaskId, from: TaskPhase, to: TaskPhase, cause: Error | undefined): void
  /** A slice of a restore is in the database: its changes, and the offsets that are left. */
  onRestoreProgress(task: TaskId, records: number, remaining: number): void
  /** A task's state is up to its changelogs: `records` changes in `ms` milliseconds. */
  onRestored(task: TaskId, records: number, ms: number): void
  /** An assigned task cannot be opened, and will not be tried again. */
  onTaskRefused(task: TaskId, cause: Error): void
  /** A task's database is damaged: it was moved aside, and is made anew from the changelogs. */
  onDatabaseSetAside(task: TaskId, damage: Error): void
  /** A task's database did not close well. It counts as closed. */
  onDatabaseCloseFailed(task: TaskId, cause: Error): void
  /** `cause`: why it failed; it is tried again, unless that can be no help. */
  onStandbyState(task: TaskId, from: StandbyPhase, to: StandbyPhase, cause: Error | undefined): void
  /** A slice of a standby is in its database: its changes, and the offsets that it still lacks, as far as known. */
  onStandbyUpdated(task: TaskId, records: number, remaining: number): void
  /** The group went on without this process; it joins again. */
  onRevoked(topology: string, cause: Error): void
  onRunnerState(topology: string, from: RunnerState, to: RunnerState, cause: Error | undefined): void
  onClock(topology: string, incident: ClockIncident): void
}

const nothing = (): void => {}

export const noHooks: StreamsHooks = Object.freeze({
  onProcessed: nothing,
  onCommitted: nothing,
  onDropped: nothing,
  onDeadLetter: nothing,
  onBreaker: nothing,
  onEmitted: nothing,
  onTaskState: nothing,
  onRestoreProgress: nothing,
  onRestored: nothing,
  onTaskRefused: nothing,
  onDatabaseSetAside: nothing,
  onDatabaseCloseFailed: nothing,
  onStandbyState: nothing,
  onStandbyUpdated: nothing,
  onRevoked: nothing,
  onRunnerState: nothing,
  onClock: nothing,
})
