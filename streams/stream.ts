/** The typed handle on one output of a node, and the operators that hang further nodes on it. */
import type { KeyValueStoreSpec, Serde } from '../state/index.ts'
import { StreamsError } from './errors.ts'
import type { ParentRef, SinkNode } from './graph.ts'
import type { GraphDraft } from './graph-draft.ts'
import type { ErrorPolicy } from './policies.ts'
import {
  type AnyProcessor,
  type OutputShapes,
  processor,
  type Processor,
  type ProcessorContext,
  shape,
  type ShapeKey,
  type ShapeValue,
  type StreamRecord,
} from './processor.ts'
import { type Headers, NO_HEADERS } from './record.ts'
import type { Topic } from './topic.ts'

export interface Named {
  /** Name of the node; absent: made from the operator and its number. */
  readonly name?: string
}

export interface ProcessOptions {
  /** What happens to a record on which the processor throws; `fail` unless told. */
  readonly onError?: ErrorPolicy
}

export interface SinkOptions<K, V> extends Named {
  /** Partition of a record, 0 to `partitions` - 1. Absent: murmur2 of the key. */
  readonly partition?: (record: StreamRecord<K, V>, partitions: number) => number
  /** Go with every record: who is behind a command, for example. None unless told. */
  readonly headers?: Headers
}

export interface RepartitionOptions<K, V> {
  readonly name: string
  readonly key: Serde<K>
  readonly value: Serde<V>
}

type OutputStreams<O> = { readonly [N in keyof O]: Stream<ShapeKey<O[N]>, ShapeValue<O[N]>> }
type Out<K, V> = ProcessorContext<unknown, { readonly out: ReturnType<typeof shape<K, V>> }, unknown>

export class Stream<K, V> {
  readonly #draft: GraphDraft
  readonly #parents: readonly ParentRef[]
  /** The key may have changed since the last topic: stores behind it would be those of another partition. */
  readonly #rekeyed: boolean

  /** Engine-internal: streams come from a `TopologyBuilder` and from each other. */
  constructor(draft: GraphDraft, parents: readonly ParentRef[], rekeyed: boolean) {
    this.#draft = draft
    this.#parents = parents
    this.#rekeyed = rekeyed
  }

