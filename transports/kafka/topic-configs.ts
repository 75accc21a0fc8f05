/** What a `TopicSpec` is in Kafka's words, and where an existing topic differs from it. Pure. */
import { StreamsError, TOMBSTONE_RETENTION_MS, type TopicSpec } from '../../streams/index.ts'

const DAY_MS = 24 * 3_600_000
const MIB = 1024 * 1024

const NAME = /^[A-Za-z0-9._-]{1,249}$/

export interface Config {
  readonly name: string
  readonly value: string
}

/**
 * What keeps a compacted topic short for those who read it from its beginning, and whole for those who come back late.
 */
const COMPACTED: readonly Config[] = [
  // Only closed segments are compacted: small ones close soon, and at the latest after a day.
  { name: 'segment.bytes', value: String(50 * MIB) },
  { name: 'segment.ms', value: String(DAY_MS) },
  // At half, Kafka's own, a topic is up to twice as long as what is in it.
  { name: 'min.cleanable.dirty.ratio', value: '0.2' },
  // Deletions stay for a week, so that who read up to some place before still learns of them.
  { name: 'delete.retention.ms', value: String(TOMBSTONE_RETENTION_MS) },
]

/**
 * Of what is deleted for good: a segment is closed after a day, and cleaned whatever little there is to clean in it. Of
 * other topics the broker waits until a fifth of it is worth it, which of a large one may be never.
 */
const ERASABLE: Config = { name: 'max.compaction.lag.ms', value: String(DAY_MS) }

/**
 * Records from the future are the source's policy to refuse. Kafka 4 would refuse them itself, and with them the whole
 * transaction of a commit.
 */
const FUTURE_MAX: Config = { name: 'message.timestamp.after.max.ms', value: String(2n ** 63n - 1n) }

/** `minInSyncReplicas`: copies that must have a record before it counts; undefined for the broker's own. */
export function newTopicConfigs(spec: TopicSpec, minInSyncReplicas?: number): Config[] {
  return [
    ...fixedConfigs(spec),
    ...retentionConfigs(spec),
    ...(spec.timestamps === 'CreateTime' ? [FUTURE_MAX] : []),
    ...(spec.cleanup === 'compact' ? COMPACTED : []),
    ...erasureConfigs(spec),
    ...(minInSyncReplicas === undefined
      ? []
      : [{ name: 'min.insync.replicas', value: String(minInSyncReplicas) }]),
  ]
}

/** Configs that are compared. */
export const COMPARED: readonly string[] = [
  'cleanup.policy',
  'message.timestamp.type',
  'retention.ms',
  'retention.bytes',
  ERASABLE.name,
]

/** What the largest batch may have. Whatever it is, it is kept to. */
export const MAX_BATCH_BYTES = 'max.message.bytes'

/** One setting of a topic that is not as wanted, in Kafka's words; `partitions` for their number. */
export interface TopicDifference {
  readonly setting: string
  readonly wanted: string
  readonly found: string
}

export interface ExistingTopic {
  readonly partitions: number
  /** Those of `COMPARED`, by name. */
  readonly configs: ReadonlyMap<string, string>
}

/** What cannot be changed while records are in the topic. */
export function fixedDifferences(spec: TopicSpec, { partitions, configs }: ExistingTopic): TopicDifference[] {
  const wanted = [{ name: 'partitions', value: String(spec.partitions) }, ...fixedConfigs(spec)]
  return differences(wanted, new Map([...configs, ['partitions', String(partitions)]]))
}

/** What is altered. */
export function alterableDifferences(spec: TopicSpec, { configs }: ExistingTopic): TopicDifference[] {
  return differences([...retentionConfigs(spec), ...erasureConfigs(spec)], configs)
}

function differences(wanted: readonly Config[], found: ReadonlyMap<string, string>): TopicDifference[] {
  return wanted.flatMap(({ name, value }) => {
    const is = found.get(name) ?? 'nothing'
    return is === value ? [] : [{ setting: name, wanted: value, found: is }]
  })
}

function fixedConfigs({ cleanup, timestamps }: TopicSpec): Config[] {
  return [
    { name: 'cleanup.policy', value: cleanup },
    { name: 'message.timestamp.type', value: timestamps },
  ]
}

/** Retention means nothing to a compacted topic. */
function retentionConfigs({ cleanup, retentionMs, retentionBytes }: TopicSpec): Config[] {
  if (cleanup === 'compact') return []
  return [
    { name: 'retention.ms', value: limit(retentionMs) },
    { name: 'retention.bytes', value: limit(retentionBytes) },
  ]
}

function erasureConfigs({ cleanup, erasable = false }: TopicSpec): Config[] {
  return erasable && cleanup === 'compact' ? [ERASABLE] : []
}

function limit(value: number): string {
  return Number.isFinite(value) ? String(Math.ceil(value)) : '-1'
}

/** One spec for each name. Throws `TOPIC_MISMATCH` for what no topic can be, and for specs that contradict each other. */
export function checkedSpecs(specs: readonly TopicSpec[]): TopicSpec[] {
  const byName = new Map<string, TopicSpec>()
  for (const spec of specs) {
    checkSpec(spec)
    const other = byName.get(spec.name)
    if (other !== undefined && !isSame(other, spec)) {
      throw new StreamsError('TOPIC_MISMATCH', `${spec.name} is wanted in two ways`)
    }
    byName.set(spec.name, spec)
  }
  return [...byName.values()]
}

function checkSpec({ name, partitions, retentionMs, retentionBytes }: TopicSpec): void {
  const refuse = (why: string) => new StreamsError('TOPIC_MISMATCH', `${name}: ${why}`)
  if (!NAME.test(name) || name === '.' || name === '..') throw refuse('not a name for a topic')
  if (!Number.isInteger(partitions) || partitions < 1) throw refuse(`${partitions} partitions`)
  if (!(retentionMs > 0 && retentionBytes > 0)) throw refuse('retention must be above zero')
}

function isSame(one: TopicSpec, other: TopicSpec): boolean {
  const configs = (spec: TopicSpec) => JSON.stringify([spec.partitions, newTopicConfigs(spec)])
  return configs(one) === configs(other)
}
