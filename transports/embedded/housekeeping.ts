/**
 * Deletes what nobody needs any more, in slices that go through the writer between other batches: deleting a large range
 * at once would stall it.
 *
 * Invariants:
 * 1. Nothing at or above the lowest position of any task or connector that reads the partition goes.
 * 2. A partition's start moves in the batch that deletes its rows.
 * 3. A journal row stays as long as one of its inputs does.
 */
import type { WriteOp } from '../../state/index.ts'
import type { Catalog, PartitionState } from './catalog.ts'
import { compactPartition, type CompactionState } from './compaction.ts'
import type { DiskMeter } from './disk-meter.ts'
import type { Groups, TaskEntry } from './groups.ts'
import type { Holds } from './holds.ts'
import { journalRange, logKey } from './keys.ts'
import type { EmbeddedLogHooks, EmbeddedLogLimits } from './options.ts'
import type { ReadPage } from './reader.ts'
import { decodeJournal, unsealed } from './small-rows.ts'
import type { Storage } from './storage.ts'
import type { Upkeep } from './upkeep.ts'

/** Journal rows looked at and deleted at a time. */
const JOURNAL_SLICE_ROWS = 200

export interface HousekeepingReport {
  /** Log rows deleted by retention. */
  readonly deletedRows: number
  /** Records that compaction took out. */
  readonly compactedRecords: number
  readonly deletedJournals: number
}

export interface HousekeeperParts {
  readonly catalog: Catalog
  readonly storage: Storage
  readonly groups: Groups
  readonly holds: Holds
  readonly upkeep: Upkeep
  readonly readPage: ReadPage
  readonly disk: DiskMeter
  readonly limits: EmbeddedLogLimits
  readonly hooks: EmbeddedLogHooks
}

export class Housekeeper {
  readonly #parts: HousekeeperParts
  /** Append time of each partition's first row, so that rounds with nothing to do read nothing. */
  readonly #oldest = new Map<PartitionState, { readonly start: number; readonly appendTime: number }>()
  readonly #compactions = new Map<PartitionState, CompactionState>()
  /** Key of the last journal row deleted, per task. */
  readonly #journals = new WeakMap<TaskEntry, Buffer>()
  #round: Promise<HousekeepingReport> | undefined
  #stopping = false

  constructor(parts: HousekeeperParts) {
    this.#parts = parts
  }

  /**
   * One round over everything, as of `now` (epoch milliseconds); rounds do not overlap. A damaged row ends the round
   * for its partition and is reported to `onFault`.
   */
  run(now: number): Promise<HousekeepingReport> {
    this.#round ??= this.#run(now).finally(() => (this.#round = undefined))
    return this.#round
  }

  /**
   * Compacts all partitions of one topic, however little of them is new, as of `now`; after the round that is under way.
   * Throws `LOG_RECORD_CORRUPT`.
   */
  async compactTopic(topic: string, now: number): Promise<HousekeepingReport> {
    while (this.#round !== undefined) await this.#round.catch(() => undefined)
    this.#round = this.#compactTopic(topic, now).finally(() => (this.#round = undefined))
    return this.#round
  }

  async #compactTopic(topic: string, now: number): Promise<HousekeepingReport> {
    const report = { deletedRows: 0, compactedRecords: 0, deletedJournals: 0 }
    const { partitions } = this.#parts.catalog.topic(topic)
    for (const partition of partitions) {
      // Nothing of it counts as clean.
      this.#compactions.delete(partition)
      report.compactedRecords += await this.#compact(partition, now)
    }
    return report
  }

  /** Ends the round that is under way after its slice. */
  async stop(): Promise<void> {
    this.#stopping = true
    await this.#round?.catch(() => undefined)
  }

