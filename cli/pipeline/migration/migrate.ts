/**
 * Brings an embedded shop to a cluster, so that a shop there goes on where it stopped.
 *
 * | step | what | a crash after it |
 * | --- | --- | --- |
 * | 0 | nobody has the directory, nobody is in the groups, and what is in the one fits the other | nothing has happened |
 * | 1 | the directory is marked | no shop starts on it; run it again, or give it up |
 * | 2 | the topics are made, in a form that no start takes (`TOPIC_MISMATCH`) | the same |
 * | 3 | each group's positions become marks | the same, and no task opens either |
 * | 4 | records come to the offsets that they had, rows to changelogs | it goes on where each partition ends |
 * | 5 | all of it is read again on both sides and compared, and invariants are checked | 4 finds nothing to do, 5 again |
 * | 6 | the directory's mark says so | what is on the cluster is not touched any more |
 * | 7 | one group after the other gets its positions | those that have marks get theirs |
 * | 8 | the topics get their own form | the same again |
 * | 9 | the directory's mark says that it is done | it is |
 */
import type { Config } from '../../../config/index.ts'
import { timerStoreName } from '../../../state/index.ts'
import { StreamsError, taskName, type TopicPartition, type TopicSpec } from '../../../streams/index.ts'
import type { EmbeddedLog } from '../../../transports/embedded/index.ts'
import type { ImportState } from '../../../transports/kafka/index.ts'
import { CheckError, DirectoryError } from '../../errors.ts'
import type { Fingerprint } from './digest.ts'
import { type MigrationMark, migrationMark, newMark, putMigrationMark } from './directory-mark.ts'
import { addCoupons, COUPONS, type CouponSums, judgeCoupons } from './invariants.ts'
import type { MigrationPlan, PlannedGroup } from './plan.ts'
import { comparePartition, copyPartition } from './records.ts'
import { compareRows, copyRows, type RowParts, type TaskStore } from './rows.ts'

/** What is durable when it is told; a process may end at each. */
export type MigrationStep =
  | 'directory marked'
  | 'topics made'
  | 'positions marked'
  | 'slice copied'
  | 'copied'
  | 'compared'
  | 'committing'
  | 'group committed'
  | 'topics opened'
  | 'done'

export interface MigrationParts extends Omit<RowParts, 'onSlice'> {
  readonly config: Config
  readonly plan: MigrationPlan
  readonly mark: MigrationMark
  readonly onStep: (step: MigrationStep) => void
}

export interface Compared extends Fingerprint {
  /** A partition, or a store of a task. */
  readonly name: string
}

export interface MigrationReport {
  /** Absent where a try before this one compared them. */
  readonly compared?: {
    readonly partitions: readonly Compared[]
    readonly stores: readonly Compared[]
    readonly coupons: number
  }
  readonly groups: number
}

/** The mark that the directory has, or a new one for these brokers. */
export async function markFor(log: EmbeddedLog, brokers: readonly string[]): Promise<MigrationMark> {
  return (await migrationMark(log)) ?? newMark(brokers)
}

/**
 * Step 0; changes nothing. Answers how far each group is. Throws `TOPOLOGY_RUNNING`, and a `DirectoryError` where the
 * application was on the cluster before.
 */
export async function inspectTarget({
  importer,
  plan,
  mark,
}: MigrationParts): Promise<readonly ImportState[]> {
  const states: ImportState[] = []
  for (const { spec } of plan.groups) {
    const state = await importer.stateOf(spec)
    if (state === 'done' && mark.stage === 'copying')
      throw new DirectoryError(
        `${spec.topology} of ${spec.application} has been on this cluster; give another application or cluster`,
      )
    if (state === 'untouched' && mark.stage === 'committing')
      throw new DirectoryError(
        `${spec.topology} was on a cluster (${mark.brokers.join(',')}) and is not on this one`,
      )
    states.push(state)
  }
  return states
}

