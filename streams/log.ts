/**
 * The port behind which a log stands: embedded (LevelDB), Kafka, or simulated.
 *
 * It is the smallest interface the engine needs: topics, appends from outside, readers without a group, membership,
 * and one atomic commit. Every implementation passes `test/contract/log-contract.ts`.
 *
 * What a log promises:
 * 1. An append is durable before its promise resolves, and its records have the offsets it answers.
 * 2. A commit is all or nothing: its outputs, positions, times and, where the log keeps state, its state.
 * 3. A reader sees committed records only, in offset order. Offsets may be missing: compaction, aborted commits, and
 *    marks of a log's own take some.
 * 4. A commit from an assignment that is no longer current is refused, whole.
 */
import type { StateReader, WriteOp } from '../state/index.ts'
import type { Lineage, Headers, LogRecord, OutgoingRecord, Position, TopicPartition } from './record.ts'
import type { TaskId } from './task-id.ts'

export interface TopicSpec {
  readonly name: string
  readonly partitions: number
  readonly cleanup: 'delete' | 'compact'
  /** `LogAppendTime`: the log overwrites each record's timestamp. */
  readonly timestamps: 'CreateTime' | 'LogAppendTime'
  /** Records older than this may go; `Infinity` keeps them. Milliseconds. */
  readonly retentionMs: number
  /** The oldest records of a partition may go once it holds more. Bytes. */
  readonly retentionBytes: number
  /** Of a compacted topic: what was deleted must leave it soon, and not when it is worth the log's while. */
  readonly erasable?: boolean | undefined
  /** On a log of others it is theirs: it must be there, and is neither made, compared nor altered. */
  readonly external?: true | undefined
}

/** A record that comes from outside any task. `partition` absent: murmur2 of the key, as Java's producer does. */
export interface AppendRecord {
  readonly topic: string
  readonly partition?: number | undefined
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: number
  readonly lineage: Lineage
  readonly headers: Headers
}

export interface AppendResult extends Position {
  readonly appendTime: number
}

/** Reads one partition forward from a position, never waiting: what is at hand, or nothing. */
export interface PartitionReader {
  readonly topic: string
  readonly partition: number
  /** Offset after the last record taken. */
  readonly position: number
  /** End of what may be read, as far as known: `position === end` means caught up. */
  readonly end: number
  /** Up to `limit` records that are in memory now; an empty answer calls `onReadable` once there are more. */
  take(limit: number): readonly LogRecord[]
  /** The fault that keeps this reader from going on, if there is one (`LOG_RECORD_CORRUPT`, `OFFSET_OUT_OF_RANGE`). */
  readonly fault: Error | undefined
  /** Idempotent. */
  close(): void
}

/** What a task's last commit left. */
export interface Checkpoint {
  /** The next offset of every input partition. */
  readonly positions: readonly Position[]
  readonly times: TaskTimes
  /** Sequence number of the task's last batch; 0 before the first. */
  readonly sequence: number
}

/** Clocks of a task, committed with each batch. Epoch milliseconds; -1 before the first record. */
export interface TaskTimes {
  /** Highest timestamp of a record. */
  readonly streamTime: number
  /** What the last batch saw. */
  readonly wallTime: number
  /** Wall time of the last batch that had a record. */
  readonly lastRecordAt: number
}

/** One run of records taken in a row from one input, for replaying a batch as it was. */
export interface InputRun extends TopicPartition {
  readonly firstOffset: number
  readonly count: number
}

/**
 * How a batch came about: enough to decide it again. A batch sees one wall time; due wall timers fire first
 * (`wallTimers` of them), then the wall punctuators named here, then its records run in this order.
 */
export interface BatchJournal {
  readonly sequence: number
  readonly times: TaskTimes
  readonly wallTimers: number
  /** Ordinals of the wall punctuators that ran, in the order of the sub-topology's nodes. */
  readonly punctuators: readonly number[]
  readonly inputs: readonly InputRun[]
  /** CRC-32 over the outputs' topic, partition, key, value and timestamp, in order. */
  readonly outputsCrc: number
}

/** One change of a store, for its changelog: key and value without the envelope. */
export interface StoreChange {
  readonly store: string
  readonly key: Buffer
  readonly value: Buffer | null
  /** Of the value's schema; `changeHeaders` keeps it in the changelog. */
  readonly version: number
}

/** What one task puts into a commit. */
export interface TaskCommit {
  readonly task: TaskId
  /** The assignment in which every record of the batch was processed, or a later one that kept the task. */
  readonly epoch: number
  readonly outputs: readonly OutgoingRecord[]
  readonly checkpoint: Checkpoint
  readonly journal: BatchJournal
  /** Rows of the state: written with the commit by a log that keeps state, else by the engine after it. */
  readonly state: readonly WriteOp[]
  /** For a log that keeps no state: what goes to the changelogs. Empty otherwise. */
  readonly changes: readonly StoreChange[]
}

/** A sub-topology as a log must know it to hand out tasks. */
export interface SubTopologyMeta {
  readonly id: number
  /** Topics whose partitions define the tasks: partition p of each goes to task p. */
  readonly inputs: readonly string[]
  /** Stores in alphabetical order. */
  readonly stores: readonly string[]
  /** Stores, or timers. */
  readonly hasState: boolean
}

export interface GroupSpec {
  readonly application: string
  readonly topology: string
  readonly subTopologies: readonly SubTopologyMeta[]
}

