/**
 * Makes, compares and alters topics.
 *
 * Every step may be repeated, and two processes may do it at once: a topic that another one has made meanwhile is
 * compared like one that was there before.
 *
 * Not its job: what a spec is in Kafka's words (`topic-configs.ts`), who leads what (`cluster.ts`).
 */
import { isStreamsError, StreamsError, type TopicSpec } from '../../streams/index.ts'
import type { Cluster } from './cluster.ts'
import type { BrokerConnections } from './network.ts'
import { isClusterError, refusal } from './errors.ts'
import { describeConfigs, incrementalAlterConfigs } from './protocol/configs.ts'
import { KafkaError, NONE, TOPIC_ALREADY_EXISTS, UNKNOWN_TOPIC_OR_PARTITION } from './protocol/errors.ts'
import { type MetadataAnswer, metadata } from './protocol/metadata.ts'
import { BROKER_DEFAULT, createTopics } from './protocol/topics.ts'
import type { KafkaRequest } from './protocol/request.ts'
import { withRetries } from './retry.ts'
import {
  checkedSpecs,
  alterableDifferences,
  COMPARED,
  type Config,
  type ExistingTopic,
  fixedDifferences,
  MAX_BATCH_BYTES,
  newTopicConfigs,
  type TopicDifference,
} from './topic-configs.ts'

/** How long the controller may take to place partitions. Milliseconds. */
const CREATE_TIMEOUT_MS = 20_000
/** How long all of it is tried while brokers are away or busy. Milliseconds. */
const PATIENCE_MS = 60_000

export interface TopicsOptions {
  /** Copies of each partition; absent: the broker's own. */
  readonly replicationFactor?: number
  /** Copies that must have a record before it counts, for topics that are made; absent: the broker's own. */
  readonly minInSyncReplicas?: number
  /** Which topics may be made where they are missing; absent: all. */
  readonly mayCreate?: (spec: TopicSpec) => boolean
  /** How long brokers that are away or busy are waited for. Milliseconds; a minute. */
  readonly patienceMs?: number
}

export interface TopicPlan {
  readonly name: string
  /** `mismatch`: something differs that cannot be changed. */
  readonly action: 'create' | 'alter' | 'ok' | 'mismatch'
  /** Empty for `create` and `ok`. */
  readonly differences: readonly TopicDifference[]
}

interface PlannedTopic extends TopicPlan {
  readonly spec: TopicSpec
}

export class Topics {
  readonly #connections: BrokerConnections
  readonly #cluster: Cluster
  readonly #replicationFactor: number
  readonly #minInSyncReplicas: number | undefined
  readonly #mayCreate: (spec: TopicSpec) => boolean
  readonly #patienceMs: number
  readonly #closing = new AbortController()
  #maxBatchBytes = Number.POSITIVE_INFINITY
  /** Ensured with `LogAppendTime`. */
  readonly #stamped = new Set<string>()

  /** `connections` and `cluster` stay the caller's to close. */
  constructor(connections: BrokerConnections, cluster: Cluster, options: TopicsOptions = {}) {
    this.#connections = connections
    this.#cluster = cluster
    this.#replicationFactor = options.replicationFactor ?? BROKER_DEFAULT
    this.#minInSyncReplicas = options.minInSyncReplicas
    const { mayCreate } = options
    this.#mayCreate = (spec) => spec.external !== true && mayCreate?.(spec) !== false
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS
  }

  /** What the least of the topics that were looked at takes in one batch (`max.message.bytes`). */
  get maxBatchBytes(): number {
    return this.#maxBatchBytes
  }

  /** Whether the topic's records have the append time as their timestamp, as far as it was ensured. */
  isStamped(topic: string): boolean {
    return this.#stamped.has(topic)
  }

