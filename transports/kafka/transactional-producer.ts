/**
 * One transaction after the other, for one transactional id.
 *
 * | state | meaning | next |
 * | --- | --- | --- |
 * | `unsettled` | what the id has open, or what of it is still on its way, is not known | `initialise` → `ready` |
 * | `ready` | nothing is open | first `produce` or `sendOffsets` → `open` |
 * | `open` | a transaction is under way | `commit` → `ready`; any failure → `unsettled` |
 * | `retired` | another producer has the id, or it must not be used again | none |
 *
 * Whatever fails, there is one way on: `initialise`. The coordinator aborts what is open, and from then on what is still
 * on its way is refused, since it has an older epoch. Nothing of unknown outcome is sent again, and nothing is aborted by
 * a request that something late could overtake.
 *
 * With Transactions V1, partitions and groups are added to the transaction before they are written to, and sequences run
 * on. With V2 they join by themselves, and every transaction has an epoch of its own, so that nothing of an earlier one
 * gets into it.
 *
 * Brokers before 4.0 have a fault that an epoch does not mend: a late TxnOffsetCommit is refused, but the refusal also
 * drops the positions of the producer's open transaction, which then commits without them. So after one without answer
 * the producer id, and with it the transactional id, is not used again.
 *
 * Not its job: the order of a commit's steps (`commit.ts`), who has which id.
 *
 * Invariants:
 * 1. One call at a time; EndTxn is sent only after everything of the transaction was acknowledged.
 * 2. After a request of unknown outcome, InitProducerId is the next one.
 */
import { StreamsError, type TopicPartition } from '../../streams/index.ts'
import { type Asked, askCoordinator, type CoordinatorPlaces } from './ask-coordinator.ts'
import type { Codec } from './batches/compression.ts'
import { BATCH_OVERHEAD } from './batches/encode.ts'
import { refusal, type Resource } from './errors.ts'
import { BATCH_BYTES_MAX, type Brokers, byTopic, type Leaders, partitionName } from './producer-batches.ts'
import { NONE } from './protocol/errors.ts'
import type { CoordinatorOf } from './protocol/groups.ts'
import type { KafkaRequest } from './protocol/request.ts'
import type { TopicPartitions } from './protocol/topics-of.ts'
import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  endTxn,
  type GroupMember,
  initProducerId,
  NO_PRODUCER,
  type OffsetToCommit,
  type PartitionsAnswer,
  type Producer,
  txnOffsetCommit,
} from './protocol/transactions.ts'
import {
  codeOfPartitions,
  isProducerFenced,
  refusalInTransaction,
  unansweredInTransaction,
} from './transaction-errors.ts'
import { type RecordGroup, writeGroups, type WrittenGroup } from './transaction-writes.ts'

/** Level of the feature `transaction.version` from which on it is Transactions V2. */
const TRANSACTIONS_V2 = 2

const V1 = { produce: 11, offsets: 3, end: 3 } as const
const V2 = { produce: 12, offsets: 5, end: 5 } as const

export interface TransactionCluster extends Leaders, CoordinatorPlaces {
  /** Level of the finalized feature. */
  readonly transactionVersion: number
}

export interface TransactionalProducerOptions {
  readonly transactionalId: string
  /** The broker aborts a transaction that is open for longer, and nothing is tried for longer. Milliseconds. */
  readonly timeoutMs: number
  readonly compression?: Codec | undefined
  /** What each topic takes in one batch. Bytes. */
  readonly maxBatchBytes?: number
  /** Whether Transactions V1 is spoken to every broker: only there partitions can be enlisted. */
  readonly isV1?: boolean
}

export type ProducerState = 'unsettled' | 'ready' | 'open' | 'retired'

export class TransactionalProducer {
  readonly transactionalId: string
  readonly #cluster: TransactionCluster
  readonly #brokers: Brokers
  readonly #timeoutMs: number
  readonly #isV1: boolean
  readonly #compression: Codec | undefined
  readonly #batchBytesMax: number
  #state: ProducerState = 'unsettled'
  /** Why the id is not used again, once what it has open is settled. */
  #retirement: Error | undefined
  #isBusy = false
  #versions: typeof V1 | typeof V2 = V1
  #producer: Producer = NO_PRODUCER
  /** The next sequence of each partition, by its name. */
  readonly #sequences = new Map<string, number>()
  /** V1: what was added to the transaction; names of partitions, and of groups. */
  readonly #added = new Set<string>()
  /** Of the open transaction. Milliseconds of the monotonic clock. */
  #deadline = 0

