/**
 * The port's calls, each checked and handed to the part that does the work: `append`, `commit` → writer → one synced
 * batch of the database → rows in memory → readers.
 *
 * Not its job: batches (`writer.ts`), reading (`reader.ts`), what only an embedded log has (`embedded-log.ts`).
 */
import type { StateReader } from '../../state/index.ts'
import {
  type AppendRecord,
  type AppendResult,
  type Checkpoint,
  type CommitReceipt,
  type GroupListener,
  type GroupSpec,
  type Log,
  type Membership,
  type PartitionBounds,
  type PartitionReader,
  StreamsError,
  type TaskCommit,
  type TaskId,
  taskName,
  type TopicPartition,
  type TopicSpec,
} from '../../streams/index.ts'
import { type Catalog, planTopics, topicToJson } from './catalog.ts'
import type { DiskMeter } from './disk-meter.ts'
import type { Groups } from './groups.ts'
import type { Holds } from './holds.ts'
import type { Housekeeper } from './housekeeping.ts'
import { topicKey } from './keys.ts'
import { AppendMember, CommitMember, placeOutputs, Router } from './members.ts'
import { closedError, type EmbeddedLogLimits } from './options.ts'
import { type ReadPage, PartitionReaderCore } from './reader.ts'
import { sealedJson } from './small-rows.ts'
import type { Storage } from './storage.ts'
import type { TailCache } from './tail-cache.ts'
import { TaskRows } from './task-rows.ts'
import type { Upkeep } from './upkeep.ts'
import type { Writer } from './writer.ts'

export interface LogParts {
  readonly application: string
  readonly limits: EmbeddedLogLimits
  readonly storage: Storage
  readonly catalog: Catalog
  readonly groups: Groups
  readonly writer: Writer
  readonly upkeep: Upkeep
  readonly holds: Holds
  readonly housekeeper: Housekeeper
  /** Of the rounds of housekeeping. */
  readonly timer: NodeJS.Timeout | undefined
  readonly now: () => number
  readonly disk: DiskMeter
  readonly tail: TailCache
  readonly readPage: ReadPage
}

export class LogPort implements Log {
  readonly stateHome = 'log'
  readonly guarantee = 'exactly-once'
  protected readonly parts: LogParts
  readonly #router: Router
  /** Appends that are not settled yet. */
  protected waitingBytes = 0
  protected waitingRecords = 0
  #closing: Promise<void> | undefined

  constructor(parts: LogParts) {
    this.parts = parts
    this.#router = new Router(parts.catalog)
  }

  get maxRecordBytes(): number {
    return this.parts.limits.maxRecordBytes
  }

  // --- topics