  filter<W extends V>(test: (value: V, key: K) => value is W, options?: Named): Stream<K, W>
  filter(test: (value: V, key: K) => boolean, options?: Named): Stream<K, V>
  filter(test: (value: V, key: K) => boolean, options?: Named): Stream<K, V> {
    return this.#operator<K, V>('filter', options, false, (record, { emit }) => {
      if (test(record.value, record.key)) emit.out(record.key, record.value)
    })
  }

  mapValues<W>(change: (value: V, key: K) => W, options?: Named): Stream<K, W> {
    return this.#operator<K, W>('map-values', options, false, (record, { emit }) => {
      emit.out(record.key, change(record.value, record.key))
    })
  }

  /** Changes key and value; stores behind it need `repartition` first. */
  map<L, W>(change: (key: K, value: V) => readonly [L, W], options?: Named): Stream<L, W> {
    return this.#operator<L, W>('map', options, true, (record, { emit }) => {
      const [key, value] = change(record.key, record.value)
      emit.out(key, value)
    })
  }

  flatMap<L, W>(change: (key: K, value: V) => Iterable<readonly [L, W]>, options?: Named): Stream<L, W> {
    return this.#operator<L, W>('flat-map', options, true, (record, { emit }) => {
      for (const [key, value] of change(record.key, record.value)) emit.out(key, value)
    })
  }

  selectKey<L>(select: (value: V, key: K) => L, options?: Named): Stream<L, V> {
    return this.#operator<L, V>('select-key', options, true, (record, { emit }) => {
      emit.out(select(record.value, record.key), record.value)
    })
  }

  /** Looks at every record; must not change it. */
  peek(look: (value: V, key: K) => void, options?: Named): Stream<K, V> {
    return this.#operator<K, V>('peek', options, false, (record, { emit }) => {
      look(record.value, record.key)
      emit.out(record.key, record.value)
    })
  }

  /** Sends each record to the first branch whose test holds; what fits none goes to `rest`. */
  split<const N extends string>(
    tests: Readonly<Record<N, (value: V, key: K) => boolean>>,
    options?: Named,
  ): { readonly [B in N | 'rest']: Stream<K, V> } {
    const names = Object.keys(tests) as N[]
    const outputs = Object.fromEntries([...names, 'rest'].map((name) => [name, shape<K, V>()]))
    const definition = processor({
      name: options?.name ?? this.#draft.nextName('split'),
      input: shape<K, V>(),
      outputs: outputs as Record<N | 'rest', ReturnType<typeof shape<K, V>>>,
      process(record, { emit }) {
        const branch = names.find((name) => tests[name](record.value, record.key)) ?? 'rest'
        ;(emit[branch] as (key: K, value: V) => void)(record.key, record.value)
      },
    })
    return this.#attach(definition as AnyProcessor, 'fail', this.#rekeyed) as {
      readonly [B in N | 'rest']: Stream<K, V>
    }
  }

  merge(...others: readonly Stream<K, V>[]): Stream<K, V> {
    const parents = [...this.#parents, ...others.flatMap((other) => other.#parents)]
    const rekeyed = this.#rekeyed || others.some((other) => other.#rekeyed)
    return new Stream<K, V>(this.#draft, parents, rekeyed)
  }

  /** Runs a processor; answers a stream per declared output. */
  process<S, O extends OutputShapes, T>(
    definition: Processor<K, V, S, O, T>,
    options: ProcessOptions = {},
  ): OutputStreams<O> {
    return this.#attach(definition as AnyProcessor, options.onError ?? 'fail', true) as OutputStreams<O>
  }

  /** One value per key, made from the key's records in order. The key must not have changed since the last topic. */
  aggregate<A>(options: {
    readonly store: KeyValueStoreSpec<K, A>
    readonly initial: (key: K) => A
    readonly add: (aggregate: A, value: V, key: K) => A
  }): Stream<K, A> {
    const definition = processor({
      name: `${options.store.name}-aggregate`,
      input: shape<K, V>(),
      stores: { aggregates: options.store },
      outputs: { out: shape<K, A>() },
      process(record, { stores, emit }) {
        const before = stores.aggregates.get(record.key) ?? options.initial(record.key)
        const after = options.add(before, record.value, record.key)
        stores.aggregates.put(record.key, after)
        emit.out(record.key, after)
      },
    })
    const { out } = this.#attach(definition as AnyProcessor, 'fail', this.#rekeyed) as { out: Stream<K, A> }
    return out
  }

  /** Counts the records of each key. */
  count(store: KeyValueStoreSpec<K, number>): Stream<K, number> {
    return this.aggregate({ store, initial: () => 0, add: (count) => count + 1 })
  }

  /** Through a topic of the topology's own, so that records with equal keys meet in one task again. */
  repartition(options: RepartitionOptions<K, V>): Stream<K, V> {
    const topic = this.#draft.internalTopic(options.name, options)
    this.to(topic)
    return new Stream<K, V>(this.#draft, [this.#draft.addSource(topic)], false)
  }

  /** Writes to a topic, or per record to one of `topics`. */
  to(topic: Topic<K, V>, options?: SinkOptions<K, V>): void
  to(
    route: (record: StreamRecord<K, V>) => Topic<K, V>,
    options: SinkOptions<K, V> & { readonly topics: readonly Topic<K, V>[]; readonly name: string },
  ): void
  to(
    target: Topic<K, V> | ((record: StreamRecord<K, V>) => Topic<K, V>),
    options: SinkOptions<K, V> & { readonly topics?: readonly Topic<K, V>[] } = {},
  ): void {
    const routed = typeof target === 'function'
    const topics = routed ? (options.topics ?? []) : [target]
    const first = topics[0]
    if (first === undefined) throw new StreamsError('TOPOLOGY_INVALID', 'a routed sink needs options.topics')
    this.#draft.add({
      kind: 'sink',
      name: options.name ?? `${first.name}-sink`,
      parents: this.#parents,
      topics,
      route: (routed ? target : undefined) as SinkNode['route'],
      partition: options.partition as SinkNode['partition'],
      headers: options.headers ?? NO_HEADERS,
    })
  }

  #operator<L, W>(
    kind: string,
    options: Named | undefined,
    rekeys: boolean,
    process: (record: StreamRecord<K, V>, context: Out<L, W>) => void,
  ): Stream<L, W> {
    const definition = processor({
      name: options?.name ?? this.#draft.nextName(kind),
      input: shape<K, V>(),
      outputs: { out: shape<L, W>() },
      process,
    })
    const { out } = this.#attach(definition as AnyProcessor, 'fail', this.#rekeyed || rekeys) as {
      out: Stream<L, W>
    }
    return out
  }

  #attach(
    definition: AnyProcessor,
    onError: ErrorPolicy,
    rekeyed: boolean,
  ): Record<string, Stream<unknown, unknown>> {
    if (this.#rekeyed && Object.keys(definition.stores).length > 0) {
      throw new StreamsError(
        'TOPOLOGY_INVALID',
        `${definition.name} has stores behind a changed key: put .repartition({ name, key, value }) before it`,
      )
    }
    const node = this.#draft.addProcessor(this.#parents, definition, onError)
    const streams = Object.keys(definition.outputs).map((output) => [
      output,
      new Stream<unknown, unknown>(this.#draft, [{ node, output }], rekeyed),
    ])
    return Object.fromEntries(streams)
  }
}
