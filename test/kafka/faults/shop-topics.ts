/** The pipelines under test, their tasks, and their topics on the cluster. */
import { Kafka, logLevel } from 'kafkajs'
import type { Topics } from '../../../schemas/index.ts'
import {
  isChangelog,
  type TaskId,
  taskName,
  topicSpecsOf,
  type Topology,
  type TopicSpec,
  type TopicUse,
  withTopics,
} from '../../../streams/index.ts'
import { bestSellers, couponIssuance, wallet } from '../../../topologies/index.ts'
import { eventually } from '../../support/kafka/eventually.ts'
import { readCommitted } from '../../support/kafka/oracle.ts'
import { orderShop } from '../../support/orders/shop.ts'

export const PARTITIONS = 6

/** `orders`: a whole shop that takes orders, with its sandboxes. */
export type Pipeline = 'coupons' | 'ranking' | 'orders'
const ALL: readonly Pipeline[] = ['coupons', 'ranking', 'orders']

/** The fates of provider and courier are the same in every run. */
export const theOrderShop = orderShop({ seed: 1, patienceMs: 4_000, maxDelayMs: 1_500 })

/** `topics`: else those with this program's schema ids. */
export function topologiesOf(pipelines: readonly Pipeline[], topics?: Topics): readonly Topology[] {
  const own = [
    ...(pipelines.includes('coupons') ? [couponIssuance, wallet()] : []),
    ...(pipelines.includes('ranking') ? [bestSellers({ closing: 'streamTime' })] : []),
    ...(pipelines.includes('orders') ? theOrderShop.topologies : []),
  ]
  if (topics === undefined) return own
  const byName = new Map<string, Topics[keyof Topics]>(
    Object.values(topics).map((topic) => [topic.name, topic]),
  )
  return own.map((topology) => withTopics(topology, ({ name }) => byName.get(name)))
}

/** Nothing is ever deleted: the judge reads everything. */
export function topicSpec(use: TopicUse): TopicSpec {
  return {
    name: use.name,
    partitions: PARTITIONS,
    cleanup: use.cleanup,
    timestamps: use.timestamps,
    retentionMs: Number.POSITIVE_INFINITY,
    retentionBytes: Number.POSITIVE_INFINITY,
  }
}

export interface TaskChoice {
  /** Only those that have a store. */
  readonly stateful?: boolean
}

/** Names of every task, as `taskName` gives them. */
export function tasksOf(pipelines: readonly Pipeline[], { stateful = false }: TaskChoice = {}): string[] {
  return topologiesOf(pipelines).flatMap(({ name: topology, subTopologies }) =>
    subTopologies
      .filter(({ stores }) => !stateful || stores.length > 0)
      .flatMap(({ id: subTopology }) =>
        Array.from({ length: PARTITIONS }, (_, partition): string => {
          const task: TaskId = { topology, subTopology, partition }
          return taskName(task)
        }),
      ),
  )
}

/** Every topic that the pipelines need. */
export function topicsOf(
  application: string,
  pipelines: readonly Pipeline[] = ['coupons', 'ranking'],
): readonly TopicSpec[] {
  const topologies = topologiesOf(pipelines)
  return topicSpecsOf({ application, topologies, topicSpec, changelogs: true })
}

/**
 * Deletes the pipelines' topics where there are any: their names are the same in every test. Resolves when no broker
 * knows them.
 */
export async function clearTopics(bootstrap: string, application: string): Promise<void> {
  const own = new Set(topicsOf(application, ALL).map(({ name }) => name))
  await withAdmin(bootstrap, async (admin) => {
    const there = async () => (await admin.listTopics()).filter((topic) => own.has(topic))
    const topics = await there()
    if (topics.length === 0) return
    await admin.deleteTopics({ topics })
    await eventually(async () => (await there()).length === 0, { describe: 'the topics are deleted' })
  })
}

/** Committed records of all changelogs. */
export async function changesOf({
  application,
  bootstrap,
}: {
  readonly application: string
  readonly bootstrap: string
}): Promise<number> {
  const changelogs = topicsOf(application).filter(({ name }) => isChangelog(application, name))
  const some = await Promise.all(changelogs.map(({ name }) => readCommitted(bootstrap, name)))
  return some.reduce((sum, { length }) => sum + length, 0)
}

/** Positions that a group has committed, by partition; those of partitions without any are left out. */
export function committedOffsets(
  bootstrap: string,
  group: string,
  topic: string,
): Promise<ReadonlyMap<number, number>> {
  return withAdmin(bootstrap, async (admin) => {
    const [answer] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
    const known = (answer?.partitions ?? []).map((each) => [each.partition, Number(each.offset)] as const)
    return new Map(known.filter(([, offset]) => offset >= 0))
  })
}

async function withAdmin<T>(
  bootstrap: string,
  act: (admin: ReturnType<Kafka['admin']>) => Promise<T>,
): Promise<T> {
  const brokers = bootstrap.split(',')
  const admin = new Kafka({ brokers, clientId: 'faults', logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    return await act(admin)
  } finally {
    await admin.disconnect()
  }
}
