/** Changelogs: how they are named, and how far a task's database is along each of them. */
import { crc32 } from 'node:zlib'
import { StateError, type StateBackend, type StateReader, type WriteOp } from '../state/index.ts'
import type { SubTopology } from './graph.ts'
import type { Log } from './log.ts'
import { type Headers, NO_HEADERS, type Position } from './record.ts'
import type { TaskId } from './task-id.ts'

/** Milliseconds that changelogs keep deletions (`delete.retention.ms`): an older database may miss some. */
export const TOMBSTONE_RETENTION_MS = 7 * 24 * 3_600_000
/** Store name under which a task's timers are logged. */
const TIMERS = 'timers'
/** Where the positions lie in the task's database; no store's name begins like this. */
const POSITIONS_KEY = Buffer.from('\x00changelog-positions')
const CRC_BYTES = 4
const VERSION_HEADER = 'millrace-version'
const FIRST_VERSION = 1

/** How far the rows of a task's database are, per changelog. */
export interface StoredPositions {
  readonly changelogs: readonly StoredPosition[]
  /** When the rows were last those at the changelogs' ends, or began to be read. Epoch milliseconds. */
  readonly at: number
}

export interface StoredPosition extends Position {
  /** Which life of the changelog the offset belongs to. */
  readonly topicId: string
}

/** What a task logs under one name. */
export interface LoggedStore {
  readonly store: string
  readonly topic: string
}

/** Changelog of a store, named as Kafka Streams names it; timers have one per sub-topology. */
export function changelogTopic(application: string, task: TaskId, store: string): string {
  const name =
    store === TIMERS ? `${task.topology}-${task.subTopology}-${TIMERS}` : `${task.topology}-${store}`
  return `${application}-${name}-changelog`
}

/**
 * Headers of a change in a changelog: none for values of the first version, which most are, so that other programs see
 * key and value alone.
 */
export function changeHeaders(version: number): Headers {
  return version === FIRST_VERSION ? NO_HEADERS : [[VERSION_HEADER, Buffer.from(String(version))]]
}

/** Which version of its store's values a change was written with. */
export function versionOf(headers: Headers): number {
  const header = headers.find(([name]) => name === VERSION_HEADER)
  return header === undefined ? FIRST_VERSION : Number(header[1].toString())
}

/** Whether a topic is named as the changelogs of this application are. */
export function isChangelog(application: string, topic: string): boolean {
  return topic.startsWith(`${application}-`) && topic.endsWith('-changelog')
}

/** Everything that a task logs. */
export function loggedStores(application: string, task: TaskId, subTopology: SubTopology): LoggedStore[] {
  const stores = [...subTopology.stores.map((spec) => spec.name), TIMERS]
  return stores.map((store) => ({ store, topic: changelogTopic(application, task, store) }))
}

/** The row that keeps the changelog positions beside the data they belong to: CRC-32 ∣ JSON. */
export function positionsRow(
  log: Log,
  backend: StateBackend,
  positions: readonly Position[],
  at: number,
): WriteOp {
  const key = Buffer.concat([backend.prefix, POSITIONS_KEY])
  const changelogs = positions.map(({ topic, partition, offset }) => {
    return { topic, partition, offset, topicId: log.topicId(topic) }
  })
  const stored: StoredPositions = { changelogs, at }
  const text = Buffer.from(JSON.stringify(stored))
  const value = Buffer.allocUnsafe(CRC_BYTES + text.length)
  value.writeUInt32BE(crc32(text), 0)
  text.copy(value, CRC_BYTES)
  return { type: 'put', key, value }
}

/** Nothing for a database that never had a batch. Throws `STATE_CORRUPT`. */
export function storedPositions(reader: StateReader): StoredPositions | undefined {
  const value = reader.get(Buffer.concat([reader.prefix, POSITIONS_KEY]))
  if (value === undefined) return undefined
  const text = value.subarray(CRC_BYTES)
  if (value.length < CRC_BYTES || value.readUInt32BE(0) !== crc32(text))
    throw new StateError('STATE_CORRUPT', 'the row of the changelog positions')
  return JSON.parse(text.toString()) as StoredPositions
}
