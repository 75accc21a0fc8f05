/**
 * Runs topologies in a test: the engine's own code on a log in memory, several partitions, both clocks in hand.
 *
 * Every call settles before it returns: records have run through all topologies and are committed. With
 * `restartAfterEachRecord` everything is closed and opened again from what was committed after every record, which a
 * topology must not notice. With `stateHome: 'task'` state lives beside the log and every restart rebuilds it from the
 * changelogs alone.
 */
import type { AnyStoreSpec } from '../state/index.ts'
import {
  type AnyTopic,
  type BatchJournal,
  type BreakerPolicy,
  formatUuid7,
  type Headers,
  type LogRecord,
  NO_HEADERS,
  Streams,
  type StreamsHooks,
  type TaskId,
  type Topic,
  type Topology,
  type TopicUse,
} from '../streams/index.ts'
import { MemoryLog } from '../transports/simulated/index.ts'
import { ManualClock } from './manual-clock.ts'
import { MemoryStateDirectory } from './memory-state-directory.ts'

export interface DriverOptions {
  readonly topologies: readonly Topology[]
  /** Partitions of every topic; 1 unless told. */
  readonly partitions?: number
  readonly restartAfterEachRecord?: boolean
  /** System time at the start, epoch milliseconds; 2026-01-01T00:00:00Z unless told. */
  readonly now?: number
  /** Where state lives; `log` unless told. `task`: restarts rebuild it from the changelogs. */
  readonly stateHome?: 'log' | 'task'
  readonly hooks?: Partial<StreamsHooks>
  /** When dead letters pause a task; as in production unless told. */
  readonly breaker?: BreakerPolicy | 'off'
}

export interface PipeOptions {
  /** Epoch milliseconds; the system time unless told. */
  readonly timestamp?: number
  readonly partition?: number
  readonly headers?: Headers
}

/** A record as a test reads it. */
export interface ReadRecord<K, V> {
  readonly key: K
  readonly value: V | null
  readonly timestamp: number
  readonly partition: number
  readonly offset: number
  readonly record: LogRecord
}

const APPLICATION = 'test'
/** Rounds after which topologies that feed each other for ever are a mistake. */
const SETTLE_LIMIT = 10_000

export class TopologyTestDriver {
  readonly clock: ManualClock
  readonly log: MemoryLog
  readonly #options: DriverOptions
  /** Empty after every restart: all state comes back from the changelogs. */
  readonly #stateDirectory = new MemoryStateDirectory()
  #streams: Streams
  #topologies: readonly Topology[]
  #piped = 0

  private constructor(options: DriverOptions) {
    this.#options = options
    this.#topologies = options.topologies
    this.clock = new ManualClock(options.now ?? Date.UTC(2026, 0, 1))
    this.log = new MemoryLog({ stateHome: options.stateHome ?? 'log', now: () => this.clock.now() })
    this.#streams = this.#makeStreams()
  }

  static async open(options: DriverOptions): Promise<TopologyTestDriver> {
    const driver = new TopologyTestDriver(options)
    await driver.#streams.open()
    await driver.#streams.ready()
    return driver
  }

  /** Appends a record and lets everything run. */
  async pipe<K, V>(
    topic: Topic<K, V>,
    key: K | null,
    value: V | null,
    options: PipeOptions = {},
  ): Promise<void> {
    const keyBytes = key === null ? null : topic.key.serialize(key)
    const valueBytes = value === null ? null : topic.value.serialize(value)
    await this.pipeBytes(topic.name, keyBytes, valueBytes, options)
  }

  /** As `pipe`, with raw bytes: for records that no serde would make. */
  async pipeBytes(
    topic: string,
    key: Buffer | null,
    value: Buffer | null,
    options: PipeOptions = {},
  ): Promise<void> {
    const timestamp = options.timestamp ?? this.clock.now()
    const lineage = { eventId: formatUuid7(this.clock.now(), this.#piped++, 0, 1) }
    const { partition, headers = NO_HEADERS } = options
    await this.log.append([{ topic, partition, key, value, timestamp, lineage, headers }])
    await this.settle()
    if (this.#options.restartAfterEachRecord === true) await this.restart()
  }

  /** Moves both clocks, in steps so that timers fire at their own times. */
  async advanceWallTime(ms: number, stepMs = 1_000): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(left, stepMs))
      await this.settle()
    }
  }

  /** Runs until nothing is left to do, committing on the way. */
  async settle(): Promise<void> {
    for (let round = 0; round < SETTLE_LIMIT; round++) {
      let busy = false
      for (const runner of this.#streams.runners) {
        while (await runner.step()) busy = true
        const failed = runner.tasks.find((task) => task.failure !== undefined)
        if (failed?.failure !== undefined) throw failed.failure
        if (await runner.commitNow()) busy = true
      }
      if (!busy) return
    }
    throw new Error('the topologies feed each other without end')
  }

  /**
   * Closes everything without a further commit and opens it again from what was committed; with other topologies, as a
   * newer program does.
   */
  async restart(topologies: readonly Topology[] = this.#topologies): Promise<void> {
    await this.#streams.close()
    this.#stateDirectory.clear()
    this.#topologies = topologies
    this.#streams = this.#makeStreams()
    await this.#streams.open()
    await this.#streams.ready()
  }

  /** Every record of a topic so far, partition after partition. */
  read<K, V>(topic: Topic<K, V>): ReadRecord<K, V>[] {
    return this.log.records(topic.name).map((record) => ({
      key: record.key === null ? (null as K) : topic.key.deserialize(record.key),
      value: record.value === null ? null : topic.value.deserialize(record.value),
      timestamp: record.timestamp,
      partition: record.partition,
      offset: record.offset,
      record,
    }))
  }

  /** The last value per key of a compacted topic; deleted keys are absent. */
  latest<K, V>(topic: Topic<K, V>): Map<K, V> {
    const values = new Map<K, V>()
    for (const { key, value } of this.read(topic)) {
      if (value === null) values.delete(key)
      else values.set(key, value)
    }
    return values
  }

  /** Dead letters of a topic: the original record with the error headers. */
  deadLetters(topic: AnyTopic): readonly LogRecord[] {
    return this.log.records(`${topic.name}.dlq`)
  }

  /** Queries on committed rows of a store. */
  store<S extends AnyStoreSpec>(topology: Topology, spec: S) {
    return this.#streams.queries(topology.name, spec)
  }

  /** How each of a task's batches came about. */
  journal(task: TaskId): readonly BatchJournal[] {
    return this.log.journal(task)
  }

  get streams(): Streams {
    return this.#streams
  }

  async close(): Promise<void> {
    await this.#streams.close()
    await this.log.close()
  }

  #makeStreams(): Streams {
    const { partitions = 1, stateHome, hooks, breaker } = this.#options
    return new Streams({
      application: APPLICATION,
      topologies: this.#topologies,
      log: this.log,
      clock: this.clock,
      topicSpec: (use: TopicUse) => ({
        name: use.name,
        partitions,
        cleanup: use.cleanup,
        timestamps: use.timestamps,
        retentionMs: Number.POSITIVE_INFINITY,
        retentionBytes: Number.POSITIVE_INFINITY,
      }),
      ...(hooks === undefined ? {} : { hooks }),
      ...(breaker === undefined ? {} : { breaker }),
      ...(stateHome === 'task' ? { stateDirectory: this.#stateDirectory } : {}),
    })
  }
}
