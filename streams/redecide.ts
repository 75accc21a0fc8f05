/**
 * Decides a task's retained inputs again, batch by batch as its journal says, and compares what comes out (I24).
 *
 * Works wherever the journal and the inputs reach back to the task's first batch. Nothing is written to the log: the
 * state is built anew in the backend given, which the caller may compare with the live one.
 */
import { type StateBackend, TaskState } from '../state/index.ts'
import type { SubTopology, Topology } from './graph.ts'
import { noHooks } from './hooks.ts'
import type { BatchJournal, Log } from './log.ts'
import type { Position } from './record.ts'
import { Task } from './task.ts'
import type { TaskId } from './task-id.ts'
import type { Head, TaskInput } from './task-input.ts'
import { NO_CHECKPOINT } from './task-opener.ts'

export interface RedecideOptions {
  readonly topology: Topology
  readonly task: TaskId
  readonly log: Log
  readonly journal: AsyncIterable<BatchJournal> | Iterable<BatchJournal>
  /** Where the inputs were first read; one that is not named, at 0. */
  readonly positions?: readonly Position[]
  /** Empty; afterwards it holds the state that the inputs make. */
  readonly backend: StateBackend
}

export interface RedecideResult {
  readonly batches: number
  readonly records: number
  /** The first batch whose outputs differ, if one does. */
  readonly firstDifference: BatchJournal | undefined
}

/**
 * Throws what processing throws, and a `RangeError` when the journal does not begin with the first batch or does not
 * fit the inputs.
 */
export async function redecide(options: RedecideOptions): Promise<RedecideResult> {
  const { topology, task: id, log, backend } = options
  const subTopology = topology.subTopologies[id.subTopology] as SubTopology
  const state = new TaskState({ reader: backend, specs: subTopology.stores, withChanges: false })
  let readable = (): void => {}
  const task = new Task({
    id,
    epoch: 0,
    subTopology,
    log,
    state,
    checkpoint: { ...NO_CHECKPOINT, positions: options.positions ?? [] },
    hooks: noHooks,
    breaker: 'off',
    wallTime: () => 0,
    expiriesFrozen: () => true,
    monotonic: () => 0,
    onReadable: () => readable(),
  })
  const awaitHead = async (input: TaskInput): Promise<Head> => {
    for (;;) {
      const awake = new Promise<void>((resolve) => (readable = resolve))
      if (input.fault !== undefined) throw input.fault
      if (input.head !== undefined) return input.head
      // Nothing is on its way: waiting would never end.
      if (!input.fetching && !input.blocked)
        throw new RangeError(`the journal goes on where ${input.source.topic.name} ends`)
      await awake
    }
  }
  let batches = 0
  let records = 0
  try {
    for await (const journal of options.journal) {
      if (journal.sequence !== batches + 1) {
        throw new RangeError(`the journal goes from batch ${batches} to ${journal.sequence}: inputs are gone`)
      }
      await task.replay(journal, awaitHead)
      const commit = task.seal()
      await backend.write(commit.state)
      task.committed()
      batches++
      for (const run of journal.inputs) records += run.count
      if (commit.journal.outputsCrc !== journal.outputsCrc)
        return { batches, records, firstDifference: journal }
    }
    return { batches, records, firstDifference: undefined }
  } finally {
    task.close()
  }
}
