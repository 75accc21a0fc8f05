/** Records as they enter, run through and leave a topology. */

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** An offset in a partition; as a committed position it names the next record to process. */
export interface Position extends TopicPartition {
  readonly offset: number
}

/** The record that another one was made from. */
export interface Cause extends Position {
  /** The cause's own timestamp, epoch milliseconds. */
  readonly timestamp: number
}

/** A record that is named as the cause of something made later, with the trace that goes on. */
export interface PastCause extends Cause {
  readonly eventId: string | null
  readonly correlationId: string | null
  readonly traceparent: string | null
}

/**
 * Where a record comes from. On a Kafka topic these are the headers `eventId`, `causationId`, `correlationId`,
 * `traceparent`, `cause-topic`, `cause-partition`, `cause-offset`, `cause-timestamp`.
 */
export interface Lineage {
  /** UUIDv7; derived from the cause where there is one, so that a replay makes the same. */
  readonly eventId: string
  /** The cause's eventId. */
  readonly causationId?: string | undefined
  /** The eventId of the first event of the chain. */
  readonly correlationId?: string | undefined
  /** W3C trace context. */
  readonly traceparent?: string | undefined
  readonly cause?: Cause | undefined
}

/** Further headers, in order; names may repeat. */
export type Headers = readonly (readonly [name: string, value: Buffer])[]

/** A record as a log keeps it. */
export interface LogRecord extends Position {
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** Event time, or append time where the topic says so; epoch milliseconds. */
  readonly timestamp: number
  /**
   * When the log took it, epoch milliseconds; never falls within a partition. On Kafka only topics with
   * `LogAppendTime` keep it; for others it is when the record was read, which is later.
   */
  readonly appendTime: number
  /** Absent: the record came from a producer that sets no eventId. */
  readonly lineage: Lineage | undefined
  readonly headers: Headers
}

/** A record on its way to a log. */
export interface OutgoingRecord extends TopicPartition {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: number
  readonly lineage: Lineage
  readonly headers: Headers
}

export const NO_HEADERS: Headers = Object.freeze([])
