/**
 * Makes the stores of a topology anew, from the log, into a copy of the log in another directory.
 *
 * The topology runs again over what its inputs have, batch by batch as its journals say, and what it would write is
 * compared with what it wrote. Positions, journals, all records, and what other topologies have are copied as they are.
 *
 * | step | what | a crash after it |
 * | --- | --- | --- |
 * | 1 | each task is decided again, its rows go into `<directory>.partial` | nothing but that; the next rebuild begins with removing it |
 * | 2 | everything else is copied there, and all of it is on disk | the same |
 * | 3 | it gets its name | it is there, whole |
 *
 * All or nothing: where a task's inputs do not reach back to its first batch, or the program decides otherwise now,
 * nothing stays, and the report says which and why.
 */
import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { type KeyRange, type LevelDatabase, openLevelDb, StateError } from '../../state/index.ts'
import {
  type BatchJournal,
  isStreamsError,
  type Log,
  type Position,
  redecide,
  type TaskId,
  taskName,
  type Topology,
} from '../../streams/index.ts'
import { Acknowledged } from './acknowledged.ts'
import type { Catalog } from './catalog.ts'
import type { Groups, TaskEntry } from './groups.ts'
import { statePrefix, stateRange } from './keys.ts'
import type { Storage } from './storage.ts'

/** Rows copied with one batch. */
const COPY_ROWS = 500
/** Above every key of the log. */
const END = Buffer.of(0xff)

export interface RebuiltTask {
  readonly task: TaskId
  readonly batches: number
  readonly records: number
}

export interface RefusedTask {
  readonly task: TaskId
  readonly why: string
}

export interface RebuildReport {
  /** Empty where one was refused. */
  readonly rebuilt: readonly RebuiltTask[]
  readonly refused: readonly RefusedTask[]
  /** Inputs whose oldest records are gone. */
  readonly trimmed: readonly Position[]
}

export interface RebuildParts {
  readonly application: string
  readonly storage: Storage
  readonly catalog: Catalog
  readonly groups: Groups
}

export interface RebuildRequest {
  readonly topology: Topology
  /** Must not be there. */
  readonly directory: string
  readonly log: Log & { journal(task: TaskId): AsyncIterable<BatchJournal> }
}

/** Throws `STATE_INCOMPATIBLE` where there is something at `directory`, and what reading and writing throw. */
export async function rebuildInto(parts: RebuildParts, request: RebuildRequest): Promise<RebuildReport> {
  const { application, catalog, groups, storage } = parts
  const { topology, directory } = request
  if (existsSync(directory)) throw new StateError('STATE_INCOMPATIBLE', `${directory} is there already`)
  const partial = `${directory}.partial`
  await rm(partial, { recursive: true, force: true })
  const entries = groups.tasks.filter(({ task }) => task.topology === topology.name)
  const trimmed = entries.flatMap(({ task, inputs }) =>
    inputs.flatMap((topic) => {
      const { start: offset } = catalog.partition({ topic, partition: task.partition })
      return offset > 0 ? [{ topic, partition: task.partition, offset }] : []
    }),
  )
  const target = await openLevelDb(partial, { application })
  let isWhole = false
  try {
    // 1
    const rebuilt: RebuiltTask[] = []
    const refused: RefusedTask[] = []
    for (const entry of entries) {
      const result = await rebuildTask(request, entry, target)
      if ('why' in result) refused.push(result)
      else rebuilt.push(result)
    }
    if (refused.length > 0) return { rebuilt: [], refused, trimmed }
    // 2
    await copyOthers(storage, target, entries)
    // Tables are on disk once they are written; a write-ahead file need not be.
    await target.compact()
    isWhole = true
    return { rebuilt, refused, trimmed }
  } finally {
    await target.close()
    if (isWhole) await name(partial, directory, storage.sequence)
    else await rm(partial, { recursive: true, force: true })
  }
}

/** 3 */
async function name(partial: string, directory: string, sequence: number): Promise<void> {
  const acknowledged = Acknowledged.open(partial)
  acknowledged.set(sequence)
  acknowledged.close()
  await rename(partial, directory)
}

async function rebuildTask(
  { topology, log }: RebuildRequest,
  { task, ordinal, checkpoint }: TaskEntry,
  target: LevelDatabase,
): Promise<RebuiltTask | RefusedTask> {
  const committed = checkpoint?.sequence ?? 0
  try {
    const { batches, records, firstDifference } = await redecide({
      topology,
      task,
      log,
      journal: log.journal(task),
      positions: await beginnings(log.journal(task)),
      backend: target.range(statePrefix(ordinal)),
    })
    if (firstDifference !== undefined)
      return { task, why: `the program decides batch ${firstDifference.sequence} otherwise than it did` }
    if (batches === committed) return { task, batches, records }
    return { task, why: `its journal has ${batches} of ${committed} batches` }
  } catch (error) {
    // The journal does not begin with the first batch, or its inputs do not reach back to it.
    if (error instanceof RangeError || isStreamsError(error)) return { task, why: error.message }
    throw new Error(`${taskName(task)} cannot be decided again`, { cause: error })
  }
}

/** Where each input began to be read: the first batch that took from it knows. */
async function beginnings(journal: AsyncIterable<BatchJournal>): Promise<readonly Position[]> {
  const first = new Map<string, Position>()
  for await (const { inputs } of journal) {
    for (const { topic, partition, firstOffset } of inputs)
      if (!first.has(topic)) first.set(topic, { topic, partition, offset: firstOffset })
  }
  return [...first.values()]
}

async function copyOthers(
  storage: Storage,
  target: LevelDatabase,
  without: readonly TaskEntry[],
): Promise<void> {
  const db = await storage.ready()
  for (const { gte, lt } of rangesWithout(without.map(({ ordinal }) => stateRange(ordinal)))) {
    let from = gte
    for (;;) {
      const rows = await db.page({ gte: from, lt }, { limit: COPY_ROWS })
      const last = rows.at(-1)
      if (last === undefined) break
      await target.write(rows.map(({ key, value }) => ({ type: 'put', key, value })))
      from = Buffer.concat([last.key, Buffer.of(0)])
    }
  }
}

/** All keys but those of the ranges given. */
function rangesWithout(left: readonly KeyRange[]): readonly KeyRange[] {
  const sorted = left.toSorted((a, b) => Buffer.compare(a.gte, b.gte))
  const begins = [Buffer.alloc(0), ...sorted.map(({ lt }) => lt)]
  const ends = [...sorted.map(({ gte }) => gte), END]
  return begins.map((gte, index) => ({ gte, lt: ends[index] as Buffer }))
}
