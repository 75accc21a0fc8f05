/** Positions that keep records from being deleted: those of tasks, and those that connectors register under a name. */
import { type Position, taskName, type TopicPartition } from '../../streams/index.ts'
import type { PartitionState } from './catalog.ts'
import type { Groups } from './groups.ts'
import { holdKey } from './keys.ts'

export interface Hold extends Position {
  readonly name: string
}

export class Holds {
  readonly #groups: Groups
  readonly #byKey = new Map<string, Hold>()

  constructor(groups: Groups) {
    this.#groups = groups
  }

  set(hold: Hold): void {
    this.#byKey.set(keyOf(hold.name, hold), hold)
  }

  delete(name: string, partition: TopicPartition): void {
    this.#byKey.delete(keyOf(name, partition))
  }

  of(name: string): readonly Hold[] {
    return [...this.#byKey.values()].filter((hold) => hold.name === name)
  }

  /**
   * The lowest position that anyone still reads the partition from; its end when nobody reads it. A task that never
   * committed reads from the start.
   */
  lowest(state: PartitionState): number {
    let lowest = state.end
    for (const { task, inputs, checkpoint } of this.#groups.tasks) {
      if (task.partition !== state.partition || !inputs.includes(state.topic)) continue
      lowest = Math.min(lowest, positionOf(checkpoint?.positions ?? [], state))
    }
    for (const hold of this.#byKey.values()) {
      if (hold.topic === state.topic && hold.partition === state.partition)
        lowest = Math.min(lowest, hold.offset)
    }
    return lowest
  }

  /** Who holds the partition at its lowest position, for people. */
  holders(state: PartitionState): readonly string[] {
    const at = this.lowest(state)
    const tasks = this.#groups.tasks
      .filter(({ task, inputs }) => task.partition === state.partition && inputs.includes(state.topic))
      .filter(({ checkpoint }) => positionOf(checkpoint?.positions ?? [], state) === at)
    const named = [...this.#byKey.values()].filter(
      ({ topic, partition, offset }) =>
        topic === state.topic && partition === state.partition && offset === at,
    )
    return [...tasks.map(({ task }) => taskName(task)), ...named.map(({ name }) => name)]
  }
}

function positionOf(positions: readonly Position[], { topic, partition }: TopicPartition): number {
  return (
    positions.find((position) => position.topic === topic && position.partition === partition)?.offset ?? 0
  )
}

function keyOf(name: string, { topic, partition }: TopicPartition): string {
  return holdKey(name, topic, partition).toString('latin1')
}
