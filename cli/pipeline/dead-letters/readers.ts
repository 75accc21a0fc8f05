/** How far those are who read the topics that dead letters go back to, in whichever process they run. */
import type { Clock, Log, Position, TopicPartition } from '../../../streams/index.ts'
import type { DeadLetterTopics } from './topics.ts'

/** Between two looks. */
const LOOK_MS = 20

export interface TopicReadersOptions {
  readonly log: Pick<Log, 'processed'>
  readonly clock: Pick<Clock, 'after'>
  readonly deadLetters: DeadLetterTopics
  readonly isLate: () => boolean
}

export class TopicReaders {
  readonly #options: TopicReadersOptions
  /** Never less than what is so. */
  readonly #known = new Map<string, number>()

  constructor(options: TopicReadersOptions) {
    this.#options = options
  }

  /** The next offset of the slowest reader, as it was when it was first asked for or last waited for. */
  async processed(at: TopicPartition): Promise<number> {
    return this.#known.get(nameOf(at)) ?? (await this.#ask(at))
  }

  /** Waits until every reader has committed the positions, or it is late; answers which of them are processed. */
  async reached(targets: readonly Position[]): Promise<(target: Position) => boolean> {
    const isProcessed = (target: Position): boolean => target.offset < (this.#known.get(nameOf(target)) ?? 0)
    for (;;) {
      for (const target of targets) if (!isProcessed(target)) await this.#ask(target)
      if (targets.every(isProcessed) || this.#options.isLate()) return isProcessed
      await new Promise<void>((resolve) => this.#options.clock.after(LOOK_MS, resolve))
    }
  }

  async #ask(at: TopicPartition): Promise<number> {
    const { log, deadLetters } = this.#options
    const readers = deadLetters.readersOf(at.topic)
    const offsets = await Promise.all(readers.map((reader) => log.processed(reader, at)))
    const least = Math.min(...offsets.map((offset) => offset ?? 0))
    this.#known.set(nameOf(at), least)
    return least
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}|${partition}`
}
