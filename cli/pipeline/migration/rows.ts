/** Rows of the tasks' stores: brought to the cluster as changelogs, and compared with what a restore finds there. */
import { type StoredRow, storedRows } from '../../../state/index.ts'
import {
  changeHeaders,
  changelogTopic,
  type LogRecord,
  readRange,
  systemClock,
  type TaskId,
  taskName,
  type TopicPartition,
  versionOf,
} from '../../../streams/index.ts'
import type { EmbeddedLog } from '../../../transports/embedded/index.ts'
import { CheckError } from '../../errors.ts'
import { type Fingerprint, PartitionDigest } from './digest.ts'
import { type CopyParts, same } from './records.ts'

/** Appended with one call. Bytes count keys and values. */
const SLICE_ROWS = 5_000
const SLICE_BYTES = 4 * 1024 * 1024

export interface RowParts extends CopyParts {
  readonly source: EmbeddedLog
  readonly application: string
}

/** A store of a task, or its timers. */
export interface TaskStore {
  readonly task: TaskId
  readonly store: string
  /** Of the changes; epoch milliseconds. */
  readonly timestamp: number
}

/**
 * Brings what is not there yet: rows come in the order of their keys, one change each, so as many as the changelog has
 * are there. Throws what reading and `ClusterImport.appendChanges` throw.
 */
export async function copyRows(parts: RowParts, of: TaskStore): Promise<void> {
  const { source, importer, signal, onSlice } = parts
  const at = changelogOf(parts, of)
  let next = await importer.endOf(at)
  let left = next
  let slice: StoredRow[] = []
  let bytes = 0
  const append = async (): Promise<void> => {
    signal.throwIfAborted()
    const changes = slice.map(({ key, value, version }) => {
      return { key, value, timestamp: of.timestamp, headers: changeHeaders(version) }
    })
    await importer.appendChanges(at, changes, next)
    next += slice.length
    slice = []
    bytes = 0
    onSlice()
  }
  for await (const row of storedRows(await source.taskState(of.task), of.store)) {
    if (left-- > 0) continue
    slice.push(row)
    bytes += row.key.length + row.value.length
    if (slice.length === SLICE_ROWS || bytes >= SLICE_BYTES) await append()
  }
  if (slice.length > 0) await append()
}

/** Throws a `CheckError` where the changelog has anything else than the rows. */
export async function compareRows(parts: RowParts, of: TaskStore): Promise<Fingerprint> {
  const { source, target, importer, signal } = parts
  const at = changelogOf(parts, of)
  const wanted = new PartitionDigest()
  for await (const row of storedRows(await source.taskState(of.task), of.store)) wanted.addRow(row)
  const there = new PartitionDigest()
  const range = { from: 0, to: await importer.endOf(at) }
  for await (const record of readRange({ log: target, clock: systemClock, signal }, at, range))
    there.addRow(rowOf(at, record))
  return same(`${of.store} of ${taskName(of.task)}`, wanted.finish(), there.finish())
}

function rowOf({ topic, partition }: TopicPartition, { offset, key, value, headers }: LogRecord): StoredRow {
  if (key === null || value === null)
    throw new CheckError(`${topic}-${partition} has no row at ${offset}: somebody else writes to it`)
  return { key, value, version: versionOf(headers) }
}

function changelogOf({ application }: RowParts, { task, store }: TaskStore): TopicPartition {
  return { topic: changelogTopic(application, task, store), partition: task.partition }
}
