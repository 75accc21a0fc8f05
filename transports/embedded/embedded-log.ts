/**
 * A log in one process and one LevelDB, which also holds the tasks' state and positions: the port, and what only a log
 * at hand can offer (backup, journals, held positions, settings, housekeeping).
 */
import {
  type BatchJournal,
  type Checkpoint,
  type Position,
  StreamsError,
  type TaskId,
  taskName,
  type Topology,
  type TopicPartition,
  type TopicSpec,
} from '../../streams/index.ts'
import { backupTo } from './backup.ts'
import type { Hold } from './holds.ts'
import type { HousekeepingReport } from './housekeeping.ts'
import { holdKey, journalRange, settingKey } from './keys.ts'
import { LogPort } from './log-port.ts'
import { purge, type PurgeRequest } from './purge.ts'
import { rebuildInto, type RebuildReport } from './rebuild.ts'
import { regrow, type RegrowRequest } from './regrow.ts'
import { planReset, type ResetReport, type ResetRequest, resetTopology } from './reset.ts'
import { decodeJournal, sealedJson, unsealed, unsealedJson } from './small-rows.ts'

/** Journal rows read at a time. */
const JOURNAL_PAGE_ROWS = 500

export interface PartitionStats extends TopicPartition {
  readonly start: number
  readonly end: number
  /** Bytes of its rows, before the database compresses them. */
  readonly bytes: number
  /** Lowest position that somebody reads it from: nothing from there on is deleted. */
  readonly held: number
  /** The tasks and connectors that stand there. */
  readonly heldBy: readonly string[]
}

export interface LogStats {
  readonly bytesOnDisk: number
  readonly maxDiskBytes: number
  readonly partitions: readonly PartitionStats[]
  readonly waiting: { readonly records: number; readonly bytes: number }
  readonly lastBatchMs: number
  /** Number of the last durable batch. */
  readonly sequence: number
  readonly tailCacheBytes: number
}

/** Made by `openEmbeddedLog`. */
export class EmbeddedLog extends LogPort {
  describeTopics(): readonly TopicSpec[] {
    return this.parts.catalog.topics.map(({ spec }) => spec)
  }

  stats(): LogStats {
    const { disk, limits, catalog, holds, writer, storage, tail } = this.parts
    return {
      bytesOnDisk: disk.bytes,
      maxDiskBytes: limits.maxDiskBytes,
      partitions: catalog.partitions.map((state) => {
        const { topic, partition, start, end, bytes } = state
        return {
          topic,
          partition,
          start,
          end,
          bytes,
          held: holds.lowest(state),
          heldBy: holds.holders(state),
        }
      }),
      waiting: { records: this.waitingRecords, bytes: this.waitingBytes },
      lastBatchMs: writer.lastBatchMs,
      sequence: storage.sequence,
      tailCacheBytes: tail.bytes,
    }
  }

  // --- tasks

  /** Checkpoints of all tasks that ever committed, by task name. */
  committedAll(): ReadonlyMap<string, Checkpoint> {
    const all = new Map<string, Checkpoint>()
    for (const { task, checkpoint } of this.parts.groups.tasks) {
      if (checkpoint !== undefined) all.set(taskName(task), checkpoint)
    }
    return all
  }

  /**
   * Journal rows of the task's batches, oldest first, as far back as its inputs are kept; none for a task that never was.
   * Throws `LOG_CORRUPT`.
   */
  async *journal(task: TaskId): AsyncGenerator<BatchJournal> {
    const entry = this.parts.groups.task(task)
    if (entry === undefined) return
    const range = journalRange(entry.ordinal)
    let { gte } = range
    let last: number | undefined
    for (;;) {
      const db = await this.parts.storage.ready()
      const rows = await db.page({ gte, lt: range.lt }, { limit: JOURNAL_PAGE_ROWS })
      for (const { key, value } of rows) {
        const journal = decodeJournal(unsealed(key, value, `a journal row of ${taskName(task)}`))
        if (last !== undefined && journal.sequence !== last + 1) {
          throw new StreamsError('LOG_CORRUPT', `${taskName(task)} has no journal of its batch ${last + 1}`)
        }
        last = journal.sequence
        yield journal
        gte = Buffer.concat([key, Buffer.of(0)])
      }
      if (rows.length < JOURNAL_PAGE_ROWS) return
    }
  }

  /**
   * Forgets the tasks of a topology that is not running, so that it starts anew: positions, state, journals, and the
   * records of its internal topics. Answers what goes; with `dryRun`, what would. Throws `TOPOLOGY_RUNNING` while the
   * topology has a member.
   */
  async resetTopology(request: ResetRequest, options: { readonly dryRun: boolean }): Promise<ResetReport> {
    this.checkOpen()
    return options.dryRun ? planReset(this.parts, request) : resetTopology(this.parts, request)
  }

