/**
 * One partition as its leader has it: record batches as they came, producers by sequence and epoch, open and aborted
 * transactions.
 *
 * Not its job: who leads it, which transaction it belongs to (`transactions.ts`).
 */
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_SEQUENCE_AT,
  CONTROL,
  CRC_AT,
  crc32c,
  encodeBatch,
  INVALID_PRODUCER_EPOCH,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  LOG_APPEND_TIME,
  MAX_TIMESTAMP_AT,
  NONE,
  OUT_OF_ORDER_SEQUENCE_NUMBER,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
} from '../../kafka/wire/index.ts'

/** Batches of a producer that a broker can tell are repeated. */
const REMEMBERED_BATCHES = 5
const COMMIT_MARKER = Buffer.from([0, 0, 0, 1])
const ABORT_MARKER = Buffer.from([0, 0, 0, 0])
const MARKER_VALUE = Buffer.alloc(6)

export type Outcome = 'committed' | 'aborted'

export interface StoredBatch {
  readonly base: number
  readonly last: number
  readonly bytes: Buffer
  readonly producerId: bigint
  readonly isTransactional: boolean
  readonly isControl: boolean
}

interface ProducerState {
  epoch: number
  nextSequence: number
  recent: { readonly sequence: number; readonly records: number; readonly baseOffset: number }[]
}

export interface Appended {
  readonly errorCode: number
  readonly baseOffset: number
}

