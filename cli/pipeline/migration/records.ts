/** Records of the directory's topics: brought to the cluster, and compared with what readers find there. */
import {
  type Log,
  readRange,
  StreamsError,
  systemClock,
  type TopicPartition,
} from '../../../streams/index.ts'
import type { ClusterImport, PlacedRecord } from '../../../transports/kafka/index.ts'
import { CheckError } from '../../errors.ts'
import { type Fingerprint, PartitionDigest } from './digest.ts'
import type { Translate } from './values.ts'

/** Placed with one call. Bytes count keys and values. */
const SLICE_RECORDS = 5_000
const SLICE_BYTES = 4 * 1024 * 1024

export interface CopyParts {
  readonly source: Log
  readonly target: Log
  readonly importer: ClusterImport
  readonly translate: Translate
  readonly signal: AbortSignal
  /** After each slice that is there. */
  readonly onSlice: () => void
}

/** Brings what is not there yet. Throws what reading and `ClusterImport.place` throw. */
export async function copyPartition(parts: CopyParts, at: TopicPartition): Promise<void> {
  const { source, importer, signal, onSlice } = parts
  const { end } = await source.bounds(at)
  let next = await importer.endOf(at)
  if (next > end) throw tooMany(at, next, end)
  let slice: PlacedRecord[] = []
  let bytes = 0
  const place = async (): Promise<void> => {
    signal.throwIfAborted()
    next = await importer.place(at, slice, next)
    slice = []
    bytes = 0
    onSlice()
  }
  for await (const record of recordsOf(parts, at, { from: next, to: end })) {
    slice.push(record)
    bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0)
    if (slice.length === SLICE_RECORDS || bytes >= SLICE_BYTES) await place()
  }
  if (slice.length > 0) await place()
  await importer.fill(at, next, end)
}

/** Throws a `CheckError` where readers of the cluster find anything else than readers of the directory. */
export async function comparePartition(parts: CopyParts, at: TopicPartition): Promise<Fingerprint> {
  const { source, target, importer, signal } = parts
  const { end } = await source.bounds(at)
  const found = await importer.endOf(at)
  if (found !== end) throw tooMany(at, found, end)
  const wanted = new PartitionDigest()
  for await (const record of recordsOf(parts, at, { from: 0, to: end })) wanted.addRecord(record)
  const there = new PartitionDigest()
  const range = { from: 0, to: end }
  for await (const record of readRange({ log: target, clock: systemClock, signal }, at, range))
    there.addRecord(record)
  return same(`${at.topic}-${at.partition}`, wanted.finish(), there.finish())
}

/** Throws a `CheckError` unless both are the same. */
export function same(name: string, wanted: Fingerprint, found: Fingerprint): Fingerprint {
  if (wanted.count === found.count && wanted.digest === found.digest) return found
  throw new CheckError(
    `${name} has ${found.count} (${found.digest}) on the cluster and ${wanted.count} (${wanted.digest}) in the directory`,
  )
}

async function* recordsOf(
  { source, translate, signal }: CopyParts,
  at: TopicPartition,
  range: { readonly from: number; readonly to: number },
): AsyncGenerator<PlacedRecord> {
  for await (const record of readRange({ log: source, clock: systemClock, signal }, at, range)) {
    const { offset, key, timestamp, lineage, headers } = record
    yield { offset, key, value: translate(at.topic, record.value), timestamp, lineage, headers }
  }
}

function tooMany({ topic, partition }: TopicPartition, found: number, end: number): StreamsError {
  const detail = `${topic}-${partition} ends at ${found} on the cluster and at ${end} in the directory`
  return new StreamsError('TOPIC_MISMATCH', detail)
}
