/** Small topics with plain serdes, for tests of the engine itself. */
import { serdes } from '../../state/index.ts'
import type { Topic } from '../../streams/index.ts'

export function stringTopic(name: string, extra: Partial<Topic<string, string>> = {}): Topic<string, string> {
  return {
    name,
    key: serdes.string,
    value: serdes.string,
    cleanup: 'delete',
    timestamps: 'CreateTime',
    ...extra,
  }
}
