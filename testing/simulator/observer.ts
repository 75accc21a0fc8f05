/**
 * A consumer that polls topics the whole time, as their readers do, and remembers what it was given: the anomalies of
 * Jepsen's Kafka workload are found in that.
 */
import type { Log, PartitionReader } from '../../streams/index.ts'
import type { SimulatedWorld, TrueRecord } from '../../transports/simulated/index.ts'

const TAKE = 50

interface Seen {
  readonly offset: number
  readonly text: string
}

interface Watched {
  readonly topic: string
  readonly partition: number
  reader: PartitionReader
  readonly polls: Seen[]
  /** It began again further on: what lay between was deleted. */
  hasGap: boolean
}

export class Observer {
  readonly #world: SimulatedWorld
  readonly #log: Log
  readonly #watched: Watched[] = []
  readonly complaints: string[] = []

  constructor(world: SimulatedWorld, log: Log) {
    this.#world = world
    this.#log = log
  }

  watch(topic: string): void {
    for (let partition = 0; partition < this.#log.partitions(topic); partition++) {
      const at = { topic, partition }
      const poll = (): void => this.#poll(watched)
      const reader = this.#log.openReader(at, 0, poll)
      const watched: Watched = { ...at, reader, polls: [], hasGap: false }
      this.#watched.push(watched)
      poll()
    }
  }

  #poll(watched: Watched): void {
    const { polls } = watched
    for (;;) {
      const records = watched.reader.take(TAKE)
      for (const { offset, key, value } of records) polls.push({ offset, text: textOf(key, value) })
      if (records.length > 0) continue
      const { fault } = watched.reader
      if (fault !== undefined) void this.#beginAgain(watched, fault)
      return
    }
  }

  /** Only records that were deleted are a reason. */
  async #beginAgain(watched: Watched, fault: Error): Promise<void> {
    const { topic, partition } = watched
    const { start } = await this.#log.bounds({ topic, partition })
    const { position } = watched.reader
    watched.reader.close()
    if (start <= position) {
      this.complaints.push(`a poll of ${topic}-${partition} at ${position} fails: ${fault.message}`)
      return
    }
    watched.hasGap = true
    watched.reader = this.#log.openReader({ topic, partition }, start, () => this.#poll(watched))
    this.#poll(watched)
  }

  /** Everything that is committed was given, as far as it was not deleted. */
  get isCaughtUp(): boolean {
    return this.#watched.every(({ topic, partition, reader }) => {
      const { lastStable } = this.#world.brokers.topics.partition(`${topic}-${partition}`) ?? {
        lastStable: 0,
      }
      return reader.position >= lastStable
    })
  }

  /** What the polls show, beside what the brokers have. */
  judge(): string[] {
    return [...this.complaints, ...this.#watched.flatMap((watched) => this.#judge(watched))]
  }

  #judge({ topic, partition, polls, hasGap }: Watched): string[] {
    const complaints: string[] = []
    const name = `${topic}-${partition}`
    const truth = new Map<number, TrueRecord>()
    for (const record of this.#world.records(topic))
      if (record.partition === partition) truth.set(record.offset, record)
    let last = -1
    for (const { offset, text } of polls) {
      if (offset <= last) complaints.push(`non-monotonic poll: ${name} gave ${offset} after ${last}`)
      last = Math.max(last, offset)
      const record = truth.get(offset)
      if (record === undefined)
        complaints.push(`aborted read: ${name} gave ${offset}, which was never committed`)
      else if (textOf(record.key, record.value) !== text)
        complaints.push(`inconsistent offset: ${name} at ${offset}`)
    }
    const isCompacted = this.#world.brokers.topics.named(topic)?.configs.get('cleanup.policy') === 'compact'
    if (isCompacted || hasGap) return complaints
    const seen = new Set(polls.map(({ offset }) => offset))
    for (const offset of truth.keys()) {
      if (seen.has(offset)) continue
      complaints.push(
        offset < last ? `skipped poll: ${name} at ${offset}` : `unseen at the end: ${name} at ${offset}`,
      )
    }
    return complaints
  }
}

function textOf(key: Buffer | null, value: Buffer | null): string {
  return `${key?.toString('latin1') ?? 'null'}=${value?.toString('latin1') ?? 'null'}`
}
