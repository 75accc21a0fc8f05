import { describe, toJson, toMermaid } from '../../streams/index.ts'
import { configure } from '../configure.ts'
import type { Context } from '../context.ts'
import type { TopologyFlags } from '../flags.ts'
import { shopTopologies } from '../pipeline/topologies.ts'

/** Prints the topologies as data; opens nothing. */
export function printTopology(context: Context, flags: TopologyFlags): void {
  const { all: topologies } = shopTopologies(configure(context, flags).config)
  switch (flags.format) {
    case 'json':
      return context.output.data(JSON.stringify(topologies.map(toJson), null, 2))
    case 'mermaid':
      return context.output.data(toMermaid(topologies).trimEnd())
    case 'describe': {
      const texts = topologies.map((topology) => `${topology.name}\n${describe(topology)}`)
      return context.output.data(texts.join('\n').trimEnd())
    }
  }
}