  constructor(cluster: TransactionCluster, brokers: Brokers, options: TransactionalProducerOptions) {
    this.#cluster = cluster
    this.#brokers = brokers
    this.transactionalId = options.transactionalId
    this.#timeoutMs = options.timeoutMs
    this.#isV1 = options.isV1 ?? false
    this.#compression = options.compression
    this.#batchBytesMax = Math.min(BATCH_BYTES_MAX, (options.maxBatchBytes ?? Infinity) - BATCH_OVERHEAD)
  }

  get state(): ProducerState {
    return this.#state
  }

  /**
   * Ends what the id has open, refuses what is on its way, and begins anew. Throws `LOG_BUSY` when the coordinator does
   * not answer in time, `COMMIT_FENCED` when another id is needed, and refusals such as `ACCESS_DENIED`.
   */
  initialise(): Promise<void> {
    return this.#alone(async () => {
      if (this.#state === 'retired') throw this.#retired()
      // Whatever happens now, the id's epoch may be another one.
      this.#state = 'unsettled'
      const { transactionalId } = this
      const request = initProducerId({
        transactionalId,
        transactionTimeoutMs: this.#timeoutMs,
        producer: NO_PRODUCER,
      })
      this.#deadline = this.#cluster.clock.monotonic() + this.#timeoutMs
      const answer = this.#final(
        await this.#ask('transaction', transactionalId, request, ({ errorCode }) => errorCode, true),
        request,
      )
      if (this.#retirement !== undefined) {
        this.#retire(this.#retirement)
        throw this.#retired()
      }
      this.#versions = !this.#isV1 && this.#cluster.transactionVersion >= TRANSACTIONS_V2 ? V2 : V1
      this.#begin(answer)
      this.#sequences.clear()
    })
  }

  /** Does so unless nothing is open or on its way. */
  async settle(): Promise<void> {
    if (this.#state !== 'ready') await this.initialise()
  }

  /**
   * Writes the records; each partition in one group at most. Answers, group by group, where they are. Throws as
   * `transaction-errors.ts` says.
   */
  produce(groups: readonly RecordGroup[]): Promise<readonly WrittenGroup[]> {
    return this.#inside(async () => {
      if (this.#versions === V1) await this.#addPartitions(groups)
      const { transactionalId } = this
      return writeGroups(
        {
          leaders: this.#cluster,
          brokers: this.#brokers,
          producer: { ...this.#producer, transactionalId },
          version: this.#versions.produce,
          sequences: this.#sequences,
          compression: this.#compression,
          batchBytesMax: this.#batchBytesMax,
          timeoutMs: this.#timeoutMs,
          deadline: this.#deadline,
        },
        groups,
      )
    })
  }

  /**
   * Makes the partitions part of the transaction, so that its end leaves a marker in each, written to or not. Only with
   * `isV1`. Throws as `transaction-errors.ts` says.
   */
  enlist(partitions: readonly TopicPartition[]): Promise<void> {
    return this.#inside(() => this.#addPartitions(partitions))
  }

  /** The group's positions, which it takes with the transaction's end. Throws as `transaction-errors.ts` says. */
  sendOffsets(member: GroupMember, offsets: readonly TopicPartitions<OffsetToCommit>[]): Promise<void> {
    return this.#inside(async () => {
      if (this.#versions === V1) await this.#addGroup(member.group)
      const request = txnOffsetCommit(this.#versions.offsets, this.#identity, member, offsets)
      const codeOf = (answer: PartitionsAnswer) => codeOfPartitions(answer, offsets)
      const asked = await this.#ask('group', member.group, request, codeOf)
      if (asked.outcome === 'unanswered' && asked.isDoubtful && this.#versions === V1) {
        this.#retirement = asked.error
      }
      this.#final(asked, request, { kind: 'group', name: member.group })
    })
  }

  /**
   * Commits what was produced and sent. A transaction without anything is no request, and no proof of who has the id.
   * Throws `COMMIT_UNKNOWN` when it may have been committed, or may yet be; all else as `transaction-errors.ts` says.
   */
  async commit(): Promise<void> {
    if (this.#state === 'ready') return
    await this.#inside(async () => {
      const request = endTxn(this.#versions.end, this.#identity, true)
      const asked = await this.#ask(
        'transaction',
        this.transactionalId,
        request,
        ({ errorCode }) => errorCode,
      )
      if (asked.isDoubtful && !isSuccess(asked)) throw this.#unknown(asked)
      const { next } = this.#final(asked, request)
      if (next !== undefined) this.#sequences.clear()
      this.#begin(next ?? this.#producer)
    })
  }

  // --- states

  #begin({ producerId, producerEpoch }: Producer): void {
    this.#producer = { producerId, producerEpoch }
    this.#added.clear()
    this.#state = 'ready'
  }

  /** Within the transaction, which begins with the first call; any failure ends it. */
  #inside<T>(work: () => Promise<T>): Promise<T> {
    return this.#alone(async () => {
      if (this.#state === 'retired') throw this.#retired()
      if (this.#state === 'unsettled') {
        throw new StreamsError('ILLEGAL_TRANSITION', `producer ${this.transactionalId}: unsettled to open`)
      }
      const now = this.#cluster.clock.monotonic()
      if (this.#state === 'ready') this.#deadline = now + this.#timeoutMs
      if (now > this.#deadline) {
        throw new StreamsError('LOG_BUSY', `the transaction took more than ${this.#timeoutMs} ms`)
      }
      this.#state = 'open'
      return work()
    })
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isBusy) {
      throw new StreamsError('ILLEGAL_TRANSITION', `producer ${this.transactionalId}: two calls at a time`)
    }
    this.#isBusy = true
    try {
      return await work()
    } catch (error) {
      this.#failed(error as Error)
      throw error
    } finally {
      this.#isBusy = false
    }
  }

  #failed(error: Error): void {
    if (isProducerFenced(error)) this.#retire(error)
    else if (this.#state !== 'retired') this.#state = 'unsettled'
  }

  #retire(cause: Error): void {
    this.#retirement = cause
    this.#state = 'retired'
  }

  #retired(): StreamsError {
    const cause = this.#retirement
    return new StreamsError('COMMIT_FENCED', `the id ${this.transactionalId} is not used again`, { cause })
  }

  #unknown(asked: Asked<unknown>): StreamsError {
    const resource = { kind: 'transactional id', name: this.transactionalId } as const
    const cause = asked.outcome === 'answered' ? refusal('EndTxn', asked.code, resource) : asked.error
    return new StreamsError('COMMIT_UNKNOWN', `EndTxn of ${this.transactionalId}`, { cause })
  }

  // --- requests

  get #identity() {
    return { ...this.#producer, transactionalId: this.transactionalId }
  }

  /** V1: a partition that was not added refuses the records. */
  async #addPartitions(groups: readonly TopicPartition[]): Promise<void> {
    const fresh = groups.filter(({ topic, partition }) => !this.#added.has(partitionName(topic, partition)))
    if (fresh.length === 0) return
    const topics = byTopic(fresh, ({ partition }) => partition)
    const request = addPartitionsToTxn(this.#identity, topics)
    const codeOf = (answer: PartitionsAnswer) => codeOfPartitions(answer, topics)
    this.#final(await this.#ask('transaction', this.transactionalId, request, codeOf), request)
    for (const { topic, partition } of fresh) this.#added.add(partitionName(topic, partition))
  }

  /** V1: a group that was not added refuses the offsets. */
  async #addGroup(group: string): Promise<void> {
    // No partition's name ends like this.
    const name = `group ${group} `
    if (this.#added.has(name)) return
    const request = addOffsetsToTxn(this.#identity, group)
    this.#final(
      await this.#ask('transaction', this.transactionalId, request, ({ errorCode }) => errorCode),
      request,
    )
    this.#added.add(name)
  }

  #ask<R>(
    kind: CoordinatorOf,
    key: string,
    request: KafkaRequest<R>,
    codeOf: (answer: R) => number,
    isHarmless = false,
  ): Promise<Asked<R>> {
    const timely = { ...request, timeoutMs: this.#timeoutMs }
    const question = { kind, key, request: timely, codeOf, deadline: this.#deadline, isHarmless }
    return askCoordinator(this.#cluster, this.#brokers, question)
  }

  /** The answer, if it says yes. */
  #final<R>(asked: Asked<R>, request: KafkaRequest<R>, resource: Resource = this.#resource): R {
    if (asked.outcome === 'unanswered') throw unansweredInTransaction(asked.error)
    if (asked.code === NONE) return asked.answer
    throw refusalInTransaction(request.apiName, asked.code, resource)
  }

  get #resource(): Resource {
    return { kind: 'transactional id', name: this.transactionalId }
  }
}

function isSuccess(asked: Asked<unknown>): boolean {
  return asked.outcome === 'answered' && asked.code === NONE
}
