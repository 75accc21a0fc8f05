/** What a topic that carries Avro is. */
import { avroSerde } from './codec.ts'
import type { RecordSchema } from './record-schema.ts'
import type { SchemaSource } from './registry.ts'
import { stringSerde, type Serde } from './serde.ts'

/** One topic. */
export interface Topic<V> {
  readonly name: string
  readonly key: Serde<string>
  readonly value: Serde<V>
  readonly schema: RecordSchema<V>
  /** Simple name of the value's record. */
  readonly record: string
  readonly cleanup: 'delete' | 'compact'
  /** LogAppendTime: the log stamps the record; used for commands, whose order and time the log decides. */
  readonly timestamps: 'LogAppendTime' | 'CreateTime'
  /** Compacted, and what was deleted must be gone soon. */
  readonly erasable: boolean
  /** The key that a value has to stand under. */
  keyOf(value: V): string
  /** The value's own event time, epoch milliseconds; absent: the record's timestamp. */
  eventTime?(value: V): number
}

export interface Traits<V> {
  readonly keyOf: (value: V) => string
  readonly cleanup?: 'compact'
  readonly timestamps?: 'LogAppendTime'
  readonly erasable?: true
  readonly eventTime?: (value: V) => number
}

/** Makes a topic of its name, the schema of its values, and what is particular about it. */
export type TopicMaker = <V>(name: string, schema: RecordSchema<V>, traits: Traits<V>) => Topic<V>

/** Makes topics whose serdes take their schemas and ids from `source`. */
export function topicMaker(source: SchemaSource): TopicMaker {
  return (name, schema, traits) =>
    Object.freeze({
      name,
      key: stringSerde,
      value: avroSerde(schema, source),
      schema,
      record: schema.definition.name,
      cleanup: 'delete',
      timestamps: 'CreateTime',
      erasable: false,
      ...traits,
    })
}