  async #run(now: number): Promise<HousekeepingReport> {
    const { catalog, groups, disk } = this.#parts
    const report = { deletedRows: 0, compactedRecords: 0, deletedJournals: 0 }
    for (const { spec, partitions } of catalog.topics) {
      for (const partition of partitions) {
        if (this.#stopping) return report
        await this.#guarded(async () => {
          if (spec.cleanup === 'compact') report.compactedRecords += await this.#compact(partition, now)
          else report.deletedRows += await this.#retain(partition, spec.retentionMs, spec.retentionBytes, now)
        })
      }
    }
    for (const task of groups.tasks) {
      if (this.#stopping) return report
      await this.#guarded(async () => (report.deletedJournals += await this.#trimJournal(task)))
    }
    await disk.measure()
    return report
  }

  async #guarded(work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!this.#stopping) this.#parts.hooks.onFault?.(error as Error)
    }
  }

  // --- retention

  /** Deletes whole rows from the start on, while they are too old or the partition is too large. */
  async #retain(partition: PartitionState, ageMs: number, maxBytes: number, now: number): Promise<number> {
    let deleted = 0
    while (!this.#stopping) {
      const slice = await this.#expired(partition, now - ageMs, maxBytes)
      if (slice === undefined || !(await this.#trim(partition, slice))) return deleted
      deleted += slice.ops.length
    }
    return deleted
  }

  async #expired(partition: PartitionState, before: number, maxBytes: number) {
    const { holds, readPage, limits } = this.#parts
    const { start, end } = partition
    const limit = Math.min(end, holds.lowest(partition))
    const oldest = this.#oldest.get(partition)
    const isYoung =
      oldest?.start === start ? oldest.appendTime >= before : before === Number.NEGATIVE_INFINITY
    if (limit <= start || (isYoung && partition.bytes <= maxBytes)) return undefined
    const page = await readPage(partition, start, end)
    const first = page.rows[0]?.header
    if (first !== undefined) this.#oldest.set(partition, { start, appendTime: first.appendTime })
    const ops: WriteOp[] = []
    let bytes = 0
    let newStart = start
    for (const { header, bytes: rowBytes } of page.rows) {
      const wanted = header.appendTime < before || partition.bytes - bytes > maxBytes
      if (!wanted || header.lastOffset >= limit || bytes >= limits.housekeepingSliceBytes) break
      ops.push({ type: 'del', key: logKey(partition.topicNumber, partition.partition, header.lastOffset) })
      bytes += rowBytes
      newStart = header.lastOffset + 1
    }
    if (ops.length === 0 && page.fault !== undefined) throw page.fault
    return ops.length === 0 ? undefined : { ops, bytes, start: newStart }
  }

  /** False when a reader came meanwhile that needs what was to go, or when it went already. */
  async #trim(
    partition: PartitionState,
    slice: { readonly ops: readonly WriteOp[]; readonly bytes: number; readonly start: number },
  ): Promise<boolean> {
    const { upkeep, holds } = this.#parts
    let done = false
    await upkeep.write((draft) => {
      // A reset may have emptied the partition meanwhile.
      if (partition.start >= slice.start || draft.trims.has(partition)) return
      if (holds.lowest(partition) < slice.start) return
      done = true
      draft.ops.push(...slice.ops)
      draft.trims.set(partition, { start: slice.start, bytes: slice.bytes })
    })
    return done
  }

  // --- compaction

  async #compact(partition: PartitionState, now: number): Promise<number> {
    const { holds, limits } = this.#parts
    let state = this.#compactions.get(partition)
    if (state === undefined) {
      state = { cleanedTo: partition.start, cleanBytes: 0, oldestTombstone: Number.POSITIVE_INFINITY }
      this.#compactions.set(partition, state)
    }
    return compactPartition(this.#parts, partition, state, {
      limit: Math.min(partition.end, holds.lowest(partition)),
      tombstonesBefore: now - limits.tombstoneRetentionMs,
      stopping: () => this.#stopping,
    })
  }

  // --- journals

  /** Deletes the task's journal rows whose inputs have all gone, oldest first. */
  async #trimJournal(task: TaskEntry): Promise<number> {
    const { storage, upkeep } = this.#parts
    const { lt } = journalRange(task.ordinal)
    let deleted = 0
    while (!this.#stopping) {
      // Not from the start of the range: going over deleted rows costs as much as reading them.
      const gte = this.#journals.get(task) ?? journalRange(task.ordinal).gte
      const rows = await (await storage.ready()).page({ gte, lt }, { limit: JOURNAL_SLICE_ROWS })
      let gone = 0
      for (const [index, { key, value }] of rows.entries()) {
        const { inputs } = decodeJournal(unsealed(key, value, `a journal row of task ${task.ordinal}`))
        if (inputs.some((run) => this.#isKept(run.topic, run.partition, run.firstOffset + run.count - 1)))
          break
        // A batch without inputs belongs to those around it: it goes with the next one that goes.
        if (inputs.length > 0) gone = index + 1
      }
      if (gone === 0) return deleted
      const ops: WriteOp[] = rows.slice(0, gone).map(({ key }) => ({ type: 'del', key }))
      await upkeep.write((draft) => draft.ops.push(...ops))
      this.#journals.set(task, (ops.at(-1) as WriteOp).key)
      deleted += gone
    }
    return deleted
  }

  #isKept(topic: string, partition: number, offset: number): boolean {
    const state = this.#parts.catalog.find(topic)?.partitions[partition]
    if (state === undefined) return false
    return offset >= (this.#compactions.get(state)?.cleanedTo ?? state.start)
  }
}
