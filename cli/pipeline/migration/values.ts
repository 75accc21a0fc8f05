/** Values of records with the schema ids of the deployment that they are brought to. */
import { DeserializationError, topics as catalogue, type Topics } from '../../../schemas/index.ts'
import { type AnyTopic, sourceOfDeadLetters, type Topology } from '../../../streams/index.ts'

/** The value as it is to be on the cluster. */
export type Translate = (topic: string, value: Buffer | null) => Buffer | null

/** Ids are those of this program on both sides. */
export const unchanged: Translate = (_topic, value) => value

interface Sides {
  readonly from: AnyTopic['value']
  readonly to: AnyTopic['value']
}

/**
 * From the ids of this program to those of `topics`. What this program cannot read, a dead letter for example, stays as
 * it is. `before` and `after` are the same topologies, with the serdes of this program and with those of `topics`.
 */
export function translator(
  before: readonly Topology[],
  after: readonly Topology[],
  topics: Topics,
): Translate {
  const target = serdesOf(after, topics)
  const sides = new Map<string, Sides>()
  for (const [name, from] of serdesOf(before, catalogue)) {
    const to = target.get(name)
    if (to !== undefined) sides.set(name, { from, to })
  }
  return (topic, value) => {
    // Dead letters have the bytes of the topic that they were in.
    const side = sides.get(topic) ?? sides.get(sourceOfDeadLetters(topic) ?? '')
    return value === null || side === undefined ? value : translated(side, value)
  }
}

function translated({ from, to }: Sides, value: Buffer): Buffer {
  let meaning: unknown
  try {
    meaning = from.deserialize(value)
  } catch (error) {
    if (error instanceof DeserializationError) return value
    throw error
  }
  return to.serialize(meaning)
}

function serdesOf(topologies: readonly Topology[], topics: Topics): Map<string, AnyTopic['value']> {
  const named = topologies.flatMap(({ subTopologies, internalTopics }) => [
    ...internalTopics,
    ...subTopologies.flatMap(({ nodes }) =>
      nodes.flatMap((node): readonly AnyTopic[] =>
        node.kind === 'source' ? [node.topic] : node.kind === 'sink' ? node.topics : [],
      ),
    ),
  ])
  return new Map<string, AnyTopic['value']>(
    [...named, ...Object.values<AnyTopic>(topics)].map(({ name, value }) => [name, value]),
  )
}
