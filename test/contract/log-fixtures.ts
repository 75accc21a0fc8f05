/** Records, topics, groups and commits for tests of logs, and readers that can be waited for. */
import {
  type AppendRecord,
  type Assignment,
  type Checkpoint,
  type GroupSpec,
  type Lineage,
  type Log,
  type LogRecord,
  type Membership,
  NO_HEADERS,
  type OutgoingRecord,
  type PartitionReader,
  type TaskCommit,
  type TaskId,
  type TopicPartition,
  type TopicSpec,
} from '../../streams/index.ts'

const application = 'contract'
const lineage: Lineage = { eventId: '01890a5d-ac96-774b-bcce-b302099a8057' }

export function topicSpec(name: string, extra: Partial<TopicSpec> = {}): TopicSpec {
  return {
    name,
    partitions: 2,
    cleanup: 'delete',
    timestamps: 'CreateTime',
    retentionMs: Number.POSITIVE_INFINITY,
    retentionBytes: Number.POSITIVE_INFINITY,
    ...extra,
  }
}

export function appendRecord(topic: string, value: string, extra: Partial<AppendRecord> = {}): AppendRecord {
  return {
    topic,
    partition: 0,
    key: Buffer.from(`key of ${value}`),
    value: Buffer.from(value),
    timestamp: 1_700_000_000_000,
    lineage,
    headers: NO_HEADERS,
    ...extra,
  }
}

/** A reader whose records can be waited for. */
export class Tap {
  readonly reader: PartitionReader
  wakes = 0
  #wake = () => {}

  constructor(log: Log, partition: TopicPartition, from = 0) {
    this.reader = log.openReader(partition, from, () => {
      this.wakes++
      this.#wake()
    })
  }

  /** Exactly `count` records, as soon as they are there. Rejects with the reader's fault. */
  take(count: number): Promise<LogRecord[]> {
    return this.#take((taken) => count - taken)
  }

  /** All records before `offset`. What lies there without being a record, or becomes visible a little later, is passed. */
  takeUntil(offset: number): Promise<LogRecord[]> {
    return this.#take(() => offset - this.reader.position)
  }

  async #take(missing: (taken: number) => number): Promise<LogRecord[]> {
    const records: LogRecord[] = []
    for (let left = missing(0); left > 0; left = missing(records.length)) {
      const awake = new Promise<void>((resolve) => (this.#wake = resolve))
      const some = this.reader.take(left)
      records.push(...some)
      if (this.reader.fault !== undefined) throw this.reader.fault
      if (some.length === 0 && missing(records.length) > 0) await awake
    }
    return records
  }
}

export async function readAll(log: Log, partition: TopicPartition, from = 0): Promise<LogRecord[]> {
  const { highWatermark } = await log.bounds(partition)
  const tap = new Tap(log, partition, from)
  const records = await tap.takeUntil(highWatermark)
  tap.reader.close()
  return records
}

export function values(records: readonly LogRecord[]): (string | null)[] {
  return records.map(({ value }) => value?.toString() ?? null)
}

/** Joins and answers once tasks are assigned. */
export async function joined(
  log: Log,
  group: GroupSpec,
): Promise<{ membership: Membership; assignment: Assignment; lost: Promise<Error> }> {
  let onLost = (_cause: Error) => {}
  const lost = new Promise<Error>((resolve) => (onLost = resolve))
  let onAssigned = (_assignment: Assignment) => {}
  const assigned = new Promise<Assignment>((resolve) => (onAssigned = resolve))
  const membership = await log.join(group, {
    stored: () => Promise.resolve([]),
    rebalancing: () => Promise.resolve(),
    async assigned(assignment) {
      onAssigned(assignment)
    },
    revoked: () => Promise.resolve(),
    lost: (cause) => onLost(cause),
  })
  return { membership, assignment: await assigned, lost }
}

export function groupOf(...inputs: string[]): GroupSpec {
  return {
    application,
    topology: 'orders',
    subTopologies: [{ id: 0, inputs, stores: ['totals'], hasState: true }],
  }
}

export function taskOf(partition: number): TaskId {
  return { topology: 'orders', subTopology: 0, partition }
}

export function checkpointAt(offset: number, sequence = 1, partition = 0): Checkpoint {
  return {
    positions: [{ topic: 'in', partition, offset }],
    times: { streamTime: 1_700_000_000_123, wallTime: 1_700_000_000_456, lastRecordAt: 1_700_000_000_400 },
    sequence,
  }
}

/** A commit of one batch that read `in` up to the checkpoint's position. */
export function commitOf(epoch: number, checkpoint: Checkpoint, extra: Partial<TaskCommit> = {}): TaskCommit {
  const partition = checkpoint.positions[0]?.partition ?? 0
  return {
    task: taskOf(partition),
    epoch,
    outputs: [],
    checkpoint,
    journal: {
      sequence: checkpoint.sequence,
      times: checkpoint.times,
      wallTimers: 0,
      punctuators: [],
      inputs: [],
      outputsCrc: 0,
    },
    state: [],
    changes: [],
    ...extra,
  }
}

export function output(value: string, extra: Partial<OutgoingRecord> = {}): OutgoingRecord {
  return { ...appendRecord('out', value), partition: 0, ...extra }
}
