/**
 * What was sent back, remembered in the compacted topic `ops.redrive`: a record per dead letter, under its position, in
 * the partition with the number of the dead letter's own, so that one partition tells all of another.
 *
 * A dead letter is `begun` before it is sent, and `sent` once it is known where it went. One that is only begun may have
 * been sent or not; the target, from where it ended when that was begun, says which.
 */
import type { Redrive, Topics } from '../../../schemas/index.ts'
import {
  type AppendRecord,
  EventIdMaker,
  type Log,
  NO_HEADERS,
  type Position,
  readRange,
  type ReadRangeOptions,
  type TopicPartition,
} from '../../../streams/index.ts'

/** How far each dead letter of a partition is, by its offset; absent: nobody has touched it. */
export type RedriveProgress = ReadonlyMap<number, Redrive>

export async function readProgress(
  options: ReadRangeOptions & { readonly log: Pick<Log, 'partitions'> },
  { opsRedrive }: Topics,
  letters: TopicPartition,
): Promise<Map<number, Redrive>> {
  const progress = new Map<number, Redrive>()
  const at = progressPartition(opsRedrive.name, letters, options.log)
  // A crash may have left a record behind the last one that readers see yet.
  const { highWatermark: to } = await options.log.bounds(at)
  for await (const { value } of readRange(options, at, { from: 0, to })) {
    if (value === null) continue
    const one = opsRedrive.value.deserialize(value)
    if (one.topic === letters.topic && one.partition === letters.partition) progress.set(one.offset, one)
  }
  return progress
}

/** A note of how far a dead letter is. */
export function progressRecord(
  { opsRedrive }: Topics,
  log: Pick<Log, 'partitions'>,
  redrive: Redrive,
): AppendRecord {
  const { topic, partition } = progressPartition(opsRedrive.name, redrive, log)
  const state = redrive.targetOffset === null ? 0 : 1
  return {
    topic,
    partition,
    key: opsRedrive.key.serialize(opsRedrive.keyOf(redrive)),
    value: opsRedrive.value.serialize(redrive),
    timestamp: redrive.at,
    lineage: { eventId: redriveId(redrive, redrive.at, state) },
    headers: NO_HEADERS,
  }
}

/** The same for the same dead letter, time and ordinal. */
export function redriveId({ topic, partition, offset }: Position, at: number, ordinal: number): string {
  return new EventIdMaker(`redrive|${topic}`).derive(at, partition, offset, ordinal)
}

function progressPartition(
  topic: string,
  { partition }: TopicPartition,
  log: Pick<Log, 'partitions'>,
): TopicPartition {
  return { topic, partition: partition % log.partitions(topic) }
}
