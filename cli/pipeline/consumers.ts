/** Connectors as topologies that read and keep nothing: for tools that look after positions in a log. */
import type { Config } from '../../config/index.ts'
import { bindingConnector, type CompiledBinding, consumerOf, nothingAround } from '../../connectors/index.ts'
import { topics } from '../../schemas/index.ts'
import type { Topology } from '../../streams/index.ts'
import { loadProfiles } from './bindings.ts'
import { connectorsNotRun } from './connectors.ts'

/** Of connectors that are configured; without those of profiles. */
export function shopConsumers(config: Config): readonly Topology[] {
  return connectorsNotRun(config).map(consumerOf)
}

export interface BindingConsumers {
  /** They read topics of others. */
  readonly in: readonly Topology[]
  /** They read topics of ours. */
  readonly out: readonly Topology[]
}

/** Of the bindings of all profiles. Rejects with a `ProfileError`. */
export async function bindingConsumers(config: Config): Promise<BindingConsumers> {
  const profiles = await loadProfiles(config, topics)
  const bindings = profiles.flatMap((profile) => profile.bindings)
  const of = (wanted: CompiledBinding['direction']): readonly Topology[] =>
    bindings
      .filter(({ direction }) => direction === wanted)
      .map((binding) => consumerOf(bindingConnector(binding, nothingAround)))
  return { in: of('in'), out: of('out') }
}

/** Rejects with a `ProfileError`. */
export async function allConsumers(config: Config): Promise<readonly Topology[]> {
  const bindings = await bindingConsumers(config)
  return [...shopConsumers(config), ...bindings.in, ...bindings.out]
}
