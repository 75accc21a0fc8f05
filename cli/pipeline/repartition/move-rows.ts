/**
 * Moves the rows of a sub-topology's tasks to the tasks that have their keys now, in a copy whose topics have their new
 * partitions. What is to be moved is read from the log that was copied, which does not change.
 */
import { type StoredRow, storedRows, TaskState, timerStoreName } from '../../../state/index.ts'
import {
  type Checkpoint,
  type GroupSpec,
  partitionFor,
  type Position,
  type TaskCommit,
  type TaskId,
  taskName,
} from '../../../streams/index.ts'
import type { EmbeddedLog } from '../../../transports/embedded/index.ts'
import { CheckError } from '../../errors.ts'
import type { Reader } from './plan.ts'
import { recordKeyOf } from './row-keys.ts'

/** Rows moved with one commit. */
const SLICE_ROWS = 500
/** A task that is new has no first batch: nobody is to think that its journal tells how its rows came about. */
const BEFORE_FIRST = 1
const NEVER = { streamTime: -1, wallTime: -1, lastRecordAt: -1 }

export interface MoveParts {
  readonly source: EmbeddedLog
  readonly copy: EmbeddedLog
  /** Before and after. */
  readonly partitions: { readonly from: number; readonly to: number }
}

/** A task of the copy, as its next commit finds it. */
interface Target {
  readonly task: TaskId
  readonly state: TaskState
  readonly positions: readonly Position[]
  readonly times: Checkpoint['times']
  sequence: number
}

/**
 * Answers how many rows moved. `epoch`: of the membership in the copy. Throws a `CheckError` for a row that lies where
 * its key does not belong.
 */
export async function moveRows(parts: MoveParts, reader: Reader, epoch: number): Promise<number> {
  const { source, copy, partitions } = parts
  const { subTopology } = reader
  const targets = await targetsOf(parts, reader)
  const touched = new Set<Target>()
  const commit = async (): Promise<void> => {
    const tasks = [...touched]
    await copy.commit(tasks.map((target) => commitOf(target, epoch)))
    for (const { state } of tasks) state.committed()
    touched.clear()
  }
  let moved = 0
  const stores = [...subTopology.stores.map(({ name }) => name), timerStoreName]
  const stored = new Set(source.storedTasks().map(taskName))
  for (const { task } of targets.slice(0, partitions.from)) {
    if (!stored.has(taskName(task))) continue
    for (const store of stores) {
      for await (const row of storedRows(await source.taskState(task), store)) {
        const at = placeOf(parts, reader, { task, store, row })
        if (at === task.partition) continue
        for (const target of move(targets[task.partition], targets[at], store, row)) touched.add(target)
        if (++moved % SLICE_ROWS === 0) await commit()
      }
    }
  }
  // Also those in which nothing moved: positions are where the partitions go on.
  for (const target of targets) touched.add(target)
  await commit()
  return moved
}

/** Runs `work` as the only member of a topology, in the epoch that it is given. */
export async function asMember<T>(
  log: EmbeddedLog,
  spec: GroupSpec,
  work: (epoch: number) => Promise<T>,
): Promise<T> {
  let epoch = 0
  const nothing = (): Promise<void> => Promise.resolve()
  const membership = await log.join(spec, {
    stored: () => Promise.resolve([]),
    rebalancing: nothing,
    assigned(assignment) {
      epoch = assignment.epoch
      return nothing()
    },
    revoked: nothing,
    lost: () => {},
  })
  try {
    return await work(epoch)
  } finally {
    await membership.leave()
  }
}

function placeOf(
  { partitions }: MoveParts,
  { subTopology }: Reader,
  { task, store, row }: { readonly task: TaskId; readonly store: string; readonly row: StoredRow },
): number {
  const key = recordKeyOf(subTopology.stores, store, row.key)
  const before = partitionFor(key, partitions.from)
  if (before !== task.partition)
    throw new CheckError(`${taskName(task)} has a row of ${store} that belongs to partition ${before}`)
  return partitionFor(key, partitions.to)
}

/** Answers whose states changed. */
function move(
  from: Target | undefined,
  to: Target | undefined,
  store: string,
  row: StoredRow,
): readonly Target[] {
  if (from === undefined || to === undefined) throw new RangeError(`a row of ${store} belongs to no task`)
  // Rows of a page share their bytes with those that come after.
  const key = Buffer.from(row.key)
  from.state.applyChange(store, key, null, row.version)
  to.state.applyChange(store, key, Buffer.from(row.value), row.version)
  return [from, to]
}

/** Every task of the sub-topology; times are the latest of all, as rows of any may come to each. */
async function targetsOf(parts: MoveParts, { topology, subTopology, inputs }: Reader): Promise<Target[]> {
  const { source, copy, partitions } = parts
  const tasks = Array.from({ length: partitions.to }, (_, partition) => {
    return { topology: topology.name, subTopology: subTopology.id, partition }
  })
  const checkpoints = await Promise.all(tasks.map((task) => source.committed(task)))
  const times = checkpoints.reduce((latest, checkpoint) => later(latest, checkpoint?.times ?? NEVER), NEVER)
  return Promise.all(
    tasks.map(async (task, index) => {
      const { partition } = task
      const ends = inputs.map(async (topic) => {
        return { topic, partition, offset: (await copy.bounds({ topic, partition })).end }
      })
      const reader = await copy.taskState(task)
      const state = new TaskState({ reader, specs: subTopology.stores, withChanges: false })
      const sequence = checkpoints[index]?.sequence ?? BEFORE_FIRST
      return { task, state, positions: await Promise.all(ends), times, sequence }
    }),
  )
}

function later(a: Checkpoint['times'], b: Checkpoint['times']): Checkpoint['times'] {
  return {
    streamTime: Math.max(a.streamTime, b.streamTime),
    wallTime: Math.max(a.wallTime, b.wallTime),
    lastRecordAt: Math.max(a.lastRecordAt, b.lastRecordAt),
  }
}

function commitOf(target: Target, epoch: number): TaskCommit {
  const { task, state, positions, times } = target
  const sequence = ++target.sequence
  return {
    task,
    epoch,
    outputs: [],
    checkpoint: { positions, times, sequence },
    journal: { sequence, times, wallTimers: 0, punctuators: [], inputs: [], outputsCrc: 0 },
    state: state.seal().ops,
    changes: [],
  }
}
