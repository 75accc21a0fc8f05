/** The error codes, held against Kafka's own list. */
import { describe, expect, it } from 'vitest'
import { reactionOf } from '../../../streams/index.ts'
import * as errors from '../../../transports/kafka/protocol/errors.ts'
import { errorFixtures } from './fixtures/index.ts'

const {
  isKafkaError,
  KafkaError,
  kafkaErrorName,
  memberFenced,
  needsCoordinator,
  needsMetadata,
  producerFenced,
  retriable,
} = errors

const fixtures = errorFixtures()
const codes = fixtures.map(({ code }) => code)
/** The sender has lost its place, as a producer or as a member. */
const fenced = (code: number) => producerFenced(code) || memberFenced(code)
const namesOf = (predicate: (code: number) => boolean) => codes.filter(predicate).map(kafkaErrorName)

describe('error codes', () => {
  it('have the names that Kafka gives them', () => {
    expect(codes.map(kafkaErrorName)).toEqual(fixtures.map(({ name }) => name))
  })

  it('that have a constant here have the right one', () => {
    const constants = Object.entries(errors).filter(([, value]) => typeof value === 'number')
    expect(constants.length).toBeGreaterThan(40)
    for (const [name, code] of constants) expect(kafkaErrorName(code as number)).toBe(name)
  })

  it('newer than the list are named by their number', () => {
    expect(kafkaErrorName(4711)).toBe('E4711')
    expect(retriable(4711) || fenced(4711)).toBe(false)
  })

  it('are retriable where they are for the Java client, apart from what is argued here', () => {
    const java = new Set(fixtures.filter((one) => one.retriable).map(({ code }) => code))
    expect(namesOf((code) => retriable(code) && !java.has(code))).toEqual([
      // Answered by brokers that have lost the one they were to pass the request on to.
      'BROKER_NOT_AVAILABLE',
    ])
    expect(namesOf((code) => !retriable(code) && java.has(code))).toEqual([
      // Of fetch sessions, elections, listeners and share groups: nothing here uses them.
      'FETCH_SESSION_ID_NOT_FOUND',
      'INVALID_FETCH_SESSION_EPOCH',
      'LISTENER_NOT_FOUND',
      'PREFERRED_LEADER_NOT_AVAILABLE',
      'ELIGIBLE_LEADERS_NOT_AVAILABLE',
      'ELECTION_NOT_NEEDED',
      'FETCH_SESSION_TOPIC_ID_ERROR',
      'SHARE_SESSION_NOT_FOUND',
      'INVALID_SHARE_SESSION_EPOCH',
      'SHARE_SESSION_LIMIT_REACHED',
    ])
  })

  it('ask for metadata where the Java client does, apart from what is argued here', () => {
    const java = new Set(fixtures.filter((one) => one.needsMetadata).map(({ code }) => code))
    expect(namesOf((code) => needsMetadata(code) && !java.has(code))).toEqual([
      'BROKER_NOT_AVAILABLE',
      'UNKNOWN_LEADER_EPOCH',
    ])
    const unused = ['LISTENER', 'PREFERRED', 'ELIGIBLE', 'ELECTION']
    const missing = namesOf((code) => !needsMetadata(code) && java.has(code))
    expect(missing.filter((name) => !unused.some((word) => name.startsWith(word)))).toEqual([])
  })

  it('ask for the coordinator when it moved, not while it reads its log', () => {
    expect(namesOf(needsCoordinator)).toEqual(['COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR'])
    expect(retriable(errors.COORDINATOR_LOAD_IN_PROGRESS)).toBe(true)
  })

  it('that mean the loss of a place are never retriable', () => {
    expect(namesOf(producerFenced)).toEqual(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'])
    expect(namesOf(memberFenced)).toEqual([
      'ILLEGAL_GENERATION',
      'UNKNOWN_MEMBER_ID',
      'FENCED_INSTANCE_ID',
      'FENCED_MEMBER_EPOCH',
      'STALE_MEMBER_EPOCH',
    ])
    expect(namesOf((code) => fenced(code) && retriable(code))).toEqual([])
    expect(namesOf(fenced)).toHaveLength(7)
  })
})

describe('a KafkaError', () => {
  it('says what was asked, the code, and the broker’s words', () => {
    const error = new KafkaError('EndTxn', errors.PRODUCER_FENCED, 'tx-1')
    expect(error.message).toBe('EndTxn: PRODUCER_FENCED (90): tx-1')
    expect(error).toMatchObject({
      name: 'KafkaError',
      api: 'EndTxn',
      code: 90,
      codeName: 'PRODUCER_FENCED',
    })
    expect(new KafkaError('EndTxn', 16, null).message).toBe('EndTxn: NOT_COORDINATOR (16)')
  })

  it('that may go better later asks for another try, and no other does', () => {
    const reactions = [errors.LEADER_NOT_AVAILABLE, errors.PRODUCER_FENCED, errors.UNSUPPORTED_VERSION].map(
      (code) => reactionOf(new KafkaError('ListOffsets', code)),
    )
    expect(reactions).toEqual(['retry', 'drop-task', 'drop-task'])
  })

  it('is told from other errors, and by its code', () => {
    const error = new KafkaError('EndTxn', errors.PRODUCER_FENCED)
    expect(isKafkaError(error)).toBe(true)
    expect(isKafkaError(error, errors.PRODUCER_FENCED)).toBe(true)
    expect(isKafkaError(error, errors.NOT_COORDINATOR)).toBe(false)
    expect(isKafkaError(new Error('90'))).toBe(false)
  })
})
