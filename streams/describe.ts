/** A topology in words and pictures: Kafka Streams' text format, mermaid, JSON. */
import { type Node, nodesOf, storesOf, type SubTopology, type Topology } from './graph.ts'

/** The text that Kafka Streams' `Topology.describe()` prints. */
export function describe(topology: Topology): string {
  return `Topologies:\n${topology.subTopologies.map((sub) => describeSub(topology, sub)).join('\n')}`
}

function describeSub(topology: Topology, sub: SubTopology): string {
  const lines = [`   Sub-topology: ${sub.id}`]
  for (const node of sub.nodes) {
    lines.push(`    ${headline(node)}`)
    if (node.kind !== 'sink') lines.push(`      --> ${names(childrenOf(topology, node.name))}`)
    if (node.kind !== 'source') lines.push(`      <-- ${names(node.parents.map((parent) => parent.node))}`)
  }
  return `${lines.join('\n')}\n`
}

function headline(node: Node): string {
  switch (node.kind) {
    case 'source':
      return `Source: ${node.name} (topics: [${node.topic.name}])`
    case 'processor':
      return `Processor: ${node.name} (stores: [${storesOf(node)
        .map((spec) => spec.name)
        .join(', ')}])`
    case 'sink':
      return node.route === undefined
        ? `Sink: ${node.name} (topic: ${node.topics[0]?.name})`
        : `Sink: ${node.name} (extractor class: [${node.topics.map((topic) => topic.name).join(', ')}])`
  }
}

function childrenOf(topology: Topology, name: string): string[] {
  return nodesOf(topology)
    .filter((node) => node.kind !== 'source' && node.parents.some((parent) => parent.node === name))
    .map((node) => node.name)
}

function names(list: readonly string[]): string {
  return list.length === 0 ? 'none' : [...new Set(list)].join(', ')
}

export interface TopologyJson {
  readonly name: string
  readonly subTopologies: readonly {
    readonly id: number
    readonly nodes: readonly {
      readonly kind: Node['kind']
      readonly name: string
      readonly parents: readonly string[]
      readonly topics: readonly string[]
      readonly stores: readonly string[]
    }[]
  }[]
}

export function toJson(topology: Topology): TopologyJson {
  return {
    name: topology.name,
    subTopologies: topology.subTopologies.map((sub) => ({
      id: sub.id,
      nodes: sub.nodes.map((node) => ({
        kind: node.kind,
        name: node.name,
        parents: node.kind === 'source' ? [] : [...new Set(node.parents.map((parent) => parent.node))],
        topics: topicNames(node),
        stores: storesOf(node).map((spec) => spec.name),
      })),
    })),
  }
}

/** A mermaid flowchart: topics as cylinders, processors as boxes, stores as databases. */
export function toMermaid(topologies: readonly Topology[]): string {
  const lines = ['flowchart LR']
  const edges = new Set<string>()
  for (const topology of topologies) {
    lines.push(`  subgraph ${id(topology.name)}["${topology.name}"]`)
    for (const node of nodesOf(topology)) {
      if (node.kind === 'processor') lines.push(`    ${id(topology.name, node.name)}["${node.name}"]`)
      for (const spec of storesOf(node)) {
        lines.push(`    ${id(topology.name, 'store', spec.name)}[("${spec.name}")]`)
        edges.add(`  ${id(topology.name, node.name)} -.- ${id(topology.name, 'store', spec.name)}`)
      }
    }
    lines.push('  end')
    for (const node of nodesOf(topology)) for (const edge of edgesOf(topology, node)) edges.add(edge)
  }
  return `${[...new Set([...lines, ...edges])].join('\n')}\n`
}

function edgesOf(topology: Topology, node: Node): string[] {
  if (node.kind === 'source') return []
  const into =
    node.kind === 'sink'
      ? node.topics.map((topic) => `${id('topic', topic.name)}>"${topic.name}"]`)
      : [id(topology.name, node.name)]
  return node.parents.flatMap((parent) => {
    const source = nodesOf(topology).find((candidate) => candidate.name === parent.node)
    const from =
      source?.kind === 'source'
        ? `${id('topic', source.topic.name)}>"${source.topic.name}"]`
        : id(topology.name, parent.node)
    return into.map((to) => `  ${from} --> ${to}`)
  })
}

function topicNames(node: Node): string[] {
  if (node.kind === 'source') return [node.topic.name]
  return node.kind === 'sink' ? node.topics.map((topic) => topic.name) : []
}

function id(...parts: readonly string[]): string {
  return parts.join('__').replaceAll(/[^A-Za-z0-9_]/g, '_')
}
