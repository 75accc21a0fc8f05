/**
 * The port `Log` on a Kafka cluster: puts the parts of this room together.
 *
 * What keeps state is the tasks' own databases; changelogs are compacted topics. Connections are apart by purpose, since
 * a broker answers one request after the other on each.
 */
import { randomUUID } from 'node:crypto'
import {
  type AppendRecord,
  type AppendResult,
  type Checkpoint,
  type CommitReceipt,
  type GroupListener,
  type GroupSpec,
  isChangelog,
  type Log,
  type Membership,
  type PartitionBounds,
  type PartitionReader,
  StreamsError,
  type TaskCommit,
  type TaskId,
  type TopicPartition,
  type TopicSpec,
} from '../../streams/index.ts'
import { BATCH_OVERHEAD } from './batches/encode.ts'
import type { Cluster } from './cluster.ts'
import { ClusterReads } from './cluster-reads.ts'
import { commitAtLeastOnce, commitExactlyOnce } from './commit.ts'
import { DEFAULT_FETCH_LIMITS, Fetcher } from './fetcher.ts'
import { ClusterImport } from './import.ts'
import { GroupOffsets } from './group/group-offsets.ts'
import type { MembershipTimes } from './group/membership-options.ts'
import type { KafkaLogOptions } from './kafka-log-options.ts'
import type { BrokerConnections, Network } from './network.ts'
import { RECORD_BYTES_MAX } from './producer-batches.ts'
import { LINEAGE_BYTES_MAX } from './records.ts'
import {
  type ClusterReset,
  type ClusterResetParts,
  type ClusterResetRequest,
  planClusterReset,
  resetOnCluster,
} from './reset.ts'
import { Router } from './router.ts'
import { Sender } from './sender.ts'
import { type Committer, type CommitterOptions, groupName, TopologyGroup } from './topology-group.ts'
import { TransactionalProducer } from './transactional-producer.ts'
import { type TopicPlan, Topics } from './topics.ts'

const SESSION_TIMEOUT_MS = 10_000
const REBALANCE_TIMEOUT_MS = 30_000
const TRANSACTION_TIMEOUT_MS = 30_000
/** Of each request of an import: nobody waits for it, and one that is given up has to be begun again by a person. */
const IMPORT_TIMEOUT_MS = 60_000
/** Survivors hear of a rebalance after this at the latest. */
const HEARTBEAT_MS = 500
/** Heartbeats that must get lost in a row before a session is over. */
const HEARTBEATS_PER_SESSION = 5
const MIB = 1024 * 1024

export class KafkaLog implements Log {
  readonly stateHome = 'task'
  readonly guarantee: 'exactly-once' | 'at-least-once'
  readonly #maxRecordBytes: number
  readonly #options: KafkaLogOptions
  readonly #network: Network
  readonly #questions: BrokerConnections
  readonly #cluster: Cluster
  readonly #topics: Topics
  readonly #reads: ClusterReads
  readonly #restores: ClusterReads
  readonly #fetcher: Fetcher
  /** Changelogs are read by connections of their own, in large pieces: a restore holds nobody else up. */
  readonly #restorer: Fetcher
  readonly #appends: BrokerConnections
  readonly #sender: Sender
  readonly #router: Router
  readonly #groups = new Map<string, TopologyGroup>()
  readonly #processId: string
  #epoch = 0
  #closing: Promise<void> | undefined

