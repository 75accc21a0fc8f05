/**
 * What is where in the cluster: brokers, topics, leaders, coordinators; asked again when somebody finds it out of date.
 *
 * Not its job: carrying requests to their brokers (`connections.ts`), making topics (`topics.ts`).
 *
 * Invariants:
 * 1. What is known of a partition never goes back to an older leader epoch: brokers learn of changes at different times.
 * 2. At most one look is under way, and looks begin at least `LOOK_PAUSE_MS` apart, whoever asks and how often.
 * 3. `refresh` resolves after a look that began after it was called.
 * 4. All answers come from one cluster.
 * 5. `firstCount` stays as it is for as long as the topic is the same one.
 */
import { type Clock, StreamsError, systemClock } from '../../streams/index.ts'
import { checkBroker, transactionVersion } from './broker-features.ts'
import type { BrokerConnections } from './network.ts'
import { Coordinators } from './coordinators.ts'
import { ClusterError, refusal } from './errors.ts'
import { KafkaError, NONE, UNKNOWN_TOPIC_OR_PARTITION, UNSUPPORTED_VERSION } from './protocol/errors.ts'
import type { CoordinatorOf } from './protocol/groups.ts'
import { type MetadataAnswer, metadata, type PartitionMetadata } from './protocol/metadata.ts'
import { apiVersions } from './protocol/versions.ts'
import { isTransient, pause, withRetries } from './retry.ts'
import { SOFTWARE } from './software.ts'

/** How long a question is repeated while brokers are away or busy. Milliseconds. */
const PATIENCE_MS = 30_000
/** A broker that takes longer is given up for the next one. Milliseconds. */
const METADATA_TIMEOUT_MS = 10_000
const LOOK_PAUSE_MS = 100
/** What nobody complained about is looked at again after this. Milliseconds. */
const AGE_MAX_MS = 5 * 60_000
/** A topic that was just made is known to one broker before the others. Milliseconds. */
const MISSING_MS = 2000

export interface BrokerAddress {
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

export interface PartitionInfo {
  /** Node id; -1 while there is none. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  /** In-sync replicas. */
  readonly isr: readonly number[]
}

export interface TopicInfo {
  readonly name: string
  /** Base64url, as Kafka's tools print it. A topic that is made again has another one. */
  readonly id: string
  /** By partition number. */
  readonly partitions: readonly PartitionInfo[]
  /**
   * How many it had when it was first seen here. Keys have their places by this number: where there are more by now,
   * those places are not the ones that others use.
   */
  readonly firstCount: number
}

export interface ClusterOptions {
  /** How long questions are repeated while brokers are away or busy. Milliseconds; 30 s. */
  readonly patienceMs?: number
  /** The machine's unless told. */
  readonly clock?: Clock
  /** `open` goes on waiting and tells this each time it would have given up; else it gives up. */
  readonly onUnavailable?: ((error: Error) => void) | undefined
}

export class Cluster {
  readonly clock: Clock
  readonly #connections: BrokerConnections
  readonly #patienceMs: number
  readonly #onUnavailable: ClusterOptions['onUnavailable']
  readonly #closing = new AbortController()
  readonly #coordinators: Coordinators
  /** What is looked at: everything that was ever learnt. */
  readonly #names = new Set<string>()
  readonly #topics = new Map<string, TopicInfo>()
  #brokers: readonly BrokerAddress[] = []
  readonly #brokerListeners = new Set<(brokers: readonly BrokerAddress[]) => void>()
  #clusterId: string | null = null
  #controller = -1
  #transactionVersion = 0
  #lookBegan = Number.NEGATIVE_INFINITY
  /** The look that is under way or was the last. */
  #look: Promise<void> = Promise.resolve()
  /** The look that has not begun. */
  #nextLook: Promise<void> | undefined
  #cancelAging: (() => void) | undefined

