/**
 * What one broker is asked for: every partition of it that a reader wants more of, in one request at a time, and what
 * cannot wait for that request's answer in a second one.
 *
 * The main request waits at the broker for up to `maxWaitMs`. A reader that is opened or emptied meanwhile is in no
 * request: it goes into a catch-up request on a connection of its own, which waits `CATCH_UP_WAIT_MS` only, so that the
 * next such reader does not wait long either. When the main request comes back, the next one takes over all of them:
 * a broker without news gets one request per `maxWaitMs`, however many partitions are read.
 *
 * Not its job: which broker leads a partition, what an error of a partition means (its owner knows).
 *
 * Invariants:
 * 1. At most one main and one catch-up request are in flight.
 * 2. An answer reaches a reader only if the reader still asks for the offset that the request asked for. So a partition
 *    may be in both requests, and an answer may come late, without a record lost or doubled.
 * 3. A reader known to be behind is in one request only: what is on its way to it is not sent twice.
 * 4. Partitions that got records go to the end of the next request: a full answer starves nobody.
 */
import type { Clock } from '../../streams/index.ts'
import type { KafkaPartitionReader } from './partition-reader.ts'
import { NONE } from './protocol/errors.ts'
import type { Fetch, FetchAnswer, FetchedPartition, FetchPartition } from './protocol/fetch.ts'

/** How long a catch-up request waits at the broker for records. */
const CATCH_UP_WAIT_MS = 25
/** Beyond the wait that was asked for; then the leaders may be elsewhere, long before the connection is given up. */
const OVERDUE_MS = 3000
/** Pauses after a request that failed: doubled each time. */
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 1000
/** Answers in a row that came at once and said nothing, before the broker is given a pause. */
const BARREN_ANSWERS = 3

export type FetchSlot = 'main' | 'catch-up'

/** One request to one broker. */
export interface FetchOrder {
  readonly node: number
  readonly slot: FetchSlot
  readonly request: Fetch
}

/** What a broker's fetches need of their owner. */
export interface FetchesOwner {
  readonly clock: Clock
  readonly limits: {
    /** How long a main request waits at the broker for records. */
    readonly maxWaitMs: number
    readonly maxBytes: number
    readonly partitionMaxBytes: number
  }
  /** The leader epoch to ask with; undefined where the reader is not to ask this broker. May remove the reader. */
  epochFor(reader: KafkaPartitionReader, node: number): number | undefined
  send(order: FetchOrder): Promise<FetchAnswer>
  /** The reader may be given more. */
  hasRoom(reader: KafkaPartitionReader): boolean
  /** What the broker says of the reader's partition; `answerBytes` of records are in the whole answer. */
  answered(reader: KafkaPartitionReader, partition: FetchedPartition, answerBytes: number): void
  /** A broker owes an answer for a while. */
  overdue(): void
  /** A request failed, the `failures`-th in a row: nothing is known about the broker. */
  unreachable(node: number, failures: number, error: unknown): void
}

interface Flight {
  /** The offset asked for, by partition. */
  readonly offsets: ReadonlyMap<string, number>
  /** Ends the calls to the owner while no answer comes. */
  readonly cancelOverdue: () => void
  readonly sentAt: number
  readonly maxWaitMs: number
}

export class BrokerFetches {
  readonly #node: number
  readonly #owner: FetchesOwner
  /** By partition, in the order in which they are asked for. */
  readonly #readers = new Map<string, KafkaPartitionReader[]>()
  readonly #flights: Record<FetchSlot, Flight | undefined> = { main: undefined, 'catch-up': undefined }
  #failures = 0
  #barren = 0
  #cancelPause: (() => void) | undefined
  /** It asks as soon as whoever runs is done. */
  #soon: symbol | undefined

  constructor(node: number, owner: FetchesOwner) {
    this.#node = node
    this.#owner = owner
  }

  add(reader: KafkaPartitionReader): void {
    const key = keyOf(reader.topicId, reader.partition)
    const readers = this.#readers.get(key)
    if (readers === undefined) this.#readers.set(key, [reader])
    else readers.push(reader)
    this.wake()
  }

