/**
 * Makes a copy of an embedded log in which topics have more partitions, and each task the rows of the keys that it has
 * then. The directory at hand stays as it is.
 *
 * | step | what | a crash after it |
 * | --- | --- | --- |
 * | 0 | everything in these topics is processed, and every store that goes with them tells by its keys where its rows belong | nothing has happened |
 * | 1 | a copy, as `<directory>.partial` | nothing but that; the next try begins with removing it |
 * | 2 | in the copy the topics get their partitions and lose their records; those of compacted topics come back, each where it belongs | the same |
 * | 3 | rows move to the tasks that have their keys, timers among them; positions are where the partitions go on | the same |
 * | 4 | all rows are there once, each where it belongs, and the copy is whole | the same |
 * | 5 | it gets its name | it is there |
 */
import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { StateError } from '../../../state/index.ts'
import {
  type AppendRecord,
  groupSpecOf,
  readRange,
  systemClock,
  type Topology,
} from '../../../streams/index.ts'
import { type EmbeddedLog, openEmbeddedLog, verifyLog } from '../../../transports/embedded/index.ts'
import { closeAfter } from '../../closing.ts'
import { CheckError } from '../../errors.ts'
import { compareRows } from './compare-rows.ts'
import { asMember, moveRows } from './move-rows.ts'
import { placementOf } from './placement.ts'
import type { Reader, RepartitionPlan } from './plan.ts'

/** Appended with one call. */
const SLICE_RECORDS = 1_000

export interface RepartitionOptions {
  readonly source: EmbeddedLog
  readonly application: string
  /** Of the program. */
  readonly topologies: readonly Topology[]
  readonly plan: RepartitionPlan
  readonly partitions: number
  /** Must not be there. */
  readonly directory: string
  /** Ends it between two records. */
  readonly signal: AbortSignal
}

export interface RepartitionReport {
  readonly topics: readonly { readonly topic: string; readonly from: number; readonly to: number }[]
  /** Rows of stores and timers: all, and those that have another task now. */
  readonly rows: number
  readonly moved: number
  /** Records of compacted topics. */
  readonly records: number
  /** Dead letters that are not in the copy. */
  readonly deadLettersLeft: number
}

/** Steps 1 to 5. Throws `STATE_INCOMPATIBLE` where there is something at `directory`, and a `CheckError`. */
export async function repartition(options: RepartitionOptions): Promise<RepartitionReport> {
  const { source, application, directory } = options
  if (existsSync(directory)) throw new StateError('STATE_INCOMPATIBLE', `${directory} is there already`)
  const partial = `${directory}.partial`
  await rm(partial, { recursive: true, force: true })
  // 1
  await source.backup(partial)
  const opened = { directory: partial, application, housekeepingIntervalMs: 0 }
  const copy = await openEmbeddedLog(opened)
  const report = await closeAfter(
    () => change(options, copy),
    () => copy.close(),
  )
  // 4
  await verifyLog(opened)
  // 5
  await rename(partial, directory)
  return report
}

/** Steps 2 to 4 in the copy. */
async function change(options: RepartitionOptions, copy: EmbeddedLog): Promise<RepartitionReport> {
  const { source, application, plan, partitions } = options
  const topics = plan.topics.map((topic) => ({ topic, from: source.partitions(topic), to: partitions }))
  const deadLettersLeft = await lettersIn(source, plan.deadLetters)
  // 2
  await copy.regrowTopics({ topics: plan.topics, partitions, emptied: plan.deadLetters })
  let records = 0
  for (const { name, cleanup } of source.describeTopics())
    if (cleanup === 'compact' && plan.topics.includes(name)) records += await bringBack(options, copy, name)
  // 3, 4
  let moved = 0
  let rows = 0
  for (const [topology, readers] of Map.groupBy(plan.readers, (reader) => reader.topology)) {
    await asMember(copy, groupSpecOf(application, topology), async (epoch) => {
      for (const reader of readers) moved += await moveRows(partsOf(options, copy, reader), reader, epoch)
    })
    for (const reader of readers) rows += await compareRows(partsOf(options, copy, reader), reader)
  }
  return { topics, rows, moved, records, deadLettersLeft }
}

function partsOf(
  { source, partitions }: RepartitionOptions,
  copy: EmbeddedLog,
  { inputs: [input = ''] }: Reader,
) {
  return { source, copy, partitions: { from: source.partitions(input), to: partitions } }
}

/** The newest of each key, and what compaction has not come to; answers how many. */
async function bringBack(
  { source, topologies, partitions, signal }: RepartitionOptions,
  copy: EmbeddedLog,
  topic: string,
): Promise<number> {
  const place = placementOf(topologies, topic)
  let records = 0
  for (let partition = 0; partition < source.partitions(topic); partition++) {
    let slice: AppendRecord[] = []
    const append = async (): Promise<void> => {
      await copy.append(slice)
      records += slice.length
      slice = []
    }
    const at = { topic, partition }
    for await (const record of readRange({ log: source, clock: systemClock, signal }, at, { from: 0 })) {
      const { key, value, timestamp, lineage, headers } = record
      // Where it does not lie where it belongs, nobody knows where it would.
      if (place(record, source.partitions(topic)) !== partition)
        throw new CheckError(`${topic}-${partition} has a record at ${record.offset} that belongs elsewhere`)
      if (lineage === undefined) throw new CheckError(`${topic}-${partition} has a record without an eventId`)
      slice.push({ topic, partition: place(record, partitions), key, value, timestamp, lineage, headers })
      if (slice.length === SLICE_RECORDS) await append()
    }
    if (slice.length > 0) await append()
  }
  return records
}

async function lettersIn(log: EmbeddedLog, topics: readonly string[]): Promise<number> {
  let letters = 0
  for (const { topic, start, end } of log.stats().partitions)
    if (topics.includes(topic)) letters += end - start
  return letters
}
