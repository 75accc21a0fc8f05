/** Checks a graph before it is frozen: all faults at once, each with its mend. */
import { StreamsError } from './errors.ts'
import { deadLetterTopic, type Node, type ProcessorNode, type SinkNode, storesOf } from './graph.ts'

const NAME = /^[A-Za-z0-9._-]{1,200}$/
/** Topic names that brokers keep for themselves. */
const RESERVED_TOPIC = /^__/

/** Throws `TOPOLOGY_INVALID` unless the name may be part of topic, file and metric names. */
export function assertName(name: string, what: string): void {
  if (!NAME.test(name)) {
    throw new StreamsError('TOPOLOGY_INVALID', `${what} name ${JSON.stringify(name)} is not ${NAME.source}`)
  }
}

/** Throws `TOPOLOGY_INVALID` that lists every fault. */
export function validate(topology: string, nodes: readonly Node[]): void {
  const faults = [
    ...namesUnique(nodes),
    ...namesLegal(nodes),
    ...parentsExist(nodes),
    ...storesUnique(nodes),
    ...topicsLegal(nodes),
    ...timersHandled(nodes),
    ...(nodes.some((node) => node.kind === 'source')
      ? []
      : ['it reads no topic: begin with t.stream() or t.table()']),
  ]
  if (faults.length > 0) throw new StreamsError('TOPOLOGY_INVALID', `${topology}: ${faults.join('; ')}`)
}

function namesUnique(nodes: readonly Node[]): string[] {
  const seen = new Set<string>()
  const faults: string[] = []
  for (const node of nodes) {
    if (!seen.has(node.name)) seen.add(node.name)
    else if (node.kind === 'source')
      faults.push(`topic ${node.topic.name} is read twice: use one stream for both`)
    else faults.push(`two nodes are called ${node.name}: give one of them another name`)
  }
  return faults
}

function namesLegal(nodes: readonly Node[]): string[] {
  return nodes
    .filter((node) => !NAME.test(node.name))
    .map((node) => `node name ${node.name} is not ${NAME.source}`)
}

function parentsExist(nodes: readonly Node[]): string[] {
  const names = new Set(nodes.map((node) => node.name))
  const faults: string[] = []
  for (const node of nodes) {
    if (node.kind === 'source') continue
    for (const parent of node.parents) {
      if (!names.has(parent.node))
        faults.push(`${node.name} follows ${parent.node}, which is of another topology`)
    }
  }
  return faults
}

function storesUnique(nodes: readonly Node[]): string[] {
  const specs = new Map<string, unknown>()
  const faults: string[] = []
  for (const node of nodes) {
    for (const spec of storesOf(node)) {
      const known = specs.get(spec.name)
      if (known !== undefined && known !== spec) {
        faults.push(`two stores are called ${spec.name}: share one spec, or rename one`)
      }
      specs.set(spec.name, spec)
    }
  }
  return faults
}

function topicsLegal(nodes: readonly Node[]): string[] {
  const deadLetters = new Set(
    nodes.filter((node) => node.kind === 'source').map((node) => deadLetterTopic(node.topic.name)),
  )
  const faults: string[] = []
  for (const sink of nodes.filter((node): node is SinkNode => node.kind === 'sink')) {
    for (const topic of sink.topics) {
      if (RESERVED_TOPIC.test(topic.name))
        faults.push(`${sink.name} writes to ${topic.name}: such names are reserved`)
      if (deadLetters.has(topic.name))
        faults.push(`${sink.name} writes to ${topic.name}: use context.deadLetter()`)
    }
  }
  return faults
}

function timersHandled(nodes: readonly Node[]): string[] {
  return nodes
    .filter((node): node is ProcessorNode => node.kind === 'processor')
    .flatMap(({ name, processor }) =>
      Object.keys(processor.timers)
        .filter((timer) => typeof processor.onTimer[timer] !== 'function')
        .map((timer) => `${name} declares the timer ${timer} and has no onTimer.${timer}`),
    )
}