  /** Every task that ever joined, also of topologies that the program does not have any more. */
  storedTasks(): readonly TaskId[] {
    return this.parts.groups.tasks.map(({ task }) => task)
  }

  /** Tasks of topologies whose reset has begun and not ended. */
  resettingTasks(): readonly TaskId[] {
    return this.parts.groups.tasks.filter(({ resetting }) => resetting).map(({ task }) => task)
  }

  // --- held positions

  /**
   * Keeps the partition's records from `offset` on for the connector `name`, and remembers the position across restarts.
   * Durable when the promise resolves. Throws `UNKNOWN_TOPIC`, and a `RangeError` for a name with a zero byte.
   */
  async holdPosition(name: string, partition: TopicPartition, offset: number): Promise<void> {
    this.checkOpen()
    if (name.includes('\0')) throw new RangeError('A name must not hold a zero byte')
    const state = this.parts.catalog.partition(partition)
    const hold: Hold = { name, topic: state.topic, partition: state.partition, offset }
    const key = holdKey(name, hold.topic, hold.partition)
    await this.parts.upkeep.write((draft) => {
      draft.ops.push({ type: 'put', key, value: sealedJson(key, hold) })
      draft.applied.push(() => this.parts.holds.set(hold))
    })
  }

  /** Lets go of what `holdPosition` held. */
  async releasePosition(name: string, { topic, partition }: TopicPartition): Promise<void> {
    this.checkOpen()
    await this.parts.upkeep.write((draft) => {
      draft.ops.push({ type: 'del', key: holdKey(name, topic, partition) })
      draft.applied.push(() => this.parts.holds.delete(name, { topic, partition }))
    })
  }

  /** The positions that `name` holds. */
  heldPositions(name: string): readonly Position[] {
    return this.parts.holds.of(name).map(({ topic, partition, offset }) => ({ topic, partition, offset }))
  }

  // --- settings

  /** A value that `putSetting` stored, or nothing. Throws `LOG_CORRUPT`. */
  async setting(name: string): Promise<unknown> {
    this.checkOpen()
    const key = settingKey(name)
    const bytes = (await this.parts.storage.ready()).get(key)
    return bytes === undefined ? undefined : unsealedJson(key, bytes, `the setting ${name}`)
  }

  /** Stores a small JSON value under a name; `undefined` removes it. Durable when the promise resolves. */
  async putSetting(name: string, value: unknown): Promise<void> {
    this.checkOpen()
    const key = settingKey(name)
    await this.parts.upkeep.write((draft) => {
      if (value === undefined) draft.ops.push({ type: 'del', key })
      else draft.ops.push({ type: 'put', key, value: sealedJson(key, value) })
    })
  }

  // --- upkeep

  /**
   * Makes the topology's stores anew from the log, in a copy of the log in `directory`, which must not be there. Only
   * while nothing is written. Throws `STATE_INCOMPATIBLE` where something is there already.
   */
  async rebuildInto(directory: string, topology: Topology): Promise<RebuildReport> {
    this.checkOpen()
    return rebuildInto(this.parts, { topology, directory, log: this })
  }

  /**
   * Gives topics more partitions; their records, and those of topics that are only emptied, go. Only on a copy that
   * nobody uses. Answers where each partition goes on. Throws `TOPIC_MISMATCH` for fewer partitions.
   */
  async regrowTopics(request: RegrowRequest): Promise<readonly Position[]> {
    this.checkOpen()
    return this.parts.upkeep.serially(() => regrow(this.parts, request))
  }

  /** Writes the database anew, without what was deleted or replaced. */
  async compact(): Promise<void> {
    this.checkOpen()
    await (await this.parts.storage.ready()).compact()
    await this.parts.disk.measure()
  }

  /**
   * Takes what was deleted or replaced in a compacted topic, and in the stores that a topology keeps of it, out of every
   * file of the directory. Only of what all readers of the topic have processed. Throws `UNKNOWN_TOPIC`.
   */
  async purge(request: PurgeRequest): Promise<void> {
    this.checkOpen()
    await purge(this.parts, request)
  }

  /**
   * One round of retention, compaction and trimming of journals, as of `now` (epoch milliseconds; the log's clock unless
   * told). An interval timer calls it in production.
   */
  async housekeep(now: number = this.parts.now()): Promise<HousekeepingReport> {
    this.checkOpen()
    return this.parts.housekeeper.run(now)
  }

  /**
   * Copies everything, as it is after some batch, into `directory`, which must be empty or absent, while the log goes on.
   * The copy is synced when the promise resolves. Throws `STATE_INCOMPATIBLE` when something is there already.
   */
  async backup(directory: string): Promise<void> {
    this.checkOpen()
    await backupTo(this.parts.storage, directory)
  }
}
