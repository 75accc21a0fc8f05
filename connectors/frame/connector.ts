/**
 * What a connector is: a consumer of topics with a position of its own, and a target outside the log.
 *
 * The frame reads, retries, breaks, sets aside and commits; a connector says what is read and how it reaches its target.
 * A batch's outputs, its dead letters and its positions are one commit of the log, from an assignment that is current:
 * what goes from the log to the log is exactly once. What goes out is
 *
 * - exactly once where the target keeps the positions itself and takes them together with the data
 *   ({@link Target.positions}): after a crash the frame begins where the target says, not where the log says;
 * - at least once elsewhere: a crash between the target and the commit brings the batch again, with the same
 *   {@link Incoming.key} for whoever can tell.
 */
import type { AnyTopic, Headers, Lineage, Position, TopicPartition } from '../../streams/index.ts'

export interface Connector {
  /** Unique in a deployment: `connector-<name>` is the group of its consumers, and it labels its metrics. */
  readonly name: string
  /** Partition p of each goes to task p. */
  readonly inputs: readonly AnyTopic[]
  /** Topics of what its deliveries give the log. */
  readonly outputs?: readonly AnyTopic[] | undefined
  readonly delivery?: Partial<DeliveryPolicy> | undefined
  /**
   * By name of an input: how long its records rest in the log before they are delivered, milliseconds from their append.
   * Other inputs go on meanwhile.
   */
  readonly restMs?: Readonly<Record<string, number>> | undefined
  /**
   * One target per task, opened when the task arrives here. What it throws is tried again, and so is what takes longer
   * than a delivery may; a target that comes too late is closed.
   */
  open(task: ConnectorTask): Promise<Target>
}

export interface ConnectorTask {
  /** One for each input. */
  readonly partitions: readonly TopicPartition[]
  /** Names the life of an input: another one once the topic was deleted and made again. */
  readonly topicId: (topic: string) => string
  /** Fires when the task leaves, or where opening has taken too long. */
  readonly signal: AbortSignal
}

export interface Target {
  /**
   * The next offset of each partition that the target has ever taken from, as it has it itself. Absent: the target keeps
   * none, and the log's are used.
   */
  readonly positions?: readonly Position[] | undefined
  /**
   * Why the target will never take a record, where that can be told from the record alone: it is set aside before it is
   * delivered. A target that keeps positions says it here, and gives neither `rejected` nor `outputs`: what it took
   * before a crash is not delivered again, and only what this answers is asked again.
   */
  rejects?(record: Incoming): string | undefined
  /**
   * Resolves once the target has all of the batch but what it rejects. Rejecting means: none of it is known to be there,
   * try again; with an {@link Unavailable} for as long as it takes, with anything else as often as the policy says, then
   * record by record, so that only those that fail alone are set aside. What a target throws when nobody answers
   * (`ECONNREFUSED` and its like) counts as {@link Unavailable}, and so does a delivery that takes too long.
   *
   * Once the signal fires it must end soon: a delivery that does not is left alone, and its target closed.
   */
  deliver(batch: Batch, signal: AbortSignal): Promise<Delivered>
  /** Idempotent. */
  close(): Promise<void>
}

export interface Batch {
  /** In offset order per partition; never empty. */
  readonly records: readonly Incoming[]
  /** Positions after the batch, of every partition in it. Also of records that were set aside or are missing. */
  readonly next: readonly Position[]
}

/** A record whose key and value were read; a null key is handed on, a null value of compacted topics only. */
// oxlint-disable-next-line typescript/no-explicit-any -- a connector of several topics tells them apart by name
export interface Incoming<K = any, V = any> extends Position {
  readonly recordKey: K
  readonly value: V
  readonly timestamp: number
  /** Epoch milliseconds. */
  readonly appendTime: number
  readonly headers: Headers
  readonly lineage: Lineage | undefined
  /** The same for every delivery of this record: its eventId, or its position where it has none. */
  readonly key: string
}

export interface Delivered {
  /** What the log is to take with the positions. */
  readonly outputs?: readonly Produced[] | undefined
  /** Records that will never be taken: they go to the dead letters of their topic. */
  readonly rejected?: readonly Rejected[] | undefined
}

/** A record for the log, made because of another. */
// oxlint-disable-next-line typescript/no-explicit-any -- key and value are those of the topic
export interface Produced<K = any, V = any> {
  readonly topic: AnyTopic
  readonly key: K
  readonly value: V
  /** Event time, epoch milliseconds. */
  readonly timestamp: number
  readonly because: Incoming
}

export interface Rejected {
  readonly record: Incoming
  /** Operators see it: names of fields and codes, nothing of the contents. */
  readonly reason: string
}

/** The target cannot be reached or takes nothing now: nothing is wrong with the records. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable'
  /** What the target asked for, if it did. */
  readonly retryAfterMs: number | undefined

  constructor(message: string, options: { readonly cause?: unknown; readonly retryAfterMs?: number } = {}) {
    super(message, { cause: options.cause })
    this.retryAfterMs = options.retryAfterMs
  }
}

export interface DeliveryPolicy {
  /** Records in one batch, at most. */
  readonly batchRecords: number
  /** Bytes of their keys and values, but for the last one of them. */
  readonly batchBytes: number
  /** How long records are waited for to fill a batch, milliseconds; 0 takes what is there. */
  readonly lingerMs: number
  /** Tries of a batch that fails for another reason than an unavailable target, the first one included. */
  readonly attempts: number
  readonly backoffMs: number
  readonly maxBackoffMs: number
  /** One delivery that takes longer counts as one to an unavailable target. */
  readonly timeoutMs: number
  /** Unavailable this many times in a row, over all tasks: the breaker opens, and nothing is tried for `openMs`. */
  readonly breakAfter: number
  readonly openMs: number
}
