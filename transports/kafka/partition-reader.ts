/**
 * One partition as its reader sees it: what was fetched and not taken yet, still as record batches.
 *
 * Batches are decoded when they are taken, one fetched piece at a time: what waits is compact, and nothing is decoded
 * for a reader that is closed before. Records are views of the piece, so whoever keeps one keeps up to a piece
 * (`partitionMaxBytes`) alive.
 *
 * Not its job: asking brokers (`broker-fetches.ts`), errors of a partition (`fetcher.ts`), bytes (`batches/`).
 *
 * Invariants:
 * 1. Pieces join: the next one begins at the offset that was asked for, which is the end of the last one.
 * 2. `position` is the next offset not taken. It also passes what no record is handed out for: control records, aborted
 *    records, and what compaction took.
 * 3. What lies before a fault is handed out first. A damaged batch is fetched again `REFETCHES` times before it is one.
 * 4. After an empty `take` the owner is called once, when there is more, or news of the end for the first time, or a
 *    fault; or at once where the position has moved, past markers alone.
 */
import {
  type LogRecord,
  type PartitionReader,
  StreamsError,
  type TopicPartition,
} from '../../streams/index.ts'
import { type DecodedBatches, decodeBatches } from './batches/decode.ts'
import { LAST_OFFSET_DELTA_AT, LENGTH_AT, LENGTH_FROM, RECORDS_AT } from './batches/layout.ts'
import type { AbortedTransaction, FetchedPartition } from './protocol/fetch.ts'
import { toLogRecord } from './records.ts'

/** How often a damaged batch is fetched again: it may be whole in the broker's log. */
const REFETCHES = 3
/** An answer up to this size is kept whole by the records in it. Bytes. */
const SMALL_ANSWER_BYTES = 256 * 1024
const NOTHING: readonly LogRecord[] = Object.freeze([])

/** What a reader tells its fetcher. */
export interface ReaderHooks {
  /** The topic's records have the append time as their timestamp, whatever their batch says. */
  readonly isStamped: boolean
  /** Epoch milliseconds. */
  now(): number
  /** It holds so many bytes more, or fewer. */
  buffered(bytes: number): void
  /** It may be given more again. */
  wantsMore(): void
  /** It is closed or has a fault: it wants nothing any more. */
  ended(): void
}

/** What one answer had of the partition. */
interface Piece {
  readonly bytes: Buffer
  /** The offset that was asked for, and the one after the last whole batch. */
  readonly from: number
  readonly to: number
  readonly aborted: readonly AbortedTransaction[]
  /** Epoch milliseconds. */
  readonly fetchedAt: number
}

export class KafkaPartitionReader implements PartitionReader {
  readonly topic: string
  readonly partition: number
  readonly topicId: string
  readonly #limits: { readonly readerBufferBytes: number; readonly maxInflatedBytes: number }
  readonly #hooks: ReaderHooks
  readonly #onReadable: () => void
  #position: number
  #nextFetch: number
  /** As the broker last said; undefined before it said anything. */
  #lastStable: number | undefined
  #pieces: Piece[] = []
  #bufferedBytes = 0
  /** The piece being taken: its records, the next of them, its size, the offset after it. */
  #records: readonly LogRecord[] = NOTHING
  #next = 0
  #takenBytes = 0
  #takenTo: number
  #fetchedAt = 0
  #damagedAt = -1
  #refetches = 0
  #fault: Error | undefined
  /** A fault behind what is buffered. */
  #coming: Error | undefined
  #armed = false
  #closed = false

  constructor(
    at: TopicPartition,
    topicId: string,
    from: number,
    limits: { readonly readerBufferBytes: number; readonly maxInflatedBytes: number },
    onReadable: () => void,
    hooks: ReaderHooks,
  ) {
    this.topic = at.topic
    this.partition = at.partition
    this.topicId = topicId
    this.#position = from
    this.#nextFetch = from
    this.#takenTo = from
    this.#limits = limits
    this.#onReadable = onReadable
    this.#hooks = hooks
  }

  get position(): number {
    return this.#position
  }

  /** Before the broker said where the partition ends, there may be more: one past the position. */
  get end(): number {
    return this.#lastStable === undefined ? this.#position + 1 : Math.max(this.#lastStable, this.#position)
  }

  get fault(): Error | undefined {
    return this.#fault
  }

