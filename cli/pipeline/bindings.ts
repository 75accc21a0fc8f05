/** Profiles of shops with topics of their own, as this deployment runs them: their topics, what they look into, their connectors. */
import type { Config } from '../../config/index.ts'
import {
  bindingConnector,
  checkTogether,
  type CompiledProfile,
  type Connector,
  connectorTopics,
  loadProfile,
  nothingAround,
  type Surroundings,
} from '../../connectors/index.ts'
import { toJson, type Topics } from '../../schemas/index.ts'
import type { AnyTopic, Clock, Log, TopicSpec } from '../../streams/index.ts'
import { topicSpecs } from './topic-specs.ts'
import { TopicView } from './topic-view.ts'

/** Keys and values of one topic that profiles look into; the oldest go first. */
const VIEW_BYTES = 64 * 1024 * 1024

/** Rejects with a `ProfileError`: of a file, or of files that do not go together. */
export async function loadProfiles(
  { bindings }: Pick<Config, 'bindings'>,
  topics: Topics,
): Promise<readonly CompiledProfile[]> {
  const profiles = await Promise.all(bindings.profiles.map((file) => loadProfile(file, topics)))
  checkTogether(profiles)
  return profiles
}

/** Every topic that the profiles name. What is the shop's is made only where the log is ours. */
export function bindingTopicSpecs(
  config: Config,
  profiles: readonly CompiledProfile[],
): readonly TopicSpec[] {
  const topicSpec = topicSpecs(config)
  const external = new Map(
    profiles.flatMap((profile) => profile.external).map(({ topic, partitions }) => [topic.name, partitions]),
  )
  const uses = profiles
    .flatMap(({ bindings }) => bindings.map((binding) => bindingConnector(binding, nothingAround)))
    .flatMap(connectorTopics)
  return [...new Map(uses.map((use) => [use.name, use])).values()].map((use) => {
    const spec = topicSpec(use)
    if (!external.has(use.name)) return spec
    return { ...spec, partitions: external.get(use.name) ?? spec.partitions, external: true }
  })
}

/** What shops write themselves. */
export function externalTopics(profiles: readonly CompiledProfile[]): readonly AnyTopic[] {
  return profiles.flatMap(({ bindings }) =>
    bindings.flatMap(({ direction, from }) => (direction === 'in' ? from : [])),
  )
}

export interface BindingsOptions {
  readonly profiles: readonly CompiledProfile[]
  readonly log: Log
  readonly clock: Clock
  readonly addresses: Surroundings['addresses']
  /** ISO 4217, of the shop; absent: any. */
  readonly currency?: string
  readonly onFault: (topic: string, fault: unknown) => void
}

export class Bindings {
  readonly connectors: readonly Connector[]
  readonly #views: ReadonlyMap<string, { readonly view: TopicView<unknown>; json(value: unknown): unknown }>

  /** Begins to read what profiles look into. Their topics must be there. */
  constructor({ profiles, log, clock, addresses, currency, onFault }: BindingsOptions) {
    const viewed = new Map(profiles.flatMap(({ views }) => views.map((topic) => [topic.name, topic])))
    this.#views = new Map(
      [...viewed].map(([name, { value, schema }]) => {
        const view = new TopicView({ log, topic: name, value, clock, maxBytes: VIEW_BYTES, onFault })
        return [name, { view, json: (record: unknown) => toJson(schema, record) }]
      }),
    )
    const around = {
      lookup: (topic: string, key: string) => this.#lookup(topic, key),
      addresses,
      currency,
      ready: () => [...this.#views.values()].every(({ view }) => view.ready),
      now: () => clock.now(),
    }
    this.connectors = profiles.flatMap(({ bindings }) =>
      bindings.map((binding) => bindingConnector(binding, around)),
    )
  }

  #lookup(topic: string, key: string): unknown {
    const known = this.#views.get(topic)
    const found = known?.view.get(key)
    return found === undefined ? undefined : known?.json(found.value)
  }

  /** After the connectors have ended. Idempotent. */
  close(): void {
    for (const { view } of this.#views.values()) view.close()
  }
}
