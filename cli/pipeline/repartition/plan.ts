/** What of a data directory other partitions would change, and why they cannot be. */
import {
  deadLetterTopic,
  type Position,
  type SubTopology,
  type TaskId,
  taskName,
  type Topology,
} from '../../../streams/index.ts'
import type { EmbeddedLog } from '../../../transports/embedded/index.ts'
import { CheckError, UsageError } from '../../errors.ts'
import { tells } from './row-keys.ts'

export interface RepartitionPlan {
  /** All that must have as many partitions as those asked for, and these. */
  readonly topics: readonly string[]
  readonly readers: readonly Reader[]
  /** Dead letters of these topics: they would go back to where their keys are no more. */
  readonly deadLetters: readonly string[]
}

/** A sub-topology that reads some of them, and so all of its inputs are among them. */
export interface Reader {
  readonly topology: Topology
  readonly subTopology: SubTopology
  readonly inputs: readonly string[]
}

/** Everything that is co-partitioned with the topics asked for. */
export function planRepartition(topologies: readonly Topology[], asked: readonly string[]): RepartitionPlan {
  const readers = topologies.flatMap((topology) =>
    topology.subTopologies.map((subTopology): Reader => {
      return { topology, subTopology, inputs: subTopology.sources.map(({ topic }) => topic.name) }
    }),
  )
  const topics = new Set(asked)
  for (let size = 0; size < topics.size; ) {
    size = topics.size
    for (const { inputs } of readers)
      if (inputs.some((topic) => topics.has(topic))) for (const topic of inputs) topics.add(topic)
  }
  const affected = readers.filter(({ inputs }) => inputs.some((topic) => topics.has(topic)))
  return {
    topics: [...topics],
    readers: affected,
    deadLetters: [...new Set(affected.flatMap(({ inputs }) => inputs.map(deadLetterTopic)))],
  }
}

/** Throws a `UsageError` for a topic that there is not, and a `CheckError` for what cannot be told by a key. */
export function refuseUntold(log: EmbeddedLog, topologies: readonly Topology[], plan: RepartitionPlan): void {
  const there = new Set(log.describeTopics().map(({ name }) => name))
  const unknown = plan.topics.find((topic) => !there.has(topic))
  if (unknown !== undefined) throw new UsageError(`the directory has no topic ${unknown}`)
  for (const { topology, subTopology } of plan.readers) {
    const untold = subTopology.stores.filter((spec) => !tells(spec)).map(({ name }) => name)
    if (untold.length === 0) continue
    throw new CheckError(
      `${topology.name} cannot be repartitioned: keys of ${untold.join(', ')} do not tell their partition`,
    )
  }
  const names = new Set(topologies.map(({ name }) => name))
  const stranger = log.storedTasks().find(({ topology }) => !names.has(topology))
  if (stranger !== undefined)
    throw new CheckError(
      `the program does not have ${stranger.topology}: reset it first, it may read these topics`,
    )
  const [half] = log.resettingTasks()
  if (half !== undefined)
    throw new CheckError(`a reset of ${taskName(half)} was not finished: run it again first`)
}

/** Throws a `CheckError` where something is not processed: where it lies now, nothing of it would be found later. */
export async function refuseWaiting(log: EmbeddedLog, { readers }: RepartitionPlan): Promise<void> {
  for (const { topology, subTopology, inputs } of readers) {
    for (const topic of inputs) {
      for (let partition = 0; partition < log.partitions(topic); partition++) {
        const task = { topology: topology.name, subTopology: subTopology.id, partition }
        const { start, end } = await log.bounds({ topic, partition })
        const position = positionOf(await log.committed(task).then((found) => found?.positions ?? []), topic)
        if ((position ?? start) < end) throw waiting(task, topic, end - (position ?? start))
      }
    }
  }
}

function positionOf(positions: readonly Position[], topic: string): number | undefined {
  return positions.find((position) => position.topic === topic)?.offset
}

function waiting(task: TaskId, topic: string, records: number): CheckError {
  return new CheckError(
    `${taskName(task)} has not processed ${records} records of ${topic}-${task.partition}: start the shop until it has, and stop it`,
  )
}
