/** Declares topologies. Building starts nothing: it ends in a validated, frozen graph. */
import type { AnyStoreSpec, KeyValueStoreSpec } from '../state/index.ts'
import { type Node, type ParentRef, splitIntoSubTopologies, type SourceNode, type Topology } from './graph.ts'
import { defaultSourcePolicies, type ErrorPolicy, type SourcePolicies } from './policies.ts'
import { type AnyProcessor, processor, shape } from './processor.ts'
import { Stream } from './stream.ts'
import type { AnyTopic, Topic } from './topic.ts'
import { assertName, validate } from './validate.ts'

export interface SourceOptions<V> extends Partial<SourcePolicies> {
  /** Event time of a value, epoch milliseconds. Absent: the record's timestamp. */
  readonly eventTime?: (value: V, timestamp: number) => number
}

/** A topic kept as the latest value per key. */
export interface Table<K, V> {
  readonly store: KeyValueStoreSpec<K, V>
  /** Every change that passed, after it is in the store; null is a delete. */
  readonly changes: Stream<K, V | null>
}

/** What `topology(name, build)` hands to `build`. */
export class TopologyBuilder {
  readonly #topology: string
  readonly #nodes: Node[] = []
  readonly #internalTopics: AnyTopic[] = []
  readonly #counts = new Map<string, number>()

  constructor(name: string) {
    this.#topology = name
  }

  /** Reads a topic. A null value is skipped and counted unless `onNullValue` says otherwise. */
  stream<K, V>(
    topic: Topic<K, V>,
    options: SourceOptions<V> & { readonly onNullValue: 'pass' },
  ): Stream<K, V | null>
  stream<K, V>(topic: Topic<K, V>, options?: SourceOptions<V>): Stream<K, V>
  stream<K, V>(topic: Topic<K, V>, options: SourceOptions<V> = {}): Stream<K, V> {
    return new Stream<K, V>(this, this.#source(topic, options), false)
  }

  /** Reads a topic into a store: a value replaces, a null deletes. */
  table<K, V>(
    topic: Topic<K, V>,
    options: SourceOptions<V> & { readonly store: KeyValueStoreSpec<K, V> },
  ): Table<K, V> {
    const { store, ...source } = options
    const keep = processor({
      name: `${store.name}-table`,
      input: shape<K, V | null>(),
      stores: { table: store as AnyStoreSpec as KeyValueStoreSpec<K, V> },
      outputs: { out: shape<K, V | null>() },
      process(record, { stores, emit }) {
        if (record.value === null) stores.table.delete(record.key)
        else stores.table.put(record.key, record.value)
        emit.out(record.key, record.value)
      },
    })
    const { out } = this.stream(topic, { ...source, onNullValue: 'pass' }).process(keep)
    return { store, changes: out }
  }

  #source<K, V>(topic: Topic<K, V>, options: SourceOptions<V>): ParentRef {
    const { eventTime, ...policies } = options
    const node: SourceNode = {
      kind: 'source',
      name: `${topic.name}-source`,
      topic,
      eventTime: eventTime as SourceNode['eventTime'],
      policies: Object.freeze({ ...defaultSourcePolicies, ...policies }),
    }
    return this.add(node)
  }

  /** Engine-internal: adds a node and answers its single output. */
  add(node: Node): ParentRef {
    this.#nodes.push(Object.freeze(node))
    return { node: node.name, output: 'out' }
  }

  /** Engine-internal: adds a processor behind a parent. */
  addProcessor(
    parents: readonly ParentRef[],
    definition: AnyProcessor,
    onError: ErrorPolicy = 'fail',
  ): string {
    this.add({ kind: 'processor', name: definition.name, parents, processor: definition, onError })
    return definition.name
  }

  /** Engine-internal: a topic of this topology's own. */
  internalTopic<K, V>(name: string, { key, value }: Pick<Topic<K, V>, 'key' | 'value'>): Topic<K, V> {
    assertName(name, 'repartition topic')
    const topic: Topic<K, V> = Object.freeze({
      name: `${this.#topology}-${name}-repartition`,
      key,
      value,
      cleanup: 'delete',
      timestamps: 'CreateTime',
    })
    this.#internalTopics.push(topic)
    return topic
  }

  /** Engine-internal: `filter-1`, `filter-2`, … for operators without a name of their own. */
  nextName(kind: string): string {
    const count = (this.#counts.get(kind) ?? 0) + 1
    this.#counts.set(kind, count)
    return `${kind}-${count}`
  }

  /** Engine-internal: validates and freezes. */
  finish(): Topology {
    validate(this.#topology, this.#nodes)
    return Object.freeze({
      name: this.#topology,
      subTopologies: Object.freeze(splitIntoSubTopologies(this.#nodes)),
      internalTopics: Object.freeze(this.#internalTopics),
    })
  }
}

/** Declares a topology. Throws `TOPOLOGY_INVALID` with every fault found. */
export function topology(name: string, build: (t: TopologyBuilder) => void): Topology {
  assertName(name, 'topology')
  const builder = new TopologyBuilder(name)
  build(builder)
  return builder.finish()
}