  /** `questions` and `cluster` are open, and are closed with the log. */
  constructor(options: KafkaLogOptions, network: Network, questions: BrokerConnections, cluster: Cluster) {
    const { topics, compression, fetch } = options
    this.#options = options
    this.#processId = options.processId ?? randomUUID()
    this.#network = network
    this.guarantee = options.guarantee ?? 'exactly-once'
    this.#maxRecordBytes = options.maxRecordBytes ?? RECORD_BYTES_MAX
    this.#questions = questions
    this.#cluster = cluster
    this.#topics = new Topics(questions, cluster, topics)
    const limits = { ...DEFAULT_FETCH_LIMITS, ...fetch }
    this.#reads = new ClusterReads(cluster, questions, network)
    this.#fetcher = new Fetcher(this.#reads, limits)
    this.#restores = new ClusterReads(cluster, questions, network)
    this.#restorer = new Fetcher(this.#restores, { ...limits, readerBufferBytes: 8 * MIB })
    this.#appends = network.connections('append')
    cluster.onBrokers((brokers) => this.#appends.know(brokers))
    this.#sender = new Sender(cluster, this.#appends, { compression })
    this.#router = new Router((topic) => this.partitions(topic))
  }

  /** No more than the smallest of the topics takes that were ensured: one limit for all. */
  get maxRecordBytes(): number {
    return Math.min(this.#maxRecordBytes, this.#topics.maxBatchBytes - BATCH_OVERHEAD) - LINEAGE_BYTES_MAX
  }

  // --- topics

  ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    return this.#topics.ensureTopics(specs)
  }

  /** What `ensureTopics` would do, in the order of the specs; changes nothing. Throws `ACCESS_DENIED`. */
  planTopics(specs: readonly TopicSpec[]): Promise<readonly TopicPlan[]> {
    return this.#topics.planTopics(specs)
  }

  /** What `resetTopology` would take; changes nothing. Throws as `planClusterReset`. */
  planReset(request: ClusterResetRequest): Promise<ClusterReset> {
    return planClusterReset(this.#resetParts(), request)
  }

  /** Makes the cluster forget a topology that has no members. Throws as `resetOnCluster`. */
  resetTopology(request: ClusterResetRequest): Promise<ClusterReset> {
    return resetOnCluster(this.#resetParts(), request)
  }

  /** Brings another log here, which `id` (letters and digits) names over all tries; one at a time. To be closed. */
  importer(id: string): ClusterImport {
    const { application, compression } = this.#options
    const filler = new TransactionalProducer(this.#cluster, this.#appends, {
      transactionalId: `${application}.import.${id}`,
      timeoutMs: IMPORT_TIMEOUT_MS,
      compression,
      isV1: true,
    })
    const sender = new Sender(this.#cluster, this.#appends, {
      compression,
      deliveryTimeoutMs: IMPORT_TIMEOUT_MS,
    })
    return new ClusterImport({
      id,
      filler,
      cluster: this.#cluster,
      connections: this.#questions,
      topics: this.#topics,
      sender,
      bounds: (at) => this.bounds(at),
    })
  }

  #resetParts(): ClusterResetParts {
    const endOf = async (at: TopicPartition): Promise<number> => (await this.#reads.bounds(at)).highWatermark
    return { cluster: this.#cluster, connections: this.#questions, endOf }
  }

  partitions(topic: string): number {
    return this.#topic(topic).firstCount
  }

  topicId(topic: string): string {
    return this.#topic(topic).id
  }

  async bounds(at: TopicPartition): Promise<PartitionBounds> {
    this.#checkPartition(at)
    return this.#reads.bounds(at)
  }

  #topic(name: string) {
    const topic = this.#cluster.topic(name)
    if (topic === undefined) throw new StreamsError('UNKNOWN_TOPIC', name)
    return topic
  }

  #checkPartition({ topic, partition }: TopicPartition): void {
    if (partition < 0 || partition >= this.partitions(topic))
      throw new StreamsError('UNKNOWN_TOPIC', `${topic} has no partition ${partition}`)
  }

  // --- appends and readers

  async append(records: readonly AppendRecord[]): Promise<readonly AppendResult[]> {
    this.#checkOpen()
    return this.#sender.append(this.#router.place(records, this.maxRecordBytes))
  }

