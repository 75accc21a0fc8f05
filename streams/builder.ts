/** Declares topologies. Building starts nothing: it ends in a validated, frozen graph. */
import type { KeyValueStoreSpec } from '../state/index.ts'
import type { Topology } from './graph.ts'
import { GraphDraft, type SourceOptions } from './graph-draft.ts'
import { processor, shape } from './processor.ts'
import { Stream } from './stream.ts'
import type { Topic } from './topic.ts'

/** A topic kept as the latest value per key. */
export interface Table<K, V> {
  readonly store: KeyValueStoreSpec<K, V>
  /** Every change that passed, after it is in the store; null is a delete. */
  readonly changes: Stream<K, V | null>
}

/** What `topology(name, build)` hands to `build`. */
export class TopologyBuilder {
  readonly #draft: GraphDraft

  constructor(draft: GraphDraft) {
    this.#draft = draft
  }

  /** Reads a topic. A null value is skipped and counted unless `onNullValue` says otherwise. */
  stream<K, V>(
    topic: Topic<K, V>,
    options: SourceOptions<V> & { readonly onNullValue: 'pass' },
  ): Stream<K, V | null>
  stream<K, V>(topic: Topic<K, V>, options?: SourceOptions<V>): Stream<K, V>
  stream<K, V>(topic: Topic<K, V>, options?: SourceOptions<V>): Stream<K, V> {
    return new Stream<K, V>(this.#draft, [this.#draft.addSource(topic, options)], false)
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
      stores: { table: store },
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
}

/** Declares a topology. Throws `TOPOLOGY_INVALID` with every fault found. */
export function topology(name: string, build: (t: TopologyBuilder) => void): Topology {
  const draft = new GraphDraft(name)
  build(new TopologyBuilder(draft))
  return draft.finish()
}
