/** What engineers build topologies with, and what transports, telemetry and the composition root need. */
export { type Table, topology, type TopologyBuilder } from './builder.ts'
export type { Flood } from './breaker.ts'
export type { Clock } from './clock.ts'
export {
  type DeadLetter,
  type DeadLetterDialect,
  positionText,
  readDeadLetter,
  REDRIVE_FIRST_HEADER,
  REDRIVE_HEADER,
  sourceOfDeadLetters,
} from './dead-letter.ts'
export { describe, toJson, toMermaid, type TopologyJson } from './describe.ts'
export {
  isStreamsError,
  reactionOf,
  StreamsError,
  streamsErrorTable,
  TaskNotHere,
  type Reaction,
  type StreamsErrorCode,
} from './errors.ts'
export { EventIdMaker, EventIdMakers, formatUuid7 } from './event-id.ts'
export {
  deadLetterTopic,
  findStore,
  intermediateTopics,
  type Node,
  type SubTopology,
  type Topology,
  type TopicRole,
  topicsOf,
  type TopicUse,
} from './graph.ts'
export type { SourceOptions } from './graph-draft.ts'
export { groupSpecOf } from './group-spec.ts'
export type { StreamsHooks } from './hooks.ts'
export type { RunnerState, StandbyPhase, TaskPhase } from './lifecycle.ts'
export type {
  AppendRecord,
  AppendResult,
  Assignment,
  BatchJournal,
  Checkpoint,
  CommitReceipt,
  GroupListener,
  GroupSpec,
  InputRun,
  Log,
  Leaving,
  Membership,
  PartitionBounds,
  Peer,
  PartitionReader,
  StoreChange,
  StoredTask,
  SubTopologyMeta,
  TaskCommit,
  TaskTimes,
  TopicSpec,
} from './log.ts'
export { OutputCollector, outputsCrc } from './output-collector.ts'
export { PartitionChoice } from './partition-choice.ts'
export { murmur2, partitionFor } from './partitioner.ts'
export {
  type BreakerPolicy,
  defaultBreaker,
  defaultSourcePolicies,
  type ErrorAction,
  type ErrorPolicy,
  type SourcePolicies,
} from './policies.ts'
export {
  processor,
  type Processor,
  type ProcessorContext,
  type Punctuator,
  shape,
  type Shape,
  type StreamRecord,
} from './processor.ts'
export { type Range, readRange, type ReadRangeOptions } from './read-range.ts'
export { redecide, type RedecideOptions, type RedecideResult } from './redecide.ts'
export { type Answer, storeQueries, type StoreQueries } from './queries.ts'
export { NO_HEADERS } from './record.ts'
export type {
  Cause,
  Headers,
  Lineage,
  LogRecord,
  OutgoingRecord,
  PastCause,
  Position,
  TopicPartition,
} from './record.ts'
export {
  changeHeaders,
  changelogTopic,
  isChangelog,
  type LoggedStore,
  loggedStores,
  storedPositions,
  TOMBSTONE_RETENTION_MS,
  versionOf,
} from './changelogs.ts'
export { restoreState, type RestoreOptions } from './restore.ts'
export type { StateDirectory } from './state-directory.ts'
export type { Stream } from './stream.ts'
export { Streams, type StreamsOptions } from './streams.ts'
export { systemClock } from './system-clock.ts'
export { parseTaskName, taskName, type TaskId } from './task-id.ts'
export { type Head, lowestTimestamp, TaskInput } from './task-input.ts'
export { NO_CHECKPOINT } from './task-opener.ts'
export type { AnyTopic, Topic } from './topic.ts'
export { topicSpecsOf, type TopicSpecsOptions } from './topic-specs.ts'
export { type ClockIncident, WallClock } from './wall-clock.ts'
export { withTopics } from './with-topics.ts'
