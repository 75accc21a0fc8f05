/** The topics of one log and where each of their partitions stands. */
import { StreamsError, type TopicPartition, type TopicSpec } from '../../streams/index.ts'
import type { TopicNumbers } from './lineage.ts'
import type { PartitionReaderCore } from './reader.ts'
import { PartitionTail } from './tail-cache.ts'

/** Topics are numbered with two bytes. */
const MAX_TOPICS = 65_536
const topicNamePattern = /^[A-Za-z0-9._-]{1,249}$/

export interface PartitionState extends TopicPartition {
  readonly topicNumber: number
  /** First offset that is kept. */
  start: number
  /** Offset after the last record that is durable and published. */
  end: number
  /** Bytes of its rows. */
  bytes: number
  readonly tail: PartitionTail
  readonly readers: Set<PartitionReaderCore>
}

export interface TopicEntry {
  readonly number: number
  spec: TopicSpec
  readonly partitions: readonly PartitionState[]
}

export class Catalog implements TopicNumbers {
  readonly #byName = new Map<string, TopicEntry>()
  readonly #byNumber: (TopicEntry | undefined)[] = []

  /** A new topic, or new retention for one that is there. */
  set(number: number, spec: TopicSpec): void {
    const known = this.#byNumber[number]
    if (known !== undefined) {
      known.spec = spec
      return
    }
    this.#enter({ number, spec, partitions: emptyPartitions(number, spec, 0) })
  }

  /** The topic with other partitions in the place of its own, all of them empty, whose next offset is `base`. */
  replace(number: number, spec: TopicSpec, base: number): TopicEntry {
    return this.#enter({ number, spec, partitions: emptyPartitions(number, spec, base) })
  }

  #enter(entry: TopicEntry): TopicEntry {
    this.#byName.set(entry.spec.name, entry)
    this.#byNumber[entry.number] = entry
    return entry
  }

  /** Throws `UNKNOWN_TOPIC`. */
  topic(name: string): TopicEntry {
    const entry = this.#byName.get(name)
    if (entry === undefined) throw new StreamsError('UNKNOWN_TOPIC', name)
    return entry
  }

  find(name: string): TopicEntry | undefined {
    return this.#byName.get(name)
  }

  /** Throws `UNKNOWN_TOPIC`, also for a partition that the topic does not have. */
  partition({ topic, partition }: TopicPartition): PartitionState {
    const state = this.topic(topic).partitions[partition]
    if (state === undefined) throw new StreamsError('UNKNOWN_TOPIC', `${topic} has no partition ${partition}`)
    return state
  }

  /** As `partition`, by the topic's number; nothing when there is no such topic. */
  numbered(topic: number, partition: number): PartitionState | undefined {
    return this.#byNumber[topic]?.partitions[partition]
  }

  numberOf(name: string): number | undefined {
    return this.#byName.get(name)?.number
  }

  nameOf(topic: number): string | undefined {
    return this.#byNumber[topic]?.spec.name
  }

  get topics(): readonly TopicEntry[] {
    return [...this.#byName.values()]
  }

  get partitions(): readonly PartitionState[] {
    return this.topics.flatMap((entry) => entry.partitions)
  }

  get nextNumber(): number {
    return this.#byNumber.length
  }
}

function emptyPartitions(number: number, { name, partitions }: TopicSpec, base: number): PartitionState[] {
  return Array.from({ length: partitions }, (_, partition) => ({
    topic: name,
    topicNumber: number,
    partition,
    start: base,
    end: base,
    bytes: 0,
    tail: new PartitionTail(),
    readers: new Set<PartitionReaderCore>(),
  }))
}

/**
 * What must be written for `specs` to exist. Throws `TOPIC_MISMATCH` where an existing topic has other partitions,
 * cleanup or timestamps; retention may change.
 */
export function planTopics(
  catalog: Catalog,
  specs: readonly TopicSpec[],
): { readonly number: number; readonly spec: TopicSpec }[] {
  const changes: { number: number; spec: TopicSpec }[] = []
  let next = catalog.nextNumber
  for (const spec of specs) {
    checkSpec(spec)
    const existing = catalog.find(spec.name)
    if (existing === undefined) {
      if (next >= MAX_TOPICS) throw new StreamsError('TOPIC_MISMATCH', `more than ${MAX_TOPICS} topics`)
      changes.push({ number: next++, spec: { ...spec } })
      continue
    }
    for (const field of ['partitions', 'cleanup', 'timestamps'] as const) {
      if (existing.spec[field] !== spec[field]) {
        throw new StreamsError(
          'TOPIC_MISMATCH',
          `${spec.name} has ${field} ${existing.spec[field]}, not ${spec[field]}`,
        )
      }
    }
    if (
      existing.spec.retentionMs !== spec.retentionMs ||
      existing.spec.retentionBytes !== spec.retentionBytes
    ) {
      changes.push({ number: existing.number, spec: { ...spec } })
    }
  }
  return changes
}

function checkSpec({ name, partitions, retentionMs, retentionBytes }: TopicSpec): void {
  const refuse = (why: string) => new StreamsError('TOPIC_MISMATCH', `${name}: ${why}`)
  if (!topicNamePattern.test(name) || name === '.' || name === '..') throw refuse('not a name for a topic')
  if (!(Number.isInteger(partitions) && partitions > 0 && partitions <= 65_535)) {
    throw refuse(`${partitions} partitions; 1 to 65535 are possible`)
  }
  if (!(retentionMs > 0 && retentionBytes > 0)) throw refuse('retention must be above zero')
}

/** As JSON knows no infinity, retention without end is written as null. */
export function topicToJson({ retentionMs, retentionBytes, ...spec }: TopicSpec): unknown {
  return { ...spec, retentionMs: finite(retentionMs), retentionBytes: finite(retentionBytes) }
}

export function topicFromJson(json: unknown): TopicSpec {
  const { retentionMs, retentionBytes, ...spec } = json as TopicSpec & {
    retentionMs: number | null
    retentionBytes: number | null
  }
  return {
    ...spec,
    retentionMs: retentionMs ?? Number.POSITIVE_INFINITY,
    retentionBytes: retentionBytes ?? Number.POSITIVE_INFINITY,
  }
}

function finite(limit: number): number | null {
  return Number.isFinite(limit) ? limit : null
}
