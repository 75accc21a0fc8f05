/** A topology with a fault in one of its processors: what it reads, stores and sends is not what it should be. */
import type { Topology } from '../../streams/index.ts'
import type { AnyProcessor } from '../../streams/processor.ts'

type Emits = Record<string, (key: string, value: never, timestamp?: number) => void>
type Gets = Record<string, (row: never) => unknown>

export interface Fault {
  /** Of a processor by this name. */
  readonly in: string
  /** What is sent in place of what it sends, by output. */
  readonly emit?: (emit: Emits) => Emits
  /** What it reads of a row that is there, by store. */
  readonly reads?: Gets
  /** What it takes an input for. */
  readonly hears?: (value: never) => unknown
}

export function withFault(topology: Topology, fault: Fault): Topology {
  const subTopologies = topology.subTopologies.map((sub) => ({
    ...sub,
    nodes: sub.nodes.map((node) => {
      if (node.kind !== 'processor' || node.processor.name !== fault.in) return node
      return { ...node, processor: faulty(node.processor, fault) }
    }),
  }))
  return { ...topology, subTopologies }
}

function faulty(processor: AnyProcessor, fault: Fault): AnyProcessor {
  const onTimer = Object.fromEntries(
    Object.entries(processor.onTimer).map(([name, fire]) => [
      name,
      (key: string, context: object, at: number) =>
        (fire as (...args: unknown[]) => unknown)(key, around(context, fault), at),
    ]),
  )
  const process = (record: { readonly value: never }, context: object) => {
    const value = fault.hears?.(record.value) ?? record.value
    return (processor.process as (...args: unknown[]) => unknown)(
      { ...record, value },
      around(context, fault),
    )
  }
  return { ...processor, process, onTimer } as unknown as AnyProcessor
}

function around(context: object, { emit, reads = {} }: Fault): object {
  return replacing(context, (name, value) => {
    if (name === 'emit') return { ...(value as Emits), ...emit?.(value as Emits) }
    if (name !== 'stores') return value
    return replacing(value as object, (store, handle) => {
      const change = reads[store]
      return change === undefined ? handle : readingOtherwise(handle as object, change)
    })
  })
}

function readingOtherwise(store: object, change: (row: never) => unknown): object {
  return replacing(store, (name, value) => {
    if (name !== 'get') return value
    return (key: unknown) => {
      const row = (value as (key: unknown) => unknown)(key)
      return row === undefined ? undefined : change(row as never)
    }
  })
}

/** The same object, with other properties where `change` says so; methods keep their owner. */
function replacing(owner: object, change: (name: string, value: unknown) => unknown): object {
  return new Proxy(
    {},
    {
      get(_, name) {
        const value: unknown = Reflect.get(owner, name, owner)
        return change(String(name), typeof value === 'function' ? (value.bind(owner) as unknown) : value)
      },
    },
  )
}
