/** Every topic that a connector reads or writes, once, with what it must be. */
import { deadLetterTopic, type TopicUse } from '../../streams/index.ts'
import type { Connector } from './connector.ts'

export function connectorTopics({ inputs, outputs = [] }: Connector): readonly TopicUse[] {
  const uses = new Map<string, TopicUse>()
  for (const { name, cleanup, timestamps, erasable } of outputs)
    uses.set(name, { name, role: 'sink', cleanup, timestamps, erasable })
  for (const { name, cleanup, timestamps, erasable } of inputs) {
    uses.set(name, { name, role: 'source', cleanup, timestamps, erasable })
    const letters = deadLetterTopic(name)
    uses.set(letters, { name: letters, role: 'dead-letter', cleanup: 'delete', timestamps: 'CreateTime' })
  }
  return [...uses.values()]
}
