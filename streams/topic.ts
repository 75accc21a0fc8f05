import type { Serde } from '../state/index.ts'

/** A topic as topologies name it: data only, nothing is created or opened by it. */
export interface Topic<K, V> {
  readonly name: string
  readonly key: Serde<K>
  readonly value: Serde<V>
  readonly cleanup: 'delete' | 'compact'
  /** `LogAppendTime`: a record's timestamp is when the log took it. */
  readonly timestamps: 'CreateTime' | 'LogAppendTime'
  /** See `TopicSpec`. */
  readonly erasable?: boolean | undefined
}

// oxlint-disable-next-line typescript/no-explicit-any -- topics of differing types in one list
export type AnyTopic = Topic<any, any>
