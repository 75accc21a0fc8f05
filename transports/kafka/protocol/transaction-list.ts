/** What brokers tell about transactions: ListTransactions v0 and v1, DescribeTransactions v0. */
import type { Reader } from './reader.ts'
import { flexible, type KafkaRequest, type Throttled } from './request.ts'
import { readTopicNumbers, type TopicPartitions } from './topics-of.ts'

/** `Ongoing` ones hold the last stable offset of their partitions back; so do `Prepare…` ones, for a moment. */
export type TransactionState =
  | 'Empty'
  | 'Ongoing'
  | 'PrepareCommit'
  | 'PrepareAbort'
  | 'CompleteCommit'
  | 'CompleteAbort'
  | 'Dead'
  | 'PrepareEpochFence'

export interface ListedTransaction {
  readonly transactionalId: string
  readonly producerId: bigint
  /** One of `TransactionState`, as far as this client knows the broker's names. */
  readonly state: string
}

export interface ListTransactionsAnswer extends Throttled {
  readonly errorCode: number
  /** Of the states asked for, those the broker does not know. */
  readonly unknownStates: readonly string[]
  readonly transactions: readonly ListedTransaction[]
}

/** The transactions of which the asked broker is the coordinator. Empty filters: all. */
export function listTransactions(filter: {
  readonly states: readonly TransactionState[]
  readonly producerIds: readonly bigint[]
  /** Only transactions that have been open for longer; v1, asked for only when given. */
  readonly openForMs?: number
}): KafkaRequest<ListTransactionsAnswer> {
  const { states, producerIds, openForMs } = filter
  return flexible({
    apiKey: 66,
    apiName: 'ListTransactions',
    apiVersion: openForMs === undefined ? 0 : 1,
    write(into) {
      into.array(states, (state) => into.string(state)).array(producerIds, (id) => into.bigint64(id))
      if (openForMs !== undefined) into.int64(openForMs)
    },
    read: (from) => ({
      throttleMs: from.int32(),
      errorCode: from.int16(),
      unknownStates: from.array(() => from.string()),
      transactions: from.array(() => {
        const listed = {
          transactionalId: from.string(),
          producerId: from.bigint64(),
          state: from.string(),
        }
        from.tags()
        return listed
      }),
    }),
  })
}

export interface DescribedTransaction {
  readonly errorCode: number
  readonly transactionalId: string
  readonly state: string
  readonly timeoutMs: number
  /** Epoch milliseconds; -1 when none is open. */
  readonly startTimeMs: number
  readonly producerId: bigint
  readonly producerEpoch: number
  /** What is part of the open transaction. */
  readonly topics: readonly TopicPartitions<number>[]
}

export interface DescribeTransactionsAnswer extends Throttled {
  readonly transactions: readonly DescribedTransaction[]
}

/** Of ids of which the asked broker is the coordinator. */
export function describeTransactions(
  transactionalIds: readonly string[],
): KafkaRequest<DescribeTransactionsAnswer> {
  return flexible({
    apiKey: 65,
    apiName: 'DescribeTransactions',
    apiVersion: 0,
    write: (into) => into.array(transactionalIds, (id) => into.string(id)),
    read: (from) => ({ throttleMs: from.int32(), transactions: from.array(() => readDescribed(from)) }),
  })
}

function readDescribed(from: Reader): DescribedTransaction {
  const described = {
    errorCode: from.int16(),
    transactionalId: from.string(),
    state: from.string(),
    timeoutMs: from.int32(),
    startTimeMs: from.int64(),
    producerId: from.bigint64(),
    producerEpoch: from.int16(),
    topics: readTopicNumbers(from),
  }
  from.tags()
  return described
}
