/** What of a data directory is brought to a cluster, and why it cannot be. */
import type { Config } from '../../../config/index.ts'
import { timerStoreName, verifyStores } from '../../../state/index.ts'
import {
  type Checkpoint,
  type GroupSpec,
  groupSpecOf,
  StreamsError,
  type SubTopology,
  type TaskId,
  taskName,
  type Topology,
  type TopicSpec,
} from '../../../streams/index.ts'
import type { EmbeddedLog } from '../../../transports/embedded/index.ts'
import type { ImportedPosition } from '../../../transports/kafka/index.ts'
import { DirectoryError } from '../../errors.ts'
import { bindingConsumers, shopConsumers } from '../consumers.ts'
import { shopTopicSpecs } from '../topic-specs.ts'
import { shopTopologies } from '../topologies.ts'

export interface MigrationPlan {
  /** Of the application on the cluster, changelogs among them. */
  readonly specs: readonly TopicSpec[]
  /** Topics that have records in the directory; the others are made empty. */
  readonly topics: readonly TopicSpec[]
  readonly groups: readonly PlannedGroup[]
  /** Topics and topologies that the program does not have any more. */
  readonly left: readonly string[]
}

export interface PlannedGroup {
  readonly topology: Topology
  readonly spec: GroupSpec
  readonly tasks: readonly PlannedTask[]
}

export interface PlannedTask extends ImportedPosition {
  readonly task: TaskId
  readonly subTopology: number
  readonly definition: SubTopology
  /** Whether it ever joined: else it has no rows. */
  readonly isStored: boolean
}

const NEVER: Pick<Checkpoint, 'times' | 'sequence'> = {
  times: { streamTime: -1, wallTime: -1, lastRecordAt: -1 },
  sequence: 0,
}

/**
 * Throws `TOPIC_MISMATCH` where the configuration has other topics than the directory, and a `DirectoryError` for what a
 * topology would have to settle first: a reset that was cut short, stores that the program does not know, messages of
 * shops with topics of their own that wait to be mapped. Rejects with a `ProfileError` as well.
 */
export async function planMigration(log: EmbeddedLog, config: Config): Promise<MigrationPlan> {
  const { application } = config
  const bindings = await bindingConsumers(config)
  const all = [...shopTopologies(config).all, ...shopConsumers(config), ...bindings.out]
  const specs = shopTopicSpecs(config, all, { changelogs: true })
  const stored = new Map(log.describeTopics().map((spec) => [spec.name, spec]))
  refuseOtherTopics(specs, stored)
  refuseHalfReset(log)
  for (const binding of bindings.in) await refuseWaiting(log, binding)
  const topics = specs.filter(({ name }) => stored.has(name))
  const known = new Set(specs.map(({ name }) => name))
  const names = new Set(all.map(({ name }) => name))
  const groups: PlannedGroup[] = []
  for (const topology of all) {
    const spec = groupSpecOf(application, topology)
    groups.push({ topology, spec, tasks: await tasksOf(log, topology, specs) })
  }
  return {
    specs,
    topics,
    groups,
    left: [
      ...[...stored.keys()].filter((name) => !known.has(name)),
      ...new Set(log.storedTasks().flatMap(({ topology }) => (names.has(topology) ? [] : [topology]))),
    ],
  }
}

function refuseOtherTopics(specs: readonly TopicSpec[], stored: ReadonlyMap<string, TopicSpec>): void {
  for (const spec of specs) {
    const found = stored.get(spec.name)
    for (const field of ['partitions', 'cleanup', 'timestamps'] as const) {
      if (found === undefined || found[field] === spec[field]) continue
      throw new StreamsError(
        'TOPIC_MISMATCH',
        `${spec.name} has ${field} ${found[field]}, not ${spec[field]}`,
      )
    }
  }
}

function refuseHalfReset(log: EmbeddedLog): void {
  const [task] = log.resettingTasks()
  if (task === undefined) return
  throw new DirectoryError(`a reset of ${taskName(task)} was not finished: run it again first`)
}

/** On the cluster a shop's topics are its own, with other offsets: what waits here would be mapped by nobody. */
async function refuseWaiting(log: EmbeddedLog, { name, subTopologies }: Topology): Promise<void> {
  const stored = new Map(log.describeTopics().map((spec) => [spec.name, spec.partitions]))
  for (const { topic } of subTopologies.flatMap(({ sources }) => sources)) {
    for (let partition = 0; partition < (stored.get(topic.name) ?? 0); partition++) {
      const at = { topic: topic.name, partition }
      const { start, end } = await log.bounds(at)
      const waiting = end - ((await log.processed(name, at)) ?? start)
      if (waiting > 0)
        throw new DirectoryError(
          `${waiting} messages of ${topic.name}-${partition} wait for ${name}: let the shop run until it has taken them`,
        )
    }
  }
}

async function tasksOf(
  log: EmbeddedLog,
  topology: Topology,
  specs: readonly TopicSpec[],
): Promise<readonly PlannedTask[]> {
  const stored = new Set(log.storedTasks().map(taskName))
  const tasks: PlannedTask[] = []
  for (const definition of topology.subTopologies) {
    const inputs = definition.sources.map(({ topic }) => topic.name)
    const count = specs.find(({ name }) => name === inputs[0])?.partitions ?? 0
    for (let partition = 0; partition < count; partition++) {
      const task = { topology: topology.name, subTopology: definition.id, partition }
      const isStored = stored.has(taskName(task))
      if (isStored) await refuseOtherStores(log, task, definition)
      const checkpoint = await positionsIn(log, task, inputs)
      tasks.push({ task, subTopology: definition.id, partition, definition, checkpoint, isStored })
    }
  }
  return tasks
}

/** Rows of a store without a changelog would stay behind in silence. */
async function refuseOtherStores(log: EmbeddedLog, task: TaskId, { stores }: SubTopology): Promise<void> {
  const known = new Set([...stores.map(({ name }) => name), timerStoreName])
  const rows = await verifyStores(await log.taskState(task), (damage) => {
    throw damage
  })
  const unknown = [...rows.keys()].filter((store) => !known.has(store))
  if (unknown.length > 0)
    throw new DirectoryError(
      `${taskName(task)} has rows of ${unknown.join(', ')}, which the program does not know`,
    )
}

/** A position in each input, as the task's next start would have it: one never read begins where it does. */
async function positionsIn(log: EmbeddedLog, task: TaskId, inputs: readonly string[]): Promise<Checkpoint> {
  const committed = await log.committed(task)
  const topics = new Set(log.describeTopics().map(({ name }) => name))
  const positions = inputs.map(async (topic) => {
    const { partition } = task
    const known = committed?.positions.find((position) => position.topic === topic)
    if (known !== undefined) return known
    const offset = topics.has(topic) ? (await log.bounds({ topic, partition })).start : 0
    return { topic, partition, offset }
  })
  return { ...(committed ?? NEVER), positions: await Promise.all(positions) }
}