/** Throws what the steps throw; then it can be run again. */
export async function migrate(parts: MigrationParts): Promise<MigrationReport> {
  const { source, importer, plan, mark, onStep } = parts
  if (mark.stage === 'done') return { groups: 0 }
  // 0
  const states = await inspectTarget(parts)
  const compared = mark.stage === 'copying' ? await bring(parts, states) : undefined
  // 6
  await putMigrationMark(source, { ...mark, stage: 'committing' })
  onStep('committing')
  // 7
  await importer.know(plan.specs)
  const groups = await commitGroups(parts)
  // 8
  await importer.openTopics(plan.specs)
  onStep('topics opened')
  // 9
  await putMigrationMark(source, { ...mark, stage: 'done' })
  onStep('done')
  return compared === undefined ? { groups } : { compared, groups }
}

/** Steps 1 to 5. */
async function bring(
  parts: MigrationParts,
  states: readonly ImportState[],
): Promise<NonNullable<MigrationReport['compared']>> {
  const { source, importer, plan, mark, onStep } = parts
  // 1
  await putMigrationMark(source, mark)
  onStep('directory marked')
  // 2
  await importer.makeTopics(plan.specs)
  onStep('topics made')
  // 3
  await importer.settle()
  if (states.includes('untouched')) await refuseRecords(parts)
  for (const [index, { spec }] of plan.groups.entries())
    if (states[index] === 'untouched') await importer.begin(spec)
  onStep('positions marked')
  // 4
  const copy = { ...parts, onSlice: () => onStep('slice copied') }
  for (const at of partitionsOf(plan.topics)) await copyPartition(copy, at)
  for (const store of storesOf(plan)) await copyRows(copy, store)
  onStep('copied')
  // 5
  const compared = await compareAll(copy, plan)
  onStep('compared')
  return compared
}

/** Before the first record is brought, every topic is empty: what is in one that is not would be somebody else's. */
async function refuseRecords({ importer, plan }: MigrationParts): Promise<void> {
  for (const at of partitionsOf(plan.specs)) {
    const end = await importer.endOf(at)
    if (end === 0) continue
    throw new StreamsError(
      'TOPIC_MISMATCH',
      `${at.topic}-${at.partition} has records up to offset ${end - 1}`,
    )
  }
}

async function compareAll(
  parts: RowParts,
  plan: MigrationPlan,
): Promise<NonNullable<MigrationReport['compared']>> {
  const partitions: Compared[] = []
  for (const at of partitionsOf(plan.topics))
    partitions.push({ name: `${at.topic}-${at.partition}`, ...(await comparePartition(parts, at)) })
  const stores: Compared[] = []
  for (const of of storesOf(plan))
    stores.push({ name: `${of.store} of ${taskName(of.task)}`, ...(await compareRows(parts, of)) })
  return { partitions, stores, coupons: await checkInvariants(parts, plan) }
}

/** On the rows of the directory, which are those of the cluster. Answers how many coupons there are. */
async function checkInvariants({ source }: RowParts, plan: MigrationPlan): Promise<number> {
  const sums = new Map<string, CouponSums>()
  for (const { topology, tasks } of plan.groups) {
    if (topology.name !== COUPONS) continue
    for (const { task, isStored } of tasks) if (isStored) await addCoupons(sums, await source.taskState(task))
  }
  const complaints = judgeCoupons(sums)
  if (complaints.length > 0) throw new CheckError(complaints.join('; '))
  return sums.size
}

/** Answers how many got their positions. */
async function commitGroups({ importer, plan, onStep }: MigrationParts): Promise<number> {
  let committed = 0
  for (const { spec, tasks } of plan.groups) {
    // One that has positions may be on its way already.
    if ((await importer.stateOf(spec)) === 'done') continue
    await importer.commit(spec, tasks)
    committed++
    onStep('group committed')
  }
  return committed
}

function partitionsOf(specs: readonly TopicSpec[]): readonly TopicPartition[] {
  return specs.flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
  )
}

function storesOf({ groups }: MigrationPlan): readonly TaskStore[] {
  return groups.flatMap(storesOfGroup)
}

function storesOfGroup({ tasks }: PlannedGroup): readonly TaskStore[] {
  return tasks.flatMap(({ task, definition, isStored, checkpoint }) => {
    if (!isStored) return []
    const timestamp = Math.max(0, checkpoint.times.wallTime)
    const stores = [...definition.stores.map(({ name }) => name), timerStoreName]
    return stores.map((store) => ({ task, store, timestamp }))
  })
}
