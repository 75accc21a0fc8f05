/** The topics of the shop on a cluster: what they are to be, and what they are. */
import { randomBytes } from 'node:crypto'
import type { Config } from '../../config/index.ts'
import { topics } from '../../schemas/index.ts'
import {
  type KafkaLog,
  openKafkaLog,
  type TopicPlan,
  type TopicsOptions,
} from '../../transports/kafka/index.ts'
import { bindingTopicSpecs, loadProfiles } from './bindings.ts'
import { connectionOptions } from './kafka-connection.ts'
import { checkOverrides, shopTopicSpecs } from './topic-specs.ts'
import { shopTopologies } from './topologies.ts'

export interface TopicCluster {
  /** What `apply` would do; changes nothing. */
  plan(): Promise<readonly TopicPlan[]>
  /** Makes what is missing and sets retention. Throws `TOPIC_MISMATCH` before anything is changed. */
  apply(): Promise<void>
  /** Idempotent. */
  close(): Promise<void>
}

/**
 * Of all topologies, also where this process runs some only: each needs the topics of the others; and of profiles, but for
 * what is the shops' own. Throws a `ConfigError`, a `ProfileError` and what `openKafkaLog` throws.
 */
export async function openTopicCluster(config: Config, version: string): Promise<TopicCluster> {
  const { all: topologies } = shopTopologies(config)
  checkOverrides(config, topologies)
  const ofBindings = bindingTopicSpecs(config, await loadProfiles(config, topics))
  const specs = [
    ...shopTopicSpecs(config, topologies, { changelogs: true }),
    ...ofBindings.filter(({ external }) => external !== true),
  ]
  const log = await openToolLog(config, version, 'topics')
  return {
    plan: () => log.planTopics(specs),
    apply: () => log.ensureTopics(specs),
    close: () => log.close(),
  }
}

/** A log for a command that joins no group. Throws a `ConfigError` and what `openKafkaLog` throws. */
export function openToolLog(
  config: Config,
  version: string,
  purpose: string,
  topics: TopicsOptions = {},
): Promise<KafkaLog> {
  const { application, kafka } = config
  const { replicationFactor, minInSyncReplicas } = kafka
  return openKafkaLog({
    application,
    connection: connectionOptions(config, `${application}-${purpose}`),
    // Joins no group: any place will do.
    slot: randomBytes(4).toString('hex'),
    version,
    topics: { replicationFactor, minInSyncReplicas, ...topics },
  })
}
