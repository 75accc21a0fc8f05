/**
 * Which partition a record goes to that names none: by its key, as Java's producer does; without one, all such records
 * of a call to the same partition, those of the next call to the next.
 */
import { partitionFor } from './partitioner.ts'

interface Placeable {
  readonly topic: string
  readonly partition?: number | undefined
  readonly key: Buffer | null
}

export class PartitionChoice {
  readonly #partitions: (topic: string) => number
  /** By topic, whose turn it is. */
  readonly #turns = new Map<string, number>()

  /** `partitions` tells how many a topic has. */
  constructor(partitions: (topic: string) => number) {
    this.#partitions = partitions
  }

  /** Chooses for the records of one call. Throws what `partitions` throws. */
  forCall(): (record: Placeable) => number {
    const keyless = new Map<string, number>()
    return ({ topic, partition, key }) => {
      if (partition !== undefined) return partition
      const count = this.#partitions(topic)
      if (key !== null) return partitionFor(key, count)
      const same = keyless.get(topic) ?? this.#nextTurn(topic, count)
      keyless.set(topic, same)
      return same
    }
  }

  #nextTurn(topic: string, count: number): number {
    const turn = (this.#turns.get(topic) ?? 0) % count
    this.#turns.set(topic, turn + 1)
    return turn
  }
}
