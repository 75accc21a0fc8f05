/**
 * Brings the batches of partitions to their leaders until they are acknowledged, refused or given up.
 *
 * Not its job: calls, their deadlines, the room they take (`sender.ts`).
 *
 * Invariants:
 * 1. A partition has one batch on its way at most; what an answer says is read for each partition.
 * 2. A batch that may have been taken is sent again with its bytes and sequence, which the broker knows, or not at all.
 */
import { isStreamsError, StreamsError, type TopicPartition } from '../../streams/index.ts'
import type { AppendCall, Part } from './append-call.ts'
import type { Codec } from './batches/compression.ts'
import { isClusterError, refusal } from './errors.ts'
import type { PartitionQueue, SealedBatch } from './partition-queue.ts'
import { isRefusedUnseen, isSequenceLost, isTaken, isTooLarge, mayPass } from './produce-outcome.ts'
import {
  answersTo,
  type Brokers,
  byBroker,
  type Leaders,
  partitionName,
  pauseMs,
  produceBatches,
} from './producer-batches.ts'
import { NONE, UNKNOWN_SERVER_ERROR } from './protocol/errors.ts'
import type { ProduceAnswer, ProducedPartition } from './protocol/produce.ts'
import { initProducerId, NO_PRODUCER, type Producer } from './protocol/transactions.ts'

/** The last version that is no part of Transactions V2. */
const PRODUCE_VERSION = 11
/**
 * Bytes of batches that are made in one turn: while the broker writes them, the next turn makes more. Requests that
 * carried all partitions at once would leave broker and client idle by turns.
 */
const TURN_BYTES = 256 * 1024
/** Means something in transactions only. */
const NO_TRANSACTION_TIMEOUT_MS = 0

/** Whose records they are. */
export interface DeliveryOwner {
  readonly compression: Codec | undefined
  /** How long a leader may wait for its replicas. Milliseconds. */
  readonly timeoutMs: number
  /** Somebody waits for something. */
  readonly isWaiting: boolean
  /** The part's records that are in no batch will not be sent. */
  drop(part: Part, cause: Error): void
  /** Something became of records of the call. */
  settle(call: AppendCall): void
  /** So many bytes of records are not kept any more. */
  release(bytes: number): void
}

export class Delivery {
  readonly #leaders: Leaders
  readonly #brokers: Brokers
  readonly #owner: DeliveryOwner
  /** Partitions that may be sent to. */
  readonly #ready = new Set<PartitionQueue>()
  /** What new batches are stamped with. */
  #producer: Producer | undefined
  #isAcquiring = false
  #isDue = false
  #looking: Promise<void> | undefined

  constructor(leaders: Leaders, brokers: Brokers, owner: DeliveryOwner) {
    this.#leaders = leaders
    this.#brokers = brokers
    this.#owner = owner
  }

  /** The partition may have something to send. */
  offer(queue: PartitionQueue): void {
    if (queue.state !== 'idle' || !queue.hasWork) return
    this.#ready.add(queue)
    // After the events of this turn, so that their records share batches and requests.
    this.#sendSoon()
  }

  /** The batch was certainly not taken: its records wait again, but for those of calls that have failed. */
  unseal(batch: SealedBatch): void {
    batch.queue.unseal(batch)
    for (const { part } of batch.slices) {
      const { failure } = part.call
      if (failure !== undefined) this.#owner.drop(part, failure)
    }
  }

  /** Nobody waits for the batch any more, and whether it was taken is not known: the partition begins anew. */
  giveUp(batch: SealedBatch): void {
    const { queue } = batch
    this.#owner.release(batch.recordBytes)
    queue.beginEpoch()
    if (queue.state === 'in flight') this.#resume(queue)
  }

  /** The broker does not know the producer, or not as it is known here. */
  #leaveProducer(queue: PartitionQueue): void {
    if (queue.producer?.producerId === this.#producer?.producerId) this.#producer = undefined
    queue.leaveProducer()
  }

  // --- sending

  #sendSoon(): void {
    if (this.#isDue) return
    this.#isDue = true
    void this.#leaders.clock.yield().then(() => this.#sendReady())
  }

