/**
 * A topology as data: nodes, their parents, and the sub-topologies that connectivity makes of them.
 *
 * Nothing here runs. `builder.ts` makes graphs, `validate.ts` refuses bad ones, `task.ts` runs them.
 */
import type { AnyStoreSpec } from '../state/index.ts'
import type { ErrorPolicy, SourcePolicies } from './policies.ts'
import type { AnyProcessor, StreamRecord } from './processor.ts'
import type { Headers } from './record.ts'
import type { AnyTopic } from './topic.ts'

/** One output of a node. Sources and operators have the single output `out`. */
export interface ParentRef {
  readonly node: string
  readonly output: string
}

export interface SourceNode {
  readonly kind: 'source'
  readonly name: string
  readonly topic: AnyTopic
  /** Event time of a decoded value; absent: the record's timestamp. */
  readonly eventTime: ((value: never, timestamp: number) => number) | undefined
  /** A task reads it to its end before it takes anything of its other inputs. */
  readonly bootstrap: boolean
  readonly policies: SourcePolicies
}

export interface ProcessorNode {
  readonly kind: 'processor'
  readonly name: string
  readonly parents: readonly ParentRef[]
  readonly processor: AnyProcessor
  readonly onError: ErrorPolicy
}

export interface SinkNode {
  readonly kind: 'sink'
  readonly name: string
  readonly parents: readonly ParentRef[]
  /** Every topic that `route` may answer. */
  readonly topics: readonly AnyTopic[]
  readonly route: ((record: StreamRecord<never, never>) => AnyTopic) | undefined
  /** Partition of a record; absent: murmur2 of the key. */
  readonly partition: ((record: StreamRecord<never, never>, partitions: number) => number) | undefined
  /** Go with every record. */
  readonly headers: Headers
}

export type Node = SourceNode | ProcessorNode | SinkNode

/** Nodes that share records or stores, and so a task per partition. */
export interface SubTopology {
  readonly id: number
  readonly nodes: readonly Node[]
  readonly sources: readonly SourceNode[]
  readonly stores: readonly AnyStoreSpec[]
}

export interface Topology {
  readonly name: string
  readonly subTopologies: readonly SubTopology[]
  /** Topics of the topology's own, made for it: repartition topics. */
  readonly internalTopics: readonly AnyTopic[]
}

export function nodesOf(topology: Topology): readonly Node[] {
  return topology.subTopologies.flatMap((sub) => sub.nodes)
}

export function deadLetterTopic(topic: string): string {
  return `${topic}.dlq`
}

export type TopicRole = 'source' | 'sink' | 'internal' | 'dead-letter'

export interface TopicUse {
  readonly name: string
  readonly role: TopicRole
  readonly cleanup: 'delete' | 'compact'
  readonly timestamps: 'CreateTime' | 'LogAppendTime'
  /** See `TopicSpec`. */
  readonly erasable?: boolean | undefined
}

/** Every topic that the topology reads or writes, once, with what it must be. */
export function topicsOf(topology: Topology): readonly TopicUse[] {
  const internal = new Set(topology.internalTopics.map((topic) => topic.name))
  const uses = new Map<string, TopicUse>()
  const use = (topic: AnyTopic, role: TopicRole): void => {
    if (uses.has(topic.name)) return
    const { name, cleanup, timestamps, erasable } = topic
    uses.set(name, { name, role: internal.has(name) ? 'internal' : role, cleanup, timestamps, erasable })
  }
  for (const node of nodesOf(topology)) {
    if (node.kind === 'source') use(node.topic, 'source')
    if (node.kind === 'sink') for (const topic of node.topics) use(topic, 'sink')
  }
  for (const node of nodesOf(topology)) {
    if (node.kind !== 'source') continue
    const name = deadLetterTopic(node.topic.name)
    uses.set(name, { name, role: 'dead-letter', cleanup: 'delete', timestamps: 'CreateTime' })
  }
  return [...uses.values()]
}

/**
 * Topics that the topology writes and reads itself, under names that others may know: not its own, and yet what lies in
 * them comes again when it begins anew.
 */
export function intermediateTopics(topology: Topology): readonly string[] {
  const internal = new Set(topology.internalTopics.map(({ name }) => name))
  const nodes = nodesOf(topology)
  const written = new Set(
    nodes.flatMap((node) => (node.kind === 'sink' ? node.topics.map(({ name }) => name) : [])),
  )
  const read = nodes.flatMap((node) => (node.kind === 'source' ? [node.topic.name] : []))
  return read.filter((name) => written.has(name) && !internal.has(name))
}

/** The sub-topology and spec of a store, or nothing. */
export function findStore(
  topology: Topology,
  store: string,
): { readonly subTopology: SubTopology; readonly spec: AnyStoreSpec } | undefined {
  for (const subTopology of topology.subTopologies) {
    const spec = subTopology.stores.find((candidate) => candidate.name === store)
    if (spec !== undefined) return { subTopology, spec }
  }
  return undefined
}

/** Splits nodes into sub-topologies: what parents or a store connect belongs together. Order of declaration is kept. */
export function splitIntoSubTopologies(nodes: readonly Node[]): SubTopology[] {
  const leader = new Map<string, string>()
  const find = (id: string): string => {
    const parent = leader.get(id) ?? id
    return parent === id ? id : find(parent)
  }
  const join = (a: string, b: string): void => {
    leader.set(find(a), find(b))
  }
  for (const node of nodes) {
    if (node.kind !== 'source') for (const parent of node.parents) join(parent.node, node.name)
    for (const spec of storesOf(node)) join(`store:${spec.name}`, node.name)
  }
  const groups = new Map<string, Node[]>()
  for (const node of nodes) {
    const root = find(node.name)
    const group = groups.get(root)
    if (group === undefined) groups.set(root, [node])
    else group.push(node)
  }
  return [...groups.values()].map((group, id) => toSubTopology(id, group))
}

function toSubTopology(id: number, nodes: readonly Node[]): SubTopology {
  const stores = new Map<string, AnyStoreSpec>()
  for (const node of nodes) for (const spec of storesOf(node)) stores.set(spec.name, spec)
  return Object.freeze({
    id,
    nodes: Object.freeze(nodes),
    sources: Object.freeze(nodes.filter((node) => node.kind === 'source')),
    stores: Object.freeze([...stores.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))),
  })
}

export function storesOf(node: Node): readonly AnyStoreSpec[] {
  return node.kind === 'processor' ? Object.values(node.processor.stores as Record<string, AnyStoreSpec>) : []
}
