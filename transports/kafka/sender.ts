/**
 * Appends from outside any transaction: an idempotent producer, acknowledged by all in-sync replicas.
 *
 * A partition that has nothing on its way is sent to at once; what comes meanwhile is the next batch. Requests to one
 * broker carry the batches of many partitions, and there may be several at a time.
 *
 * Not its job: choosing partitions, what a record of the engine is on Kafka (`records.ts`), sending (`delivery.ts`).
 *
 * Invariants:
 * 1. Nothing of a call is sent unless all of it may be.
 * 2. Every call ends by its deadline.
 * 3. What waits or is on its way has a limit in bytes.
 */
import { type AppendResult, type Clock, StreamsError, type TopicPartition } from '../../streams/index.ts'
import { AppendCall, type Part } from './append-call.ts'
import type { Codec } from './batches/compression.ts'
import { type BatchRecord, recordSize } from './batches/encode.ts'
import { Delivery } from './delivery.ts'
import { PartitionQueue, type SealedBatch } from './partition-queue.ts'
import { type Brokers, type Leaders, partitionName, RECORD_BYTES_MAX } from './producer-batches.ts'

/** Before a call without answer is given up. Milliseconds. */
const DELIVERY_TIMEOUT_MS = 10_000
/** Bytes of records that wait or are on their way. */
const BUFFER_BYTES_MAX = 32 * 1024 * 1024

export interface SenderOptions {
  readonly compression?: Codec | undefined
  readonly deliveryTimeoutMs?: number
  readonly bufferBytes?: number
}

export interface RecordToAppend extends TopicPartition {
  readonly record: BatchRecord
}

export class Sender {
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #bufferBytes: number
  readonly #delivery: Delivery
  readonly #queues = new Map<string, PartitionQueue[]>()
  /** Calls whose callers wait, oldest first. */
  readonly #calls = new Set<AppendCall>()
  #bufferedBytes = 0
  #cancelDeadline: (() => void) | undefined
  #closed: Promise<void> | undefined
  #resolveClosed: (() => void) | undefined

