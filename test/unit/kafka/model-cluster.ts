/**
 * Brokers, coordinators and a group in memory, as far as producers can tell them from real ones: sequences, epochs,
 * transactions of both versions, generations. Requests are taken as bytes; what happens to each on its way is the
 * test's to say.
 *
 * Not its job: time; a transaction is timed out by `timeOut`.
 */
import { decodeBatches } from '../../../transports/kafka/batches/decode.ts'
import { ClusterError } from '../../../transports/kafka/errors.ts'
import type { CoordinatorPlaces } from '../../../transports/kafka/ask-coordinator.ts'
import type { Brokers, Leaders } from '../../../transports/kafka/producer-batches.ts'
import { Reader } from '../../../transports/kafka/protocol/reader.ts'
import type { KafkaRequest } from '../../../transports/kafka/protocol/request.ts'

const NONE = 0
const NOT_LEADER = 6
const ILLEGAL_GENERATION = 22
const UNKNOWN_MEMBER = 25
const OUT_OF_ORDER = 45
const INVALID_EPOCH = 47
const INVALID_TXN_STATE = 48
const FENCED = 90
const EPOCH_MAX = 32767
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
  /** Counts all requests, from 0. */
  readonly number: number
}

export interface ModelRecord {
  readonly offset: number
  readonly key: string
  readonly value: string | null
  readonly timestamp: number
  readonly producer: string
}

interface Entry extends ModelRecord {
  state: 'committed' | 'open' | 'aborted'
}

interface ProducerState {
  epoch: number
  nextSequence: number
  recent: { readonly sequence: number; readonly records: number; readonly baseOffset: number }[]
}

class Partition {
  leader = 0
  end = 0
  readonly entries: Entry[] = []
  readonly producers = new Map<bigint, ProducerState>()
}

interface Transaction {
  pid: bigint
  epoch: number
  isOpen: boolean
  partitions: Set<string>
  groups: Set<string>
  offsets: Map<string, CommittedOffset>
  /** How the transaction of the epoch before this one ended. */
  ended: 'committed' | 'aborted' | undefined
}

export interface CommittedOffset {
  readonly offset: number
  readonly metadata: string
}

export class ModelCluster implements Leaders, Brokers, CoordinatorPlaces {
  transactionVersion = 2
  /** Of the one group that there is. */
  generation = 1
  members = new Set(['member'])
  readonly offsets = new Map<string, CommittedOffset>()
  /** `fate` sees every request. */
  fate: (arriving: Arriving) => Fate = () => undefined
  /** Names of the requests that were sent, in order. */
  readonly sent: string[] = []
  refreshes = 0
  readonly #brokers: number
  readonly #partitions = new Map<string, Partition>()
  readonly #transactions = new Map<string, Transaction>()
  /** Leaders as the client saw them last. */
  #seen = new Map<string, number>()
  readonly #held: (() => void)[] = []
  #nextPid = 1000n

  constructor(brokers: number, topics: Readonly<Record<string, number>>) {
    this.#brokers = brokers
    for (const [topic, count] of Object.entries(topics)) {
      for (let i = 0; i < count; i++) {
        const partition = new Partition()
        partition.leader = i % brokers
        this.#partitions.set(`${topic}-${i}`, partition)
      }
    }
    this.#look()
  }

  // --- what the client sees

  leader(topic: string, partition: number): number | undefined {
    const node = this.#seen.get(`${topic}-${partition}`)
    return node === -1 ? undefined : node
  }

  refresh(): Promise<void> {
    this.refreshes++
    this.#look()
    return Promise.resolve()
  }

  coordinator(): Promise<number> {
    return Promise.resolve(0)
  }

  forgetCoordinator(): void {}

  async send<R>(node: number, request: KafkaRequest<R>): Promise<R> {
    const { apiName: api, apiVersion: version } = request
    const fate = this.fate({ api, version, node, number: this.sent.length })
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
    this.#initialise(id)
  }

