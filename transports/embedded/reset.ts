/**
 * Makes the log forget the tasks of a topology: checkpoints, state, journals, identities, and the records of its own
 * topics. All other topics and their records stay.
 *
 * | step | what | a crash after it |
 * | --- | --- | --- |
 * | 1 | every identity is marked, and its checkpoint goes with the mark | the topology cannot join; the reset can be run again |
 * | 2 | state, journals and the records of internal topics go, slice by slice | the same |
 * | 3 | the identities go; tasks that read what the topology itself wrote get positions behind it | the topology starts anew |
 *
 * A task's number is free for another task only after step 3, so rows of two tasks never mix. An internal topic goes on
 * with the next offset: positions and tickets of before never name a record of after.
 */
import type { KeyRange, WriteOp } from '../../state/index.ts'
import {
  type Checkpoint,
  type Position,
  StreamsError,
  type TaskId,
  type TopicPartition,
} from '../../streams/index.ts'
import type { Catalog, PartitionState } from './catalog.ts'
import type { Groups, TaskEntry } from './groups.ts'
import { checkpointKey, journalRange, lastOffsetOf, logRange, stateRange, taskKey } from './keys.ts'
import { encodeCheckpoint, sealed, sealedJson } from './small-rows.ts'
import type { Storage } from './storage.ts'
import type { Upkeep } from './upkeep.ts'

/** Rows deleted with one batch. */
const SLICE_ROWS = 1_000
/** Rows of the log, which are large, read at a time to be deleted. */
const LOG_SLICE_ROWS = 16

/** What a reset takes from one task. */
export interface TaskReset {
  readonly task: TaskId
  readonly positions: readonly Position[]
  readonly sequence: number
  /** Bytes of its state in files, roughly. */
  readonly stateBytes: number
}

/** What a reset takes from one partition of an internal topic. */
export interface TopicReset extends TopicPartition {
  /** First offset kept, and the one after the last. */
  readonly start: number
  readonly end: number
  readonly bytes: number
}

export interface ResetReport {
  readonly tasks: readonly TaskReset[]
  readonly topics: readonly TopicReset[]
}

export interface ResetRequest {
  readonly topology: string
  /** Topics of the topology's own. Those that the log does not have are passed over. */
  readonly internalTopics: readonly string[]
  /** Topics that it writes and reads and that stay: it goes on behind what is in them, as all of that comes again. */
  readonly intermediateTopics: readonly string[]
}

export interface ResetParts {
  readonly catalog: Catalog
  readonly groups: Groups
  readonly storage: Storage
  readonly upkeep: Upkeep
}

/** What `resetTopology` would take. */
export async function planReset(
  { catalog, groups, storage }: ResetParts,
  { topology, internalTopics }: ResetRequest,
): Promise<ResetReport> {
  const db = await storage.ready()
  const entries = groups.tasks.filter(({ task }) => task.topology === topology)
  const tasks = await Promise.all(
    entries.map(async ({ ordinal, task, checkpoint }) => ({
      task,
      positions: checkpoint?.positions ?? [],
      sequence: checkpoint?.sequence ?? 0,
      stateBytes: await db.approximateBytes(stateRange(ordinal)),
    })),
  )
  const topics = partitionsOf(catalog, internalTopics).map(({ topic, partition, start, end, bytes }) => {
    return { topic, partition, start, end, bytes }
  })
  return { tasks, topics }
}

/** Answers what it took. Throws `TOPOLOGY_RUNNING` while the topology has a member. */
export async function resetTopology(parts: ResetParts, request: ResetRequest): Promise<ResetReport> {
  const { catalog, groups, upkeep } = parts
  const { topology, internalTopics } = request
  return upkeep.serially(async () => {
    if (groups.hasMember(topology)) {
      throw new StreamsError('TOPOLOGY_RUNNING', `${topology} has a member in this process`)
    }
    const taken = await planReset(parts, request)
    const entries = groups.tasks.filter(({ task }) => task.topology === topology)
    // 1
    await upkeep.write((draft) => {
      for (const entry of entries) {
        draft.ops.push(identityOf(entry, { resetting: true }), {
          type: 'del',
          key: checkpointKey(entry.ordinal),
        })
        draft.applied.push(() => {
          entry.resetting = true
          entry.checkpoint = undefined
        })
      }
    })
    // 2
    for (const { ordinal } of entries) {
      await deleteRange(parts, stateRange(ordinal))
      await deleteRange(parts, journalRange(ordinal))
    }
    for (const partition of partitionsOf(catalog, internalTopics)) await emptyPartition(parts, partition)
    // 3
    await upkeep.write((draft) => {
      for (const entry of entries) {
        const checkpoint = beginning(catalog, entry, request.intermediateTopics)
        if (checkpoint === undefined) {
          draft.ops.push({ type: 'del', key: taskKey(entry.ordinal) })
          draft.applied.push(() => groups.forget(entry.task))
          continue
        }
        const key = checkpointKey(entry.ordinal)
        const value = sealed(key, encodeCheckpoint(checkpoint))
        draft.ops.push(identityOf(entry, {}), { type: 'put', key, value })
        draft.applied.push(() => Object.assign(entry, { resetting: false, checkpoint }))
      }
    })
    return taken
  })
}

function partitionsOf(catalog: Catalog, topics: readonly string[]): readonly PartitionState[] {
  return topics.flatMap((topic) => catalog.find(topic)?.partitions ?? [])
}

function identityOf({ ordinal, task, stores, inputs }: TaskEntry, mark: { resetting?: true }): WriteOp {
  const key = taskKey(ordinal)
  return { type: 'put', key, value: sealedJson(key, { task, stores, inputs, ...mark }) }
}

/** Behind what is in the topics, of which the task reads some; nothing where it reads none. */
function beginning(
  catalog: Catalog,
  { task: { partition }, inputs }: TaskEntry,
  topics: readonly string[],
): Checkpoint | undefined {
  const positions = inputs
    .filter((topic) => topics.includes(topic))
    .map((topic) => ({ topic, partition, offset: catalog.partition({ topic, partition }).end }))
  if (positions.length === 0) return undefined
  return { positions, times: { streamTime: -1, wallTime: -1, lastRecordAt: -1 }, sequence: 0 }
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

/** The partition's start moves with each slice up to its end. */
export async function emptyPartition(
  { storage, upkeep }: Pick<ResetParts, 'storage' | 'upkeep'>,
  partition: PartitionState,
): Promise<void> {
  while (partition.start < partition.end) {
    const { start } = partition
    const range = logRange(partition.topicNumber, partition.partition, start)
    const rows = await (await storage.ready()).page(range, { limit: LOG_SLICE_ROWS })
    const last = rows.at(-1)
    if (last === undefined) return
    const bytes = rows.reduce((sum, { key, value }) => sum + key.length + value.length, 0)
    await upkeep.write((draft) => {
      // Retention was faster: what is there now is looked at again.
      if (partition.start !== start || draft.trims.has(partition)) return
      for (const { key } of rows) draft.ops.push({ type: 'del', key })
      draft.trims.set(partition, { start: lastOffsetOf(last.key) + 1, bytes })
    })
  }
}
