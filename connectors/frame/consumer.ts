/** A connector's consumers as tools of a log know them: a topology that reads its inputs, and keeps nothing. */
import { processor, shape, type Topology, topology } from '../../streams/index.ts'
import type { Connector } from './connector.ts'
import { groupOf } from './connector-runner.ts'

const nowhere = processor({ name: 'target', input: shape<unknown, unknown>(), process() {} })

export function consumerOf(connector: Pick<Connector, 'name' | 'inputs'>): Topology {
  return topology(groupOf(connector), (t) => {
    const [first, ...others] = connector.inputs.map((topic) => t.stream(topic))
    if (first === undefined) throw new RangeError(`${connector.name} reads nothing`)
    first.merge(...others).process(nowhere)
  })
}
