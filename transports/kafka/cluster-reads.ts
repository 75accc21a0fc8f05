/**
 * The cluster as a fetcher sees it: leaders and ids as `Cluster` knows them, and connections of its own for requests
 * that wait at a broker.
 */
import type { Clock, TopicPartition } from '../../streams/index.ts'
import type { FetchOrder, FetchSlot } from './broker-fetches.ts'
import type { Cluster } from './cluster.ts'
import type { FetchCluster } from './fetcher.ts'
import type { BrokerConnections, Network } from './network.ts'
import {
  type BoundsCluster,
  type PartitionBounds,
  partitionBounds,
  type PartitionLeader,
} from './partition-bounds.ts'
import { type FetchAnswer, fetch } from './protocol/fetch.ts'
import type { ListOffsetsAnswer } from './protocol/list-offsets.ts'
import type { KafkaRequest } from './protocol/request.ts'

/** For an answer on its way, beyond what the broker may wait for records: 50 MiB need 14 Mbit/s. Milliseconds. */
const ANSWER_TIMEOUT_MS = 30_000
/** How long a partition may be without a leader that says where it ends. Milliseconds. */
const BOUNDS_PATIENCE_MS = 30_000

export class ClusterReads implements FetchCluster, BoundsCluster {
  readonly #cluster: Cluster
  readonly #questions: BrokerConnections
  readonly #fetches: Readonly<Record<FetchSlot, BrokerConnections>>
  readonly #forgetBrokers: (() => void)[]
  readonly #closing = new AbortController()

  /** `questions` carries what is answered at once; it and `cluster` stay the caller's to close. */
  constructor(cluster: Cluster, questions: BrokerConnections, network: Network) {
    this.#cluster = cluster
    this.#questions = questions
    this.#fetches = {
      main: network.connections('fetch'),
      'catch-up': network.connections('catch-up'),
    }
    this.#forgetBrokers = Object.values(this.#fetches).map((connections) =>
      cluster.onBrokers((brokers) => connections.know(brokers)),
    )
  }

  get clock(): Clock {
    return this.#cluster.clock
  }

  topicId({ topic, partition }: TopicPartition): string | undefined {
    const info = this.#cluster.topic(topic)
    return info?.partitions[partition] === undefined ? undefined : info.id
  }

  hasGrown({ topic }: TopicPartition): boolean {
    const info = this.#cluster.topic(topic)
    return info !== undefined && info.partitions.length !== info.firstCount
  }

  leader({ topic, partition }: TopicPartition): PartitionLeader | undefined {
    const node = this.#cluster.leader(topic, partition)
    const epoch = this.#cluster.topic(topic)?.partitions[partition]?.leaderEpoch
    return node === undefined || epoch === undefined ? undefined : { node, epoch }
  }

  refresh(): Promise<void> {
    return this.#cluster.refresh()
  }

  /** Throws as `partitionBounds`, after half a minute at the latest. */
  bounds(at: TopicPartition): Promise<PartitionBounds> {
    const { clock } = this
    return partitionBounds(this, at, { timeoutMs: BOUNDS_PATIENCE_MS, signal: this.#closing.signal, clock })
  }

  fetch({ node, slot, request }: FetchOrder): Promise<FetchAnswer> {
    return this.#fetches[slot].send(node, fetch(request, request.maxWaitMs + ANSWER_TIMEOUT_MS))
  }

  listOffsets(node: number, request: KafkaRequest<ListOffsetsAnswer>): Promise<ListOffsetsAnswer> {
    return this.#questions.send(node, request)
  }

  /** Ends requests and retries that are under way. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort()
    for (const forget of this.#forgetBrokers) forget()
    await Promise.all(Object.values(this.#fetches).map((connections) => connections.close()))
  }
}
