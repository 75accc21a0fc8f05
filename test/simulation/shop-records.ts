/** The shop's records as the simulator sends and judges them. */
import type { TopicSpec, TopicUse } from '../../streams/index.ts'
import type { OutsideRecord, SimulatedOutcome } from '../../testing/index.ts'
import type { TrueRecord } from '../../transports/simulated/index.ts'
import { type PlainRecord, topicNamed } from '../support/engine-shop.ts'

/** Nothing is deleted by itself: the simulator deletes what it likes. */
export function everlasting(partitions: number): (use: TopicUse) => TopicSpec {
  return ({ name, cleanup, timestamps }) => {
    const never = { retentionMs: Number.POSITIVE_INFINITY, retentionBytes: Number.POSITIVE_INFINITY }
    return { name, partitions, cleanup, timestamps, ...never }
  }
}

export function outside({ topic, key, value }: PlainRecord): OutsideRecord {
  return { topic, key: Buffer.from(key), value: topicNamed(topic).value.serialize(value) }
}

/** Records without a value are left out. */
export function decoded<V>(
  outcome: SimulatedOutcome,
  topic: string,
): { readonly record: TrueRecord; readonly value: V }[] {
  const { value: serde } = topicNamed(topic)
  return outcome.records(topic).flatMap((record) => {
    return record.value === null ? [] : [{ record, value: serde.deserialize(record.value) as V }]
  })
}
