/**
 * The commit of tasks to Kafka: outputs, changelogs and positions as one transaction.
 *
 * | step | what | a crash after it |
 * | --- | --- | --- |
 * | 0 | the assignment is current, and what the transactional id had open is settled | nothing has happened |
 * | 1 | outputs, changelogs and dead letters of every task are written and acknowledged | nobody sees them: the next owner's start, or the transaction's timeout, aborts |
 * | 2 | all input positions of every task are sent, with the member's generation, and acknowledged | the same; until then whoever asks for the positions is told that they are unstable |
 * | 3 | the assignment is still current | the same |
 * | 4 | EndTxn | all of it is there; before its answer nobody knows, and the coordinator decides alone |
 *
 * All input positions go with every commit, also when only a timer fired: only a position that the group refuses keeps a
 * member that was replaced from committing.
 *
 * A failure in 0 to 3 commits nothing, whatever became of the requests: without EndTxn the coordinator can only abort. A
 * failure in 4 is `COMMIT_UNKNOWN` unless the coordinator refused. In each case the transaction is settled at once, or at
 * the next commit: by then it is known to be over, and nothing of it can come late.
 *
 * At least once, step 1 is an append of its own and step 4 an OffsetCommit: what a crash between them leaves is written
 * again.
 *
 * Not its job: requests and their retries (`transactional-producer.ts`, `sender.ts`), what a task does after its commit
 * (`streams/commit.ts`).
 */
import {
  changeHeaders,
  changelogTopic,
  type CommitReceipt,
  type Position,
  StreamsError,
  type TaskCommit,
  taskName,
} from '../../streams/index.ts'
import { askCoordinator, type CoordinatorPlaces } from './ask-coordinator.ts'
import type { BatchRecord } from './batches/encode.ts'
import { encodeOffsetMetadata, inputTag, topicTag } from './offset-metadata.ts'
import { type Brokers, byTopic } from './producer-batches.ts'
import { NONE } from './protocol/errors.ts'
import { offsetCommit } from './protocol/offsets.ts'
import type { TopicPartitions } from './protocol/topics-of.ts'
import type { GroupMember, OffsetToCommit } from './protocol/transactions.ts'
import { toBatchRecord } from './records.ts'
import type { RecordToAppend, Sender } from './sender.ts'
import { codeOfPartitions, refusalInTransaction, unansweredInTransaction } from './transaction-errors.ts'
import { offsetIn, type RecordGroup } from './transaction-writes.ts'
import type { TransactionalProducer } from './transactional-producer.ts'

/** Who commits: the membership as it was when the tasks of the commit were assigned. */
export interface CommitMember extends GroupMember {
  /** `epoch` is the assignment of this generation, and nothing has begun to end it. */
  isCurrent(epoch: number): boolean
}

export interface CommitContext {
  readonly application: string
  readonly member: CommitMember
  /** The topic's id, base64url. Throws `UNKNOWN_TOPIC`. */
  topicId(topic: string): string
}

export interface ExactlyOnce extends CommitContext {
  readonly producer: Pick<TransactionalProducer, 'settle' | 'produce' | 'sendOffsets' | 'commit'>
}

/** Throws `COMMIT_UNKNOWN`; and, where nothing was committed, as `transaction-errors.ts` says. */
export async function commitExactlyOnce(
  context: ExactlyOnce,
  commits: readonly TaskCommit[],
): Promise<readonly CommitReceipt[]> {
  if (commits.length === 0) return []
  const { producer, member } = context
  const plan = planWrites(context.application, commits)
  const offsets = offsetsOf(context, commits)
  // 0
  requireCurrent(member, commits)
  await producer.settle()
  try {
    // 1
    const written = plan.groups.length === 0 ? [] : await producer.produce(plan.groups)
    // 2
    await producer.sendOffsets(member, offsets)
    // 3
    requireCurrent(member, commits)
    // 4
    await producer.commit()
    return plan.receipts((group, index) => offsetIn(required(written[group]), index))
  } catch (error) {
    // What is open holds up every reader of these partitions. Where it fails, the next commit begins with it.
    await producer.settle().catch(() => {})
    throw error
  }
}

export interface AtLeastOnce extends CommitContext {
  readonly sender: Pick<Sender, 'append'>
  readonly coordinators: CoordinatorPlaces
  readonly brokers: Brokers
  /** How long the positions are offered. Milliseconds. */
  readonly timeoutMs: number
}

/**
 * Throws what `Sender.append` throws, `COMMIT_FENCED`, `LOG_BUSY`, `COMMIT_UNKNOWN` and refusals; after each of them
 * outputs and changes may be there although the positions are not.
 */
export async function commitAtLeastOnce(
  context: AtLeastOnce,
  commits: readonly TaskCommit[],
): Promise<readonly CommitReceipt[]> {
  if (commits.length === 0) return []
  const { member } = context
  const plan = planWrites(context.application, commits)
  const offsets = offsetsOf(context, commits)
  // 0
  requireCurrent(member, commits)
  // 1
  const appends = appendsOf(plan.groups)
  const places = await context.sender.append(appends.records)
  // 2, 3
  requireCurrent(member, commits)
  // 4
  await commitOffsets(context, offsets)
  return plan.receipts((group, index) => required(places[required(appends.firsts[group]) + index]).offset)
}

