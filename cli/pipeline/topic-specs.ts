/** How the topics that the topologies name are kept, by configuration. */
import { type Config, ConfigError, nearest } from '../../config/index.ts'
import { type Topology, topicsOf, type TopicSpec, type TopicUse } from '../../streams/index.ts'

/** Compacted topics keep the last value of each key, dead letters what an operator has not looked at. */
export function topicSpecs({ topics }: Config): (use: TopicUse) => TopicSpec {
  return ({ name, role, cleanup, timestamps }) => {
    const override = topics.overrides[name]
    const kept = cleanup === 'compact' || role === 'dead-letter'
    const forever = Number.POSITIVE_INFINITY
    return {
      name,
      cleanup,
      timestamps,
      partitions: override?.partitions ?? topics.partitions,
      retentionMs: override?.retentionMs ?? (kept ? forever : topics.retentionMs),
      retentionBytes: override?.retentionBytes ?? (kept ? forever : topics.retentionBytes),
    }
  }
}

/** Throws a `ConfigError` for overrides of topics that there are not. */
export function checkOverrides({ topics }: Config, topologies: readonly Topology[]): void {
  const names = new Set(topologies.flatMap(topicsOf).map(({ name }) => name))
  const problems = Object.keys(topics.overrides)
    .filter((name) => !names.has(name))
    .map((name) => {
      const near = nearest(name, names)
      const message = `there is no such topic${near === undefined ? '' : `; did you mean ${near}?`}`
      return { key: `topics.overrides.${name}`, origin: 'configuration', message }
    })
  if (problems.length > 0) throw new ConfigError(problems)
}
