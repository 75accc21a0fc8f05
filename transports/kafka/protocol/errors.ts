/**
 * What the broker's error codes mean to whoever asked: try again, ask another broker, or give up a place.
 *
 * Not its job: the engine's errors, which `streams/errors.ts` lists; what to do with a code depends on the request.
 */
import { ERROR_NAMES } from './error-names.ts'

/** The codes that this client tells apart by number. */
export const NONE = 0
export const UNKNOWN_SERVER_ERROR = -1
export const OFFSET_OUT_OF_RANGE = 1
export const CORRUPT_MESSAGE = 2
export const UNKNOWN_TOPIC_OR_PARTITION = 3
export const LEADER_NOT_AVAILABLE = 5
export const NOT_LEADER_OR_FOLLOWER = 6
export const REQUEST_TIMED_OUT = 7
export const BROKER_NOT_AVAILABLE = 8
export const REPLICA_NOT_AVAILABLE = 9
export const MESSAGE_TOO_LARGE = 10
export const NETWORK_EXCEPTION = 13
export const COORDINATOR_LOAD_IN_PROGRESS = 14
export const COORDINATOR_NOT_AVAILABLE = 15
export const NOT_COORDINATOR = 16
export const RECORD_LIST_TOO_LARGE = 18
export const NOT_ENOUGH_REPLICAS = 19
export const NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20
export const ILLEGAL_GENERATION = 22
export const UNKNOWN_MEMBER_ID = 25
export const REBALANCE_IN_PROGRESS = 27
export const UNSUPPORTED_VERSION = 35
export const TOPIC_ALREADY_EXISTS = 36
export const NOT_CONTROLLER = 41
export const OUT_OF_ORDER_SEQUENCE_NUMBER = 45
export const DUPLICATE_SEQUENCE_NUMBER = 46
export const INVALID_PRODUCER_EPOCH = 47
export const INVALID_TXN_STATE = 48
export const INVALID_PRODUCER_ID_MAPPING = 49
export const CONCURRENT_TRANSACTIONS = 51
export const KAFKA_STORAGE_ERROR = 56
export const UNKNOWN_PRODUCER_ID = 59
export const NON_EMPTY_GROUP = 68
export const GROUP_ID_NOT_FOUND = 69
export const FENCED_LEADER_EPOCH = 74
export const UNKNOWN_LEADER_EPOCH = 75
export const OFFSET_NOT_AVAILABLE = 78
export const MEMBER_ID_REQUIRED = 79
export const FENCED_INSTANCE_ID = 82
export const UNSTABLE_OFFSET_COMMIT = 88
export const THROTTLING_QUOTA_EXCEEDED = 89
export const PRODUCER_FENCED = 90
export const UNKNOWN_TOPIC_ID = 100
export const INCONSISTENT_TOPIC_ID = 103
export const TRANSACTIONAL_ID_NOT_FOUND = 105
export const FENCED_MEMBER_EPOCH = 110
export const STALE_MEMBER_EPOCH = 113
export const TRANSACTION_ABORTABLE = 120

/** An answer that says no. */
export class KafkaError extends Error {
  override readonly name = 'KafkaError'
  readonly code: number
  /** The code's name, e.g. `NOT_COORDINATOR`. */
  readonly codeName: string
  /** The request that was answered, e.g. `EndTxn`. */
  readonly api: string

  /** `detail`: what was asked about, or the broker's own words. */
  constructor(api: string, code: number, detail?: string | null) {
    super(`${api}: ${kafkaErrorName(code)} (${code})${detail ? `: ${detail}` : ''}`)
    this.api = api
    this.code = code
    this.codeName = kafkaErrorName(code)
  }

  /** As the engine's own table says it: who asked was told no for now, or there is nothing to wait for. */
  get reaction(): 'retry' | 'drop-task' {
    return retriable(this.code) ? 'retry' : 'drop-task'
  }
}

export function isKafkaError(error: unknown, code?: number): error is KafkaError {
  return error instanceof KafkaError && (code === undefined || error.code === code)
}

