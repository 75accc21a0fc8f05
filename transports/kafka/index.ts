/** A `Log` on a Kafka cluster, 3.9 or newer. */
export type { Codec } from './batches/compression.ts'
export type { ConnectionOptions } from './connections.ts'
export { ClusterError, type ClusterErrorCode, clusterErrorTable, isClusterError } from './errors.ts'
export { type KafkaHooks, KafkaLog } from './kafka-log.ts'
export { openKafkaLog, type OpenKafkaLogOptions as KafkaLogOptions } from './open-kafka-log.ts'
export type { ClusterReset, ClusterResetRequest } from './reset.ts'
export type { SaslOptions, TlsOptions } from './security.ts'
export { type TopicPlan, type TopicsOptions } from './topics.ts'
