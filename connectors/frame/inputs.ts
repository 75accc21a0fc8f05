/**
 * The inputs of one task of a connector: reads them, decodes what was read, and makes batches of it.
 *
 * Invariants: records of a partition leave in offset order; no more is in memory than a batch and what the readers have
 * read ahead; what cannot be read, or will never be taken, is part of the batch and not delivered.
 */
import {
  defaultSourcePolicies,
  type Head,
  type Log,
  type LogRecord,
  lowestTimestamp,
  type Position,
  positionText,
  TaskInput,
} from '../../streams/index.ts'
import type { AnyTopic } from '../../streams/index.ts'
import type { Connector, DeliveryPolicy, Incoming, Target } from './connector.ts'

/** A record that was taken from an input, and what is to become of it. */
export interface Taken {
  readonly record: LogRecord
  /** Absent: it goes no further. */
  readonly incoming: Incoming | undefined
  /** Why it goes to the dead letters. */
  readonly refusal: { readonly reason: string; readonly cause?: unknown } | undefined
}

export interface ConnectorInputsOptions {
  readonly log: Log
  readonly topics: readonly AnyTopic[]
  readonly partition: number
  /** Where the log goes on, of every input. */
  readonly from: readonly Position[]
  /** What the target has before these is not delivered again. */
  readonly targetFrom: readonly Position[]
  readonly rejects: Target['rejects']
  readonly restMs: Connector['restMs']
  /** Epoch milliseconds. */
  readonly now: () => number
  readonly onReadable: () => void
}

export class ConnectorInputs {
  readonly #inputs: readonly TaskInput[]
  readonly #targetFrom: ReadonlyMap<string, number>
  readonly #rejects: (record: Incoming) => string | undefined
  readonly #restMs: Readonly<Record<string, number>>
  readonly #now: () => number

  constructor(options: ConnectorInputsOptions) {
    const { log, topics, partition, from, targetFrom, rejects, restMs, now, onReadable } = options
    const starts = new Map(from.map(({ topic, offset }) => [topic, offset]))
    this.#targetFrom = new Map(targetFrom.map(({ topic, offset }) => [topic, offset]))
    this.#rejects = (record) => rejects?.(record)
    this.#restMs = restMs ?? {}
    this.#now = now
    this.#inputs = topics.map((topic) => {
      // Nothing here orders or closes by event time; what has no value is news where a topic is compacted.
      const onNullValue = topic.cleanup === 'compact' ? 'pass' : 'dead-letter'
      const policies = {
        ...defaultSourcePolicies,
        onNullKey: 'pass',
        onNullValue,
        onBadTimestamp: 'accept',
      } as const
      const source = {
        kind: 'source',
        name: topic.name,
        topic,
        eventTime: undefined,
        bootstrap: false,
        policies,
      } as const
      return new TaskInput(source, partition, starts.get(topic.name) ?? 0, log, onReadable)
    })
  }

  /** Adds what is at hand and has rested until the batch is full; answers whether it is. Throws the fault of a reader. */
  gather(batch: Taken[], policy: DeliveryPolicy): boolean {
    let bytes = 0
    for (const { record } of batch) bytes += bytesOf(record)
    while (batch.length < policy.batchRecords && bytes < policy.batchBytes) {
      const input = lowestTimestamp(this.#inputs.filter((one) => this.#mayGo(one)))
      const head = input?.head
      if (input === undefined || head === undefined) {
        for (const { fault } of this.#inputs) if (fault !== undefined) throw fault
        return false
      }
      input.shift()
      bytes += bytesOf(head.record)
      batch.push(this.#taken(head))
    }
    return true
  }

  #mayGo({ source, head }: TaskInput): boolean {
    const rest = this.#restMs[source.topic.name] ?? 0
    return rest === 0 || head === undefined || this.#now() - head.record.appendTime >= rest
  }

  #taken({ record, key, value, timestamp, refusal }: Head): Taken {
    if (refusal !== undefined) return { record, incoming: undefined, refusal }
    const { topic, partition, offset, appendTime, headers, lineage } = record
    const incoming: Incoming = {
      topic,
      partition,
      offset,
      recordKey: key,
      value,
      timestamp,
      appendTime,
      headers,
      lineage,
      key: lineage?.eventId ?? positionText(record),
    }
    const reason = this.#rejects(incoming)
    if (reason !== undefined) return { record, incoming: undefined, refusal: { reason } }
    const isThere = offset < (this.#targetFrom.get(topic) ?? 0)
    return { record, incoming: isThere ? undefined : incoming, refusal: undefined }
  }

  /** The next offset of each. */
  positions(): Position[] {
    return this.#inputs.map(({ source, partition, position }) => {
      return { topic: source.topic.name, partition, offset: position }
    })
  }

  /** Records known to be there and not read yet, of each. */
  lags(): (Position & { readonly lagRecords: number })[] {
    return this.#inputs.map(({ source, partition, position, lag }) => {
      return { topic: source.topic.name, partition, offset: position, lagRecords: lag }
    })
  }

  close(): void {
    for (const input of this.#inputs) input.close()
  }
}

function bytesOf({ key, value }: LogRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0)
}