  async ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    this.checkOpen()
    const { upkeep, catalog } = this.parts
    await upkeep.serially(async () => {
      const changes = planTopics(catalog, specs)
      await upkeep.write((draft) => {
        for (const { number, spec } of changes) {
          const key = topicKey(number)
          draft.ops.push({ type: 'put', key, value: sealedJson(key, topicToJson(spec)) })
          draft.applied.push(() => catalog.set(number, spec))
        }
      })
    })
  }

  partitions(topic: string): number {
    return this.parts.catalog.topic(topic).spec.partitions
  }

  topicId(topic: string): string {
    return String(this.parts.catalog.topic(topic).number)
  }

  async bounds(partition: TopicPartition): Promise<PartitionBounds> {
    const { start, end } = this.parts.catalog.partition(partition)
    return { start, end, highWatermark: end }
  }

  // --- appends

  async append(records: readonly AppendRecord[]): Promise<readonly AppendResult[]> {
    this.checkOpen()
    const { limits, writer, disk } = this.parts
    const placement = this.#router.place(records, limits.maxRecordBytes)
    if (records.length === 0) return []
    this.#checkRoom(records.length, placement.bytes)
    if (disk.bytes >= limits.maxDiskBytes) {
      void disk.measure()
      throw new StreamsError('LOG_FULL', `${disk.bytes} bytes on disk; ${limits.maxDiskBytes} are the limit`)
    }
    this.waitingBytes += placement.bytes
    this.waitingRecords += records.length
    try {
      return await new Promise((resolve, reject) => {
        writer.submit(new AppendMember(records, placement, { resolve, reject }))
      })
    } finally {
      this.waitingBytes -= placement.bytes
      this.waitingRecords -= records.length
    }
  }

  /** Throws `LOG_BUSY`, or `RECORD_TOO_LARGE` for what would not fit either if nothing waited. */
  #checkRoom(records: number, bytes: number): void {
    const { maxWaitingBytes, maxWaitingRecords } = this.parts.limits
    if (bytes > maxWaitingBytes || records > maxWaitingRecords) {
      throw new StreamsError(
        'RECORD_TOO_LARGE',
        `${records} records of ${bytes} bytes in one call; ${maxWaitingRecords} and ${maxWaitingBytes} are possible`,
      )
    }
    if (this.waitingBytes + bytes > maxWaitingBytes || this.waitingRecords + records > maxWaitingRecords) {
      throw new StreamsError('LOG_BUSY', `${this.waitingRecords} records of ${this.waitingBytes} bytes wait`)
    }
  }

  // --- readers

  openReader(partition: TopicPartition, from: number, onReadable: () => void): PartitionReader {
    this.checkOpen()
    const { catalog, readPage } = this.parts
    return new PartitionReaderCore(catalog.partition(partition), from, readPage, onReadable)
  }

  // --- tasks

  /** The listener has its tasks before the promise resolves; a member from before is told that it lost them. */
  async join(group: GroupSpec, listener: GroupListener): Promise<Membership> {
    this.checkOpen()
    const { application, upkeep, catalog, groups } = this.parts
    if (group.application !== application) {
      throw new StreamsError(
        'TOPOLOGY_INVALID',
        `the log belongs to ${application}, not to ${group.application}`,
      )
    }
    const { tasks, epoch, entered } = await upkeep.serially(async () => {
      const plan = groups.plan(group, catalog)
      const { epoch, before } = groups.enter(group.topology, plan.tasks, listener)
      if (before !== undefined && before !== listener) {
        before.lost(new StreamsError('COMMIT_FENCED', `${group.topology} has a new member`))
      }
      // Also waits for the batch that is under way: it may hold the last commit of the member before.
      const entered = upkeep.write((draft) => {
        draft.ops.push(...plan.ops)
        draft.applied.push(plan.apply)
      })
      await entered.catch(() => undefined)
      return { tasks: plan.tasks, epoch, entered }
    })
    const leave = async () => {
      groups.leave(group.topology, epoch)
      await upkeep.barrier()
    }
    try {
      await entered
      await listener.assigned({ epoch, tasks, standbys: [], peers: [] })
    } catch (error) {
      await leave()
      throw error
    }
    return { leave }
  }

  async committed(task: TaskId): Promise<Checkpoint | undefined> {
    this.checkOpen()
    if (!this.parts.storage.usable) await this.parts.upkeep.write(() => {})
    return this.parts.groups.task(task)?.checkpoint
  }

  async processed(topology: string, { topic, partition }: TopicPartition): Promise<number | undefined> {
    const entry = this.parts.groups.tasks.find(({ task, inputs }) => {
      return task.topology === topology && task.partition === partition && inputs.includes(topic)
    })
    const checkpoint = entry === undefined ? undefined : await this.committed(entry.task)
    return checkpoint?.positions.find((position) => position.topic === topic)?.offset
  }

  async taskState(task: TaskId): Promise<StateReader> {
    this.checkOpen()
    return new TaskRows(this.parts.storage, this.ordinal(task))
  }

  async commit(commits: readonly TaskCommit[]): Promise<readonly CommitReceipt[]> {
    this.checkOpen()
    const { catalog, limits, groups, writer } = this.parts
    const placements = commits.map(({ outputs }) => placeOutputs(catalog, outputs, limits.maxRecordBytes))
    return new Promise((resolve, reject) => {
      writer.submit(new CommitMember(commits, placements, groups, { resolve, reject }))
    })
  }

  /** Throws `COMMIT_FENCED` for a task that no topology ever had. */
  protected ordinal(task: TaskId): number {
    const entry = this.parts.groups.task(task)
    if (entry === undefined)
      throw new StreamsError('COMMIT_FENCED', `${taskName(task)} is assigned to nobody`)
    return entry.ordinal
  }

  // --- end

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { writer, storage, catalog, housekeeper, timer } = this.parts
    clearInterval(timer)
    await housekeeper.stop()
    await writer.close()
    for (const { readers } of catalog.partitions) for (const reader of readers) reader.close()
    await storage.close()
  }

  /** Throws `LOG_CLOSED`. */
  protected checkOpen(): void {
    if (this.#closing !== undefined) throw closedError()
  }
}
