/**
 * A `Log` in memory: one instance, one thread. What it holds lies in a `MemoryStorage`, which another log may open
 * once this one is closed, as a restarted process does with its disk.
 *
 * It has both homes of state: `log` as the embedded mode, `task` as Kafka mode, where changelogs are topics like any
 * other and tasks restore from them.
 */
import { memoryBackend, type StateBackend, type StateReader } from '../../state/index.ts'
import {
  type AppendRecord,
  type AppendResult,
  type BatchJournal,
  type Checkpoint,
  changeHeaders,
  changelogTopic,
  type CommitReceipt,
  formatUuid7,
  type GroupListener,
  type GroupSpec,
  type Log,
  type LogRecord,
  type Membership,
  PartitionChoice,
  type PartitionBounds,
  type PartitionReader,
  type Position,
  StreamsError,
  type TaskCommit,
  type TaskId,
  taskName,
  type TopicPartition,
  type TopicSpec,
} from '../../streams/index.ts'
import { PartitionLog } from './partition-log.ts'

export interface MemoryLogOptions {
  readonly stateHome: 'log' | 'task'
  /** Append times, epoch milliseconds. */
  readonly now: () => number
  /** Records larger than this are refused. Bytes; 1 MiB unless told. */
  readonly maxRecordBytes?: number
  /** What an earlier log left; fresh unless told. */
  readonly storage?: MemoryStorage
}

/** What outlives a log that is closed. */
export class MemoryStorage {
  readonly topics = new Map<string, { spec: TopicSpec; readonly partitions: readonly PartitionLog[] }>()
  readonly groups = new Map<string, Group>()
  readonly checkpoints = new Map<string, Checkpoint>()
  readonly states = new Map<string, StateBackend>()
  readonly journals = new Map<string, BatchJournal[]>()
  lastAppendTime = 0
}

interface Group {
  readonly spec: GroupSpec
  epoch: number
  joined: boolean
}

export class MemoryLog implements Log {
  readonly stateHome: 'log' | 'task'
  readonly guarantee = 'exactly-once'
  readonly #now: () => number
  readonly maxRecordBytes: number
  readonly #storage: MemoryStorage
  readonly #choice = new PartitionChoice((topic) => this.partitions(topic))
  #closed = false

