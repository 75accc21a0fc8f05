/**
 * One call of `append`: where its records are, what became of them, and what the caller is told.
 *
 * Not its job: when a record is sent, what an answer means (`sender.ts`, `partition-queue.ts`).
 *
 * Invariants:
 * 1. The caller is told once. What happens to its records afterwards changes nothing.
 * 2. A plain refusal is told only when none of the records can be in the log, then or later; else `APPEND_UNKNOWN`.
 */
import { type AppendResult, StreamsError, type TopicPartition } from '../../streams/index.ts'
import type { BatchRecord } from './batches/encode.ts'

/** The records of a call that go to one partition, in order. */
export interface Part {
  readonly call: AppendCall
  readonly at: TopicPartition
  readonly records: BatchRecord[]
  /** Bytes of each record. */
  readonly sizes: number[]
  /** Their places in the call. */
  readonly places: number[]
  /** The first one that is in no batch yet. */
  next: number
}

/** Records of a part that are in a batch. */
export interface Slice {
  readonly part: Part
  readonly from: number
  readonly to: number
}

export class AppendCall {
  readonly parts: Part[] = []
  /** Milliseconds of the monotonic clock. */
  readonly deadline: number
  readonly done: Promise<readonly AppendResult[]>
  readonly #results: AppendResult[] = []
  #resolve!: (results: readonly AppendResult[]) => void
  #reject!: (error: Error) => void
  /** Records of which it is not known what becomes of them. */
  #open: number
  /** Some of the records are in the log, or may be or get there. */
  #isDoubtful = false
  #failure: Error | undefined
  #isOver = false

  constructor(records: number, deadline: number) {
    this.#open = records
    this.#results.length = records
    this.deadline = deadline
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** The caller was told. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** The reason why none of its records that is in no batch yet is to be sent. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** The log has the records. `baseOffset` -1: it does not tell where. */
  took({ part, from, to }: Slice, baseOffset: number, appendTime: number): void {
    const { topic, partition } = part.at
    for (let i = from; i < to; i++) {
      this.#results[part.places[i] as number] = {
        topic,
        partition,
        offset: baseOffset < 0 ? -1 : baseOffset + (i - from),
        appendTime,
      }
    }
    this.#isDoubtful = true
    this.#settle(to - from)
  }

  /** The log has none of these records and will not get them from here. */
  refused(records: number, cause: Error): void {
    this.#failure ??= cause
    this.#settle(records)
  }

  /** Nobody knows about these records. */
  lost(records: number, cause: Error): void {
    this.#isDoubtful = true
    this.refused(records, cause)
  }

  #settle(records: number): void {
    this.#open -= records
    if (this.#open > 0 || this.#isOver) return
    this.#isOver = true
    const failure = this.#failure
    if (failure === undefined) this.#resolve(this.#results)
    else this.#reject(this.#isDoubtful ? unknownOutcome(failure) : failure)
  }
}

function unknownOutcome(cause: Error): StreamsError {
  const detail = 'some of the records may be in the log, or still get there'
  return new StreamsError('APPEND_UNKNOWN', detail, { cause })
}
