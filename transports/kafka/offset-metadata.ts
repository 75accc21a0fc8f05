/**
 * What a group keeps with a task's position in an input: the task's times, its batch's number, and which life of the
 * topic the position belongs to.
 *
 * As text: `millrace1 <streamTime> <wallTime> <lastRecordAt> <sequence> <topic tag>`, numbers in decimal, e.g.
 * `millrace1 1700000000000 1700000000123 1700000000123 42 0c5e2d1a`. Brokers take up to 4096 bytes; this is at most 87.
 *
 * Every input's position has it, all of one commit the same but for the tag.
 */
import type { Checkpoint, Position, TaskTimes } from '../../streams/index.ts'

const FORMAT = 'millrace1'
const PATTERN = /^millrace1 (-1|\d{1,16}) (-1|\d{1,16}) (-1|\d{1,16}) (\d{1,16}) ([0-9a-f]{8})$/
const TAG_DIGITS = 8

export interface OffsetMetadata {
  readonly times: TaskTimes
  readonly sequence: number
  /** As `topicTag` gives it. */
  readonly topicTag: string
}

/** The first eight hexadecimal digits of a topic's id. `topicId`: base64url, as Kafka's tools print it. */
export function topicTag(topicId: string): string {
  return Buffer.from(topicId, 'base64url').toString('hex').slice(0, TAG_DIGITS)
}

export function encodeOffsetMetadata({ times, sequence, topicTag: tag }: OffsetMetadata): string {
  return `${FORMAT} ${times.streamTime} ${times.wallTime} ${times.lastRecordAt} ${sequence} ${tag}`
}

/** Undefined for anything that was not written by `encodeOffsetMetadata`. */
export function parseOffsetMetadata(text: string | null): OffsetMetadata | undefined {
  const match = PATTERN.exec(text ?? '')
  if (match === null) return undefined
  const [streamTime, wallTime, lastRecordAt, sequence] = match.slice(1, 5).map(Number) as Numbers
  const numbers = [streamTime, wallTime, lastRecordAt, sequence]
  if (!numbers.every(Number.isSafeInteger)) return undefined
  return { times: { streamTime, wallTime, lastRecordAt }, sequence, topicTag: match[5] as string }
}

type Numbers = [number, number, number, number]

/** A position as the group has it. */
export interface CommittedPosition extends Position {
  readonly metadata: string | null
}

/**
 * The checkpoint that these positions are. Throws a `RangeError` that says what is wrong with a position that no commit
 * of a task left.
 */
export function checkpointOf(committed: readonly CommittedPosition[]): Checkpoint | undefined {
  let newest: OffsetMetadata | undefined
  for (const { topic, partition, metadata } of committed) {
    const parsed = parseOffsetMetadata(metadata)
    if (parsed === undefined) throw new RangeError(`${topic}-${partition} has foreign metadata: ${metadata}`)
    // A topology that lost an input leaves its position behind, with an older sequence.
    if (newest === undefined || parsed.sequence > newest.sequence) newest = parsed
  }
  if (newest === undefined) return undefined
  const positions = committed.map(({ topic, partition, offset }) => ({ topic, partition, offset }))
  return { positions, times: newest.times, sequence: newest.sequence }
}