async function commitOffsets(
  { coordinators, brokers, member, timeoutMs }: AtLeastOnce,
  offsets: readonly TopicPartitions<OffsetToCommit>[],
): Promise<void> {
  const asked = await askCoordinator(coordinators, brokers, {
    kind: 'group',
    key: member.group,
    request: { ...offsetCommit(member, offsets), timeoutMs },
    codeOf: (answer) => codeOfPartitions(answer, offsets),
    deadline: coordinators.clock.monotonic() + timeoutMs,
    // A late one would take positions back that were committed since.
    isHarmless: false,
  })
  if (asked.outcome === 'answered' && asked.code === NONE) return
  const cause =
    asked.outcome === 'unanswered'
      ? unansweredInTransaction(asked.error)
      : refusalInTransaction('OffsetCommit', asked.code, { kind: 'group', name: member.group })
  if (!asked.isDoubtful) throw cause
  throw new StreamsError('COMMIT_UNKNOWN', `positions of group ${member.group}`, { cause })
}

// --- what is written

interface Plan {
  /** Each partition once; the tasks in order, each one's records in order. */
  readonly groups: readonly RecordGroup[]
  /** `offsetOf`: where the record at an index of a group is. */
  receipts(offsetOf: (group: number, index: number) => number): CommitReceipt[]
}

/** A record of a task, by its place in the plan. */
interface Place {
  readonly group: number
  readonly index: number
}

interface TaskPlaces {
  readonly commit: TaskCommit
  /** The first record of each output partition. */
  readonly firstOutputs: readonly Place[]
  /** The last record of each changelog. */
  readonly lastChanges: readonly Place[]
}

function planWrites(application: string, commits: readonly TaskCommit[]): Plan {
  const groups = new Groups()
  const tasks: TaskPlaces[] = commits.map((commit) => {
    const { task, outputs, changes, checkpoint } = commit
    const first = new Map<number, Place>()
    for (const output of outputs) {
      const group = groups.of(output.topic, output.partition)
      const index = groups.add(group, toBatchRecord(output))
      if (!first.has(group)) first.set(group, { group, index })
    }
    const last = new Map<string, Place>()
    const timestamp = checkpoint.times.wallTime
    for (const { store, key, value, version } of changes) {
      const group =
        last.get(store)?.group ?? groups.of(changelogTopic(application, task, store), task.partition)
      const index = groups.add(group, { key, value, timestamp, headers: changeHeaders(version) })
      last.set(store, { group, index })
    }
    return { commit, firstOutputs: [...first.values()], lastChanges: [...last.values()] }
  })
  return {
    groups: groups.all,
    receipts: (offsetOf) => {
      const positionOf = ({ group, index }: Place, past: number): Position => {
        const { topic, partition } = required(groups.all[group])
        return { topic, partition, offset: offsetOf(group, index) + past }
      }
      return tasks.map(({ commit, firstOutputs, lastChanges }) => ({
        task: commit.task,
        outputs: firstOutputs.map((place) => positionOf(place, 0)),
        changelogs: lastChanges.map((place) => positionOf(place, 1)),
      }))
    },
  }
}

/** Gathers records by partition. */
class Groups {
  readonly all: (RecordGroup & { readonly records: BatchRecord[] })[] = []
  /** Of each topic, by partition. */
  readonly #numbers = new Map<string, number[]>()

  of(topic: string, partition: number): number {
    let numbers = this.#numbers.get(topic)
    if (numbers === undefined) this.#numbers.set(topic, (numbers = []))
    return (numbers[partition] ??= this.all.push({ topic, partition, records: [] }) - 1)
  }

  /** Answers the record's index in the group. */
  add(group: number, record: BatchRecord): number {
    return required(this.all[group]).records.push(record) - 1
  }
}

/** The groups' records in a row, and where each group begins. */
function appendsOf(groups: readonly RecordGroup[]): { records: RecordToAppend[]; firsts: number[] } {
  const records: RecordToAppend[] = []
  const firsts = groups.map(({ topic, partition, records: some }) => {
    const first = records.length
    for (const record of some) records.push({ topic, partition, record })
    return first
  })
  return { records, firsts }
}

function offsetsOf(
  context: CommitContext,
  commits: readonly TaskCommit[],
): TopicPartitions<OffsetToCommit>[] {
  const positions = commits.flatMap(({ task, checkpoint: { positions: some, times, sequence } }) => {
    if (some.length === 0) throw new RangeError(`${taskName(task)} has no position: nothing would fence it`)
    const inputTags = some.map(({ topic }) => inputTag(topic))
    return some.map((position) => ({ ...position, times, sequence, inputTags }))
  })
  return byTopic(positions, ({ topic, partition, offset, times, sequence, inputTags }) => {
    const metadata = { times, sequence, topicTag: topicTag(context.topicId(topic)), inputTags }
    return { partition, offset, metadata: encodeOffsetMetadata(metadata) }
  })
}

function requireCurrent(member: CommitMember, commits: readonly TaskCommit[]): void {
  const stale = commits.find(({ epoch }) => !member.isCurrent(epoch))
  if (stale === undefined) return
  throw new StreamsError('COMMIT_FENCED', `${taskName(stale.task)}: assignment ${stale.epoch} is not current`)
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new RangeError('a commit lost track of its records')
  return value
}