/** `E` and the number for a code that is newer than this list. */
export function kafkaErrorName(code: number): string {
  return code === UNKNOWN_SERVER_ERROR ? 'UNKNOWN_SERVER_ERROR' : (ERROR_NAMES[code] ?? `E${code}`)
}

/**
 * The broker that was asked is not the partition's leader, or does not know it yet: ask for metadata, then ask the
 * leader.
 */
export function needsMetadata(code: number): boolean {
  switch (code) {
    // A new topic is known to the controller before it is known to every broker; a deleted one stays unknown, so that
    // callers must give up some time.
    case UNKNOWN_TOPIC_OR_PARTITION:
    case UNKNOWN_TOPIC_ID:
    // The topic was deleted and made again: the old id is in use here.
    case INCONSISTENT_TOPIC_ID:
    // An election is going on.
    case LEADER_NOT_AVAILABLE:
    case NOT_LEADER_OR_FOLLOWER:
    case REPLICA_NOT_AVAILABLE:
    case BROKER_NOT_AVAILABLE:
    // The leader's disk failed: it gives the partition up.
    case KAFKA_STORAGE_ERROR:
    // Our metadata is older than the broker's; or the broker's is older than ours, where waiting is enough, but who
    // is right is known only after asking.
    case FENCED_LEADER_EPOCH:
    case UNKNOWN_LEADER_EPOCH:
    case NETWORK_EXCEPTION:
      return true
    default:
      return false
  }
}

/** The broker that was asked does not coordinate this group or transactional id (any more): find who does. */
export function needsCoordinator(code: number): boolean {
  // COORDINATOR_LOAD_IN_PROGRESS is not among them: it is the right broker, still reading its log.
  return code === COORDINATOR_NOT_AVAILABLE || code === NOT_COORDINATOR
}

/**
 * The same request may succeed later, once metadata or the coordinator was asked for anew where
 * `needsMetadata` or `needsCoordinator` says so. Whether it was carried out already is another matter: only idempotent
 * requests may simply be sent again.
 */
export function retriable(code: number): boolean {
  if (needsMetadata(code) || needsCoordinator(code)) return true
  switch (code) {
    // Damaged on the way: what is damaged here is refused before it is sent.
    case CORRUPT_MESSAGE:
    case REQUEST_TIMED_OUT:
    case COORDINATOR_LOAD_IN_PROGRESS:
    // Too few in-sync replicas; after the append they may still get the batch, which its sequence then shows.
    case NOT_ENOUGH_REPLICAS:
    case NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    // The controller moved; brokers pass requests on to it, as soon as they know the new one.
    case NOT_CONTROLLER:
    // The markers of the last transaction are still being written, which takes milliseconds.
    case CONCURRENT_TRANSACTIONS:
    // The new leader does not know yet up to where its log is committed.
    case OFFSET_NOT_AVAILABLE:
    // An open transaction holds another offset: it ends, or it times out.
    case UNSTABLE_OFFSET_COMMIT:
    case THROTTLING_QUOTA_EXCEEDED:
      return true
    default:
      return false
  }
}

/**
 * A newer user of the transactional id has taken this producer's place; or its transaction ran into its timeout, which
 * brokers before Transactions V2 answer in the same way. Nothing can be sent with this epoch any more.
 */
export function producerFenced(code: number): boolean {
  return code === INVALID_PRODUCER_EPOCH || code === PRODUCER_FENCED
}

/** The group went on without this member: its assignment is no longer current. */
export function memberFenced(code: number): boolean {
  switch (code) {
    case ILLEGAL_GENERATION:
    // Its session ran out, or the coordinator's log lost it.
    case UNKNOWN_MEMBER_ID:
    // Another process joined under the same instance id.
    case FENCED_INSTANCE_ID:
    case FENCED_MEMBER_EPOCH:
    case STALE_MEMBER_EPOCH:
      return true
    default:
      return false
  }
}
