/**
 * Brokers, coordinators and a group in memory, as far as producers can tell them from real ones: sequences, epochs,
 * transactions of both versions, generations. Requests are taken as bytes; what happens to each on its way is the
 * test's to say.
 *
 * Not its job: time; a transaction is timed out by `timeOut`.
 */
import { systemClock } from '../../../streams/index.ts'
import { decodeBatches } from '../../../transports/kafka/batches/decode.ts'
import { ClusterError } from '../../../transports/kafka/errors.ts'
import type { CoordinatorPlaces } from '../../../transports/kafka/ask-coordinator.ts'
import type { Brokers, Leaders } from '../../../transports/kafka/producer-batches.ts'
import { ModelCoordinator, type ModelRecord, Partition, readTopics } from './model-coordinator.ts'
import { Reader } from '../../../transports/kafka/protocol/reader.ts'
import type { KafkaRequest } from '../../../transports/kafka/protocol/request.ts'

const NONE = 0
const NOT_LEADER = 6
const NOT_COORDINATOR = 16
const OUT_OF_ORDER = 45
const INVALID_EPOCH = 47
/** Batches of a producer that a broker can tell are repeated. */
const REMEMBERED_BATCHES = 5

/** What happens to a request on its way. */
export type Fate =
  | undefined // it is carried out and answered
  | 'unreachable' // it is not sent, and the sender knows
  | 'lost' // it is sent and never arrives
  | 'answer lost' // it is carried out, its answer never arrives
  | 'held' // it arrives when `release` is called; the sender has given up by then
  | { readonly code: number } // it is refused

export interface Arriving {
  readonly api: string
  readonly version: number
  readonly node: number
}

export class ModelCluster implements Leaders, Brokers, CoordinatorPlaces {
  readonly clock = systemClock
  readonly coordinators: ModelCoordinator
  /** Of every id and group. The client learns of it when it has forgotten the one before. */
  coordinatorNode = 0
  /** `fate` sees every request. */
  fate: (arriving: Arriving) => Fate = () => undefined
  /** Names of the requests that were sent, in order. */
  readonly sent: string[] = []
  readonly #brokers: number
  readonly #partitions = new Map<string, Partition>()
  /** Leaders as the client saw them last. */
  #seen = new Map<string, number>()
  #seenCoordinator: number | undefined
  readonly #held: (() => void)[] = []