  #sendReady(): void {
    this.#isDue = false
    const batches: SealedBatch[] = []
    let bytes = 0
    for (const queue of this.#ready) {
      if (bytes >= TURN_BYTES) {
        this.#sendSoon()
        break
      }
      const leader = this.#leaders.leader(queue.topic, queue.partition)
      if (leader !== undefined && queue.batch === undefined && !this.#hasProducer(queue)) {
        if (!this.#isAcquiring) void this.#acquireProducer(leader)
        continue
      }
      this.#ready.delete(queue)
      if (leader === undefined) {
        this.#pause(queue, noLeader(queue))
        continue
      }
      const batch = queue.seal(this.#owner.compression)
      if (batch === undefined) continue
      batches.push(batch)
      bytes += batch.bytes.length
    }
    for (const { node, batches: some } of byBroker(batches, this.#leaders)) void this.#send(node, some)
  }

  async #send(node: number, batches: readonly SealedBatch[]): Promise<void> {
    const doubtfulBefore = new Set(batches.filter(({ isDoubtful }) => isDoubtful))
    for (const batch of batches) {
      batch.queue.state = 'in flight'
      batch.isDoubtful = true
    }
    const request = produceBatches(PRODUCE_VERSION, null, this.#owner.timeoutMs, batches)
    let answer: ProduceAnswer
    try {
      answer = await this.#brokers.send(node, request)
    } catch (error) {
      const isSent = !isClusterError(error) || error.code === 'OUTCOME_UNKNOWN'
      for (const batch of batches) {
        if (batch.queue.batch !== batch) continue // given up meanwhile
        batch.isDoubtful = isSent || doubtfulBefore.has(batch)
        this.#pause(batch.queue, error as Error)
      }
      return
    }
    const now = this.#leaders.clock.now()
    for (const [batch, answered] of answersTo(batches, answer)) {
      if (batch.queue.batch !== batch) continue // given up meanwhile
      if (answered !== undefined && isTaken(answered.errorCode)) this.#taken(batch, answered, now)
      else this.#notTaken(batch, answered, doubtfulBefore.has(batch))
    }
  }

  // --- answers

  #taken(batch: SealedBatch, { baseOffset, logAppendTimeMs }: ProducedPartition, now: number): void {
    const { queue, slices } = batch
    queue.acknowledged(batch)
    this.#owner.release(batch.recordBytes)
    let offset = baseOffset
    for (const slice of slices) {
      const { call } = slice.part
      call.took(slice, offset, logAppendTimeMs < 0 ? now : logAppendTimeMs)
      if (offset >= 0) offset += slice.to - slice.from
      if (call.isOver) this.#owner.settle(call)
    }
    this.#resume(queue)
  }

  #notTaken(batch: SealedBatch, answered: ProducedPartition | undefined, wasDoubtful: boolean): void {
    const { queue, topic } = batch
    const code = answered?.errorCode ?? UNKNOWN_SERVER_ERROR
    const name = partitionName(topic, batch.partition)
    const error = refusal('Produce', code, { kind: 'topic', name: topic }, answered?.errorMessage ?? name)
    if (mayPass(code)) {
      batch.isDoubtful = wasDoubtful || !isRefusedUnseen(code)
      this.#pause(queue, error)
    } else if (wasDoubtful) {
      this.#lose(batch, error)
    } else if (isSequenceLost(code)) {
      this.unseal(batch)
      this.#leaveProducer(queue)
      this.#pause(queue, error)
    } else if (isTooLarge(code) && batch.records > 1) {
      queue.shrinkBatches(batch)
      this.unseal(batch)
      this.#resume(queue)
    } else {
      this.#refuse(batch, isTooLarge(code) ? tooLarge(name, error) : refused(name, error))
    }
  }

  /** Refused now, but an earlier request may have brought it: whoever sends it again may double it. */
  #lose(batch: SealedBatch, cause: Error): void {
    for (const { part, from, to } of batch.slices) part.call.lost(to - from, cause)
    this.giveUp(batch)
    for (const { part } of batch.slices) this.#owner.settle(part.call)
  }

  /** The broker does not want the batch. */
  #refuse(batch: SealedBatch, cause: StreamsError): void {
    batch.queue.discard()
    this.#owner.release(batch.recordBytes)
    for (const { part, from, to } of batch.slices) part.call.refused(to - from, cause)
    for (const { part } of batch.slices) this.#owner.settle(part.call)
    this.#resume(batch.queue)
  }

  // --- pauses

  #resume(queue: PartitionQueue): void {
    queue.state = 'idle'
    this.offer(queue)
  }

  /** Looks at the cluster after a while, then goes on. */
  #pause(queue: PartitionQueue, error: Error): void {
    queue.state = 'paused'
    queue.lastError = error
    queue.failures++
    const goOn = () => this.#resume(queue)
    const wake = () => (this.#owner.isWaiting ? void this.#look().then(goOn) : goOn())
    this.#leaders.clock.after(pauseMs(queue.failures), wake)
  }

  /** One look for all that wait for one. */
  #look(): Promise<void> {
    const looked = () => {
      this.#looking = undefined
    }
    this.#looking ??= this.#leaders.refresh().then(looked, looked)
    return this.#looking
  }

  // --- the producer's id

  #hasProducer(queue: PartitionQueue): boolean {
    queue.producer ??= this.#producer
    return queue.producer !== undefined
  }

  /** Asks any broker; then the partitions that wait for it go on, or pause. */
  async #acquireProducer(node: number): Promise<void> {
    this.#isAcquiring = true
    try {
      this.#producer = await this.#newProducer(node)
      for (const queue of this.#ready) this.offer(queue)
    } catch (error) {
      for (const queue of this.#ready) {
        if (queue.producer === undefined) this.#withoutProducer(queue, error as Error)
      }
    } finally {
      this.#isAcquiring = false
    }
  }

  async #newProducer(node: number): Promise<Producer> {
    const ask = {
      transactionalId: null,
      transactionTimeoutMs: NO_TRANSACTION_TIMEOUT_MS,
      producer: NO_PRODUCER,
    }
    const { errorCode, producerId, producerEpoch } = await this.#brokers.send(node, initProducerId(ask))
    if (errorCode === NONE) return { producerId, producerEpoch }
    const error = refusal('InitProducerId', errorCode, { kind: 'cluster', name: '' })
    if (mayPass(errorCode)) throw error
    throw new StreamsError('LOG_WRITE_FAILED', 'the cluster gives no producer id', { cause: error })
  }

  #withoutProducer(queue: PartitionQueue, error: Error): void {
    this.#ready.delete(queue)
    if (!isStreamsError(error)) {
      this.#pause(queue, error)
      return
    }
    for (const part of queue.waiting) {
      this.#owner.drop(part, error)
      this.#owner.settle(part.call)
    }
  }
}

function tooLarge(name: string, cause: Error): StreamsError {
  return new StreamsError('RECORD_TOO_LARGE', `${name} takes no record of this size`, { cause })
}

function refused(name: string, cause: Error): StreamsError {
  return new StreamsError('LOG_WRITE_FAILED', `${name}: the broker refused the records`, { cause })
}

function noLeader({ topic, partition }: TopicPartition): StreamsError {
  return new StreamsError('LOG_BUSY', `${partitionName(topic, partition)} has no leader`)
}
