/** What a model of brokers needs: the log that runs over it, and the protocol as bytes. */
export { crc32c } from '../batches/crc32c.ts'
export { decodeBatches } from '../batches/decode.ts'
export { encodeBatch } from '../batches/encode.ts'
export {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_SEQUENCE_AT,
  CONTROL,
  CRC_AT,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  LOG_APPEND_TIME,
  MAX_TIMESTAMP_AT,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
  TRANSACTIONAL,
} from '../batches/layout.ts'
export { Cluster } from '../cluster.ts'
export { ClusterError, isClusterError } from '../errors.ts'
export { KafkaLog } from '../kafka-log.ts'
export type { KafkaLogOptions } from '../kafka-log-options.ts'
export type { BrokerConnections, Network } from '../network.ts'
export { parseOffsetMetadata } from '../offset-metadata.ts'
export {
  CONCURRENT_TRANSACTIONS,
  FENCED_INSTANCE_ID,
  FENCED_LEADER_EPOCH,
  ILLEGAL_GENERATION,
  INVALID_PRODUCER_EPOCH,
  INVALID_TXN_STATE,
  LEADER_NOT_AVAILABLE,
  MEMBER_ID_REQUIRED,
  NONE,
  NOT_COORDINATOR,
  NOT_LEADER_OR_FOLLOWER,
  OFFSET_OUT_OF_RANGE,
  OUT_OF_ORDER_SEQUENCE_NUMBER,
  PRODUCER_FENCED,
  REBALANCE_IN_PROGRESS,
  TOPIC_ALREADY_EXISTS,
  UNKNOWN_LEADER_EPOCH,
  UNKNOWN_MEMBER_ID,
  UNKNOWN_TOPIC_ID,
  UNKNOWN_TOPIC_OR_PARTITION,
  UNSTABLE_OFFSET_COMMIT,
} from '../protocol/errors.ts'
export type { FetchAnswer, FetchedPartition } from '../protocol/fetch.ts'
export type { JoinGroupAnswer, SyncGroupAnswer } from '../protocol/groups.ts'
export { Reader } from '../protocol/reader.ts'
export type { KafkaRequest } from '../protocol/request.ts'
export type { EndTxnAnswer, Producer } from '../protocol/transactions.ts'
