/**
 * The dead letters of one partition, as a redrive needs them: which wait, which are on their way, which came back, and
 * what is in them.
 */
import {
  type Clock,
  type DeadLetter,
  isStreamsError,
  type Log,
  type Position,
  readDeadLetter,
  readRange,
  type TopicPartition,
} from '../../../streams/index.ts'
import type { Letter, OnItsWay } from './plan.ts'
import type { RedriveProgress } from './progress.ts'
import type { DeadLetterTopics } from './topics.ts'

/** Dead letters of one partition that are looked at together, at some 200 bytes each. */
const MOST_WAITING = 500_000
/** What the headers of a redrive add to a record at most. */
const HEADERS_BYTES = 2_048

export interface PartitionLettersOptions {
  readonly log: Pick<Log, 'partitions' | 'bounds' | 'openReader' | 'maxRecordBytes'>
  readonly clock: Pick<Clock, 'yield'>
  readonly deadLetters: DeadLetterTopics
  readonly at: TopicPartition
  /** Ends every reading. */
  readonly signal: AbortSignal
}

export interface LookOptions {
  readonly isWanted: (letter: DeadLetter) => boolean
  /** Leaves out those that wait and are not wanted. */
  readonly wantedOnly: boolean
  readonly progress: RedriveProgress
  /** The next offset of the slowest reader of a partition, the same whenever it is asked for. */
  readonly processed: (at: TopicPartition) => Promise<number>
}

export interface Look {
  readonly letters: readonly Letter[]
  /** Sent, not known to be processed, and not back. */
  readonly onTheirWay: readonly OnItsWay[]
  /** Wanted ones that were sent before. */
  readonly already: number
}

export class PartitionLetters {
  readonly #options: PartitionLettersOptions
  /** Offsets of those that were sent back and became dead letters again. */
  readonly #cameBack = new Set<number>()
  /** Up to where the partition was looked at for those. */
  #seenTo = 0

  constructor(options: PartitionLettersOptions) {
    this.#options = options
  }

  cameBack(offset: number): boolean {
    return this.#cameBack.has(offset)
  }

  /** Looks at all of them. */
  async look({ isWanted, wantedOnly, progress, processed }: LookOptions): Promise<Look> {
    const { at, log } = this.#options
    const letters: Letter[] = []
    const sent: OnItsWay[] = []
    let already = 0
    // Before the end of the dead letters is taken: what is processed by then, and came back, is among them.
    for (const { targetTopic, targetPartition, targetOffset } of progress.values())
      if (targetOffset !== null) await processed({ topic: targetTopic, partition: targetPartition })
    const { highWatermark: to } = await log.bounds(at)
    for await (const record of readRange(this.#options, at, { from: 0, to })) {
      const letter = await this.#whole(readDeadLetter(record))
      this.#noteComeBack(letter)
      const { offset } = record
      const key = letter.record.key?.toString('base64')
      const wanted = isWanted(letter)
      const known = progress.get(offset)
      if (known !== undefined && known.targetOffset !== null) {
        if (wanted) already++
        const target = {
          topic: known.targetTopic,
          partition: known.targetPartition,
          offset: known.targetOffset,
        }
        if (target.offset >= (await processed(target))) sent.push({ offset, key, target })
      } else if (wanted || !wantedOnly) {
        const target = this.#targetOf(letter)
        letters.push({ offset, key, first: letter.first, wanted, target, doubtful: known !== undefined })
        if (letters.length > MOST_WAITING) throw tooMany(at)
      }
    }
    this.#seenTo = to
    return { letters, onTheirWay: sent.filter(({ offset }) => !this.cameBack(offset)), already }
  }

  /** Looks at those that came since, for what came back. */
  async lookAgain(): Promise<void> {
    const { at, log } = this.#options
    // Behind what readers see there may be one whose commit is known to be through.
    const { highWatermark: to } = await log.bounds(at)
    for await (const record of readRange(this.#options, at, { from: this.#seenTo, to }))
      this.#noteComeBack(readDeadLetter(record))
    this.#seenTo = to
  }

  /** Those at these offsets, as many as there is room for, in their order. */
  async load(offsets: ReadonlySet<number>, mostBytes: number): Promise<Map<number, DeadLetter>> {
    const loaded = new Map<number, DeadLetter>()
    if (offsets.size === 0) return loaded
    const all = [...offsets]
    const range = { from: Math.min(...all), to: Math.max(...all) + 1 }
    let bytes = 0
    for await (const record of readRange(this.#options, this.#options.at, range)) {
      if (!offsets.has(record.offset)) continue
      const letter = await this.#whole(readDeadLetter(record))
      bytes += sizeOf(letter)
      if (bytes > mostBytes) break
      loaded.set(record.offset, letter)
    }
    return loaded
  }

  /** A letter without key and value, with those of the record that it stands for, where that is still there. */
  async #whole(letter: DeadLetter): Promise<DeadLetter> {
    const original = letter.truncated ? await this.#recordAt(letter.original) : undefined
    if (original === undefined) return letter
    const { topic, partition, offset, timestamp, appendTime, lineage } = letter.record
    const { key, value, headers } = original
    const record = { topic, partition, offset, timestamp, appendTime, lineage, key, value, headers }
    return { ...letter, record, headers: readDeadLetter(original).headers, truncated: false }
  }

  async #recordAt(at: Position | undefined) {
    if (at === undefined) return undefined
    try {
      for await (const record of readRange(this.#options, at, { from: at.offset, to: at.offset + 1 }))
        return record
    } catch (error) {
      if (!isStreamsError(error, 'UNKNOWN_TOPIC')) throw error
    }
    return undefined
  }

  #targetOf(letter: DeadLetter): TopicPartition | undefined {
    const { log, deadLetters } = this.#options
    if (letter.truncated || sizeOf(letter) + HEADERS_BYTES > log.maxRecordBytes) return undefined
    return deadLetters.targetOf(letter, log)
  }

  #noteComeBack({ redriven }: DeadLetter): void {
    const { topic, partition } = this.#options.at
    if (redriven?.topic === topic && redriven.partition === partition) this.#cameBack.add(redriven.offset)
  }
}

/** Bytes of what goes back. */
function sizeOf({ record, headers }: DeadLetter): number {
  let bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0)
  for (const [name, value] of headers) bytes += 2 * name.length + value.length
  return bytes
}

function tooMany({ topic, partition }: TopicPartition): RangeError {
  return new RangeError(`more than ${MOST_WAITING} dead letters wait in ${topic}-${partition}`)
}