  exhaustEpochs(id: string): void {
    const transaction = this.#transactions.get(id)
    if (transaction === undefined) throw new Error(`no transaction of ${id}`)
    transaction.epoch = EPOCH_MAX - 1
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
    const code = typeof fate === 'object' ? fate.code : undefined
    switch (api) {
      case 'Produce':
        return this.#produce(version, node, from, code)
      case 'InitProducerId': {
        const id = from.nullableString()
        if (code !== undefined) return { errorCode: code, producerId: -1n, producerEpoch: -1 }
        return { errorCode: NONE, ...this.#initialise(id) }
      }
      case 'AddPartitionsToTxn':
        return this.#addPartitions(from, code)
      case 'AddOffsetsToTxn':
        return this.#addOffsets(from, code)
      case 'TxnOffsetCommit':
        return this.#txnOffsets(version, from, code)
      case 'EndTxn':
        return this.#endTxn(version, from, code)
      case 'OffsetCommit':
        return this.#offsetCommit(from, code)
      default:
        throw new Error(`the model knows no ${api}`)
    }
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
          const code = refusal ?? placed ?? this.#joinTransaction(version, id, `${topic}-${partition}`, batch)
          const answer =
            code === NONE ? this.#append(topic, partition, batch, id !== null) : { errorCode: code }
          return { partition, baseOffset: -1, logAppendTimeMs: -1, errorMessage: null, ...answer }
        }),
      })),
    }
  }

  #joinTransaction(version: number, id: string | null, name: string, batch: Buffer): number {
    if (id === null) return NONE
    const code = this.#check(id, batch.readBigInt64BE(43), batch.readInt16BE(51))
    if (code !== NONE) return code
    const transaction = this.#transaction(id)
    if (version >= 12) {
      transaction.isOpen = true
      transaction.partitions.add(name)
      return NONE
    }
    return transaction.isOpen && transaction.partitions.has(name) ? NONE : INVALID_TXN_STATE
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

  // --- coordinators

  #transaction(id: string): Transaction {
    const found = this.#transactions.get(id)
    if (found === undefined) throw new Error(`no transactional id ${id}`)
    return found
  }

  #check(id: string, pid: bigint, epoch: number): number {
    const transaction = this.#transaction(id)
    return transaction.pid === pid && transaction.epoch === epoch ? NONE : INVALID_EPOCH
  }

  #initialise(id: string | null) {
    if (id === null) return { producerId: this.#nextPid++, producerEpoch: 0 }
    const known = this.#transactions.get(id)
    if (known?.isOpen) this.#end(known, 'aborted')
    const isSpent = known === undefined || known.epoch + 1 >= EPOCH_MAX
    const pid = isSpent ? this.#nextPid++ : known.pid
    const epoch = isSpent ? 0 : known.epoch + 1
    this.#transactions.set(id, { ...emptyTransaction(), pid, epoch })
    return { producerId: pid, producerEpoch: epoch }
  }

  #end(transaction: Transaction, outcome: 'committed' | 'aborted'): void {
    const { pid } = transaction
    for (const name of transaction.partitions) {
      const partition = this.#partitions.get(name) as Partition
      const mine = `${pid}/`
      for (const entry of partition.entries) {
        if (entry.state === 'open' && entry.producer.startsWith(mine)) entry.state = outcome
      }
      partition.end++
      const state = partition.producers.get(pid)
      // The marker of a transaction has the next epoch with V2, so that what is late is refused from then on.
      if (state !== undefined && this.transactionVersion >= 2) {
        Object.assign(state, { epoch: state.epoch + 1, nextSequence: 0, recent: [] })
      }
    }
    if (outcome === 'committed')
      for (const [name, offset] of transaction.offsets) this.offsets.set(name, offset)
    Object.assign(transaction, { ...emptyTransaction(), pid, epoch: transaction.epoch, ended: outcome })
  }

  #endTxn(version: number, from: Reader, refusal: number | undefined) {
    const id = from.string()
    const pid = from.bigint64()
    const epoch = from.int16()
    const outcome = from.boolean() ? 'committed' : 'aborted'
    const transaction = this.#transaction(id)
    const next = () =>
      version >= 5 ? { producerId: transaction.pid, producerEpoch: transaction.epoch } : undefined
    if (refusal !== undefined) return { errorCode: refusal, next: undefined }
    if (version >= 5 && transaction.pid === pid && transaction.epoch === epoch + 1) {
      return { errorCode: transaction.ended === outcome ? NONE : FENCED, next: next() }
    }
    if (this.#check(id, pid, epoch) !== NONE) return { errorCode: FENCED, next: undefined }
    if (!transaction.isOpen) {
      const isRepeated = version < 5 && transaction.ended === outcome
      return { errorCode: isRepeated ? NONE : INVALID_TXN_STATE, next: undefined }
    }
    this.#end(transaction, outcome)
    if (version >= 5) {
      const isSpent = epoch + 1 >= EPOCH_MAX
      transaction.pid = isSpent ? this.#nextPid++ : pid
      transaction.epoch = isSpent ? 0 : epoch + 1
    }
    return { errorCode: NONE, next: next() }
  }

  #addPartitions(from: Reader, refusal: number | undefined) {
    const id = from.string()
    const check = this.#check(id, from.bigint64(), from.int16())
    const code = refusal ?? check
    const topics = readTopics(from, () => from.int32(), false)
    const transaction = this.#transaction(id)
    for (const { topic, partitions } of topics) {
      if (code !== NONE) break
      transaction.isOpen = true
      for (const partition of partitions) transaction.partitions.add(`${topic}-${partition}`)
    }
    return { topics: answerAll(topics, (partition) => partition, code) }
  }

  #addOffsets(from: Reader, refusal: number | undefined) {
    const id = from.string()
    const check = this.#check(id, from.bigint64(), from.int16())
    const code = refusal ?? check
    const transaction = this.#transaction(id)
    if (code === NONE) {
      transaction.isOpen = true
      transaction.groups.add(from.string())
    }
    return { errorCode: code }
  }

  #txnOffsets(version: number, from: Reader, refusal: number | undefined) {
    const id = from.string()
    const group = from.string()
    const check = this.#check(id, from.bigint64(), from.int16())
    const membership = this.#member(from)
    const transaction = this.#transaction(id)
    let code = refusal ?? (membership === NONE ? check : membership)
    if (version >= 5 && code === NONE) {
      transaction.isOpen = true
      transaction.groups.add(group)
    }
    if (code === NONE && !transaction.groups.has(group)) code = INVALID_TXN_STATE
    const topics = readOffsets(from)
    if (code === NONE) for (const [name, offset] of named(topics)) transaction.offsets.set(name, offset)
    return { topics: answerAll(topics, ({ partition }) => partition, code) }
  }

  #offsetCommit(from: Reader, refusal: number | undefined) {
    from.string()
    const membership = this.#member(from)
    const code = refusal ?? membership
    const topics = readOffsets(from)
    if (code === NONE) for (const [name, offset] of named(topics)) this.offsets.set(name, offset)
    return { topics: answerAll(topics, ({ partition }) => partition, code) }
  }

  #member(from: Reader): number {
    const generation = from.int32()
    const member = from.string()
    from.nullableString()
    if (!this.members.has(member)) return UNKNOWN_MEMBER
    return generation === this.generation ? NONE : ILLEGAL_GENERATION
  }
}

