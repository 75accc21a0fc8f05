/** How the topics of the shop are kept, by configuration. */
import { type Config, ConfigError, nearest } from '../../config/index.ts'
import { connectorTopics } from '../../connectors/index.ts'
import { topics as catalogue } from '../../schemas/index.ts'
import { type Topology, topicsOf, type TopicSpec, topicSpecsOf, type TopicUse } from '../../streams/index.ts'
import { connectorsNotRun } from './connectors.ts'

/** Topics of operators, which no topology names. */
const OPERATIONS: readonly TopicUse[] = [
  catalogue.opsAudit,
  catalogue.opsConnector,
  catalogue.opsRedrive,
].map(useOf)
/** Whatever the age of its records, somebody may have to answer for them. */
const KEPT: ReadonlySet<string> = new Set([catalogue.opsAudit.name])

/** Compacted topics keep the last value of each key, dead letters what an operator has not looked at. */
export function topicSpecs({ topics }: Config): (use: TopicUse) => TopicSpec {
  return ({ name, role, cleanup, timestamps, erasable }) => {
    const override = topics.overrides[name]
    const kept = cleanup === 'compact' || role === 'dead-letter' || KEPT.has(name)
    const forever = Number.POSITIVE_INFINITY
    return {
      name,
      cleanup,
      timestamps,
      erasable,
      partitions: override?.partitions ?? topics.partitions,
      retentionMs: override?.retentionMs ?? (kept ? forever : topics.retentionMs),
      retentionBytes: override?.retentionBytes ?? (kept ? forever : topics.retentionBytes),
    }
  }
}

/** All that these topologies and their operators need; with `changelogs`, those of their stores as well. */
export function shopTopicSpecs(
  config: Config,
  topologies: readonly Topology[],
  { changelogs }: { readonly changelogs: boolean },
): readonly TopicSpec[] {
  const { application } = config
  const topicSpec = topicSpecs(config)
  const named = topicSpecsOf({ application, topologies, topicSpec, changelogs })
  const others = [...OPERATIONS, ...topicsOfConnectors(config)].map(topicSpec)
  const known = new Set(named.map(({ name }) => name))
  return [...named, ...others.filter(({ name }) => !known.has(name))]
}

/** Each once, whoever of them reads it. */
function topicsOfConnectors(config: Config): readonly TopicUse[] {
  const uses = connectorsNotRun(config).flatMap(connectorTopics)
  return [...new Map(uses.map((use) => [use.name, use])).values()]
}

function useOf({ name, cleanup, timestamps, erasable }: Omit<TopicUse, 'role'>): TopicUse {
  return { name, role: 'sink', cleanup, timestamps, erasable }
}

/** Throws a `ConfigError` for overrides of topics that there are not. */
export function checkOverrides(config: Config, topologies: readonly Topology[]): void {
  const { topics } = config
  const uses = [...topologies.flatMap(topicsOf), ...OPERATIONS, ...topicsOfConnectors(config)]
  const names = new Set(uses.map(({ name }) => name))
  const problems = Object.keys(topics.overrides)
    .filter((name) => !names.has(name))
    .map((name) => {
      const near = nearest(name, names)
      const message = `there is no such topic${near === undefined ? '' : `; did you mean ${near}?`}`
      return { key: `topics.overrides.${name}`, origin: 'configuration', message }
    })
  if (problems.length > 0) throw new ConfigError(problems)
}
