/** Connectors as topologies that read and keep nothing: for tools that look after positions in a log. */
import type { Config } from '../../config/index.ts'
import { bindingConnector, consumerOf, nothingAround } from '../../connectors/index.ts'
import { topics } from '../../schemas/index.ts'
import type { Topology } from '../../streams/index.ts'
import { loadProfiles } from './bindings.ts'
import { connectorsNotRun } from './connectors.ts'

/** Of connectors that are configured; without those of profiles, whose topics are others'. */
export function shopConsumers(config: Config): readonly Topology[] {
  return connectorsNotRun(config).map(consumerOf)
}

/** Rejects with a `ProfileError`. */
export async function allConsumers(config: Config): Promise<readonly Topology[]> {
  const profiles = await loadProfiles(config, topics)
  const bindings = profiles.flatMap((profile) => profile.bindings)
  return [
    ...shopConsumers(config),
    ...bindings.map((binding) => consumerOf(bindingConnector(binding, nothingAround))),
  ]
}
