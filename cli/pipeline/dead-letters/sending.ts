/** Appending dead letters to the topics that they came from, once each: steps 1 to 3 of a redrive. */
import type { Redrive, Topics } from '../../../schemas/index.ts'
import {
  type AppendRecord,
  type Clock,
  type DeadLetter,
  type Log,
  type Position,
  positionText,
  readRange,
  REDRIVE_FIRST_HEADER,
  REDRIVE_HEADER,
  type TopicPartition,
} from '../../../streams/index.ts'
import type { RoutableLetter } from './plan.ts'
import { progressRecord, type RedriveProgress, redriveId } from './progress.ts'

/** An append whose outcome nobody knows is there by then, or never. */
const SETTLE_MS = 30_000

export interface SendingOptions {
  readonly log: Pick<Log, 'partitions' | 'bounds' | 'openReader' | 'append'>
  readonly clock: Pick<Clock, 'now' | 'yield'>
  readonly topics: Topics
  /** Of the dead letters. */
  readonly at: TopicPartition
  /** Ends every reading. */
  readonly signal: AbortSignal
  /** As it was when the redrive began. */
  readonly progress: RedriveProgress
  /** Throws where this process may not send any more. */
  readonly mayGoOn: () => void
}

/** A dead letter with what is in it. */
export interface Filled {
  readonly letter: RoutableLetter
  readonly content: DeadLetter
}

export class RedriveSender {
  readonly #options: SendingOptions

  constructor(options: SendingOptions) {
    this.#options = options
  }

  /**
   * Where those are that an earlier call began with, by their offsets: `unsettled` where one may still arrive, absent
   * where it was never sent. What is found is noted as sent.
   */
  async find(letters: readonly RoutableLetter[]): Promise<ReadonlyMap<number, Position | 'unsettled'>> {
    const { progress, clock } = this.#options
    const begun = letters.map(({ offset }) => progress.get(offset) as Redrive)
    const places = await this.#placesOf(begun)
    const found = new Map<number, Position | 'unsettled'>()
    const sent: Redrive[] = []
    for (const one of begun) {
      const targetOffset = places.get(positionText(one))
      if (targetOffset !== undefined) {
        found.set(one.offset, { ...targetOf(one), offset: targetOffset })
        sent.push({ ...one, targetOffset, at: clock.now() })
      } else if (clock.now() - one.at < SETTLE_MS) found.set(one.offset, 'unsettled')
    }
    await this.#note(sent)
    return found
  }

  /** Sends them, at most one of a key; answers where they are, in their order. */
  async send(filled: readonly Filled[]): Promise<readonly Position[]> {
    if (filled.length === 0) return []
    const { log, clock, at, mayGoOn } = this.#options
    const ends = new Map<string, number>()
    for (const { letter } of filled) {
      const name = nameOf(letter.target)
      if (!ends.has(name)) ends.set(name, (await log.bounds(letter.target)).highWatermark)
    }
    const now = clock.now()
    const begun = filled.map(({ letter: { offset, target } }): Redrive => {
      const targetFrom = ends.get(nameOf(target)) as number
      const { topic: targetTopic, partition: targetPartition } = target
      return { ...at, offset, targetTopic, targetPartition, targetFrom, targetOffset: null, at: now }
    })
    mayGoOn()
    await this.#note(begun)
    mayGoOn()
    const results = await log.append(filled.map((one) => this.#recordOf(one)))
    const sentAt = clock.now()
    await this.#note(
      begun.map((one, index) => ({
        ...one,
        targetOffset: (results[index] as Position).offset,
        at: sentAt,
      })),
    )
    return results.map(({ topic, partition, offset }) => ({ topic, partition, offset }))
  }

  /** Where dead letters are in their targets, by their positions. */
  async #placesOf(begun: readonly Redrive[]): Promise<ReadonlyMap<string, number>> {
    const places = new Map<string, number>()
    for (const group of Map.groupBy(begun, (one) => nameOf(targetOf(one))).values()) {
      const at = targetOf(group[0] as Redrive)
      const from = Math.min(...group.map(({ targetFrom }) => targetFrom))
      const { highWatermark: to } = await this.#options.log.bounds(at)
      for await (const { headers, offset } of readRange(this.#options, at, { from, to })) {
        for (const [name, value] of headers)
          if (name === REDRIVE_HEADER) places.set(value.toString('utf8'), offset)
      }
    }
    return places
  }

  async #note(redrives: readonly Redrive[]): Promise<void> {
    const { log, topics } = this.#options
    if (redrives.length === 0) return
    await log.append(redrives.map((one) => progressRecord(topics, log, one)))
  }

  /** The record as it was, with where it comes from: an event of its own, made from the dead letter. */
  #recordOf({ letter: { offset, target, first }, content }: Filled): AppendRecord {
    const from = { ...this.#options.at, offset }
    const { key, value, lineage } = content.record
    const { timestamp } = content
    const headers: (readonly [string, Buffer])[] = [
      ...content.headers,
      [REDRIVE_HEADER, Buffer.from(positionText(from))],
    ]
    if (first !== undefined) headers.push([REDRIVE_FIRST_HEADER, Buffer.from(positionText(first))])
    return {
      ...target,
      key,
      value,
      timestamp,
      lineage: {
        eventId: redriveId(from, timestamp, 2),
        causationId: lineage?.eventId,
        correlationId: lineage?.correlationId ?? lineage?.eventId,
        traceparent: lineage?.traceparent,
        cause: { ...from, timestamp: content.record.timestamp },
      },
      headers,
    }
  }
}

function targetOf({ targetTopic, targetPartition }: Redrive): TopicPartition {
  return { topic: targetTopic, partition: targetPartition }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}|${partition}`
}
