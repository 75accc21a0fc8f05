/**
 * Reads partitions of a cluster: committed records only, without a group, each from the position it is given.
 *
 * Data flow: leaders → one `BrokerFetches` per broker → answers → the partition's reader, which decodes them when they
 * are taken. Errors of a partition end here: a leader that moved is looked up again, a position that is not there and
 * a topic that is another one become the reader's fault.
 *
 * Not its job: bytes (`protocol/`, `batches/`), which request carries what (`broker-fetches.ts`).
 *
 * Invariants:
 * 1. A reader belongs to one broker's fetches, or waits for a look at the cluster, or has a fault, or is closed.
 * 2. Nothing but a fault or a close ends a reader: a cluster that is away for hours is asked until it answers.
 * 3. A reader never goes on in a topic that was made again under its topic's name, nor in one that got more partitions.
 */
import { type Clock, type PartitionReader, StreamsError, type TopicPartition } from '../../streams/index.ts'
import { BrokerFetches, type FetchesOwner, type FetchOrder, pauseMs } from './broker-fetches.ts'
import { type ClusterError, isClusterError, refusal } from './errors.ts'
import type { PartitionBounds, PartitionLeader } from './partition-bounds.ts'
import { KafkaPartitionReader } from './partition-reader.ts'
import {
  CORRUPT_MESSAGE,
  NONE,
  OFFSET_OUT_OF_RANGE,
  retriable,
  UNKNOWN_SERVER_ERROR,
} from './protocol/errors.ts'
import type { FetchAnswer, FetchedPartition } from './protocol/fetch.ts'

/** Looks at the cluster that must in a row not know the topic before it counts as deleted. */
const LOOKS_FOR_TOPIC = 10

export interface FetchLimits {
  /** How long a broker without news keeps a request. Milliseconds. */
  readonly maxWaitMs: number
  /** An answer is no larger, but for a single batch that is. */
  readonly maxBytes: number
  /** Of one partition in one answer, but for a single batch that is larger. */
  readonly partitionMaxBytes: number
  /** A reader that holds as much is asked for no more. */
  readonly readerBufferBytes: number
  /** When all readers together hold as much, only those that hold nothing are asked for more. */
  readonly totalBufferBytes: number
  /** What one compressed batch may inflate to. */
  readonly maxInflatedBytes: number
}

const MIB = 1024 * 1024

export const DEFAULT_FETCH_LIMITS: FetchLimits = {
  maxWaitMs: 500,
  maxBytes: 50 * MIB,
  partitionMaxBytes: MIB,
  readerBufferBytes: 2 * MIB,
  totalBufferBytes: 128 * MIB,
  maxInflatedBytes: 64 * MIB,
}

/** The cluster as a fetcher sees it. */
export interface FetchCluster {
  readonly clock: Clock
  /** Id of the topic as of the last look at the cluster; undefined where that found no such partition. */
  topicId(at: TopicPartition): string | undefined
  /** Whether the topic has other partitions by now than when it was first seen. */
  hasGrown(at: TopicPartition): boolean
  /** As of the last look at the cluster; undefined while there is none. */
  leader(at: TopicPartition): PartitionLeader | undefined
  /** Looks at the cluster. */
  refresh(): Promise<void>
  bounds(at: TopicPartition): Promise<PartitionBounds>
  fetch(order: FetchOrder): Promise<FetchAnswer>
}

/** Where a reader is, and how it fares. */
interface Place {
  /** The fetches it belongs to; undefined: it waits for a look at the cluster. */
  fetches: BrokerFetches | undefined
  /** Answers in a row without success. */
  failures: number
  /** Looks at the cluster in a row that did not find the topic. */
  missing: number
}

export class Fetcher {
  readonly #cluster: FetchCluster
  readonly #limits: FetchLimits
  readonly #owner: FetchesOwner
  readonly #brokers = new Map<number, BrokerFetches>()
  readonly #places = new Map<KafkaPartitionReader, Place>()
  #bufferedBytes = 0
  /** The next look at the cluster, due or going on. */
  #look: (() => void) | undefined
  #closed = false

