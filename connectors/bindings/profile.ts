/** A profile as it is written: which topics a shop already has, and how its messages and ours are told in each other's words. */
import type { AvroRecord } from '../../schemas/index.ts'
import type { Headers } from '../../streams/index.ts'

/** What an expression may look at, and nothing else. */
export interface Message<V = unknown> {
  /** The shop's JSON, or ours as plain JSON. */
  readonly value: V
  /** null where the record has none. */
  readonly key: string | null
  readonly headers: Headers
  /** As it is called in the log. */
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Epoch milliseconds. */
  readonly timestamp: number
}

/** One of what `each` gives; undefined without `each`. */
export interface Item<I = unknown> {
  readonly value: I
  readonly index: number
}

/** JSONata, one line or several; in a module also a typed function. */
export type Expression<T = unknown, V = never> =
  | string
  | readonly string[]
  | ((message: Message<V>, item: Item | undefined) => T)

export interface ExternalTopic {
  /** What a log that does not have the topic makes it with; default: as all topics. */
  readonly partitions?: number
  /** How keys are written: UTF-8 (the default), or an integer of 8 or 4 bytes as Java's serializers write it. */
  readonly keys?: 'text' | 'long' | 'int'
  /** Default `json`. */
  readonly format?: 'json' | 'avro'
  /** Of Avro in Confluent framing: the one schema that values are written with, and its id. */
  readonly schema?: AvroRecord
  readonly schemaId?: number
}

export interface Write<V = never> {
  /** The topic that is written. */
  readonly to: string
  /** Only where it gives true. */
  readonly when?: Expression<boolean, V>
  /** A list: one record for each, `$item` and `$index` (from 0) in the other expressions. */
  readonly each?: Expression<readonly unknown[], V>
  /** Of an external topic; nothing: no key. Ours stand under the key that their value has to. */
  readonly key?: Expression<string | null, V>
  /** Event time, epoch milliseconds. Default: that of the message. */
  readonly timestamp?: Expression<number, V>
  /** The value, field by field or, in a module, by one function. */
  readonly fields:
    | Readonly<Record<string, Expression<unknown, V>>>
    | ((message: Message<V>, item: Item | undefined) => unknown)
}

export interface Binding<V = never> {
  /** Unique in its profile; part of a consumer group. */
  readonly name: string
  /** `in`: from an external topic to ours; `out`: from ours to an external one. */
  readonly direction: 'in' | 'out'
  readonly from: string
  /** Other messages are passed over. */
  readonly when?: Expression<boolean, V>
  /** All of it, or nothing and a dead letter. */
  readonly writes: readonly Write<V>[]
}

export interface Profile {
  /** Lower-case letters, digits, hyphens. */
  readonly shop: string
  readonly description?: string
  /** Before the name of each external topic in the log, for names that are taken by ours. */
  readonly prefix?: string
  /** Topics of ours that `$view` looks into: the newest value of each key. */
  readonly views?: readonly string[]
  /** By the name that the shop gives them. */
  readonly topics: Readonly<Record<string, ExternalTopic>>
  // oxlint-disable-next-line typescript/no-explicit-any -- messages of differing types in one list
  readonly bindings: readonly Binding<any>[]
}

/** For a module: checks a profile's types and gives it back. */
export function defineProfile(profile: Profile): Profile {
  return profile
}

/** For a module: a binding whose functions know what its messages are. */
export function defineBinding<V>(binding: Binding<V>): Binding<V> {
  return binding
}