export class ModelPartition {
  readonly topic: string
  readonly partition: number
  readonly #stampsTime: boolean
  /** Node id; -1 while there is none. */
  leader: number
  leaderEpoch = 0
  start = 0
  end = 0
  batches: StoredBatch[] = []
  /** Every batch that ever came, whatever was deleted since: for judges. */
  readonly history: StoredBatch[] = []
  readonly #producers = new Map<bigint, ProducerState>()
  /** Offset of the first record, by producer. */
  readonly #open = new Map<bigint, number>()
  readonly #aborted: {
    readonly producerId: bigint
    readonly firstOffset: number
    readonly marker: number
  }[] = []
  /** Requests that wait for something to happen here. */
  readonly waiting = new Set<() => void>()

  constructor(topic: string, partition: number, leader: number, stampsTime: boolean) {
    this.topic = topic
    this.partition = partition
    this.leader = leader
    this.#stampsTime = stampsTime
  }

  /** First offset of the oldest open transaction. */
  get lastStable(): number {
    let least = this.end
    for (const first of this.#open.values()) if (first < least) least = first
    return least
  }

  /** Offset of the last committed record; -1 where there is none. */
  get lastRecord(): number {
    const stable = this.lastStable
    const last = this.history.findLast((one) => !one.isControl && one.last < stable && !this.isAborted(one))
    return last?.last ?? -1
  }

  /** Whether the producer's records here are part of a transaction that has not ended. */
  hasOpen(producerId: bigint): boolean {
    return this.#open.has(producerId)
  }

  append(batch: Buffer, now: number, isTransactional: boolean): Appended {
    const producerId = batch.readBigInt64BE(PRODUCER_ID_AT)
    const epoch = batch.readInt16BE(PRODUCER_EPOCH_AT)
    const sequence = batch.readInt32BE(BASE_SEQUENCE_AT)
    const records = batch.readInt32BE(RECORD_COUNT_AT)
    const known = this.#producers.get(producerId)
    if (known !== undefined && epoch < known.epoch) return refused(INVALID_PRODUCER_EPOCH)
    if (known?.epoch === epoch) {
      const again = known.recent.find((one) => one.sequence === sequence && one.records === records)
      if (again !== undefined) return { errorCode: NONE, baseOffset: again.baseOffset }
      if (sequence !== known.nextSequence) return refused(OUT_OF_ORDER_SEQUENCE_NUMBER)
    } else if (sequence !== 0 && known !== undefined) return refused(OUT_OF_ORDER_SEQUENCE_NUMBER)
    const baseOffset = this.end
    const recent = known?.epoch === epoch ? known.recent : []
    this.#producers.set(producerId, {
      epoch,
      nextSequence: sequence + records,
      recent: [...recent, { sequence, records, baseOffset }].slice(-REMEMBERED_BATCHES),
    })
    if (isTransactional && !this.#open.has(producerId)) this.#open.set(producerId, baseOffset)
    this.#store(this.#stampsTime ? withAppendTime(batch, now) : batch, isTransactional, false)
    return { errorCode: NONE, baseOffset }
  }

  /** The marker that ends the producer's transaction; what is late of older epochs is refused from here on. */
  mark(producerId: bigint, epoch: number, outcome: Outcome, now: number): void {
    const firstOffset = this.#open.get(producerId)
    this.#open.delete(producerId)
    if (outcome === 'aborted' && firstOffset !== undefined)
      this.#aborted.push({ producerId, firstOffset, marker: this.end })
    const known = this.#producers.get(producerId)
    if (known === undefined || epoch > known.epoch)
      this.#producers.set(producerId, { epoch, nextSequence: 0, recent: [] })
    const key = outcome === 'aborted' ? ABORT_MARKER : COMMIT_MARKER
    const stamp = { producerId, producerEpoch: epoch, baseSequence: -1, transactional: true }
    const bytes = encodeBatch([{ key, value: MARKER_VALUE, timestamp: now, headers: [] }], stamp)
    bytes.writeInt16BE(bytes.readInt16BE(ATTRIBUTES_AT) | CONTROL, ATTRIBUTES_AT)
    this.#store(sealed(bytes), true, true)
  }

  /** Whole batches from the offset on that readers of committed records may see, at least one where there is any. */
  read(from: number, maxBytes: number): Buffer {
    const stable = this.lastStable
    const found: Buffer[] = []
    let bytes = 0
    for (let i = this.#indexOf(from); i < this.batches.length; i++) {
      const batch = this.batches[i] as StoredBatch
      if (batch.last >= stable || (bytes > 0 && bytes + batch.bytes.length > maxBytes)) break
      found.push(batch.bytes)
      bytes += batch.bytes.length
    }
    return found.length === 1 ? (found[0] as Buffer) : Buffer.concat(found)
  }

  /** Of the transactions that were aborted after the offset, as a Fetch answer lists them. */
  abortedFrom(offset: number): { readonly producerId: bigint; readonly firstOffset: number }[] {
    return this.#aborted
      .filter(({ marker }) => marker >= offset)
      .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
  }

  /** Aborted records, by the transactions' own ranges. */
  isAborted({ producerId, base, isTransactional, isControl }: StoredBatch): boolean {
    if (!isTransactional || isControl) return false
    return this.#aborted.some(
      (one) => one.producerId === producerId && one.firstOffset <= base && base < one.marker,
    )
  }

  /** Batches whose every record is before the offset go. */
  deleteBefore(offset: number): void {
    this.start = Math.max(this.start, offset)
    this.batches = this.batches.filter(({ last }) => last >= this.start)
  }

  /** Whoever waits for this partition looks again. */
  changed(): void {
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const look of waiting) look()
  }

  #store(bytes: Buffer, isTransactional: boolean, isControl: boolean): void {
    bytes.writeBigInt64BE(BigInt(this.end), BASE_OFFSET_AT)
    bytes.writeInt32BE(this.leaderEpoch, LEADER_EPOCH_AT)
    const last = this.end + bytes.readInt32BE(LAST_OFFSET_DELTA_AT)
    const producerId = bytes.readBigInt64BE(PRODUCER_ID_AT)
    const batch = { base: this.end, last, bytes, producerId, isTransactional, isControl }
    this.batches.push(batch)
    this.history.push(batch)
    this.end = last + 1
    this.changed()
  }

  /** The first batch that ends at the offset or behind it. */
  #indexOf(offset: number): number {
    let low = 0
    let high = this.batches.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.batches[middle] as StoredBatch).last < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The batch as a log that sets the time keeps it. */
function withAppendTime(batch: Buffer, now: number): Buffer {
  const own = Buffer.from(batch)
  own.writeBigInt64BE(BigInt(now), MAX_TIMESTAMP_AT)
  own.writeInt16BE(own.readInt16BE(ATTRIBUTES_AT) | LOG_APPEND_TIME, ATTRIBUTES_AT)
  return sealed(own)
}

function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch, ATTRIBUTES_AT), CRC_AT)
  return batch
}

function refused(errorCode: number): Appended {
  return { errorCode, baseOffset: -1 }
}
