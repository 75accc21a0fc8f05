/**
 * Makes the log forget the tasks of a topology: checkpoints, state, journals, identities. Topics and their records stay.
 *
 * | step | what | a crash after it |
 * | --- | --- | --- |
 * | 1 | every identity is marked, and its checkpoint goes with the mark | the topology cannot join; the reset can be run again |
 * | 2 | state and journals go, slice by slice | the same |
 * | 3 | the identities go | the topology starts anew |
 *
 * A task's number is free for another task only after step 3, so rows of two tasks never mix.
 */
import type { KeyRange, WriteOp } from '../../state/index.ts'
import { type Position, StreamsError, type TaskId } from '../../streams/index.ts'
import type { Groups, TaskEntry } from './groups.ts'
import { checkpointKey, journalRange, stateRange, taskKey } from './keys.ts'
import { sealedJson } from './small-rows.ts'
import type { Storage } from './storage.ts'
import type { Upkeep } from './upkeep.ts'

/** Rows deleted with one batch. */
const SLICE_ROWS = 1_000

/** What a reset takes from one task. */
export interface TaskReset {
  readonly task: TaskId
  readonly positions: readonly Position[]
  readonly sequence: number
  /** Bytes of its state in files, roughly. */
  readonly stateBytes: number
}

export interface ResetParts {
  readonly groups: Groups
  readonly storage: Storage
  readonly upkeep: Upkeep
}

/** What `resetTasks` would take. */
export async function planReset({ groups, storage }: ResetParts, topology: string): Promise<TaskReset[]> {
  const db = await storage.ready()
  const entries = groups.tasks.filter(({ task }) => task.topology === topology)
  return Promise.all(
    entries.map(async ({ ordinal, task, checkpoint }) => ({
      task,
      positions: checkpoint?.positions ?? [],
      sequence: checkpoint?.sequence ?? 0,
      stateBytes: await db.approximateBytes(stateRange(ordinal)),
    })),
  )
}

/** Answers what it took. Throws `TOPOLOGY_INVALID` while the topology has a member. */
export async function resetTasks(parts: ResetParts, topology: string): Promise<TaskReset[]> {
  const { groups, upkeep } = parts
  return upkeep.serially(async () => {
    if (groups.hasMember(topology)) {
      throw new StreamsError('TOPOLOGY_INVALID', `${topology} is running; stop it before the reset`)
    }
    const taken = await planReset(parts, topology)
    const entries = groups.tasks.filter(({ task }) => task.topology === topology)
    await upkeep.write((draft) => {
      for (const entry of entries) {
        draft.ops.push(markOf(entry), { type: 'del', key: checkpointKey(entry.ordinal) })
        draft.applied.push(() => {
          entry.resetting = true
          entry.checkpoint = undefined
        })
      }
    })
    for (const { ordinal } of entries) {
      await deleteRange(parts, stateRange(ordinal))
      await deleteRange(parts, journalRange(ordinal))
    }
    await upkeep.write((draft) => {
      for (const entry of entries) {
        draft.ops.push({ type: 'del', key: taskKey(entry.ordinal) })
        draft.applied.push(() => groups.forget(entry.task))
      }
    })
    return taken
  })
}

function markOf({ ordinal, task, stores, inputs }: TaskEntry): WriteOp {
  const key = taskKey(ordinal)
  return { type: 'put', key, value: sealedJson(key, { task, stores, inputs, resetting: true }) }
}

async function deleteRange({ storage, upkeep }: ResetParts, { gte, lt }: KeyRange): Promise<void> {
  // Each slice begins where the last one ended: going over deleted rows again costs as much as reading them.
  let from = gte
  for (;;) {
    const rows = await (await storage.ready()).page({ gte: from, lt }, { limit: SLICE_ROWS })
    const last = rows.at(-1)
    if (last === undefined) return
    await upkeep.write((draft) => {
      for (const { key } of rows) draft.ops.push({ type: 'del', key })
    })
    from = last.key
  }
}
