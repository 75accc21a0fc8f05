/** The dead-letter topics of the shop: whose records are in them, and who reads those when they go back. */
import { type Connector, groupOf } from '../../../connectors/index.ts'
import {
  deadLetterTopic,
  type DeadLetter,
  type Log,
  partitionFor,
  sourceOfDeadLetters,
  type Topology,
  type TopicPartition,
} from '../../../streams/index.ts'

export class DeadLetterTopics {
  /** Groups that read a topic, by topic: topologies, by their names. */
  readonly #readers = new Map<string, string[]>()

  /**
   * @param topologies of the whole deployment, wherever they run
   * @param connectors what no topology reads, they do: topics of others, for example
   */
  constructor(topologies: readonly Topology[], connectors: readonly Connector[] = []) {
    for (const { name, subTopologies } of topologies) {
      for (const { topic } of subTopologies.flatMap(({ sources }) => sources)) {
        const readers = this.#readers.get(topic.name) ?? []
        this.#readers.set(topic.name, [...readers, name])
      }
    }
    const known = new Set(this.#readers.keys())
    for (const connector of connectors) {
      for (const { name } of connector.inputs.filter((topic) => !known.has(topic.name))) {
        this.#readers.set(name, [...this.readersOf(name), groupOf(connector)])
      }
    }
  }

  /** Topics that have dead letters, in alphabetical order. */
  get sources(): readonly string[] {
    return [...this.#readers.keys()].toSorted()
  }

  /** The topic that is meant by its own name or by that of its dead letters; nothing where there is none. */
  sourceOf(name: string): string | undefined {
    const source = this.#readers.has(name) ? name : sourceOfDeadLetters(name)
    return source !== undefined && this.#readers.has(source) ? source : undefined
  }

  /** The groups that read the topic. */
  readersOf(topic: string): readonly string[] {
    return this.#readers.get(topic) ?? []
  }

  /**
   * Where a dead letter goes back to: its own partition, so that it stays with the records of its key. Nothing where
   * that is no topic of ours. Without a word of where it was: the topic that the dead letters are named after.
   */
  targetOf({ original, record }: DeadLetter, log: Pick<Log, 'partitions'>): TopicPartition | undefined {
    const topic = original?.topic ?? sourceOfDeadLetters(record.topic)
    if (topic === undefined || !this.#readers.has(topic)) return undefined
    const partitions = log.partitions(topic)
    if (original !== undefined && original.partition < partitions)
      return { topic, partition: original.partition }
    return { topic, partition: record.key === null ? 0 : partitionFor(record.key, partitions) }
  }
}

/** Every partition of a topic's dead letters. */
export function deadLetterPartitions(
  source: string,
  log: Pick<Log, 'partitions'>,
): readonly TopicPartition[] {
  const topic = deadLetterTopic(source)
  return Array.from({ length: log.partitions(topic) }, (_, partition) => ({ topic, partition }))
}
