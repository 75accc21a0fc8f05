import type { SubTopology, Topology } from './graph.ts'
import type { GroupSpec } from './log.ts'

/** A topology as a log must know it to hand out its tasks. */
export function groupSpecOf(application: string, { name, subTopologies }: Topology): GroupSpec {
  return {
    application,
    topology: name,
    subTopologies: subTopologies.map((sub) => ({
      id: sub.id,
      inputs: sub.sources.map((source) => source.topic.name),
      stores: sub.stores.map((spec) => spec.name),
      hasState: sub.stores.length > 0 || hasTimers(sub),
    })),
  }
}

function hasTimers({ nodes }: SubTopology): boolean {
  return nodes.some((node) => node.kind === 'processor' && Object.keys(node.processor.timers).length > 0)
}