  constructor(brokers: number, topics: Readonly<Record<string, number>>) {
    this.#brokers = brokers
    for (const [topic, count] of Object.entries(topics)) {
      for (let i = 0; i < count; i++) {
        const partition = new Partition()
        partition.leader = i % brokers
        this.#partitions.set(`${topic}-${i}`, partition)
      }
    }
    this.coordinators = new ModelCoordinator(this.#partitions)
    this.#look()
  }

  // --- what the client sees

  /** Level of the finalized feature. */
  get transactionVersion(): number {
    return this.coordinators.transactionVersion
  }

  leader(topic: string, partition: number): number | undefined {
    const node = this.#seen.get(`${topic}-${partition}`)
    return node === -1 ? undefined : node
  }

  refresh(): Promise<void> {
    this.#look()
    return Promise.resolve()
  }

  coordinator(): Promise<number> {
    this.#seenCoordinator ??= this.coordinatorNode
    return Promise.resolve(this.#seenCoordinator)
  }

  forgetCoordinator(): void {
    this.#seenCoordinator = undefined
  }

  async send<R>(node: number, request: KafkaRequest<R>): Promise<R> {
    const { apiName: api, apiVersion: version } = request
    const fate = this.fate({ api, version, node })
    if (fate === 'unreachable') throw new ClusterError('CONNECTION_FAILED', api)
    this.sent.push(api)
    const from = new Reader(request.encode(), api)
    from.tags()
    // As long as a real request takes at the least: the rest of this turn.
    await new Promise((resolve) => setImmediate(resolve))
    const carryOut = () => this.#carryOut(api, version, node, from, fate) as R
    if (fate === 'lost') throw new ClusterError('OUTCOME_UNKNOWN', api)
    if (fate === 'held') {
      this.#held.push(carryOut)
      throw new ClusterError('OUTCOME_UNKNOWN', api)
    }
    const answer = carryOut()
    if (fate === 'answer lost') throw new ClusterError('OUTCOME_UNKNOWN', api)
    return answer
  }

  // --- what a test does and sees

  /** What is held arrives now, in order. */
  release(): void {
    for (const carryOut of this.#held.splice(0)) carryOut()
  }

  /** -1: nobody leads it. The client learns of it when it looks. */
  moveLeader(topic: string, partition: number, node: number): void {
    this.#of(topic, partition).leader = node
  }

  rotateLeaders(): void {
    for (const partition of this.#partitions.values())
      partition.leader = (partition.leader + 1) % this.#brokers
  }

  /** Records that a reader of committed records gets. */
  records(topic: string, partition: number): ModelRecord[] {
    return this.#of(topic, partition)
      .entries.filter(({ state }) => state === 'committed')
      .map(({ offset, key, value, timestamp, producer }) => ({ offset, key, value, timestamp, producer }))
  }

  values(topic: string, partition: number): (string | null)[] {
    return this.records(topic, partition).map(({ value }) => value)
  }

  /** Some transaction holds up the readers. */
  get hasOpen(): boolean {
    return [...this.#partitions.values()].some(({ entries }) => entries.some(({ state }) => state === 'open'))
  }

  /** The broker ends the id's transaction, as after its timeout or for another producer. */
  timeOut(id: string): void {
    this.coordinators.initialise(id)
  }

  /** The partition's leader loses what it knows of producers. */
  forgetProducers(topic: string, partition: number): void {
    this.#of(topic, partition).producers.clear()
  }

  // --- brokers

  #look(): void {
    this.#seen = new Map([...this.#partitions].map(([name, { leader }]) => [name, leader]))
  }

  #of(topic: string, partition: number): Partition {
    const found = this.#partitions.get(`${topic}-${partition}`)
    if (found === undefined) throw new Error(`no partition ${topic}-${partition}`)
    return found
  }

  #carryOut(api: string, version: number, node: number, from: Reader, fate: Fate): unknown {
    const isMisled = api !== 'Produce' && api !== 'InitProducerId' && node !== this.coordinatorNode
    const refusal = isMisled ? NOT_COORDINATOR : undefined
    const code = typeof fate === 'object' ? fate.code : refusal
    if (api === 'Produce') return this.#produce(version, node, from, code)
    return this.coordinators.carryOut(api, version, from, code)
  }

  #produce(version: number, node: number, from: Reader, refusal: number | undefined) {
    const id = from.nullableString()
    from.int16()
    from.int32()
    const topics = readTopics(from, () => ({ partition: from.int32(), batch: from.bytes() }))
    return {
      topics: topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition, batch }) => {
          const isLeader = this.#of(topic, partition).leader === node
          const placed = isLeader ? undefined : NOT_LEADER
          const code =
            refusal ??
            placed ??
            this.coordinators.joinTransaction(version, id, `${topic}-${partition}`, batch)
          const answer =
            code === NONE ? this.#append(topic, partition, batch, id !== null) : { errorCode: code }
          return { partition, baseOffset: -1, logAppendTimeMs: -1, errorMessage: null, ...answer }
        }),
      })),
    }
  }

  #append(topic: string, number: number, batch: Buffer, isTransactional: boolean) {
    const partition = this.#of(topic, number)
    const pid = batch.readBigInt64BE(43)
    const epoch = batch.readInt16BE(51)
    const sequence = batch.readInt32BE(53)
    const records = batch.readInt32BE(57)
    const known = partition.producers.get(pid)
    if (known !== undefined && epoch < known.epoch) return { errorCode: INVALID_EPOCH }
    if (known?.epoch === epoch) {
      const repeated = known.recent.find((one) => one.sequence === sequence && one.records === records)
      if (repeated !== undefined) return { errorCode: NONE, baseOffset: repeated.baseOffset }
      if (sequence !== known.nextSequence) return { errorCode: OUT_OF_ORDER }
    } else if (sequence !== 0) return { errorCode: OUT_OF_ORDER }
    const baseOffset = partition.end
    const state = {
      epoch,
      nextSequence: sequence + records,
      recent: known?.epoch === epoch ? known.recent : [],
    }
    state.recent = [...state.recent, { sequence, records, baseOffset }].slice(-REMEMBERED_BATCHES)
    partition.producers.set(pid, state)
    for (const { key, value, timestamp } of recordsOf(batch)) {
      partition.entries.push({
        offset: partition.end++,
        key: key?.toString() ?? '',
        value: value?.toString() ?? null,
        timestamp,
        producer: `${pid}/${epoch}`,
        state: isTransactional ? 'open' : 'committed',
      })
    }
    return { errorCode: NONE, baseOffset }
  }
}

function recordsOf(batch: Buffer) {
  const decoded = decodeBatches(batch, {
    fetchOffset: 0,
    readCommitted: false,
    abortedTransactions: null,
    maxInflatedBytes: 64 * 1024 * 1024,
  })
  if (decoded.error !== undefined) throw decoded.error
  return decoded.records
}
