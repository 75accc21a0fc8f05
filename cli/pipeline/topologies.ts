/** The topologies of the shop, by configuration. */
import { type Config, ConfigError, nearest } from '../../config/index.ts'
import { type Topics, topics as embeddedTopics } from '../../schemas/index.ts'
import { type Topology, withTopics } from '../../streams/index.ts'
import {
  bestSellers,
  type BestSellers,
  catalog,
  couponIssuance,
  couponWallet,
  sentinel,
} from '../../topologies/index.ts'

export interface ShopTopologies {
  readonly all: readonly Topology[]
  /** Those that run in this process. */
  readonly here: readonly Topology[]
  /** Those that writers and readers of a topic wait for: all that decide, not the one that watches. */
  readonly deciding: readonly Topology[]
  /** Its stores depend on the configuration; those of the others do not. */
  readonly ranking: BestSellers
}

/** Throws a `ConfigError` where `topologies` names one that there is not. */
export function shopTopologies(config: Config, topics: Topics = embeddedTopics): ShopTopologies {
  const { closing, graceMs, retentionMs } = config.ranking
  const ranking = bestSellers({ closing, graceMs, retentionMs, timeZone: config.shop.timeZone })
  const byName = new Map<string, Topics[keyof Topics]>(
    Object.values(topics).map((topic) => [topic.name, topic]),
  )
  const withSerdes = (topology: Topology): Topology => withTopics(topology, (name) => byName.get(name))
  const deciding = [couponIssuance, couponWallet, catalog, ranking].map(withSerdes)
  const { enabled, ...options } = config.sentinel
  const all = enabled ? [...deciding, withSerdes(sentinel(options))] : deciding
  return { all, here: chosen(all, config.topologies), deciding, ranking }
}

function chosen(all: readonly Topology[], names: readonly string[]): readonly Topology[] {
  const known = all.map(({ name }) => name)
  const problems = names
    .filter((name) => !known.includes(name))
    .map((name) => {
      const near = nearest(name, known)
      const hint = near === undefined ? `there are ${known.join(', ')}` : `did you mean ${near}?`
      return { key: 'topologies', origin: 'configuration', message: `there is no ${name}; ${hint}` }
    })
  if (problems.length > 0) throw new ConfigError(problems)
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name))
}