  /** `connections` stay the caller's to close. */
  constructor(connections: BrokerConnections, options: ClusterOptions = {}) {
    this.clock = options.clock ?? systemClock
    this.#connections = connections
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS
    this.#onUnavailable = options.onUnavailable
    this.onBrokers((brokers) => connections.know(brokers))
    this.#coordinators = new Coordinators(connections, this.#patience(), (found) => {
      const { nodeId, host, port } = found
      this.#setBrokers([
        ...this.#brokers.filter((broker) => broker.nodeId !== nodeId),
        { nodeId, host, port },
      ])
    })
  }

  /**
   * Waits for the cluster and learns its brokers and features. Throws `BROKER_UNSUPPORTED`, and what
   * `Connections.send` throws: at once where waiting does not help, else after the cluster was away for longer than
   * `patienceMs`.
   */
  async open(): Promise<void> {
    for (;;) {
      try {
        return await this.#open()
      } catch (error) {
        const isOver = this.#closing.signal.aborted || !isTransient(error)
        if (this.#onUnavailable === undefined || isOver) throw error
        this.#onUnavailable(error as Error)
      }
    }
  }

  async #open(): Promise<void> {
    await withRetries(async () => {
      const versions = await this.#connections.sendToAny(apiVersions(SOFTWARE))
      if (versions.errorCode !== NONE && versions.errorCode !== UNSUPPORTED_VERSION) {
        throw new KafkaError('ApiVersions', versions.errorCode)
      }
      checkBroker(versions)
      this.#transactionVersion = transactionVersion(versions)
      this.#take(await this.#ask([]))
    }, this.#patience())
    this.#startAging()
  }

  /** Level of the finalized feature, as of `open`: 2 and up is Transactions V2. */
  get transactionVersion(): number {
    return this.#transactionVersion
  }

  /** Node ids of the brokers that are up, as far as known. */
  brokers(): readonly number[] {
    return this.#brokers.map(({ nodeId }) => nodeId)
  }

  /** Node id of a broker that takes changes of topics; undefined while unknown. */
  controller(): number | undefined {
    return this.#controller < 0 ? undefined : this.#controller
  }

  /** Calls `listener` now and whenever brokers come, go or move; returns what ends that. */
  onBrokers(listener: (brokers: readonly BrokerAddress[]) => void): () => void {
    this.#brokerListeners.add(listener)
    listener(this.#brokers)
    return () => this.#brokerListeners.delete(listener)
  }

  /** As of the last look; undefined for a topic that was not learnt or is not there any more. */
  topic(name: string): TopicInfo | undefined {
    return this.#topics.get(name)
  }

  /** Node id; undefined while there is no leader, and for what is not known. */
  leader(topic: string, partition: number): number | undefined {
    const leader = this.#topics.get(topic)?.partitions[partition]?.leader ?? -1
    return leader < 0 ? undefined : leader
  }

  /**
   * Looks at topics now, and at every look from now on. Throws `UNKNOWN_TOPIC` naming the first that is missing, also
   * after `missingMs` milliseconds of asking again, and `ACCESS_DENIED`.
   */
  async learn(topics: readonly string[], missingMs: number = MISSING_MS): Promise<readonly TopicInfo[]> {
    const learnt = await withRetries(
      async () => {
        const answer = await withRetries(() => this.#ask(topics), this.#patience())
        this.#take(answer)
        for (const { topic, errorCode } of answer.topics) {
          if (errorCode !== NONE) throw refusal('Metadata', errorCode, { kind: 'topic', name: topic })
        }
        return topics.map((topic) => this.#learnt(topic))
      },
      { ...this.#patience(), timeoutMs: missingMs },
    ).catch((error: unknown) => {
      const missing = topics.find((topic) => !this.#topics.has(topic))
      const isUnknown = error instanceof KafkaError && error.code === UNKNOWN_TOPIC_OR_PARTITION
      throw isUnknown && missing !== undefined
        ? new StreamsError('UNKNOWN_TOPIC', missing, { cause: error })
        : error
    })
    for (const topic of topics) this.#names.add(topic)
    return learnt
  }

  /**
   * Something known was found out of date: looks at all topics, at once or a moment after the last look. Calls at the
   * same time are one look. Throws what `Connections.send` throws when no broker answers.
   */
  refresh(): Promise<void> {
    this.#nextLook ??= this.#lookNext()
    return this.#nextLook
  }

  /**
   * Node id of the group's or transactional id's coordinator; asked once, until forgotten. Throws `ACCESS_DENIED`, and
   * the broker's answer when there is no coordinator for longer than `patienceMs`.
   */
  coordinator(kind: CoordinatorOf, key: string): Promise<number> {
    return this.#coordinators.find(kind, key)
  }

  /** The broker said that it is not the coordinator, or went away. */
  forgetCoordinator(kind: CoordinatorOf, key: string): void {
    this.#coordinators.forget(kind, key)
  }

  /** Ends what waits for another try. Idempotent. */
  close(): void {
    this.#closing.abort()
    this.#cancelAging?.()
    this.#brokerListeners.clear()
  }

  async #lookNext(): Promise<void> {
    // How the look before fares does not matter: whoever asked for it is told.
    await this.#look.catch(() => {})
    const waitMs = this.#lookBegan + LOOK_PAUSE_MS - this.clock.monotonic()
    try {
      if (waitMs > 0) await pause(waitMs, this.#patience())
    } finally {
      // Who asks from here on may know of something that this look does not see yet.
      this.#nextLook = undefined
    }
    this.#lookBegan = this.clock.monotonic()
    this.#look = this.#ask([...this.#names]).then((answer) => this.#take(answer))
    await this.#look
  }

  #ask(topics: readonly string[]): Promise<MetadataAnswer> {
    return this.#connections.sendToAny({ ...metadata(topics), timeoutMs: METADATA_TIMEOUT_MS })
  }

  #take(answer: MetadataAnswer): void {
    this.#clusterId ??= answer.clusterId
    if (answer.clusterId !== this.#clusterId) {
      throw new ClusterError(
        'WRONG_CLUSTER',
        `it is of ${answer.clusterId}, the others are of ${this.#clusterId}`,
      )
    }
    this.#controller = answer.controllerId
    this.#setBrokers(answer.brokers)
    for (const { topic, topicId, errorCode, partitions } of answer.topics) {
      if (errorCode === UNKNOWN_TOPIC_OR_PARTITION) this.#topics.delete(topic)
      // Under any other error the broker says nothing of the partitions: what was known may still be right.
      if (errorCode !== NONE) continue
      const before = this.#topics.get(topic)
      const same = before?.id === topicId ? before : undefined
      this.#topics.set(topic, {
        name: topic,
        id: topicId,
        partitions: newest(same?.partitions ?? [], partitions),
        firstCount: same?.firstCount ?? partitions.length,
      })
    }
  }

  #learnt(topic: string): TopicInfo {
    const info = this.#topics.get(topic)
    if (info === undefined) throw new KafkaError('Metadata', UNKNOWN_TOPIC_OR_PARTITION, `topic ${topic}`)
    return info
  }

  #setBrokers(brokers: readonly BrokerAddress[]): void {
    const before = this.#brokers
    this.#brokers = brokers
    const isUnchanged =
      before.length === brokers.length &&
      brokers.every((broker) => before.some((known) => isSame(known, broker)))
    if (isUnchanged) return
    for (const listener of this.#brokerListeners) listener(brokers)
  }

  #startAging(): void {
    if (this.#closing.signal.aborted) return
    this.#cancelAging = this.clock.after(AGE_MAX_MS, () => {
      // A cluster that is away is noticed by whoever needs it.
      this.refresh().catch(() => {})
      this.#startAging()
    })
  }

  #patience() {
    return { timeoutMs: this.#patienceMs, signal: this.#closing.signal, clock: this.clock }
  }
}

function newest(known: readonly PartitionInfo[], answered: readonly PartitionMetadata[]): PartitionInfo[] {
  const partitions: PartitionInfo[] = []
  for (const { partition, leader, leaderEpoch, replicas, isr } of answered) {
    const before = known[partition]
    partitions[partition] =
      before !== undefined && before.leaderEpoch > leaderEpoch
        ? before
        : { leader, leaderEpoch, replicas, isr }
  }
  return partitions
}

function isSame(one: BrokerAddress, other: BrokerAddress): boolean {
  return one.nodeId === other.nodeId && one.host === other.host && one.port === other.port
}
