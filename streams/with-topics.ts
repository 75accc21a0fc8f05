/**
 * The same topology over other topic objects of the same names: with serdes that take their schemas from a registry, for
 * example. Names, stores, processors and the split into sub-topologies stay as they are.
 */
import { type Node, type SubTopology, type Topology } from './graph.ts'
import type { AnyTopic } from './topic.ts'

/** `find` answers what takes the place of a topic; nothing where the topology's own is right. */
export function withTopics(topology: Topology, find: (topic: AnyTopic) => AnyTopic | undefined): Topology {
  const replaced = (topic: AnyTopic): AnyTopic => find(topic) ?? topic
  return Object.freeze({
    ...topology,
    subTopologies: Object.freeze(topology.subTopologies.map((sub) => overTopics(sub, replaced))),
    internalTopics: Object.freeze(topology.internalTopics.map(replaced)),
  })
}

function overTopics(subTopology: SubTopology, replaced: (topic: AnyTopic) => AnyTopic): SubTopology {
  const nodes = subTopology.nodes.map((node) => Object.freeze(overNode(node, replaced)))
  return Object.freeze({
    ...subTopology,
    nodes: Object.freeze(nodes),
    sources: Object.freeze(nodes.filter((node) => node.kind === 'source')),
  })
}

function overNode(node: Node, replaced: (topic: AnyTopic) => AnyTopic): Node {
  switch (node.kind) {
    case 'source':
      return { ...node, topic: replaced(node.topic) }
    case 'sink': {
      const { route } = node
      return {
        ...node,
        topics: node.topics.map(replaced),
        route: route === undefined ? undefined : (record) => replaced(route(record)),
      }
    }
    case 'processor':
      return node
  }
}