  take(limit: number): readonly LogRecord[] {
    if (this.#closed || this.#fault !== undefined || limit < 1) return NOTHING
    const before = this.#position
    while (this.#next >= this.#records.length) {
      if (this.#nextPiece()) continue
      this.#fault = this.#coming
      this.#armed = this.#fault === undefined
      // Whoever waits for a position may just have got it.
      if (this.#position !== before) this.#wake()
      return NOTHING
    }
    const records = this.#records
    const end = Math.min(records.length, this.#next + limit)
    const taken = this.#next === 0 && end === records.length ? records : records.slice(this.#next, end)
    this.#next = end
    if (end === records.length) this.#pieceDone()
    else this.#position = (taken[taken.length - 1] as LogRecord).offset + 1
    return taken
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#armed = false
    this.#records = NOTHING
    this.#pieces = []
    this.#release(this.#bufferedBytes)
    this.#hooks.ended()
  }

  // --- for the fetcher

  /** The offset to ask for next. */
  get nextFetch(): number {
    return this.#nextFetch
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  /** Whether the broker has said where the partition ends. */
  get hasHeard(): boolean {
    return this.#lastStable !== undefined
  }

  /** Nothing is known to be there to ask for. */
  get isIdle(): boolean {
    return this.#lastStable !== undefined && this.#nextFetch >= this.#lastStable
  }

  /** What a broker answered for `nextFetch`, without an error. `answerBytes` of records came in the whole answer. */
  accept({ records, lastStableOffset, abortedTransactions }: FetchedPartition, answerBytes: number): void {
    if (this.#closed) return
    const isFirst = this.#lastStable === undefined
    this.#lastStable = lastStableOffset
    if (records.length > 0) {
      // A view would keep the other partitions' bytes alive for as long as this one waits.
      const isShared = answerBytes > SMALL_ANSWER_BYTES && records.length < answerBytes / 2
      const bytes = isShared ? Buffer.from(records) : records
      const from = this.#nextFetch
      const to = endOfBatches(records, from)
      this.#fetchedAt = Math.max(this.#fetchedAt, this.#hooks.now())
      const piece: Piece = { bytes, from, to, aborted: abortedTransactions ?? [], fetchedAt: this.#fetchedAt }
      // Already the first batch cannot be: there is no offset to go on from.
      if (to === from) return this.#damagedBy(this.#decode(piece).error)
      this.#pieces.push(piece)
      this.#nextFetch = to
      this.#bufferedBytes += records.length
      this.#hooks.buffered(records.length)
    }
    if (records.length > 0 || isFirst) this.#wake()
  }

  /** What is at `nextFetch` cannot be read: it is asked for again, or is the end of this reader. */
  damaged(why: string, cause?: unknown): void {
    const offset = this.#nextFetch
    if (offset !== this.#damagedAt) this.#refetches = 0
    this.#damagedAt = offset
    if (this.#refetches++ < REFETCHES) return this.#hooks.wantsMore()
    const detail = `${this.topic}-${this.partition} at offset ${offset}: ${why}`
    this.fail(new StreamsError('LOG_RECORD_CORRUPT', detail, { cause }))
  }

  /** The reader ends with a fault, once what is buffered has been taken. */
  fail(fault: Error): void {
    if (this.#closed || this.#fault !== undefined || this.#coming !== undefined) return
    if (this.#bufferedBytes === 0) this.#fault = fault
    else this.#coming = fault
    this.#hooks.ended()
    this.#wake()
  }

  // --- inside

  /** Decodes the next piece, or as much of it as may be inflated at once. False: none is at hand. */
  #nextPiece(): boolean {
    const piece = this.#pieces[0]
    if (piece === undefined) return false
    const { records, nextOffset, error } = this.#decode(piece)
    const rest = error === undefined && nextOffset < piece.to && nextOffset > piece.from
    if (rest) this.#pieces[0] = { ...piece, from: nextOffset }
    else this.#pieces.shift()
    const { fetchedAt } = piece
    const { isStamped } = this.#hooks
    this.#records = records.map((record) =>
      toLogRecord(this, record, isStamped ? record.timestamp : fetchedAt),
    )
    this.#next = 0
    this.#takenBytes = rest ? 0 : piece.bytes.length
    this.#takenTo = nextOffset
    if (!rest && nextOffset !== piece.to) this.#dropFrom(nextOffset, error)
    if (records.length === 0) this.#pieceDone()
    return true
  }

  #decode({ bytes, from, aborted }: Piece): DecodedBatches {
    return decodeBatches(bytes, {
      fetchOffset: from,
      readCommitted: true,
      abortedTransactions: aborted,
      maxInflatedBytes: this.#limits.maxInflatedBytes,
    })
  }

  /** A batch cannot be decoded: nothing from it on is of use. */
  #dropFrom(offset: number, error: Error | undefined): void {
    let bytes = 0
    for (const piece of this.#pieces) bytes += piece.bytes.length
    this.#pieces = []
    this.#nextFetch = offset
    this.#release(bytes)
    this.#damagedBy(error)
  }

  #damagedBy(error: Error | undefined): void {
    this.damaged(error?.message ?? 'its batches have other offsets than their headers say', error)
  }

  #pieceDone(): void {
    const bytes = this.#takenBytes
    this.#records = NOTHING
    this.#next = 0
    this.#takenBytes = 0
    this.#position = this.#takenTo
    this.#release(bytes)
  }

  #release(bytes: number): void {
    const wasFull = this.#bufferedBytes >= this.#limits.readerBufferBytes
    this.#bufferedBytes -= bytes
    this.#hooks.buffered(-bytes)
    if (wasFull || this.#bufferedBytes === 0) this.#hooks.wantsMore()
  }

  #wake(): void {
    if (!this.#armed) return
    this.#armed = false
    // On its own stack: what the owner throws must not reach the fetcher.
    queueMicrotask(() => {
      if (!this.#closed) this.#onReadable()
    })
  }
}

/**
 * The offset after the last whole batch, as the headers say; `from` where the first one is not whole or ends before it.
 * What the headers say is checked when they are decoded.
 */
function endOfBatches(bytes: Buffer, from: number): number {
  let end = from
  for (let at = 0; at + RECORDS_AT <= bytes.length; ) {
    const next = at + LENGTH_FROM + bytes.readInt32BE(at + LENGTH_AT)
    if (next < at + RECORDS_AT || next > bytes.length) break
    const after = Number(bytes.readBigInt64BE(at)) + bytes.readInt32BE(at + LAST_OFFSET_DELTA_AT) + 1
    if (after <= end || !Number.isSafeInteger(after)) break
    end = after
    at = next
  }
  return end
}
