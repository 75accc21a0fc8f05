/**
 * What a partition's answer to a Produce request says of its batch.
 *
 * Not its job: what a producer does about it; only the sender may take up a new sequence, only a transaction may be
 * aborted.
 */
import {
  CORRUPT_MESSAGE,
  DUPLICATE_SEQUENCE_NUMBER,
  INVALID_PRODUCER_EPOCH,
  INVALID_PRODUCER_ID_MAPPING,
  MESSAGE_TOO_LARGE,
  NONE,
  NOT_ENOUGH_REPLICAS,
  OUT_OF_ORDER_SEQUENCE_NUMBER,
  RECORD_LIST_TOO_LARGE,
  retriable,
  UNKNOWN_PRODUCER_ID,
  UNKNOWN_SERVER_ERROR,
} from './protocol/errors.ts'

/** Also when an earlier request brought it: the broker knows the batch by its sequence. */
export function isTaken(code: number): boolean {
  return code === NONE || code === DUPLICATE_SEQUENCE_NUMBER
}

/** The same batch may be taken later. Whether it was taken already, its sequence will show. */
export function mayPass(code: number): boolean {
  return retriable(code) || code === UNKNOWN_SERVER_ERROR
}

/**
 * The broker gives these answers before it takes a batch only. Others, such as a lost leadership, it may also give while
 * it waits for the replicas.
 */
export function isRefusedUnseen(code: number): boolean {
  return code === NOT_ENOUGH_REPLICAS || code === CORRUPT_MESSAGE
}

/** The broker expects another sequence, or has forgotten the producer. */
export function isSequenceLost(code: number): boolean {
  switch (code) {
    case OUT_OF_ORDER_SEQUENCE_NUMBER:
    case UNKNOWN_PRODUCER_ID:
    case INVALID_PRODUCER_EPOCH:
    case INVALID_PRODUCER_ID_MAPPING:
      return true
    default:
      return false
  }
}

export function isTooLarge(code: number): boolean {
  return code === MESSAGE_TOO_LARGE || code === RECORD_LIST_TOO_LARGE
}
