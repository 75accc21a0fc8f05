/** Appends and commits as the writer takes them: checked when they are made, put into a batch when their turn comes. */
import {
  type AppendRecord,
  type AppendResult,
  type CommitReceipt,
  type OutgoingRecord,
  PartitionChoice,
  type Position,
  StreamsError,
  type TaskCommit,
  taskName,
} from '../../streams/index.ts'
import type { Catalog, PartitionState } from './catalog.ts'
import type { BatchDraft } from './draft.ts'
import type { Groups } from './groups.ts'
import { checkpointKey, journalKey, statePrefix } from './keys.ts'
import { recordBytes } from './log-row.ts'
import { encodeCheckpoint, encodeJournal, sealed } from './small-rows.ts'
import { MAX_SIGNED } from './varint.ts'
import type { Member } from './writer.ts'

/** What a record or a row counts for besides its bytes. */
const OVERHEAD_BYTES = 64

interface Settled<T> {
  resolve(value: T): void
  reject(error: unknown): void
}

/** Where each record of a call goes, and how much they are together. */
export interface Placement {
  readonly partitions: readonly PartitionState[]
  readonly bytes: number
}

/** Throws `UNKNOWN_TOPIC`, `RECORD_TOO_LARGE`, and a `RangeError` for timestamps that are no safe integers. */
export function placeOutputs(
  catalog: Catalog,
  records: readonly OutgoingRecord[],
  maxRecordBytes: number,
): Placement {
  return placed(records, maxRecordBytes, (record) => catalog.partition(record))
}

/** As `placeOutputs`, for records that need not name their partition. */
export class Router {
  readonly #catalog: Catalog
  readonly #choice: PartitionChoice

  constructor(catalog: Catalog) {
    this.#catalog = catalog
    this.#choice = new PartitionChoice((topic) => catalog.topic(topic).partitions.length)
  }

  place(records: readonly AppendRecord[], maxRecordBytes: number): Placement {
    const choose = this.#choice.forCall()
    return placed(records, maxRecordBytes, (record) => {
      return this.#catalog.partition({ topic: record.topic, partition: choose(record) })
    })
  }
}

function placed<R extends AppendRecord | OutgoingRecord>(
  records: readonly R[],
  maxRecordBytes: number,
  partitionOf: (record: R) => PartitionState,
): Placement {
  const partitions: PartitionState[] = []
  let total = 0
  for (const record of records) {
    const bytes = recordBytes(record)
    if (bytes > maxRecordBytes) {
      throw new StreamsError(
        'RECORD_TOO_LARGE',
        `${bytes} bytes for ${record.topic}; ${maxRecordBytes} are possible`,
      )
    }
    if (!(Number.isSafeInteger(record.timestamp) && Math.abs(record.timestamp) < MAX_SIGNED / 2)) {
      throw new RangeError(`${record.topic}: ${record.timestamp} is no timestamp in epoch milliseconds`)
    }
    partitions.push(partitionOf(record))
    total += bytes + OVERHEAD_BYTES
  }
  return { partitions, bytes: total }
}

export class AppendMember implements Member {
  readonly kind = 'append'
  readonly bytes: number
  readonly records: readonly AppendRecord[]
  readonly #partitions: readonly PartitionState[]
  readonly #settled: Settled<readonly AppendResult[]>
  #results: AppendResult[] = []

  constructor(
    records: readonly AppendRecord[],
    placement: Placement,
    settled: Settled<readonly AppendResult[]>,
  ) {
    this.records = records
    this.bytes = placement.bytes
    this.#partitions = placement.partitions
    this.#settled = settled
  }

  prepare(draft: BatchDraft): void {
    const { appendTime } = draft
    this.#results = this.records.map((record, index) => {
      const state = this.#partitions[index] as PartitionState
      const offset = draft.place(state, record)
      return { topic: state.topic, partition: state.partition, offset, appendTime }
    })
  }

  resolve(): void {
    this.#settled.resolve(this.#results)
  }

  reject(error: unknown): void {
    this.#settled.reject(error)
  }
}

export class CommitMember implements Member {
  readonly kind = 'commit'
  readonly bytes: number
  readonly #commits: readonly TaskCommit[]
  readonly #placements: readonly Placement[]
  readonly #groups: Groups
  readonly #settled: Settled<readonly CommitReceipt[]>
  #receipts: CommitReceipt[] = []

  constructor(
    commits: readonly TaskCommit[],
    placements: readonly Placement[],
    groups: Groups,
    settled: Settled<readonly CommitReceipt[]>,
  ) {
    this.#commits = commits
    this.#placements = placements
    this.#groups = groups
    this.#settled = settled
    this.bytes = sum(placements, ({ bytes }) => bytes) + sum(commits, stateBytes)
  }

  /** Throws `COMMIT_FENCED`: every task of the call is checked before any is put into the batch. */
  prepare(draft: BatchDraft): void {
    const entries = this.#commits.map(({ task, epoch }) => this.#groups.check(task, epoch))
    for (const [index, commit] of this.#commits.entries()) checkState(commit, entries[index]?.ordinal ?? -1)
    this.#receipts = this.#commits.map((commit, index) => {
      const entry = entries[index] as (typeof entries)[number]
      const outputs = placeCommit(draft, commit, this.#placements[index] as Placement)
      const checkpoint = checkpointKey(entry.ordinal)
      const journal = journalKey(entry.ordinal, commit.journal.sequence)
      draft.ops.push(
        { type: 'put', key: checkpoint, value: sealed(checkpoint, encodeCheckpoint(commit.checkpoint)) },
        { type: 'put', key: journal, value: sealed(journal, encodeJournal(commit.journal)) },
      )
      for (const op of commit.state) draft.ops.push(op)
      draft.applied.push(() => (entry.checkpoint = commit.checkpoint))
      return { task: commit.task, outputs, changelogs: [] }
    })
  }

  resolve(): void {
    this.#settled.resolve(this.#receipts)
  }

  reject(error: unknown): void {
    this.#settled.reject(error)
  }
}

/** The first offset per partition that the commit's outputs go to. */
function placeCommit(draft: BatchDraft, commit: TaskCommit, { partitions }: Placement): Position[] {
  const first = new Map<PartitionState, Position>()
  for (const [index, record] of commit.outputs.entries()) {
    const state = partitions[index] as PartitionState
    const offset = draft.place(state, record)
    if (!first.has(state)) first.set(state, { topic: state.topic, partition: state.partition, offset })
  }
  return [...first.values()]
}

/** Throws a `RangeError` when the commit would write outside its task's own rows. */
function checkState({ task, state }: TaskCommit, ordinal: number): void {
  const [a, b, c] = statePrefix(ordinal)
  for (const { key } of state) {
    if (key[0] !== a || key[1] !== b || key[2] !== c) {
      throw new RangeError(`${taskName(task)} writes outside its own rows: ${key.toString('hex')}`)
    }
  }
}

function stateBytes({ state }: TaskCommit): number {
  return sum(state, (op) => op.key.length + (op.type === 'put' ? op.value.length : 0) + OVERHEAD_BYTES)
}

function sum<T>(items: readonly T[], amount: (item: T) => number): number {
  let total = 0
  for (const item of items) total += amount(item)
  return total
}
