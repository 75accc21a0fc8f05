/**
 * Writes records into an open transaction: batch by batch, all partitions at the same time, until every batch is
 * acknowledged.
 *
 * Not its job: opening and ending the transaction (`transactional-producer.ts`).
 *
 * Invariants:
 * 1. A partition has one batch on its way at most, so that its records stay in order.
 * 2. A batch is sent again only after an answer, or when nothing was sent, with the same bytes and sequence. A request
 *    of unknown outcome ends the transaction.
 */
import { StreamsError, type TopicPartition } from '../../streams/index.ts'
import type { Codec } from './batches/compression.ts'
import { type BatchRecord, encodeBatch, recordSize } from './batches/encode.ts'
import { isClusterError } from './errors.ts'
import { isTaken, mayPass } from './produce-outcome.ts'
import {
  type AddressedBatch,
  answersTo,
  batchEnd,
  type Brokers,
  byBroker,
  type Leaders,
  partitionName,
  pauseMs,
  produceBatches,
  RECORD_BYTES_MAX,
  sequenceAfter,
} from './producer-batches.ts'
import { needsMetadata, UNKNOWN_SERVER_ERROR } from './protocol/errors.ts'
import type { ProduceAnswer, ProduceVersion } from './protocol/produce.ts'
import type { TransactionalProducer } from './protocol/transactions.ts'
import { gravest, refusalInTransaction, unansweredInTransaction } from './transaction-errors.ts'

/** The records of one partition, in order. */
export interface RecordGroup extends TopicPartition {
  readonly records: readonly BatchRecord[]
}

export interface WrittenBatch {
  /** Index of its first record in the group. */
  readonly first: number
  readonly records: number
  readonly baseOffset: number
}

export interface WrittenGroup extends TopicPartition {
  readonly batches: readonly WrittenBatch[]
}

export interface OpenTransaction {
  readonly leaders: Leaders
  readonly brokers: Brokers
  readonly producer: TransactionalProducer
  readonly version: ProduceVersion
  /** The next sequence of each partition that was written to, by its name. */
  readonly sequences: Map<string, number>
  readonly compression: Codec | undefined
  /** Bytes of a batch's records, unless one has more. */
  readonly batchBytesMax: number
  /** How long a leader may wait for its replicas. Milliseconds. */
  readonly timeoutMs: number
  /** Milliseconds of the monotonic clock after which nothing is sent again. */
  readonly deadline: number
}

/** A group on its way. */
interface Run extends TopicPartition {
  readonly group: RecordGroup
  readonly sizes: readonly number[]
  readonly written: WrittenBatch[]
  /** The first record that is in no batch yet. */
  next: number
  batch: RunBatch | undefined
}

interface RunBatch extends AddressedBatch {
  readonly run: Run
  readonly first: number
  readonly records: number
}

/**
 * Each partition in at most one group. Throws as `transaction-errors.ts` says; `RECORD_TOO_LARGE` and `RangeError` before
 * anything was sent.
 */
export async function writeGroups(
  open: OpenTransaction,
  groups: readonly RecordGroup[],
): Promise<WrittenGroup[]> {
  const runs = groups.map(toRun)
  let failures = 0
  for (let left = runs.filter(hasWork); left.length > 0; left = left.filter(hasWork)) {
    const failed = await writeRound(open, left)
    failures = failed === undefined ? 0 : failures + 1
    if (failed === undefined) continue
    if (open.leaders.clock.monotonic() + pauseMs(failures) > open.deadline) throw failed.error
    await new Promise<void>((resolve) => open.leaders.clock.after(pauseMs(failures), resolve))
    if (failed.needsLook) await open.leaders.refresh().catch(() => {})
  }
  return runs.map(({ topic, partition, written }) => ({ topic, partition, batches: written }))
}

/** The offset of the record at `index` of the group. */
export function offsetIn({ topic, partition, batches }: WrittenGroup, index: number): number {
  const batch = batches.find(({ first, records }) => index >= first && index < first + records)
  if (batch === undefined) throw new RangeError(`${partitionName(topic, partition)}: no record ${index}`)
  return batch.baseOffset + (index - batch.first)
}

