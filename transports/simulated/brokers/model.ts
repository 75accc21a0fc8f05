/**
 * A cluster of brokers as its clients can tell it from a real one: topics, leaders, coordinators, transactions, groups.
 *
 * Records and positions are one copy, as if replication never lost what was acknowledged: a broker that goes away takes
 * its connections and its places with it, nothing else. Requests come as bytes and are answered with what their bytes
 * would be read as.
 *
 * Not its job: what happens to requests on their way (`network.ts`), when brokers come and go (`weather.ts`).
 */
import { NONE, NOT_COORDINATOR, Reader, UNKNOWN_TOPIC_OR_PARTITION } from '../../kafka/wire/index.ts'
import type { Faults } from '../faults.ts'
import type { Random } from '../random.ts'
import type { Scheduler } from '../scheduler.ts'
import { fetchRecords, listOffsets, produce } from './data-requests.ts'
import { ModelGroup } from './group.ts'
import { groupRequest, offsetCommit, offsetFetch, txnOffsetCommit } from './group-requests.ts'
import { ModelTopics } from './topics.ts'
import { alterConfigs, apiVersions, createTopics, describeConfigs, metadata } from './topic-requests.ts'
import { TransactionCoordinator } from './transactions.ts'

const MARKER_MS = 4
const SLOW_MARKER_MS = 2_000
const SLOW_MARKER = 0.5

export interface ModelOptions {
  readonly scheduler: Scheduler
  readonly faults: Faults
  readonly random: Random
  /** How many there are. */
  readonly brokers: number
  /** System time of the brokers at the start, epoch milliseconds. */
  readonly epoch: number
}

/** A request at a broker. */
export interface Arrived {
  readonly node: number
  readonly apiName: string
  readonly apiVersion: number
  readonly body: Buffer
  /** Says the answer, once; nobody may listen any more. */
  readonly answer: (answer: unknown) => void
  /** Calls `run` when the connection breaks before the answer. */
  readonly onBroken: (run: () => void) => void
}

export class BrokerModel {
  readonly nodes: readonly number[]
  readonly topics: ModelTopics
  readonly transactions: TransactionCoordinator
  readonly transactionVersion: number
  readonly scheduler: Scheduler
  readonly #faults: Faults
  readonly #random: Random
  readonly #epoch: number
  readonly #groups = new Map<string, ModelGroup>()
  readonly #down = new Set<number>()
  /** By kind and key: counts the moves. */
  readonly #coordinatorMoves = new Map<string, number>()

  constructor({ scheduler, faults, random, brokers, epoch }: ModelOptions) {
    this.scheduler = scheduler
    this.#faults = faults
    this.#random = random
    this.#epoch = epoch
    this.nodes = Array.from({ length: brokers }, (_, node) => node + 1)
    this.topics = new ModelTopics(this.nodes)
    const isV2 = !faults.enabled.has('transactions-v1')
    this.transactionVersion = isV2 ? 2 : 0
    this.transactions = new TransactionCoordinator(isV2, {
      later: (ms, run) => scheduler.plan(ms, run),
      markerDelay: () => this.#markerDelay(),
      markPartition: (name, producerId, epochOfMarker, outcome) =>
        this.topics.partition(name)?.mark(producerId, epochOfMarker, outcome, this.now),
      markGroup: (group, producerId, outcome) => this.group(group).positions.mark(producerId, outcome),
    })
  }

  /** Epoch milliseconds, by the brokers' clocks. */
  get now(): number {
    return Math.floor(this.#epoch + this.scheduler.now)
  }

  group(name: string): ModelGroup {
    let group = this.#groups.get(name)
    if (group === undefined) {
      group = new ModelGroup((ms, run) => this.scheduler.plan(ms, run))
      this.#groups.set(name, group)
    }
    return group
  }

  get groups(): ReadonlyMap<string, ModelGroup> {
    return this.#groups
  }

  #markerDelay(): number {
    const isSlow = this.#faults.strikes('slow-markers', SLOW_MARKER)
    return this.#random.next() * (isSlow ? SLOW_MARKER_MS : MARKER_MS)
  }

  // --- places

  isUp(node: number): boolean {
    return !this.#down.has(node)
  }

  get up(): readonly number[] {
    return this.nodes.filter((node) => this.isUp(node))
  }

  takeDown(node: number): void {
    this.#down.add(node)
    for (const partition of this.topics.partitions)
      if (partition.leader === node) this.moveLeader(partition.topic, partition.partition)
  }

  bringUp(node: number): void {
    this.#down.delete(node)
  }

  /** To another broker that is up, if there is one. */
  moveLeader(topic: string, number: number): void {
    const partition = this.topics.partition(`${topic}-${number}`)
    const others = this.up.filter((node) => node !== partition?.leader)
    if (partition === undefined || others.length === 0) return
    partition.leader = this.#random.pick(others)
    partition.leaderEpoch++
    partition.changed()
  }