export interface Assignment {
  /** Grows with every assignment. */
  readonly epoch: number
  readonly tasks: readonly TaskId[]
  /** Tasks that run elsewhere, whose state is to be kept up here. Empty for a log that keeps state. */
  readonly standbys: readonly TaskId[]
  /** The other members that can be asked, and what they run. */
  readonly peers: readonly Peer[]
}

/** A task whose state lies on a disk. */
export interface StoredTask {
  readonly task: TaskId
  /** Offsets of its changelogs that the state lacks; absent where nobody looked. */
  readonly lag?: number | undefined
}

/** Another process of the group. */
export interface Peer {
  /** Where its queries are answered, as it says itself: `http://host:port`. Not to be trusted. */
  readonly address: string
  readonly tasks: readonly TaskId[]
}

/**
 * What a log asks of a member. The order is `rebalancing`, `assigned`, again and again; `revoked` may come at any time
 * and is followed by `assigned`; nothing follows `lost`.
 */
export interface GroupListener {
  /** Tasks whose state lies on this process's disk: they start fastest here. */
  stored(): Promise<readonly StoredTask[]>
  /**
   * A new assignment is on its way. Resolves once no commit is under way; none begins until `assigned`. Records may be
   * processed meanwhile.
   */
  rebalancing(): Promise<void>
  /**
   * The whole new assignment. Tasks that are not in it any more must be dropped before the promise resolves. A task
   * that was in the last one as well goes on: nobody else had it in between.
   */
  assigned(assignment: Assignment): Promise<void>
  /** The group went on without this member: every task is gone, everything uncommitted is void. The log joins again. */
  revoked(cause: Error): Promise<void>
  /** Membership is over for good. */
  lost(cause: Error): void
}

export interface Membership {
  /**
   * Hands the tasks back; nothing of this member can commit afterwards. A log may keep its place for a restart, but not
   * where it left for good. Idempotent: the first call counts.
   */
  leave(how?: Leaving): Promise<void>
}

export interface Leaving {
  /** It does not come back by itself: others are to have its tasks at once. */
  readonly forGood: boolean
}

/** What a partition holds. */
export interface PartitionBounds {
  /** First offset kept. */
  readonly start: number
  /** After the last record that readers see. */
  readonly end: number
  /** After the last record written, also of commits whose outcome is still open; at least `end`. */
  readonly highWatermark: number
}

export interface Log {
  /**
   * `log`: the log keeps the tasks' state itself and `TaskCommit.state` becomes durable with the commit.
   * `task`: each task has a database of its own, restored from changelogs.
   */
  readonly stateHome: 'log' | 'task'
  /**
   * `exactly-once`: a commit is all there or not at all. `at-least-once`: a crash may leave outputs and changes without
   * the positions, and they come again.
   */
  readonly guarantee: 'exactly-once' | 'at-least-once'
  /** Key, value and headers of one record together, in bytes; what is larger is refused. */
  readonly maxRecordBytes: number

  /**
   * Creates what is missing; throws `TOPIC_MISMATCH` where an existing topic differs in what cannot change, and
   * `UNKNOWN_TOPIC` for one of others that is not there. A log knows the topics that it was told here.
   */
  ensureTopics(specs: readonly TopicSpec[]): Promise<void>
  /** Partition count; throws `UNKNOWN_TOPIC`. */
  partitions(topic: string): number
  /** Names the life of a topic: another one once it was deleted and made again. Throws `UNKNOWN_TOPIC`. */
  topicId(topic: string): string
  bounds(partition: TopicPartition): Promise<PartitionBounds>

  /**
   * Takes all of the records or, where a check refuses one, none. A log of several machines takes each partition's
   * records for itself: where one fails, the promise rejects, and others may be there. Throws `LOG_BUSY` (try again
   * later), `APPEND_UNKNOWN` (some may be there, now or later), `LOG_FULL`, `RECORD_TOO_LARGE`, `LOG_CLOSED`.
   */
  append(records: readonly AppendRecord[]): Promise<readonly AppendResult[]>

  /** `onReadable` is called when records may be at hand after an empty `take`. */
  openReader(partition: TopicPartition, from: number, onReadable: () => void): PartitionReader

  join(group: GroupSpec, listener: GroupListener): Promise<Membership>
  /** The task's last commit, or nothing when it never committed. */
  committed(task: TaskId): Promise<Checkpoint | undefined>
  /**
   * The next offset of a partition to be processed by a topology, as its task committed it, wherever it runs; nothing
   * where none ever did. Throws `LOG_BUSY`, and `RESET_REQUIRED` where the topic was deleted and made again.
   */
  processed(topology: string, partition: TopicPartition): Promise<number | undefined>
  /** Committed rows of the task. Only where `stateHome` is `log`. */
  taskState(task: TaskId): Promise<StateReader>
  /** Atomic over all the tasks given. Throws `COMMIT_FENCED`, `COMMIT_UNKNOWN`, or what `append` throws. */
  commit(commits: readonly TaskCommit[]): Promise<readonly CommitReceipt[]>

  /** Idempotent. */
  close(): Promise<void>
}

/** Where a task's commit went. */
export interface CommitReceipt {
  readonly task: TaskId
  /** Offset of the first output, per output partition. */
  readonly outputs: readonly Position[]
  /** Offset after the last change, per changelog partition; empty where the log keeps the state. */
  readonly changelogs: readonly Position[]
}