interface Failed {
  readonly error: Error
  /** The transaction cannot go on. */
  readonly isFinal: boolean
  /** Leaders may have moved. */
  readonly needsLook: boolean
}

/** One batch of each; answers why some must be sent again. Throws what ends the transaction, after all have ended. */
async function writeRound(open: OpenTransaction, runs: readonly Run[]): Promise<Failed | undefined> {
  const batches = runs.map((run) => (run.batch ??= seal(open, run)))
  const requests = byBroker(batches, open.leaders)
  const sent = await Promise.all(requests.map(({ node, batches: some }) => send(open, node, some)))
  const failed = sent.flat()
  const final = gravest(failed.filter(({ isFinal }) => isFinal).map(({ error }) => error))
  if (final !== undefined) throw final
  for (const { topic, partition } of batches) {
    if (open.leaders.leader(topic, partition) === undefined) failed.push(noLeader(topic, partition))
  }
  return failed.find(({ needsLook }) => needsLook) ?? failed[0]
}

async function send(open: OpenTransaction, node: number, batches: readonly RunBatch[]): Promise<Failed[]> {
  const { brokers, producer, version, timeoutMs } = open
  let answer: ProduceAnswer
  try {
    answer = await brokers.send(node, produceBatches(version, producer.transactionalId, timeoutMs, batches))
  } catch (error) {
    const isFinal = !isClusterError(error, 'CONNECTION_FAILED')
    return [{ error: unansweredInTransaction(error as Error), isFinal, needsLook: true }]
  }
  const failed: Failed[] = []
  for (const [batch, answered] of answersTo(batches, answer)) {
    const code = answered?.errorCode ?? UNKNOWN_SERVER_ERROR
    if (answered !== undefined && isTaken(code)) {
      acknowledge(open, batch, answered.baseOffset)
      continue
    }
    const resource = { kind: 'topic', name: batch.topic } as const
    const error = refusalInTransaction('Produce', code, resource, answered?.errorMessage)
    failed.push({ error, isFinal: !mayPass(code), needsLook: needsMetadata(code) })
  }
  return failed
}

function acknowledge(open: OpenTransaction, batch: RunBatch, baseOffset: number): void {
  const { run, first, records, topic, partition } = batch
  const name = partitionName(topic, partition)
  open.sequences.set(name, sequenceAfter(open.sequences.get(name) ?? 0, records))
  run.batch = undefined
  run.written.push({ first, records, baseOffset })
}

function toRun(group: RecordGroup): Run {
  const { topic, partition, records } = group
  const sizes = records.map(recordSize)
  const tooLarge = sizes.find((size) => size > RECORD_BYTES_MAX)
  if (tooLarge !== undefined) {
    const detail = `${tooLarge} bytes for ${partitionName(topic, partition)}, allowed are ${RECORD_BYTES_MAX}`
    throw new StreamsError('RECORD_TOO_LARGE', detail)
  }
  return { topic, partition, group, sizes, written: [], next: 0, batch: undefined }
}

function seal(open: OpenTransaction, run: Run): RunBatch {
  const { topic, partition, group, sizes, next } = run
  const { compression, producer, sequences } = open
  run.next = batchEnd(sizes, next, open.batchBytesMax)
  const baseSequence = sequences.get(partitionName(topic, partition)) ?? 0
  const records = group.records.slice(next, run.next)
  const stamp = { ...producer, baseSequence, transactional: true, compression }
  return { run, topic, partition, first: next, records: records.length, bytes: encodeBatch(records, stamp) }
}

function hasWork({ batch, next, sizes }: Run): boolean {
  return batch !== undefined || next < sizes.length
}

function noLeader(topic: string, partition: number): Failed {
  const error = new StreamsError('LOG_BUSY', `${partitionName(topic, partition)} has no leader`)
  return { error, isFinal: false, needsLook: true }
}