  coordinatorOf(kind: 'group' | 'transaction', key: string): number {
    const name = `${kind} ${key}`
    const moves = this.#coordinatorMoves.get(name) ?? 0
    let hash = moves
    for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, 31) + name.charCodeAt(i)) >>> 0
    const { up } = this
    return up[hash % up.length] ?? -1
  }

  moveCoordinators(): void {
    for (const name of this.#groups.keys()) this.#countMove(`group ${name}`)
    for (const { transactionalId } of this.transactions.list())
      this.#countMove(`transaction ${transactionalId}`)
  }

  #countMove(name: string): void {
    this.#coordinatorMoves.set(name, (this.#coordinatorMoves.get(name) ?? 0) + 1)
  }

  // --- requests

  /** Carries a request out. */
  arrive(request: Arrived): void {
    const { apiName, body } = request
    const from = new Reader(body, apiName)
    from.tags()
    this.#carryOut(request, from)
  }

  #carryOut(request: Arrived, from: Reader): void {
    const { apiName, apiVersion, node, answer } = request
    switch (apiName) {
      case 'ApiVersions':
        return answer(apiVersions(this))
      case 'Metadata':
        return answer(metadata(this, from))
      case 'FindCoordinator':
        return answer(this.#findCoordinator(from))
      case 'CreateTopics':
        return answer(createTopics(this, from))
      case 'DescribeConfigs':
        return answer(describeConfigs(this, from))
      case 'IncrementalAlterConfigs':
        return answer(alterConfigs(this, from))
      case 'ListOffsets':
        return answer(listOffsets(this, node, from))
      case 'Fetch':
        return fetchRecords(this, request, from)
      case 'Produce':
        return answer(produce(this, node, apiVersion, from))
      case 'InitProducerId':
        return answer(this.#initProducerId(node, from))
      case 'AddPartitionsToTxn':
        return answer(this.#addPartitions(node, from))
      case 'AddOffsetsToTxn':
        return answer(this.#addOffsets(node, from))
      case 'EndTxn':
        return answer(this.#endTxn(node, from))
      case 'ListTransactions':
        return answer(this.#listTransactions(node))
      case 'TxnOffsetCommit':
        return answer(txnOffsetCommit(this, node, apiVersion, from))
      case 'OffsetCommit':
        return answer(offsetCommit(this, node, from))
      case 'OffsetFetch':
        return answer(offsetFetch(this, node, from))
      case 'JoinGroup':
      case 'SyncGroup':
      case 'Heartbeat':
      case 'LeaveGroup':
        return groupRequest(this, request, from)
      default:
        throw new Error(`the model knows no ${apiName}`)
    }
  }

  /** 0, or why this broker does not answer. */
  refusalOf(node: number, kind: 'group' | 'transaction', key: string): number {
    return this.coordinatorOf(kind, key) === node ? NONE : NOT_COORDINATOR
  }

  #findCoordinator(from: Reader) {
    const kind = from.int8() === 0 ? 'group' : 'transaction'
    const keys = from.array(() => from.string())
    const coordinators = keys.map((key) => {
      const nodeId = this.coordinatorOf(kind, key)
      return { key, nodeId, host: `broker-${nodeId}`, port: 9092, errorCode: NONE, errorMessage: null }
    })
    return { throttleMs: 0, coordinators }
  }

  #initProducerId(node: number, from: Reader) {
    const id = from.nullableString()
    const timeoutMs = from.int32()
    const errorCode = id === null ? NONE : this.refusalOf(node, 'transaction', id)
    if (errorCode !== NONE) return { throttleMs: 0, errorCode, producerId: -1n, producerEpoch: -1 }
    return { throttleMs: 0, ...this.transactions.initialise(id, timeoutMs) }
  }

  #addPartitions(node: number, from: Reader) {
    const id = from.string()
    const producer = { producerId: from.bigint64(), producerEpoch: from.int16() }
    const refusal = this.refusalOf(node, 'transaction', id)
    const topics = from.array(() => {
      const topic = from.string()
      const partitions = from.array(() => from.int32())
      from.tags()
      return { topic, partitions }
    })
    const joinOne = (topic: string, partition: number): number => {
      if (refusal !== NONE) return refusal
      const name = `${topic}-${partition}`
      if (this.topics.partition(name) === undefined) return UNKNOWN_TOPIC_OR_PARTITION
      return this.transactions.join(id, producer, 'partitions', name)
    }
    return {
      throttleMs: 0,
      topics: topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map((partition) => ({ partition, errorCode: joinOne(topic, partition) })),
      })),
    }
  }

  #addOffsets(node: number, from: Reader) {
    const id = from.string()
    const producer = { producerId: from.bigint64(), producerEpoch: from.int16() }
    const refusal = this.refusalOf(node, 'transaction', id)
    const errorCode =
      refusal === NONE ? this.transactions.join(id, producer, 'groups', from.string()) : refusal
    return { throttleMs: 0, errorCode }
  }

  #endTxn(node: number, from: Reader) {
    const id = from.string()
    const producer = { producerId: from.bigint64(), producerEpoch: from.int16() }
    const refusal = this.refusalOf(node, 'transaction', id)
    if (refusal !== NONE) return { throttleMs: 0, errorCode: refusal, next: undefined }
    return { throttleMs: 0, ...this.transactions.end(id, producer, from.boolean() ? 'committed' : 'aborted') }
  }

  #listTransactions(node: number) {
    const own = this.transactions
      .list()
      .filter(({ transactionalId }) => this.coordinatorOf('transaction', transactionalId) === node)
    return { throttleMs: 0, errorCode: NONE, unknownStates: [], transactions: own }
  }
}
