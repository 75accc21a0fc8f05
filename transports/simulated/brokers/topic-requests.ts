/** What brokers say about themselves and about topics. */
import { NONE, type Reader, UNKNOWN_TOPIC_OR_PARTITION } from '../../kafka/wire/index.ts'
import type { BrokerModel } from './model.ts'

/** Higher than any request of this client. */
const API_KEYS = 70
const VERSION_MAX = 99
const CLUSTER_ID = 'simulated'

export function apiVersions({ transactionVersion }: BrokerModel) {
  const apis = Array.from({ length: API_KEYS }, (_, key) => [key, { min: 0, max: VERSION_MAX }] as const)
  const features = new Map([['transaction.version', { min: 0, max: transactionVersion }]])
  return {
    throttleMs: 0,
    errorCode: NONE,
    apis: new Map(apis),
    supportedFeatures: features,
    finalizedFeatures: features,
  }
}

export function metadata(model: BrokerModel, from: Reader) {
  const names =
    from.nullableArray(() => {
      from.uuid()
      const name = from.string()
      from.tags()
      return name
    }) ?? model.topics.all.map(({ name }) => name)
  return {
    throttleMs: 0,
    brokers: model.up.map((nodeId) => ({ nodeId, host: `broker-${nodeId}`, port: 9092, rack: null })),
    clusterId: CLUSTER_ID,
    controllerId: model.up[0] ?? -1,
    topics: names.map((name) => {
      const topic = model.topics.named(name)
      return {
        errorCode: topic === undefined ? UNKNOWN_TOPIC_OR_PARTITION : NONE,
        topic: name,
        topicId: topic?.id ?? '',
        internal: false,
        partitions: (topic?.partitions ?? []).map(({ partition, leader, leaderEpoch }) => ({
          errorCode: NONE,
          partition,
          leader: model.isUp(leader) ? leader : -1,
          leaderEpoch,
          replicas: model.nodes,
          isr: model.up,
          offlineReplicas: [],
        })),
      }
    }),
  }
}

export function createTopics(model: BrokerModel, from: Reader) {
  const topics = from.array(() => {
    const name = from.string()
    const partitions = from.int32()
    from.int16()
    from.array(() => {})
    const configs = from.array(() => {
      const config = [from.string(), from.nullableString() ?? ''] as const
      from.tags()
      return config
    })
    from.tags()
    return { name, partitions, configs: new Map(configs) }
  })
  return {
    throttleMs: 0,
    topics: topics.map(({ name, partitions, configs }) => {
      const errorCode = model.topics.create(name, partitions, configs)
      const topicId = model.topics.named(name)?.id ?? ''
      return { name, topicId, errorCode, errorMessage: null, partitions, replicationFactor: 1 }
    }),
  }
}

export function describeConfigs(model: BrokerModel, from: Reader) {
  const resources = from.array(() => {
    from.int8()
    const name = from.string()
    const keys = from.nullableArray(() => from.string())
    from.tags()
    return { name, keys }
  })
  return {
    throttleMs: 0,
    resources: resources.map(({ name, keys }) => {
      const configs = model.topics.named(name)?.configs
      const entries = [...(configs ?? [])].filter(([key]) => keys?.includes(key) ?? true)
      return {
        errorCode: configs === undefined ? UNKNOWN_TOPIC_OR_PARTITION : NONE,
        errorMessage: null,
        name,
        configs: entries.map(([key, value]) => {
          return { name: key, value, readOnly: false, sensitive: false, inherited: false }
        }),
      }
    }),
  }
}

export function alterConfigs(model: BrokerModel, from: Reader) {
  const resources = from.array(() => {
    from.int8()
    const name = from.string()
    const changes = from.array(() => {
      const key = from.string()
      from.int8()
      const value = from.nullableString()
      from.tags()
      return { key, value }
    })
    from.tags()
    return { name, changes }
  })
  return {
    throttleMs: 0,
    resources: resources.map(({ name, changes }) => {
      const configs = model.topics.named(name)?.configs
      for (const { key, value } of changes) configs?.set(key, value ?? '')
      const errorCode = configs === undefined ? UNKNOWN_TOPIC_OR_PARTITION : NONE
      return { errorCode, errorMessage: null, name }
    }),
  }
}
