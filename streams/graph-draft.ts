/** A graph while it is being declared: streams add nodes to it, `finish` validates and freezes it. */
import { type Node, type ParentRef, type SourceNode, splitIntoSubTopologies, type Topology } from './graph.ts'
import { defaultSourcePolicies, type ErrorPolicy, type SourcePolicies } from './policies.ts'
import type { AnyProcessor } from './processor.ts'
import type { AnyTopic, Topic } from './topic.ts'
import { assertName, validate } from './validate.ts'

export interface SourceOptions<V> extends Partial<SourcePolicies> {
  /** Event time of a value, epoch milliseconds. Absent: the record's timestamp. */
  readonly eventTime?: (value: V, timestamp: number) => number
  /**
   * Each time a task begins, it reads the topic to the end that it has then before it takes anything of its other inputs,
   * however old that is, and before its wall timers fire; from then on by time, as any other. For what must be known
   * before the rest can be judged.
   */
  readonly bootstrap?: boolean
}

export class GraphDraft {
  readonly #topology: string
  readonly #nodes: Node[] = []
  readonly #internalTopics: AnyTopic[] = []
  readonly #counts = new Map<string, number>()

  constructor(topology: string) {
    assertName(topology, 'topology')
    this.#topology = topology
  }

  /** Adds a node and answers its single output. */
  add(node: Node): ParentRef {
    this.#nodes.push(Object.freeze(node))
    return { node: node.name, output: 'out' }
  }

  addSource<K, V>(topic: Topic<K, V>, options: SourceOptions<V> = {}): ParentRef {
    const { eventTime, bootstrap = false, ...policies } = options
    return this.add({
      kind: 'source',
      name: `${topic.name}-source`,
      topic,
      eventTime: eventTime as SourceNode['eventTime'],
      bootstrap,
      policies: Object.freeze({ ...defaultSourcePolicies, ...policies }),
    })
  }

  /** Adds a processor behind its parents; answers its name, under which its outputs are found. */
  addProcessor(parents: readonly ParentRef[], definition: AnyProcessor, onError: ErrorPolicy): string {
    this.add({ kind: 'processor', name: definition.name, parents, processor: definition, onError })
    return definition.name
  }

  /** A topic of this topology's own. */
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

  /** `filter-1`, `filter-2`, … for operators without a name of their own. */
  nextName(kind: string): string {
    const count = (this.#counts.get(kind) ?? 0) + 1
    this.#counts.set(kind, count)
    return `${kind}-${count}`
  }

  /** Throws `TOPOLOGY_INVALID` with every fault found. */
  finish(): Topology {
    validate(this.#topology, this.#nodes)
    return Object.freeze({
      name: this.#topology,
      subTopologies: Object.freeze(splitIntoSubTopologies(this.#nodes)),
      internalTopics: Object.freeze(this.#internalTopics),
    })
  }
}
