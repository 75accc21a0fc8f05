/** Where records of a topic belong: by the rule of those that write it, which for most is the key. Pure. */
import { type LogRecord, partitionFor, type StreamRecord, type Topology } from '../../../streams/index.ts'
import { CheckError } from '../../errors.ts'

/** The partition of a record among so many. Throws a `CheckError` for one that no rule places. */
export type Place = (record: LogRecord, partitions: number) => number

export function placementOf(topologies: readonly Topology[], topic: string): Place {
  for (const node of topologies.flatMap(({ subTopologies }) => subTopologies.flatMap(({ nodes }) => nodes))) {
    if (node.kind !== 'sink') continue
    const { partition: choose, topics } = node
    const written = topics.find(({ name }) => name === topic)
    if (choose === undefined || written === undefined) continue
    return (record, partitions) => {
      const { key, value, timestamp } = record
      if (key === null || value === null) throw unplaced(record)
      const decoded = { key: written.key.deserialize(key), value: written.value.deserialize(value) }
      // The rule's types are those of the topic, which the list of nodes does not show.
      const shown = { ...decoded, timestamp, origin: record } as StreamRecord<never, never>
      return choose(shown, partitions)
    }
  }
  return (record, partitions) => {
    if (record.key === null) throw unplaced(record)
    return partitionFor(record.key, partitions)
  }
}

function unplaced({ topic, partition, offset }: LogRecord): CheckError {
  return new CheckError(`${topic}-${partition} has a record at ${offset} that nothing places`)
}
