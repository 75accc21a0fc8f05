/**
 * What a group keeps with a task's position in an input: the task's times, its batch's number, which life of the topic
 * the position belongs to, and which inputs were committed together: a broker forgets the positions in a topic that is
 * deleted, and the others must show that some are missing.
 *
 * As text: `millrace1 <streamTime> <wallTime> <lastRecordAt> <sequence> <topic tag> <input tags>`, numbers in decimal,
 * e.g. `millrace1 1700000000000 1700000000123 1700000000123 42 0c5e2d1a 5f1b70c237b6a8e4`. Brokers take up to 4096 bytes;
 * this is at most 88, and 8 for each input.
 *
 * Every input's position has it, all of one commit the same but for the topic tag.
 */
import { crc32 } from 'node:zlib'
import type { Checkpoint, Position, TaskTimes } from '../../streams/index.ts'

const FORMAT = 'millrace1'
const PATTERN =
  /^millrace1 (-1|\d{1,16}) (-1|\d{1,16}) (-1|\d{1,16}) (\d{1,16}) ([0-9a-f]{8}) ((?:[0-9a-f]{8})+)$/
const TAG_DIGITS = 8
/** Stands in every input's position while a topology is being reset: no task opens from it. */
export const RESET_MARK = 'millrace reset'
/** The same while another log is being brought here; followed by which one. */
export const IMPORT_MARK = 'millrace import '
const TAGS = new RegExp(`.{${TAG_DIGITS}}`, 'g')

export interface OffsetMetadata {
  readonly times: TaskTimes
  readonly sequence: number
  /** As `topicTag` gives it. */
  readonly topicTag: string
  /** Every input of the task's commit, as `inputTag` gives it. */
  readonly inputTags: readonly string[]
}

/** The first eight hexadecimal digits of a topic's id. `topicId`: base64url, as Kafka's tools print it. */
export function topicTag(topicId: string): string {
  return Buffer.from(topicId, 'base64url').toString('hex').slice(0, TAG_DIGITS)
}

/** Names an input, whichever life it has: eight hexadecimal digits of its name's CRC-32. */
export function inputTag(topic: string): string {
  return crc32(topic).toString(16).padStart(TAG_DIGITS, '0')
}

export function encodeOffsetMetadata(metadata: OffsetMetadata): string {
  const { times, sequence, topicTag: tag, inputTags } = metadata
  const numbers = `${times.streamTime} ${times.wallTime} ${times.lastRecordAt} ${sequence}`
  return `${FORMAT} ${numbers} ${tag} ${inputTags.join('')}`
}

/** Undefined for anything that was not written by `encodeOffsetMetadata`. */
export function parseOffsetMetadata(text: string | null): OffsetMetadata | undefined {
  const match = PATTERN.exec(text ?? '')
  if (match === null) return undefined
  const [streamTime, wallTime, lastRecordAt, sequence] = match.slice(1, 5).map(Number) as Numbers
  const numbers = [streamTime, wallTime, lastRecordAt, sequence]
  if (!numbers.every(Number.isSafeInteger)) return undefined
  const [tag, tags] = match.slice(5) as [string, string]
  const times = { streamTime, wallTime, lastRecordAt }
  return { times, sequence, topicTag: tag, inputTags: tags.match(TAGS) ?? [] }
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
  const newest = newestOf(committed)
  if (newest === undefined) return undefined
  const positions = committed.map(({ topic, partition, offset }) => ({ topic, partition, offset }))
  return { positions, times: newest.times, sequence: newest.sequence }
}

/**
 * Those of a task's inputs that had a position in its last commit, and have none. Throws as `checkpointOf`.
 */
export function inputsLost(committed: readonly CommittedPosition[], inputs: readonly string[]): string[] {
  const together = newestOf(committed)?.inputTags ?? []
  const here = new Set(committed.map(({ topic }) => topic))
  return inputs.filter((topic) => !here.has(topic) && together.includes(inputTag(topic)))
}

function newestOf(committed: readonly CommittedPosition[]): OffsetMetadata | undefined {
  let newest: OffsetMetadata | undefined
  for (const { topic, partition, metadata } of committed) {
    if (metadata === RESET_MARK)
      throw new RangeError(`a reset was begun and not finished (${topic}-${partition}): run it again`)
    if (metadata?.startsWith(IMPORT_MARK) === true)
      throw new RangeError(`a migration was begun and not finished (${topic}-${partition}): run it again`)
    const parsed = parseOffsetMetadata(metadata)
    if (parsed === undefined) throw new RangeError(`${topic}-${partition} has foreign metadata: ${metadata}`)
    // A topology that lost an input leaves its position behind, with an older sequence.
    if (newest === undefined || parsed.sequence > newest.sequence) newest = parsed
  }
  return newest
}
