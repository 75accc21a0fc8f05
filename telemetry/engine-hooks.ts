/** Counts what the engine tells, and writes the log lines of its incidents. */
import type { StreamsHooks, TaskId } from '../streams/index.ts'
import { BoundedLabel } from './bounded-label.ts'
import type { Instruments } from './instruments.ts'
import type { IncidentLog } from './incidents.ts'

const MS_PER_SECOND = 1000
/** Reasons are codes of the engine and of processors: few, but named by user code. */
const MAX_REASONS = 50

export function engineHooks(instruments: Instruments, incidents: IncidentLog): StreamsHooks {
  const processed = instruments.counter('millrace_task_processed_records_total')
  const turns = instruments.histogram('millrace_task_turn_duration_seconds')
  const perRecord = instruments.histogram('millrace_task_record_duration_seconds')
  const commits = instruments.counter('millrace_topology_commits_total')
  const committed = instruments.counter('millrace_topology_committed_records_total')
  const commitTimes = instruments.histogram('millrace_topology_commit_duration_seconds')
  const dropped = instruments.counter('millrace_task_dropped_records_total')
  const deadLetters = instruments.counter('millrace_task_dead_letters_total')
  const emitted = instruments.counter('millrace_task_emitted_records_total')
  const restored = instruments.counter('millrace_task_restored_records_total')
  const paused = instruments.gauge('millrace_task_paused')
  const restoring = instruments.gauge('millrace_task_restore_remaining_records')
  const updated = instruments.counter('millrace_standby_updated_records_total')
  const frozen = instruments.gauge('millrace_topology_clock_frozen')
  const reasons = new BoundedLabel(MAX_REASONS)
  const taskNames = new WeakMap<TaskId, string>()

  function nameOf(id: TaskId): string {
    const known = taskNames.get(id)
    if (known !== undefined) return known
    const name = `${id.topology}.${id.subTopology}_${id.partition}`
    taskNames.set(id, name)
    return name
  }

  /** Counters that begin at 0 have risen by the first thing they count; those that begin with it have not. */
  function beginTopology(topology: string): void {
    for (const counter of [commits, committed]) counter.inc({ topology }, 0)
    frozen.set({ topology }, 0)
  }

  function beginTask(labels: { topology: string; task: string }): void {
    for (const counter of [processed, restored]) counter.inc(labels, 0)
    restoring.set(labels, 0)
    paused.set(labels, 0)
  }

  return {
    onProcessed(task, records, ms) {
      const { topology } = task
      const labels = { topology, task: nameOf(task) }
      processed.inc(labels, records)
      turns.observe({ topology }, ms / MS_PER_SECOND)
      perRecord.observe(labels, ms / MS_PER_SECOND / records)
    },
    onCommitted(topology, _tasks, records, _outputs, ms) {
      commits.inc({ topology })
      committed.inc({ topology }, records)
      commitTimes.observe({ topology }, ms / MS_PER_SECOND)
    },
    onDropped(task, reason) {
      dropped.inc({ topology: task.topology, task: nameOf(task), reason: reasons.of(reason) })
    },
    onDeadLetter(task, topic, reason) {
      deadLetters.inc({ topology: task.topology, topic, reason: reasons.of(reason) })
      incidents.often('dead-letter', `${topic}|${reason}`, { task: nameOf(task), topic, reason })
    },
    onBreaker(task, topic, flood) {
      paused.set({ topology: task.topology, task: nameOf(task) }, flood === undefined ? 0 : 1)
      const fields = { task: nameOf(task), ...flood, topic }
      if (flood === undefined) incidents.note('task goes on after dead letters', fields)
      else incidents.raise('dead-letter-flood', fields)
    },
    onEmitted(task, topic, records) {
      emitted.inc({ topology: task.topology, topic }, records)
    },
    onTaskState(task, from, to, cause) {
      const fields = { task: nameOf(task), from, to }
      const labels = { topology: task.topology, task: nameOf(task) }
      if (to === 'running') beginTask(labels)
      else if (to === 'closed') for (const gauge of [restoring, paused]) gauge.remove(labels)
      if (to === 'failed') incidents.raise('task-failed', { ...fields, cause })
      else incidents.note('task state', fields)
    },
    onRestoreProgress(task, records, remaining) {
      restored.inc({ topology: task.topology, task: nameOf(task) }, records)
      restoring.set({ topology: task.topology, task: nameOf(task) }, remaining)
    },
    onRestored(task, records, ms) {
      restoring.set({ topology: task.topology, task: nameOf(task) }, 0)
      incidents.note('task restored', { task: nameOf(task), records, ms: Math.round(ms) })
    },
    onTaskRefused(task, cause) {
      incidents.raise('task-refused', { task: nameOf(task), cause })
    },
    onDatabaseSetAside(task, damage) {
      incidents.raise('database-set-aside', { task: nameOf(task), cause: damage })
    },
    onDatabaseCloseFailed(task, cause) {
      incidents.raise('database-close-failed', { task: nameOf(task), cause })
    },
    onStandbyState(task, from, to, cause) {
      const fields = { task: nameOf(task), from, to }
      if (to === 'following') updated.inc({ topology: task.topology, task: nameOf(task) }, 0)
      if (to === 'failed') incidents.often('standby-failed', nameOf(task), { ...fields, err: cause })
      else incidents.note('standby state', fields)
    },
    onStandbyUpdated(task, records) {
      updated.inc({ topology: task.topology, task: nameOf(task) }, records)
    },
    onRevoked(topology, cause) {
      incidents.raise('tasks-revoked', { topology, cause })
    },
    onRunnerState(topology, from, to, cause) {
      if (to === 'joining' && from === 'created') beginTopology(topology)
      if (to === 'failed') incidents.raise('topology-failed', { topology, from, to, cause })
      else incidents.note('topology state', { topology, from, to })
    },
    onClock(topology, { kind, gapMs }) {
      frozen.set({ topology }, kind === 'clock-frozen' ? 1 : 0)
      if (kind === 'clock-frozen') incidents.raise(kind, { topology, gapMs })
      else incidents.note(kind, { topology, gapMs })
    },
  }
}