function emptyTransaction(): Transaction {
  return {
    pid: -1n,
    epoch: -1,
    isOpen: false,
    partitions: new Set(),
    groups: new Set(),
    offsets: new Map(),
    ended: undefined,
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

interface TopicOf<P> {
  readonly topic: string
  readonly partitions: P[]
}

function readTopics<P>(from: Reader, read: () => P, hasTags = true): TopicOf<P>[] {
  return from.array(() => {
    const topic = from.string()
    const partitions = from.array(() => {
      const partition = read()
      if (hasTags) from.tags()
      return partition
    })
    from.tags()
    return { topic, partitions }
  })
}

function readOffsets(from: Reader) {
  return readTopics(from, () => {
    const partition = from.int32()
    const offset = from.int64()
    from.int32()
    return { partition, offset, metadata: from.nullableString() ?? '' }
  })
}

function named(topics: ReturnType<typeof readOffsets>): [string, CommittedOffset][] {
  return topics.flatMap(({ topic, partitions }) =>
    partitions.map(({ partition, offset, metadata }): [string, CommittedOffset] => [
      `${topic}-${partition}`,
      { offset, metadata },
    ]),
  )
}

function answerAll<P>(topics: readonly TopicOf<P>[], numberOf: (partition: P) => number, errorCode: number) {
  return topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map((partition) => ({ partition: numberOf(partition), errorCode })),
  }))
}
