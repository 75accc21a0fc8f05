/**
 * The half of the model that coordinates: transactions of both versions, one group.
 *
 * Not its job: what happens to requests on their way (`model-cluster.ts`); time.
 */
import type { Reader } from '../../../transports/kafka/protocol/reader.ts'

const NONE = 0
const ILLEGAL_GENERATION = 22
const UNKNOWN_MEMBER = 25
const INVALID_EPOCH = 47
const INVALID_TXN_STATE = 48
const FENCED = 90
const EPOCH_MAX = 32767

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

export class Partition {
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

export class ModelCoordinator {
  transactionVersion = 2
  /** Of the one group that there is. */
  generation = 1
  members = new Set(['member'])
  readonly offsets = new Map<string, CommittedOffset>()
  readonly #partitions: ReadonlyMap<string, Partition>
  readonly #transactions = new Map<string, Transaction>()
  #nextPid = 1000n

  constructor(partitions: ReadonlyMap<string, Partition>) {
    this.#partitions = partitions
  }

  carryOut(api: string, version: number, from: Reader, code: number | undefined): unknown {
    switch (api) {
      case 'InitProducerId': {
        const id = from.nullableString()
        if (code !== undefined) return { errorCode: code, producerId: -1n, producerEpoch: -1 }
        return { errorCode: NONE, ...this.initialise(id) }
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

  exhaustEpochs(id: string): void {
    const transaction = this.#transactions.get(id)
    if (transaction === undefined) throw new Error(`no transaction of ${id}`)
    transaction.epoch = EPOCH_MAX - 1
  }

  /** Whether a batch of the partition may be written; with Transactions V2 it joins by being written. */
  joinTransaction(version: number, id: string | null, name: string, batch: Buffer): number {
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

  #transaction(id: string): Transaction {
    const found = this.#transactions.get(id)
    if (found === undefined) throw new Error(`no transactional id ${id}`)
    return found
  }

  #check(id: string, pid: bigint, epoch: number): number {
    const transaction = this.#transaction(id)
    return transaction.pid === pid && transaction.epoch === epoch ? NONE : INVALID_EPOCH
  }

  initialise(id: string | null) {
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
    for (const [name, offset] of named(topics)) {
      if (code === NONE) transaction.offsets.set(name, offset)
      // A fault of brokers before 4.0: the refusal of a late request takes the positions of the open transaction away.
      else if (check !== NONE && this.transactionVersion < 2) transaction.offsets.delete(name)
    }
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

interface TopicOf<P> {
  readonly topic: string
  readonly partitions: P[]
}

export function readTopics<P>(from: Reader, read: () => P, hasTags = true): TopicOf<P>[] {
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
