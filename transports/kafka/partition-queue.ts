/**
 * What waits for one partition, and the one batch that is on its way there.
 *
 * Not its job: when to send and what an answer means (`sender.ts`).
 *
 * Invariants:
 * 1. Records are sealed in the order in which they were added; at most one batch is sealed.
 * 2. A sealed batch is sent again as it is, bytes and sequence, until it is acknowledged or given up.
 * 3. The sequence moves only when a batch was acknowledged. A batch that was given up although the broker may have
 *    taken it leaves the sequence unknown, so the next one begins another epoch.
 */
import type { TopicPartition } from '../../streams/index.ts'
import type { Part, Slice } from './append-call.ts'
import { type BatchRecord, encodeBatch } from './batches/encode.ts'
import type { Codec } from './batches/compression.ts'
import { type AddressedBatch, BATCH_BYTES_MAX, BATCH_RECORDS_MAX, sequenceAfter } from './producer-batches.ts'
import type { Producer } from './protocol/transactions.ts'

/** Epochs are 16 bits with a sign. */
const EPOCH_MAX = 2 ** 15 - 1

export interface SealedBatch extends AddressedBatch {
  readonly queue: PartitionQueue
  readonly slices: readonly Slice[]
  readonly records: number
  /** Bytes of its records, as they were counted when they came. */
  readonly recordBytes: number
  /** The broker may have taken it, or may yet. */
  isDoubtful: boolean
}

/** `idle`: may be sent. `in flight`: an answer is waited for. `paused`: some time must pass first. */
export type QueueState = 'idle' | 'in flight' | 'paused'

export class PartitionQueue implements TopicPartition {
  readonly topic: string
  readonly partition: number
  state: QueueState = 'idle'
  /** In a row. */
  failures = 0
  lastError: Error | undefined
  /** Absent until the next batch is sealed by a producer of its own. */
  producer: Producer | undefined
  #sequence = 0
  #batch: SealedBatch | undefined
  #parts: Part[] = []
  /** Parts before this one are sealed. */
  #head = 0
  #batchBytesMax = BATCH_BYTES_MAX

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  get batch(): SealedBatch | undefined {
    return this.#batch
  }

  get hasWork(): boolean {
    return this.#batch !== undefined || this.#head < this.#parts.length
  }

  /** The part added last. */
  get newest(): Part | undefined {
    return this.#parts.at(-1)
  }

  /** Parts that are not wholly sealed. */
  get waiting(): readonly Part[] {
    return this.#parts.slice(this.#head)
  }

  add(part: Part): void {
    this.#parts.push(part)
  }

  /** The batch to send: the sealed one, else a new one; undefined when nothing waits. */
  seal(compression: Codec | undefined): SealedBatch | undefined {
    if (this.#batch !== undefined || this.producer === undefined) return this.#batch
    const records: BatchRecord[] = []
    const slices: Slice[] = []
    let recordBytes = 0
    for (let i = this.#head; i < this.#parts.length; i++) {
      const part = this.#parts[i] as Part
      const from = part.next
      recordBytes += this.#takeFrom(part, records, recordBytes)
      if (part.next > from) slices.push({ part, from, to: part.next })
      if (part.next < part.records.length) break
    }
    this.forgetEmpty()
    if (records.length === 0) return undefined
    const { topic, partition, producer } = this
    const stamp = { ...producer, baseSequence: this.#sequence, transactional: false, compression }
    const bytes = encodeBatch(records, stamp)
    const counts = { records: records.length, recordBytes, isDoubtful: false }
    this.#batch = { queue: this, topic, partition, bytes, slices, ...counts }
    return this.#batch
  }

  /** Moves records of the part to `records` while the batch has room; answers their bytes. */
  #takeFrom(part: Part, records: BatchRecord[], bytesBefore: number): number {
    let bytes = 0
    while (part.next < part.records.length && records.length < BATCH_RECORDS_MAX) {
      const size = part.sizes[part.next] as number
      const isFull = bytesBefore + bytes + size > this.#batchBytesMax
      if (isFull && records.length > 0) break
      records.push(part.records[part.next] as BatchRecord)
      bytes += size
      part.next++
    }
    return bytes
  }

  /** Lets go of parts at the front of which nothing waits: once they are half of the list, so that it is copied rarely. */
  forgetEmpty(): void {
    for (; this.#head < this.#parts.length; this.#head++) {
      const { next, records } = this.#parts[this.#head] as Part
      if (next < records.length) break
    }
    if (this.#head === this.#parts.length) this.#parts = []
    else if (this.#head * 2 >= this.#parts.length) this.#parts = this.#parts.slice(this.#head)
    else return
    this.#head = 0
  }

  /** The batch was acknowledged. */
  acknowledged(batch: SealedBatch): void {
    this.#sequence = sequenceAfter(this.#sequence, batch.records)
    this.#batch = undefined
    this.failures = 0
    this.lastError = undefined
  }

  /** The broker has certainly not taken the batch: its records wait again, before all others. */
  unseal(batch: SealedBatch): void {
    this.#batch = undefined
    const back: Part[] = []
    for (const { part, from } of batch.slices) {
      part.next = from
      if (part !== this.#parts[this.#head]) back.push(part)
    }
    if (back.length === 0) return
    this.#parts = [...back, ...this.#parts.slice(this.#head)]
    this.#head = 0
  }

  /** The batch is not sent any more, and was certainly not taken. */
  discard(): void {
    this.#batch = undefined
  }

  /**
   * The batch is given up, and which sequence the broker expects is not known: sequences begin again, in an epoch of
   * which the broker need not be told before (KIP-360). What is still on its way is refused once a batch of the new
   * epoch is there, so that it cannot come after newer records.
   */
  beginEpoch(): void {
    const { producer } = this
    this.leaveProducer()
    if (producer === undefined || producer.producerEpoch >= EPOCH_MAX) return
    this.producer = { producerId: producer.producerId, producerEpoch: producer.producerEpoch + 1 }
  }

  /** Nothing is sealed for the producer any more. */
  leaveProducer(): void {
    this.#batch = undefined
    this.producer = undefined
    this.#sequence = 0
  }

  /** The topic takes no batch of this size. */
  shrinkBatches(batch: SealedBatch): void {
    this.#batchBytesMax = Math.floor(batch.recordBytes / 2)
  }
}