  /**
   * Makes what is missing, alters retention, and waits until all brokers know the new topics. The cluster has learnt all
   * of them then.
   *
   * Throws `TOPIC_MISMATCH` before anything is changed, where an existing topic has other partitions, cleanup or
   * timestamps; `UNKNOWN_TOPIC` for one that is missing and may not be made, or is for others to make; `ACCESS_DENIED`; the broker's answer.
   */
  async ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    const wanted = checkedSpecs(specs)
    await this.#learnForeign(wanted)
    await this.#patiently(async () => {
      const plans = await this.#plan(wanted)
      refuseMismatches(plans)
      const missing = plans.filter(({ action }) => action === 'create').map(({ spec }) => spec)
      this.#refuseMissing(missing)
      if (missing.length > 0) {
        await this.#create(missing)
        // Another process may have been first, with other specs.
        refuseMismatches(await this.#plan(missing))
      }
      await this.#alter(plans.filter(({ action }) => action === 'alter'))
    })
    await this.#cluster.learn(wanted.map(({ name }) => name))
    for (const { name, timestamps } of wanted) {
      if (timestamps === 'LogAppendTime') this.#stamped.add(name)
      else this.#stamped.delete(name)
    }
  }

  /** What `ensureTopics` would do, in the order of the specs; changes nothing. Throws `ACCESS_DENIED`. */
  async planTopics(specs: readonly TopicSpec[]): Promise<TopicPlan[]> {
    const wanted = checkedSpecs(specs)
    const plans = await this.#patiently(() => this.#plan(wanted))
    return plans.map(({ name, action, differences }) => ({ name, action, differences }))
  }

  /**
   * Gives existing topics every setting of their specs, also those that are fixed while records come in; resolves once
   * the cluster says so. Only while nobody uses them. Throws `ACCESS_DENIED`, the broker's answer.
   */
  async settle(specs: readonly TopicSpec[]): Promise<void> {
    const wanted = checkedSpecs(specs)
    await this.#patiently(async () => {
      await this.#set(
        wanted.map((spec) => ({ name: spec.name, configs: newTopicConfigs(spec, this.#minInSyncReplicas) })),
      )
      const late = (await this.#plan(wanted)).find(({ action }) => action !== 'ok')
      // What was set takes a moment to get to every broker.
      if (late !== undefined)
        throw new KafkaError('IncrementalAlterConfigs', UNKNOWN_TOPIC_OR_PARTITION, late.name)
    })
  }

  /** Ends what waits for another try. Idempotent. */
  close(): void {
    this.#closing.abort()
  }

  async #plan(specs: readonly TopicSpec[]): Promise<PlannedTopic[]> {
    const existing = await this.#existing(specs.map(({ name }) => name))
    return specs.map((spec) => {
      const plan = (action: TopicPlan['action'], differences: TopicDifference[]) => ({
        name: spec.name,
        spec,
        action,
        differences,
      })
      const topic = existing.get(spec.name)
      if (topic === undefined) return plan('create', [])
      if (spec.external === true) return plan('ok', [])
      const fixed = fixedDifferences(spec, topic)
      if (fixed.length > 0) return plan('mismatch', fixed)
      const alterable = alterableDifferences(spec, topic)
      return plan(alterable.length > 0 ? 'alter' : 'ok', alterable)
    })
  }

  async #existing(names: readonly string[]): Promise<Map<string, ExistingTopic>> {
    const partitions = new Map<string, number>()
    const { topics } = await this.#connections.sendToAny(metadata(names))
    for (const { topic, errorCode, partitions: found } of topics) {
      if (errorCode === UNKNOWN_TOPIC_OR_PARTITION) continue
      if (errorCode !== NONE) throw refusal('Metadata', errorCode, { kind: 'topic', name: topic })
      partitions.set(topic, found.length)
    }
    const configs = await this.#configs([...partitions.keys()])
    const existing = new Map<string, ExistingTopic>()
    for (const [name, count] of partitions) {
      existing.set(name, { partitions: count, configs: configs.get(name) ?? new Map() })
    }
    return existing
  }

  async #configs(names: readonly string[]): Promise<Map<string, Map<string, string>>> {
    const configs = new Map<string, Map<string, string>>()
    if (names.length === 0) return configs
    const questions = names.map((name) => ({
      type: 'topic' as const,
      name,
      keys: [...COMPARED, MAX_BATCH_BYTES],
    }))
    const { resources } = await this.#connections.sendToAny(describeConfigs(questions))
    for (const { name, errorCode, errorMessage, configs: entries } of resources) {
      const resource = { kind: 'topic', name } as const
      if (errorCode !== NONE) throw refusal('DescribeConfigs', errorCode, resource, errorMessage)
      configs.set(name, new Map(entries.map((entry) => [entry.name, entry.value ?? ''])))
      const bytes = Number(configs.get(name)?.get(MAX_BATCH_BYTES))
      if (bytes > 0) this.#maxBatchBytes = Math.min(this.#maxBatchBytes, bytes)
    }
    return configs
  }

  async #create(specs: readonly TopicSpec[]): Promise<void> {
    const request = createTopics(
      specs.map((spec) => ({
        name: spec.name,
        partitions: spec.partitions,
        replicationFactor: this.#replicationFactor,
        configs: newTopicConfigs(spec, this.#minInSyncReplicas),
      })),
      { timeoutMs: CREATE_TIMEOUT_MS, validateOnly: false },
    )
    const controller = this.#cluster.controller()
    const { topics } =
      controller === undefined
        ? await this.#connections.sendToAny(request)
        : await this.#send(controller, request)
    for (const { name, errorCode, errorMessage } of topics) {
      if (errorCode === NONE || errorCode === TOPIC_ALREADY_EXISTS) continue
      throw refusal('CreateTopics', errorCode, { kind: 'topic', name }, errorMessage)
    }
    await this.#awaitEverywhere(specs)
  }

  /**
   * A leader that does not know its partition, or a coordinator that does not know the topic of a transaction, would
   * refuse the first requests.
   */
  async #awaitEverywhere(specs: readonly TopicSpec[]): Promise<void> {
    const names = specs.map(({ name }) => name)
    await this.#cluster.refresh()
    const nodes = this.#cluster.brokers()
    await Promise.all(
      nodes.map((node) =>
        this.#patiently(async () => {
          if (!this.#cluster.brokers().includes(node)) return
          refuseUnknown(await this.#send(node, metadata(names)), specs)
        }),
      ),
    )
  }

  async #alter(plans: readonly PlannedTopic[]): Promise<void> {
    if (plans.length === 0) return
    await this.#set(
      plans.map(({ name, differences }) => ({
        name,
        configs: differences.map(({ setting, wanted }) => ({ name: setting, value: wanted })),
      })),
    )
  }

  async #set(
    topics: readonly { readonly name: string; readonly configs: readonly Config[] }[],
  ): Promise<void> {
    const changes = topics.map(({ name, configs }) => ({
      type: 'topic' as const,
      name,
      changes: configs.map((config) => ({ ...config, operation: 'set' as const })),
    }))
    const { resources } = await this.#connections.sendToAny(incrementalAlterConfigs(changes, false))
    for (const { name, errorCode, errorMessage } of resources) {
      const resource = { kind: 'topic', name } as const
      if (errorCode !== NONE) throw refusal('IncrementalAlterConfigs', errorCode, resource, errorMessage)
    }
  }

  /** Topics that others make: they may have been made a moment ago. */
  async #learnForeign(specs: readonly TopicSpec[]): Promise<void> {
    const foreign = specs.filter((spec) => !this.#mayCreate(spec))
    if (foreign.length === 0) return
    await this.#cluster.learn(foreign.map(({ name }) => name)).catch((error: unknown) => {
      if (!isStreamsError(error, 'UNKNOWN_TOPIC')) throw error
      const spec = foreign.find(({ name }) => name === error.detail)
      throw mustBeMade(spec ?? { name: error.detail }, error)
    })
  }

  #refuseMissing(missing: readonly TopicSpec[]): void {
    const spec = missing.find((one) => !this.#mayCreate(one))
    if (spec !== undefined) throw mustBeMade(spec)
  }

  /** A broker that cannot be asked may have gone down, which the others know. */
  async #send<R>(node: number, request: KafkaRequest<R>): Promise<R> {
    try {
      return await this.#connections.send(node, request)
    } catch (error) {
      if (isClusterError(error)) await this.#cluster.refresh()
      throw error
    }
  }

  #patiently<T>(attempt: () => Promise<T>): Promise<T> {
    const { clock } = this.#cluster
    return withRetries(attempt, { timeoutMs: this.#patienceMs, signal: this.#closing.signal, clock })
  }
}

