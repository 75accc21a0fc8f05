/** Every topic that topologies need, with what it must be: those they name, and the changelogs of their stores. Pure. */
import { type SubTopology, type Topology, topicsOf, type TopicUse } from './graph.ts'
import type { TopicSpec } from './log.ts'
import { loggedStores } from './changelogs.ts'

export interface TopicSpecsOptions {
  /** Prefix of the changelogs' names. */
  readonly application: string
  readonly topologies: readonly Topology[]
  /** Partitions, retention and so on of a topic that a topology names. */
  readonly topicSpec: (use: TopicUse) => TopicSpec
  /** Whether tasks keep their state in changelogs; a log that keeps state itself has none. */
  readonly changelogs: boolean
}

/** Topics before changelogs, in the order of the topologies; each spec once. */
export function topicSpecsOf(options: TopicSpecsOptions): readonly TopicSpec[] {
  const { application, topologies, topicSpec } = options
  const named = topologies.flatMap(topicsOf).map(topicSpec)
  const partitions = new Map(named.map((spec) => [spec.name, spec.partitions]))
  const changelogs = options.changelogs
    ? topologies.flatMap(({ name, subTopologies }) =>
        subTopologies.flatMap((sub) => changelogsOf(application, name, sub, partitions)),
      )
    : []
  // Specs that differ in anything but their name stay: the log refuses them.
  const unique = new Map([...named, ...changelogs].map((spec) => [Object.values(spec).join('|'), spec]))
  return [...unique.values()]
}

/** A changelog has a partition per task. */
function changelogsOf(
  application: string,
  topology: string,
  sub: SubTopology,
  partitions: ReadonlyMap<string, number>,
): readonly TopicSpec[] {
  const tasks = Math.max(...sub.sources.map(({ topic }) => partitions.get(topic.name) ?? 0))
  const task = { topology, subTopology: sub.id, partition: 0 }
  return loggedStores(application, task, sub).map(({ topic: name, store }) => ({
    name,
    partitions: tasks,
    cleanup: 'compact',
    timestamps: 'CreateTime',
    retentionMs: Number.POSITIVE_INFINITY,
    retentionBytes: Number.POSITIVE_INFINITY,
    erasable: sub.stores.some((spec) => spec.name === store && spec.erasable),
  }))
}
