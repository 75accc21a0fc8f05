/** The pipelines on an embedded log as the crash tests run them, in a process of their own or in the test's. */
import { topics } from '../../schemas/index.ts'
import {
  type AppendRecord,
  formatUuid7,
  NO_HEADERS,
  type Topic,
  type Topology,
  type TopicSpec,
  type TopicUse,
} from '../../streams/index.ts'
import { catalog, couponIssuance, wallet } from '../../topologies/index.ts'

export const APPLICATION = 'crash'
export const topologies: readonly Topology[] = [couponIssuance, wallet(), catalog]

const byName = new Map<string, Topic<string, unknown>>(
  Object.values(topics).map((topic) => [topic.name, topic as Topic<string, unknown>]),
)

/** Nothing is ever deleted: the oracle reads the whole log. */
export function topicSpec(use: TopicUse): TopicSpec {
  return {
    name: use.name,
    partitions: 6,
    cleanup: use.cleanup,
    timestamps: use.timestamps,
    retentionMs: Number.POSITIVE_INFINITY,
    retentionBytes: Number.POSITIVE_INFINITY,
  }
}

/** A record as the tests send it to the harness. */
export interface PlainRecord {
  readonly topic: string
  readonly key: string
  readonly value: unknown
}

/** Throws a `RangeError` for a topic that is not in the catalogue. */
export function topicNamed(name: string): Topic<string, unknown> {
  const topic = byName.get(name)
  if (topic === undefined) throw new RangeError(`no topic ${name}`)
  return topic
}

/** `ordinal` tells records of one millisecond apart; `named` gives topics with other serdes than the catalogue's. */
export function appendRecord(
  { topic, key, value }: PlainRecord,
  now: number,
  ordinal: number,
  named: (topic: string) => Topic<string, unknown> = topicNamed,
): AppendRecord {
  return {
    topic,
    key: Buffer.from(key),
    value: named(topic).value.serialize(value),
    timestamp: now,
    lineage: { eventId: formatUuid7(now, ordinal, 1, 1) },
    headers: NO_HEADERS,
  }
}