function mustBeMade({ name, external }: Pick<TopicSpec, 'name' | 'external'>, cause?: unknown): StreamsError {
  const how =
    external === true ? 'it belongs to others, who have to make it' : "make it with 'millrace topics apply'"
  return new StreamsError('UNKNOWN_TOPIC', `${name}: ${how}`, { cause })
}

function refuseMismatches(plans: readonly TopicPlan[]): void {
  const plan = plans.find(({ action }) => action === 'mismatch')
  if (plan === undefined) return
  const all = plan.differences.map(({ setting, found, wanted }) => `${setting} ${found}, not ${wanted}`)
  const isStaged = plan.differences.every(({ setting }) => setting !== 'partitions')
  const hint = isStaged ? ' (a migration that is not finished leaves topics so: run it again)' : ''
  throw new StreamsError('TOPIC_MISMATCH', `${plan.name} has ${all.join(', ')}${hint}`)
}

/** Throws what is tried again while a broker does not know a topic, all of its partitions, and their leaders. */
function refuseUnknown({ topics }: MetadataAnswer, specs: readonly TopicSpec[]): void {
  for (const { name } of specs) {
    const partitions = topics.find(({ topic }) => topic === name)?.partitions ?? []
    const isKnown = partitions.length > 0 && partitions.every(({ leader }) => leader >= 0)
    if (!isKnown) throw new KafkaError('Metadata', UNKNOWN_TOPIC_OR_PARTITION, `topic ${name}`)
  }
}
