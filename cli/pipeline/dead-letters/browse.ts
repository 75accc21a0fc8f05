/** Looking at dead letters: page by page, by cause, one by one. Reads the log and changes nothing. */
import type {
  DeadLetterCause,
  DeadLetterCauses,
  DeadLetterFilter,
  DeadLetterShow,
  DeadLetterSummary,
  DeadLetterView,
  Page,
  PageRequest,
} from '../../../api/index.ts'
import type { Topics } from '../../../schemas/index.ts'
import {
  type Clock,
  type DeadLetter,
  deadLetterTopic,
  type Log,
  type Position,
  positionText,
  readDeadLetter,
  readRange,
  type TopicPartition,
} from '../../../streams/index.ts'
import { matches } from './filter.ts'
import { summaryOf, viewOf } from './preview.ts'
import { readProgress, type RedriveProgress } from './progress.ts'
import { deadLetterPartitions, type DeadLetterTopics } from './topics.ts'

/** Records that one page looks at before it is handed over, full or not. */
const PAGE_LOOKS = 50_000
/** Records that are counted by cause. */
const CAUSE_LOOKS = 1_000_000

export interface BrowseOptions {
  readonly log: Pick<Log, 'partitions' | 'bounds' | 'openReader'>
  readonly clock: Pick<Clock, 'yield'>
  readonly topics: Topics
  readonly deadLetters: DeadLetterTopics
}

export class DeadLetterBrowser {
  readonly #options: BrowseOptions

  constructor(options: BrowseOptions) {
    this.#options = options
  }

  async page(filter: DeadLetterFilter, { limit, after }: PageRequest): Promise<Page<DeadLetterSummary>> {
    const items: DeadLetterSummary[] = []
    let looks = 0
    for await (const { letter, state } of this.#letters(filter, after)) {
      const { topic, partition, offset } = letter.record
      if (items.length >= limit || looks >= PAGE_LOOKS)
        return { items, next: positionText({ topic, partition, offset }) }
      looks++
      if (matches(filter, letter) && isMeant(filter, state)) items.push(summaryOf(letter, state))
    }
    return { items }
  }

  async causes(filter: DeadLetterFilter): Promise<DeadLetterCauses> {
    const causes = new Map<string, DeadLetterCause>()
    let looks = 0
    let complete = true
    for await (const { source, letter, state } of this.#letters(filter)) {
      if (++looks > CAUSE_LOOKS) {
        complete = false
        break
      }
      if (!matches(filter, letter) || !isMeant(filter, state)) continue
      const { error, timestamp } = letter
      const name = `${source}|${error}`
      const known = causes.get(name)
      causes.set(name, {
        topic: source,
        error,
        count: (known?.count ?? 0) + 1,
        earliest: Math.min(known?.earliest ?? timestamp, timestamp),
        latest: Math.max(known?.latest ?? timestamp, timestamp),
      })
    }
    return { causes: [...causes.values()].toSorted((a, b) => b.count - a.count), complete }
  }

  async one(at: Position, show: DeadLetterShow): Promise<DeadLetterView | undefined> {
    const { log, topics } = this.#options
    if (at.partition >= log.partitions(at.topic)) return undefined
    const progress = await readProgress(this.#options, topics, at)
    const { end } = await log.bounds(at)
    const range = { from: at.offset, to: Math.min(at.offset + 1, end) }
    for await (const record of readRange(this.#options, at, range)) {
      if (record.offset === at.offset)
        return viewOf(readDeadLetter(record), stateOf(progress, at.offset), show, topics)
    }
    return undefined
  }

  /** Every dead letter of the filter's topic, or of all, by topic, partition and offset, from a position on. */
  async *#letters(filter: DeadLetterFilter, from?: string) {
    const { topics } = this.#options
    const begin = from === undefined ? undefined : parse(from)
    for (const { source, at } of await this.#partitions(filter.topic)) {
      const isFirst = at.topic === begin?.topic && at.partition === begin.partition
      if (begin !== undefined && !isFirst && isBefore(at, begin)) continue
      if (filter.partition !== undefined && filter.partition !== at.partition) continue
      const progress = await readProgress(this.#options, topics, at)
      const offset = isFirst ? begin.offset : (filter.offset ?? 0)
      for await (const record of readRange(this.#options, at, { from: offset })) {
        const letter: DeadLetter = readDeadLetter(record)
        yield { source, letter, state: stateOf(progress, record.offset) }
      }
    }

    function isBefore(a: TopicPartition, b: TopicPartition): boolean {
      return a.topic === b.topic ? a.partition < b.partition : a.topic < b.topic
    }

    function parse(text: string): Position {
      const [topic = '', partition, offset] = text.split('|')
      return { topic, partition: Number(partition), offset: Number(offset) }
    }
  }

  /** Those that hold anything, in the order of the dead-letter topics' names. */
  async #partitions(topic: string | undefined): Promise<readonly { source: string; at: TopicPartition }[]> {
    const { deadLetters, log } = this.#options
    const sources = topic === undefined ? deadLetters.sources : [topic]
    const all = sources
      .toSorted((a, b) => (deadLetterTopic(a) < deadLetterTopic(b) ? -1 : 1))
      .flatMap((source) => deadLetterPartitions(source, log).map((at) => ({ source, at })))
    // All at once: most are empty, and on a cluster each is a question.
    const bounds = await Promise.all(all.map(({ at }) => log.bounds(at)))
    return all.filter((_, index) => (bounds[index]?.start ?? 0) < (bounds[index]?.end ?? 0))
  }
}

function stateOf(progress: RedriveProgress, offset: number): DeadLetterSummary['state'] {
  const known = progress.get(offset)
  return known === undefined ? 'waiting' : known.targetOffset === null ? 'begun' : 'sent'
}

function isMeant({ state = 'waiting' }: DeadLetterFilter, found: DeadLetterSummary['state']): boolean {
  return state === 'all' || (state === 'sent') === (found === 'sent')
}