  remove(reader: KafkaPartitionReader): void {
    const key = keyOf(reader.topicId, reader.partition)
    const readers = this.#readers.get(key)?.filter((other) => other !== reader) ?? []
    if (readers.length === 0) this.#readers.delete(key)
    else this.#readers.set(key, readers)
    if (this.#readers.size === 0) this.#rest()
  }

  /** A reader has room now: ask as soon as whoever runs is done, for all that have by then. */
  wake(): void {
    if (this.#soon !== undefined) return
    const soon = (this.#soon = Symbol('soon'))
    void this.#owner.clock.yield().then(() => {
      if (this.#soon !== soon) return
      this.#soon = undefined
      this.#ask()
    })
  }

  close(): void {
    this.#readers.clear()
    this.#rest()
  }

  #rest(): void {
    this.#cancelPause?.()
    this.#cancelPause = undefined
    this.#soon = undefined
  }

  #ask(): void {
    if (this.#cancelPause !== undefined) return
    if (this.#flights.main === undefined) this.#send('main')
    if (this.#flights.main !== undefined && this.#flights['catch-up'] === undefined) this.#send('catch-up')
  }

  #send(slot: FetchSlot): void {
    const offsets = new Map<string, number>()
    const topics = new Map<string, FetchPartition[]>()
    const { limits } = this.#owner
    let maxWaitMs = slot === 'main' ? limits.maxWaitMs : CATCH_UP_WAIT_MS
    for (const [key, readers] of this.#readers) {
      const reader = readers.find((one) => this.#owner.hasRoom(one) && !this.#isCovered(slot, key, one))
      if (reader === undefined) continue
      const currentLeaderEpoch = this.#owner.epochFor(reader, this.#node)
      if (currentLeaderEpoch === undefined) continue
      const { topicId, partition, nextFetch: fetchOffset } = reader
      const { partitionMaxBytes } = limits
      offsets.set(key, fetchOffset)
      const partitions = topics.get(topicId) ?? []
      partitions.push({ partition, fetchOffset, currentLeaderEpoch, partitionMaxBytes })
      topics.set(topicId, partitions)
      // Until it has heard where the partition ends, a reader cannot tell whether it is caught up.
      if (!reader.hasHeard) maxWaitMs = 0
    }
    if (offsets.size === 0) return
    const cancelOverdue = this.#watch(maxWaitMs + OVERDUE_MS)
    const flight: Flight = { offsets, cancelOverdue, sentAt: this.#owner.clock.monotonic(), maxWaitMs }
    this.#flights[slot] = flight
    const request: Fetch = {
      maxWaitMs,
      minBytes: 1,
      maxBytes: limits.maxBytes,
      isolationLevel: 'read_committed',
      topics: Array.from(topics, ([topicId, partitions]) => ({ topicId, partitions })),
    }
    this.#owner.send({ node: this.#node, slot, request }).then(
      (answer) => {
        this.#landed(slot, flight)
        this.#answered(flight, answer)
      },
      (error: unknown) => {
        this.#landed(slot, flight)
        this.#failed(error)
      },
    )
  }

  /** Whether the other request already asks for what this reader needs. */
  #isCovered(slot: FetchSlot, key: string, reader: KafkaPartitionReader): boolean {
    const other = this.#flights[slot === 'main' ? 'catch-up' : 'main']
    if (other?.offsets.get(key) !== reader.nextFetch) return false
    // The main request takes readers over that wait for news; only their answer could come twice.
    return slot === 'catch-up' || !reader.isIdle
  }

  /** Calls the owner again and again until it is cancelled. */
  #watch(ms: number): () => void {
    const { clock } = this.#owner
    const again = (): void => {
      cancel = clock.after(ms, again)
      this.#owner.overdue()
    }
    let cancel = clock.after(ms, again)
    return () => cancel()
  }

  #landed(slot: FetchSlot, { cancelOverdue }: Flight): void {
    cancelOverdue()
    this.#flights[slot] = undefined
  }

  #answered(flight: Flight, { errorCode, topics }: FetchAnswer): void {
    if (errorCode !== NONE) return this.#pauseAfter(++this.#failures)
    this.#failures = 0
    const all = topics.flatMap(({ topicId, partitions }) => partitions.map((one) => ({ topicId, one })))
    const bytes = all.reduce((sum, { one }) => sum + one.records.length, 0)
    for (const { topicId, one } of all) {
      const key = keyOf(topicId, one.partition)
      const readers = this.#readers.get(key)
      if (readers === undefined) continue
      if (one.records.length > 0) this.#toEnd(key, readers)
      const offset = flight.offsets.get(key)
      for (const reader of readers) if (reader.nextFetch === offset) this.#owner.answered(reader, one, bytes)
    }
    const isBarren = bytes === 0 && all.every(({ one }) => one.errorCode === NONE)
    const isEarly = this.#owner.clock.monotonic() - flight.sentAt < flight.maxWaitMs / 2
    this.#barren = isEarly && isBarren ? this.#barren + 1 : 0
    if (this.#barren >= BARREN_ANSWERS) this.#pauseAfter(this.#barren - BARREN_ANSWERS + 1)
    else this.#ask()
  }

  #toEnd(key: string, readers: KafkaPartitionReader[]): void {
    this.#readers.delete(key)
    this.#readers.set(key, [...readers.slice(1), ...readers.slice(0, 1)])
  }

  #failed(error: unknown): void {
    if (this.#readers.size === 0) return
    this.#pauseAfter(++this.#failures)
    this.#owner.unreachable(this.#node, this.#failures, error)
  }

  #pauseAfter(failures: number): void {
    this.#cancelPause ??= this.#owner.clock.after(pauseMs(failures), () => {
      this.#cancelPause = undefined
      this.#ask()
    })
  }
}

/** How long to wait after the `failures`-th failure in a row, milliseconds. */
export function pauseMs(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS)
}

function keyOf(topicId: string, partition: number): string {
  return `${partition} ${topicId}`
}