  constructor(options: MemoryLogOptions) {
    this.stateHome = options.stateHome
    this.#now = options.now
    this.maxRecordBytes = options.maxRecordBytes ?? 1024 * 1024
    this.#storage = options.storage ?? new MemoryStorage()
  }

  ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    for (const spec of specs) {
      const topic = this.#storage.topics.get(spec.name)
      const known = topic?.spec
      if (topic === undefined || known === undefined) {
        const partitions = Array.from({ length: spec.partitions }, (_, p) => new PartitionLog(spec.name, p))
        this.#storage.topics.set(spec.name, { spec, partitions })
      } else if (
        known.partitions !== spec.partitions ||
        known.cleanup !== spec.cleanup ||
        known.timestamps !== spec.timestamps
      ) {
        return Promise.reject(new StreamsError('TOPIC_MISMATCH', spec.name))
      } else topic.spec = spec
    }
    return Promise.resolve()
  }

  partitions(topic: string): number {
    return this.#topic(topic).partitions.length
  }

  topicId(topic: string): string {
    return this.#topic(topic).spec.name
  }

  async bounds({ topic, partition }: TopicPartition): Promise<PartitionBounds> {
    const { end } = this.#partition(topic, partition)
    return { start: 0, end, highWatermark: end }
  }

  async append(records: readonly AppendRecord[]): Promise<readonly AppendResult[]> {
    this.#assertOpen()
    for (const record of records) this.#assertSize(record)
    const choose = this.#choice.forCall()
    const targets = records.map((record) => this.#partition(record.topic, choose(record)))
    await Promise.resolve()
    const results = records.map((record, index) => this.#put(record, targets[index] as PartitionLog))
    for (const target of new Set(targets)) target.publish()
    return results
  }

  openReader({ topic, partition }: TopicPartition, from: number, onReadable: () => void): PartitionReader {
    return this.#partition(topic, partition).reader(from, onReadable)
  }

  async join(spec: GroupSpec, listener: GroupListener): Promise<Membership> {
    this.#assertOpen()
    const group = this.#storage.groups.get(spec.topology) ?? { spec, epoch: 0, joined: false }
    this.#storage.groups.set(spec.topology, group)
    group.epoch++
    group.joined = true
    const epoch = group.epoch
    const tasks = spec.subTopologies.flatMap((sub) => {
      const counts = new Set(sub.inputs.map((topic) => this.partitions(topic)))
      if (counts.size > 1) {
        const described = sub.inputs.map((topic) => `${topic} has ${this.partitions(topic)}`).join(', ')
        throw new StreamsError('TOPOLOGY_INVALID', `inputs must have equal partition counts: ${described}`)
      }
      return Array.from(
        { length: Math.max(...counts) },
        (_, partition): TaskId => ({ topology: spec.topology, subTopology: sub.id, partition }),
      )
    })
    await listener.assigned({ epoch, tasks, standbys: [], peers: [] })
    return {
      leave: () => {
        if (group.epoch === epoch) group.joined = false
        return Promise.resolve()
      },
    }
  }

  committed(task: TaskId): Promise<Checkpoint | undefined> {
    return Promise.resolve(this.#storage.checkpoints.get(taskName(task)))
  }

  processed(topology: string, { topic, partition }: TopicPartition): Promise<number | undefined> {
    const subTopologies = this.#storage.groups.get(topology)?.spec.subTopologies ?? []
    const id = subTopologies.find(({ inputs }) => inputs.includes(topic))?.id ?? -1
    const checkpoint = this.#storage.checkpoints.get(taskName({ topology, subTopology: id, partition }))
    return Promise.resolve(checkpoint?.positions.find((position) => position.topic === topic)?.offset)
  }

  taskState(task: TaskId): Promise<StateReader> {
    return Promise.resolve(this.#state(task))
  }

  async commit(commits: readonly TaskCommit[]): Promise<readonly CommitReceipt[]> {
    this.#assertOpen()
    for (const commit of commits) {
      this.#assertCurrent(commit)
      for (const output of commit.outputs) this.#assertSize(output)
      for (const output of commit.outputs) this.#partition(output.topic, output.partition)
    }
    await Promise.resolve()
    const touched = new Set<PartitionLog>()
    const receipts: CommitReceipt[] = []
    for (const commit of commits) {
      const outputs = this.#putOutputs(commit, touched)
      const changelogs = this.#putChanges(commit, touched)
      if (this.stateHome === 'log') await this.#state(commit.task).write(commit.state)
      const name = taskName(commit.task)
      this.#storage.checkpoints.set(name, commit.checkpoint)
      this.#storage.journals.set(name, [...(this.#storage.journals.get(name) ?? []), commit.journal])
      receipts.push({ task: commit.task, outputs, changelogs })
    }
    for (const partition of touched) partition.publish()
    return receipts
  }

  close(): Promise<void> {
    this.#closed = true
    return Promise.resolve()
  }

  // --- for tests

  /** Every record of a topic, partition after partition. */
  records(topic: string): readonly LogRecord[] {
    return this.#topic(topic).partitions.flatMap((partition) => partition.records)
  }

  topics(): readonly TopicSpec[] {
    return [...this.#storage.topics.values()].map(({ spec }) => spec)
  }

  /** How every batch of a task came about, in order. */
  journal(task: TaskId): readonly BatchJournal[] {
    return this.#storage.journals.get(taskName(task)) ?? []
  }

  // --- inside

  #putOutputs(commit: TaskCommit, touched: Set<PartitionLog>): Position[] {
    const first = new Map<PartitionLog, Position>()
    for (const output of commit.outputs) {
      const target = this.#partition(output.topic, output.partition)
      const { topic, partition, offset } = this.#put(output, target)
      if (!first.has(target)) first.set(target, { topic, partition, offset })
      touched.add(target)
    }
    return [...first.values()]
  }

  #putChanges({ task, changes, checkpoint }: TaskCommit, touched: Set<PartitionLog>): Position[] {
    const ends = new Map<string, Position>()
    const application = this.#storage.groups.get(task.topology)?.spec.application ?? ''
    for (const { store, key, value, version } of changes) {
      const topic = changelogTopic(application, task, store)
      const target = this.#partition(topic, task.partition)
      const timestamp = checkpoint.times.wallTime
      const lineage = { eventId: formatUuid7(timestamp, target.end, 0, 0) }
      const headers = changeHeaders(version)
      const { offset } = this.#put({ topic, key, value, timestamp, lineage, headers }, target)
      ends.set(topic, { topic, partition: task.partition, offset: offset + 1 })
      touched.add(target)
    }
    return [...ends.values()]
  }

  #put(record: AppendRecord, target: PartitionLog): AppendResult {
    const appendTime = (this.#storage.lastAppendTime = Math.max(this.#storage.lastAppendTime, this.#now()))
    const { topic, partition } = target
    const offset = target.end
    const stamped = this.#topic(topic).spec.timestamps === 'LogAppendTime' ? appendTime : record.timestamp
    const { key, value, lineage, headers } = record
    target.push({ topic, partition, offset, key, value, timestamp: stamped, appendTime, lineage, headers })
    return { topic, partition, offset, appendTime }
  }

  #topic(name: string) {
    const topic = this.#storage.topics.get(name)
    if (topic === undefined) throw new StreamsError('UNKNOWN_TOPIC', name)
    return topic
  }

  #partition(topic: string, partition: number): PartitionLog {
    const found = this.#topic(topic).partitions[partition]
    if (found === undefined) throw new StreamsError('UNKNOWN_TOPIC', `${topic} has no partition ${partition}`)
    return found
  }

  #state(task: TaskId): StateBackend {
    const name = taskName(task)
    const known = this.#storage.states.get(name)
    if (known !== undefined) return known
    const made = memoryBackend()
    this.#storage.states.set(name, made)
    return made
  }

  #assertCurrent({ task, epoch }: TaskCommit): void {
    const group = this.#storage.groups.get(task.topology)
    if (group?.joined !== true || group.epoch !== epoch)
      throw new StreamsError('COMMIT_FENCED', taskName(task))
  }

  #assertSize({ topic, key, value }: AppendRecord): void {
    const bytes = (key?.length ?? 0) + (value?.length ?? 0)
    if (bytes > this.maxRecordBytes) throw new StreamsError('RECORD_TOO_LARGE', `${bytes} bytes for ${topic}`)
  }

  #assertOpen(): void {
    if (this.#closed) throw new StreamsError('LOG_CLOSED', 'append or commit after close')
  }
}
