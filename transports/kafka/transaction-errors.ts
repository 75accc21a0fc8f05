/**
 * What a failure inside a transaction, before its end was asked for, means to the engine: in each case nothing was
 * committed.
 *
 * | thrown | when | the same commit |
 * | --- | --- | --- |
 * | `COMMIT_FENCED` | the transactional id or the membership went to somebody else | never again |
 * | `RECORD_TOO_LARGE` | a broker takes no batch of a single record | never again |
 * | `LOG_BUSY` | no answer, or one that a new epoch or some time can mend | later, after `initialise` |
 * | the refusal itself | rights, a topic's rules, a request that is not understood | only after somebody mends it |
 */
import { isStreamsError, StreamsError } from '../../streams/index.ts'
import { isClusterError, refusal, type Resource } from './errors.ts'
import { isSequenceLost, isTooLarge, mayPass } from './produce-outcome.ts'
import {
  INVALID_TXN_STATE,
  isKafkaError,
  memberFenced,
  NONE,
  producerFenced,
  REBALANCE_IN_PROGRESS,
  TRANSACTION_ABORTABLE,
  UNKNOWN_SERVER_ERROR,
} from './protocol/errors.ts'
import type { TopicPartitions } from './protocol/topics-of.ts'
import type { PartitionsAnswer } from './protocol/transactions.ts'

/** Another partition of the request was refused. */
const OPERATION_NOT_ATTEMPTED = 55

/** For an answer that says no. */
export function refusalInTransaction(
  api: string,
  code: number,
  resource: Resource,
  brokersWords?: string | null,
): Error {
  const cause = refusal(api, code, resource, brokersWords)
  if (producerFenced(code)) {
    return new StreamsError('COMMIT_FENCED', 'another producer has the transactional id', { cause })
  }
  if (memberFenced(code) || code === REBALANCE_IN_PROGRESS) {
    return new StreamsError('COMMIT_FENCED', 'the group went on without this member', { cause })
  }
  if (isTooLarge(code))
    return new StreamsError('RECORD_TOO_LARGE', `${resource.name} does not take it`, { cause })
  if (isMendedByNewEpoch(code) || mayPass(code)) {
    return new StreamsError('LOG_BUSY', 'the cluster could not take the transaction', { cause })
  }
  return cause
}

/** For a request that has no answer. The transaction's end was not asked for, so it will not be committed. */
export function unansweredInTransaction(cause: Error): Error {
  if (isStreamsError(cause)) return cause
  if (isClusterError(cause) && cause.reaction !== 'retry' && cause.reaction !== 'restore') return cause
  return new StreamsError('LOG_BUSY', 'the transaction will not be committed', { cause })
}

/** Nothing can be sent by this producer any more. */
export function isProducerFenced(error: Error): boolean {
  return isStreamsError(error) && isKafkaError(error.cause) && producerFenced(error.cause.code)
}

/** Of what went wrong at the same time: that somebody else has taken over outweighs the rest. */
export function gravest(errors: readonly Error[]): Error | undefined {
  return (
    errors.find(isProducerFenced) ??
    errors.find((error) => isStreamsError(error, 'COMMIT_FENCED')) ??
    errors[0]
  )
}

function isMendedByNewEpoch(code: number): boolean {
  return isSequenceLost(code) || code === INVALID_TXN_STATE || code === TRANSACTION_ABORTABLE
}

/** The code that counts among those of an answer's partitions; an answer that leaves one out acknowledges nothing. */
export function codeOfPartitions(
  answer: PartitionsAnswer,
  asked: readonly TopicPartitions<{ readonly partition: number } | number>[],
): number {
  const codes = answer.topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode))
  const bad = codes.filter((code) => code !== NONE)
  const final = bad.find((code) => !mayPass(code) && code !== OPERATION_NOT_ATTEMPTED)
  const passing = bad.find(mayPass)
  return final ?? passing ?? bad[0] ?? (covers(answer, asked) ? NONE : UNKNOWN_SERVER_ERROR)
}

function covers(
  answer: PartitionsAnswer,
  asked: readonly TopicPartitions<{ readonly partition: number } | number>[],
): boolean {
  return asked.every(({ topic, partitions }) => {
    const answered = answer.topics.filter((one) => one.topic === topic).flatMap((one) => one.partitions)
    const numbers = new Set(answered.map(({ partition }) => partition))
    return partitions.every((one) => numbers.has(typeof one === 'number' ? one : one.partition))
  })
}