  constructor(cluster: FetchCluster, limits: FetchLimits = DEFAULT_FETCH_LIMITS) {
    this.#cluster = cluster
    this.#limits = limits
    this.#owner = {
      limits,
      clock: cluster.clock,
      epochFor: (reader, node) => this.#epochFor(reader, node),
      send: (order) => cluster.fetch(order),
      hasRoom: (reader) => this.#hasRoom(reader),
      answered: (reader, partition, answerBytes) => this.#answered(reader, partition, answerBytes),
      overdue: () => this.#lookAgain(1),
      unreachable: (node, failures, error) => this.#unreachable(node, failures, error),
    }
  }

  /**
   * Throws `UNKNOWN_TOPIC`, `LOG_CLOSED`. A position that is not in the partition becomes the reader's fault. `isStamped`:
   * as a reader's hooks have it.
   */
  open(at: TopicPartition, from: number, onReadable: () => void, isStamped = false): PartitionReader {
    if (this.#closed) throw new StreamsError('LOG_CLOSED', `no reader of ${nameOf(at)} can be opened`)
    const topicId = this.#cluster.topicId(at)
    if (topicId === undefined) throw new StreamsError('UNKNOWN_TOPIC', nameOf(at))
    const reader = new KafkaPartitionReader(at, topicId, from, this.#limits, onReadable, {
      isStamped,
      now: () => this.#cluster.clock.now(),
      buffered: (bytes) => this.#buffered(bytes),
      wantsMore: () => this.#places.get(reader)?.fetches?.wake(),
      ended: () => this.#forget(reader),
    })
    this.#places.set(reader, { fetches: undefined, failures: 0, missing: 0 })
    if (Number.isSafeInteger(from) && from >= 0) this.#settle(reader)
    else reader.fail(new StreamsError('OFFSET_OUT_OF_RANGE', `${nameOf(at)}: ${from} is no offset`))
    return reader
  }

  /** Closes all readers. Idempotent. Requests in flight end by themselves, at the latest after `maxWaitMs`. */
  close(): void {
    this.#closed = true
    this.#look?.()
    for (const reader of this.#places.keys()) reader.close()
  }

  // --- room

  #hasRoom(reader: KafkaPartitionReader): boolean {
    if (reader.bufferedBytes >= this.#limits.readerBufferBytes) return false
    return reader.bufferedBytes === 0 || this.#bufferedBytes < this.#limits.totalBufferBytes
  }

  #buffered(bytes: number): void {
    const limit = this.#limits.totalBufferBytes
    const wasFull = this.#bufferedBytes >= limit
    this.#bufferedBytes += bytes
    if (wasFull && this.#bufferedBytes < limit) for (const fetches of this.#brokers.values()) fetches.wake()
  }

  // --- answers

  #answered(reader: KafkaPartitionReader, partition: FetchedPartition, answerBytes: number): void {
    const place = this.#places.get(reader)
    if (place === undefined) return
    const { errorCode } = partition
    if (errorCode === NONE) {
      place.failures = 0
      place.missing = 0
      reader.accept(partition, answerBytes)
    } else if (errorCode === OFFSET_OUT_OF_RANGE) {
      void this.#outOfRange(reader, place)
    } else if (errorCode === CORRUPT_MESSAGE) {
      reader.damaged('the broker cannot read it')
    } else if (retriable(errorCode) || errorCode === UNKNOWN_SERVER_ERROR) {
      this.#unsettle(reader, place)
    } else {
      reader.fail(refusal('Fetch', errorCode, { kind: 'topic', name: reader.topic }))
    }
  }

  /** The broker says so; a leader that lost its place may be wrong about its end. */
  async #outOfRange(reader: KafkaPartitionReader, place: Place): Promise<void> {
    place.fetches?.remove(reader)
    place.fetches = undefined
    const position = reader.nextFetch
    const bounds = await this.#cluster.bounds(reader).catch(() => undefined)
    if (!this.#places.has(reader)) return
    if (bounds === undefined || (position >= bounds.start && position <= bounds.highWatermark)) {
      this.#unsettle(reader, place)
      return
    }
    const range = `the log has ${bounds.start} to ${bounds.end}`
    const detail = `${nameOf(reader)}: position ${position}, ${range}`
    reader.fail(new StreamsError('OFFSET_OUT_OF_RANGE', detail))
  }

  // --- places

  #unreachable(node: number, failures: number, error: unknown): void {
    if (!isFinal(error)) return this.#lookAgain(failures)
    const fetches = this.#brokers.get(node)
    for (const [reader, place] of this.#places) if (place.fetches === fetches) reader.fail(error)
  }

  /** Puts a reader where its leader is, as far as known, after a check that its topic is still the same. */
  #settle(reader: KafkaPartitionReader): void {
    const place = this.#places.get(reader)
    if (place === undefined) return
    const topicId = this.#cluster.topicId(reader)
    const leader = topicId === undefined ? undefined : this.#cluster.leader(reader)
    if (topicId !== undefined && topicId !== reader.topicId) {
      reader.fail(replaced(reader, 'was deleted and made again'))
    } else if (this.#cluster.hasGrown(reader)) {
      reader.fail(grown(reader))
    } else if (leader === undefined) {
      this.#unsettle(reader, place)
    } else {
      const fetches = this.#fetches(leader.node)
      if (fetches === place.fetches) return
      place.fetches?.remove(reader)
      place.fetches = fetches
      fetches.add(reader)
    }
  }

  /** Takes a reader from its broker until the cluster was looked at. */
  #unsettle(reader: KafkaPartitionReader, place: Place): void {
    place.fetches?.remove(reader)
    place.fetches = undefined
    this.#lookAgain(++place.failures)
  }

  /** The first look after a failure is at once; later ones have a pause before them. */
  #lookAgain(failures: number): void {
    if (this.#closed) return
    const waitMs = failures === 1 ? 0 : pauseMs(failures - 1)
    this.#look ??= this.#cluster.clock.after(waitMs, () => void this.#lookNow())
  }

  async #lookNow(): Promise<void> {
    const error: unknown = await this.#cluster.refresh().then(
      () => undefined,
      (cause: unknown) => cause,
    )
    this.#look = undefined
    for (const [reader, place] of this.#places) {
      if (error === undefined && this.#cluster.topicId(reader) === undefined) place.missing++
      if (place.missing >= LOOKS_FOR_TOPIC) reader.fail(replaced(reader, 'does not exist any more'))
      else if (place.fetches === undefined && isFinal(error)) reader.fail(error)
      else this.#settle(reader)
    }
  }

  #epochFor(reader: KafkaPartitionReader, node: number): number | undefined {
    const isSame = this.#cluster.topicId(reader) === reader.topicId && !this.#cluster.hasGrown(reader)
    const leader = isSame ? this.#cluster.leader(reader) : undefined
    if (leader?.node === node) return leader.epoch
    this.#settle(reader)
    return undefined
  }

  #fetches(node: number): BrokerFetches {
    let fetches = this.#brokers.get(node)
    if (fetches === undefined) this.#brokers.set(node, (fetches = new BrokerFetches(node, this.#owner)))
    return fetches
  }

  #forget(reader: KafkaPartitionReader): void {
    this.#places.get(reader)?.fetches?.remove(reader)
    this.#places.delete(reader)
    if (this.#places.size > 0) return
    this.#look?.()
    this.#look = undefined
  }
}

/** Asking again would be no help: the credentials are refused, or it is another cluster. */
function isFinal(error: unknown): error is ClusterError {
  return isClusterError(error) && error.reaction === 'stop'
}

function replaced(reader: KafkaPartitionReader, what: string): StreamsError {
  return new StreamsError(
    'RESET_REQUIRED',
    `${nameOf(reader)}: the topic ${what}; position ${reader.nextFetch} was one of topic id ${reader.topicId}`,
  )
}

/** Producers that know of the new partitions put keys where their state is not. */
function grown({ topic }: KafkaPartitionReader): StreamsError {
  const way = 'make a new topic with as many, set topics.overrides to it, and copy the records there'
  return new StreamsError(
    'TOPIC_MISMATCH',
    `${topic} got more partitions, so keys change their places: ${way}`,
  )
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}