  openReader(at: TopicPartition, from: number, onReadable: () => void): PartitionReader {
    this.#checkOpen()
    this.#checkPartition(at)
    const fetcher = isChangelog(this.#options.application, at.topic) ? this.#restorer : this.#fetcher
    return fetcher.open(at, from, onReadable, this.#topics.isStamped(at.topic))
  }

  // --- groups

  async join(spec: GroupSpec, listener: GroupListener): Promise<Membership> {
    this.#checkOpen()
    this.#checkCopartitioning(spec)
    const { slot, address, version, hooks } = this.#options
    const group = await TopologyGroup.join({
      ...this.#times(),
      spec,
      listener,
      cluster: this.#cluster,
      network: this.#network,
      questions: this.#questions,
      slot,
      processId: this.#processId,
      address,
      version,
      leaves: this.#options.leaves ?? false,
      standbys: this.#options.standbys ?? 0,
      nextEpoch: () => ++this.#epoch,
      makeCommitter: (committer) => this.#makeCommitter(committer),
      onMade: (made) => this.#groups.set(spec.topology, made),
      onFenced: (ids) => hooks?.onFenced?.(spec.topology, ids),
      onUnreadable: (member, reason) => hooks?.onUnreadableMember?.(spec.topology, member, reason),
    })
    return { leave: (how) => group.leave(how) }
  }

  committed(task: TaskId): Promise<Checkpoint | undefined> {
    return this.#group(task.topology).committed(task)
  }

  async processed(topology: string, at: TopicPartition): Promise<number | undefined> {
    this.#checkOpen()
    this.#checkPartition(at)
    const group = groupName({ application: this.#options.application, topology })
    const offsets = new GroupOffsets({
      clock: this.#network.clock,
      group,
      inputsOf: () => [at.topic],
      topicId: (topic) => this.topicId(topic),
      send: async (request) => this.#questions.send(await this.#cluster.coordinator('group', group), request),
      forgetCoordinator: () => this.#cluster.forgetCoordinator('group', group),
    })
    const task = { topology, subTopology: 0, partition: at.partition }
    return (await offsets.committed(task))?.positions[0]?.offset
  }

  taskState(task: TaskId): ReturnType<Log['taskState']> {
    return Promise.reject(new TypeError(`${task.topology} keeps its state in databases of its tasks`))
  }

  async commit(commits: readonly TaskCommit[]): Promise<readonly CommitReceipt[]> {
    this.#checkOpen()
    const [first] = commits
    if (first === undefined) return []
    for (const { outputs } of commits) this.#router.check(outputs, this.maxRecordBytes)
    return this.#group(first.task.topology).commit(commits)
  }

  #group(topology: string): TopologyGroup {
    const group = this.#groups.get(topology)
    if (group === undefined) throw new StreamsError('COMMIT_FENCED', `${topology} was not joined`)
    return group
  }

  #makeCommitter({ transactionalId, connections, openedId }: CommitterOptions): Committer {
    const { application, compression } = this.#options
    const topicId = (input: string): string => openedId(input) ?? this.topicId(input)
    const timeoutMs = this.#options.transactionTimeoutMs ?? TRANSACTION_TIMEOUT_MS
    if (this.guarantee === 'at-least-once') {
      const context = { application, topicId, sender: this.#sender, coordinators: this.#cluster, timeoutMs }
      return {
        settle: () => Promise.resolve(),
        commit: (member, commits) => commitAtLeastOnce({ ...context, brokers: connections, member }, commits),
      }
    }
    const producer = new TransactionalProducer(this.#cluster, connections, {
      transactionalId,
      timeoutMs,
      compression,
      maxBatchBytes: this.#topics.maxBatchBytes,
    })
    return {
      settle: () => producer.settle(),
      commit: (member, commits) => commitExactlyOnce({ application, topicId, producer, member }, commits),
    }
  }

  #times(): MembershipTimes {
    const sessionTimeoutMs = this.#options.sessionTimeoutMs ?? SESSION_TIMEOUT_MS
    return {
      sessionTimeoutMs,
      rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
      heartbeatMs: Math.min(HEARTBEAT_MS, sessionTimeoutMs / HEARTBEATS_PER_SESSION),
    }
  }

  /** A task reads the same partition of each of its inputs. */
  #checkCopartitioning({ subTopologies }: GroupSpec): void {
    for (const { inputs } of subTopologies) {
      if (new Set(inputs.map((topic) => this.partitions(topic))).size <= 1) continue
      const described = inputs.map((topic) => `${topic} has ${this.partitions(topic)}`).join(', ')
      throw new StreamsError('TOPOLOGY_INVALID', `inputs must have equal partition counts: ${described}`)
    }
  }

  // --- end

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#groups.values()].map((group) => group.leave()))
    this.#fetcher.close()
    this.#restorer.close()
    await this.#sender.close()
    this.#topics.close()
    this.#cluster.close()
    await Promise.all([this.#reads.close(), this.#restores.close()])
    await Promise.all([this.#appends.close(), this.#questions.close()])
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new StreamsError('LOG_CLOSED', 'the connection to the cluster')
  }
}