  constructor(leaders: Leaders, brokers: Brokers, options: SenderOptions = {}) {
    this.#clock = leaders.clock
    this.#timeoutMs = options.deliveryTimeoutMs ?? DELIVERY_TIMEOUT_MS
    this.#bufferBytes = options.bufferBytes ?? BUFFER_BYTES_MAX
    const calls = this.#calls
    this.#delivery = new Delivery(leaders, brokers, {
      compression: options.compression,
      timeoutMs: this.#timeoutMs,
      get isWaiting() {
        return calls.size > 0
      },
      drop: (part, cause) => this.#drop(part, cause),
      settle: (call) => this.#settle(call),
      release: (bytes) => {
        this.#bufferedBytes -= bytes
      },
    })
  }

  /** Bytes of records that wait or are on their way. */
  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  /**
   * Answers where each record went, in the order given; an offset is -1 where the broker knows a repeated batch but no
   * more its place. Throws:
   *
   * - `LOG_BUSY`, `LOG_WRITE_FAILED`, `RECORD_TOO_LARGE`, `LOG_CLOSED`: none of the records is in the log.
   * - `APPEND_UNKNOWN`: some or all may be, or still get there.
   * - `RangeError` for timestamps that are no safe integers.
   */
  async append(records: readonly RecordToAppend[]): Promise<readonly AppendResult[]> {
    if (this.#closed !== undefined) throw new StreamsError('LOG_CLOSED', 'nothing can be appended')
    if (records.length === 0) return []
    const sizes = records.map(checkedSize)
    this.#reserve(sizes)
    const call = new AppendCall(records.length, this.#clock.monotonic() + this.#timeoutMs)
    for (let i = 0; i < records.length; i++) {
      this.#enqueue(call, records[i] as RecordToAppend, sizes[i] as number, i)
    }
    this.#calls.add(call)
    this.#cancelDeadline ??= this.#clock.after(this.#timeoutMs, () => this.#expireDue())
    for (const { at } of call.parts) this.#delivery.offer(this.#queueOf(at))
    return call.done
  }

  /** Takes no more, and resolves when every call has ended, which their deadlines see to. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => (this.#resolveClosed = resolve))
    this.#closeWhenDone()
    return this.#closed
  }

  #closeWhenDone(): void {
    if (this.#closed === undefined || this.#calls.size > 0) return
    this.#cancelDeadline?.()
    this.#resolveClosed?.()
  }

  // --- what comes

  /** Throws `LOG_BUSY`, or `RECORD_TOO_LARGE` for what would not fit either if nothing waited. */
  #reserve(sizes: readonly number[]): void {
    let bytes = 0
    for (const size of sizes) bytes += size
    if (bytes > this.#bufferBytes) {
      throw new StreamsError('RECORD_TOO_LARGE', `${bytes} bytes at once, allowed are ${this.#bufferBytes}`)
    }
    if (this.#bufferedBytes + bytes > this.#bufferBytes) {
      throw new StreamsError('LOG_BUSY', `${this.#bufferedBytes} bytes wait`)
    }
    this.#bufferedBytes += bytes
  }

  #enqueue(call: AppendCall, appended: RecordToAppend, size: number, place: number): void {
    const queue = this.#queueOf(appended)
    let part = queue.newest
    if (part?.call !== call) {
      part = { call, at: queue, records: [], sizes: [], places: [], next: 0 }
      queue.add(part)
      call.parts.push(part)
    }
    part.records.push(appended.record)
    part.sizes.push(size)
    part.places.push(place)
  }

  #queueOf({ topic, partition }: TopicPartition): PartitionQueue {
    let queues = this.#queues.get(topic)
    if (queues === undefined) this.#queues.set(topic, (queues = []))
    return (queues[partition] ??= new PartitionQueue(topic, partition))
  }

  // --- what becomes of it

  /** Nothing of the part that is in no batch will be sent. */
  #drop(part: Part, cause: Error): void {
    const { next, records, sizes } = part
    const dropped = records.length - next
    for (let i = next; i < sizes.length; i++) this.#bufferedBytes -= sizes[i] as number
    // A partition without leader may wait for hours: nothing is kept of what was given up.
    records.length = next
    sizes.length = next
    if (dropped > 0) part.call.refused(dropped, cause)
  }

  /** After something of a call has failed the rest is not sent; after its end it is forgotten. */
  #settle(call: AppendCall): void {
    const { failure } = call
    if (failure !== undefined) for (const part of call.parts) this.#drop(part, failure)
    if (!call.isOver) return
    this.#calls.delete(call)
    this.#closeWhenDone()
  }

  #expireDue(): void {
    const now = this.#clock.monotonic()
    for (const call of this.#calls) {
      if (call.deadline > now) break
      this.#expire(call)
    }
    const [oldest] = this.#calls
    this.#cancelDeadline =
      oldest && this.#clock.after(Math.ceil(oldest.deadline - now), () => this.#expireDue())
  }

  #expire(call: AppendCall): void {
    const queues = call.parts.map(({ at }) => this.#queueOf(at))
    const cause = queues.find(({ lastError }) => lastError !== undefined)?.lastError
    const error = new StreamsError('LOG_BUSY', `no answer within ${this.#timeoutMs} ms`, { cause })
    for (const { batch } of queues) {
      const records = batch === undefined ? 0 : recordsOf(call, batch)
      if (batch === undefined || records === 0) continue
      if (batch.isDoubtful) call.lost(records, error)
      else this.#delivery.unseal(batch)
    }
    for (const part of call.parts) this.#drop(part, error)
    this.#settle(call)
    for (const queue of queues) {
      queue.forgetEmpty()
      // Others in the batch may still be served; once there are none, it is given up.
      const { batch } = queue
      if (batch?.slices.every(({ part }) => part.call.isOver)) this.#delivery.giveUp(batch)
    }
  }
}

function checkedSize({ topic, partition, record }: RecordToAppend): number {
  if (!Number.isSafeInteger(record.timestamp)) throw new RangeError(`${record.timestamp} is no timestamp`)
  const size = recordSize(record)
  if (size <= RECORD_BYTES_MAX) return size
  const detail = `${size} bytes for ${partitionName(topic, partition)}, allowed are ${RECORD_BYTES_MAX}`
  throw new StreamsError('RECORD_TOO_LARGE', detail)
}

function recordsOf(call: AppendCall, batch: SealedBatch): number {
  let records = 0
  for (const { part, from, to } of batch.slices) if (part.call === call) records += to - from
  return records
}
