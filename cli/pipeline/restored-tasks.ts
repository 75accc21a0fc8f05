/** A topology's tasks on Kafka, restored from their changelogs by a command, beside whoever runs them. */
import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import type { Config } from '../../config/index.ts'
import { StateError, TaskDatabases, TaskState, verifyStores } from '../../state/index.ts'
import {
  type Log,
  restoreState,
  type SubTopology,
  systemClock,
  type TaskId,
  type Topology,
  topicSpecsOf,
} from '../../streams/index.ts'
import { closeAfter } from '../closing.ts'
import { lockKafkaDirectory, taskDirectory } from './kafka-shop-log.ts'
import { openToolLog } from './kafka-topics.ts'
import { topicSpecs } from './topic-specs.ts'

export interface RestoreIntoOptions {
  readonly config: Config
  readonly version: string
  readonly topology: Topology
  /** Must not be there. Becomes a data directory, with a place in the groups of its own. */
  readonly directory: string
  readonly signal: AbortSignal
}

export interface RestoredTask {
  readonly task: TaskId
  readonly changes: number
  /** Of its stores and their indexes. */
  readonly rows: number
}

/**
 * Every task of the topology that has changes, as of the changelogs' ends. All of it is built under another name and gets its own last.
 * Rejects with `STATE_INCOMPATIBLE` where there is something at `directory`, `UNKNOWN_TOPIC` for a changelog that is not
 * there, and as `restoreState`.
 */
export async function restoreInto(options: RestoreIntoOptions): Promise<readonly RestoredTask[]> {
  const { config, version, directory } = options
  if (existsSync(directory)) throw new StateError('STATE_INCOMPATIBLE', `${directory} is there already`)
  const partial = `${directory}.partial`
  await rm(partial, { recursive: true, force: true })
  const log = await openToolLog(config, version, 'rebuild', { mayCreate: () => false })
  const restored = await closeAfter(
    () => restoreAll(options, log, partial),
    () => log.close(),
  )
  await rename(partial, directory)
  return restored
}

async function restoreAll(
  options: RestoreIntoOptions,
  log: Log,
  directory: string,
): Promise<readonly RestoredTask[]> {
  const { config, topology } = options
  const { application } = config
  const topicSpec = topicSpecs(config)
  const specs = topicSpecsOf({ application, topologies: [topology], topicSpec, changelogs: true })
  await log.ensureTopics(specs)
  const lock = await lockKafkaDirectory(directory, application)
  const databases = new TaskDatabases({ directory: taskDirectory(directory), application })
  const restore = async (): Promise<readonly RestoredTask[]> => {
    const restored: RestoredTask[] = []
    for (const sub of topology.subTopologies) {
      const partitions = log.partitions((sub.sources[0] as SubTopology['sources'][number]).topic.name)
      for (let partition = 0; partition < partitions; partition++) {
        const task = { topology: topology.name, subTopology: sub.id, partition }
        const one = await restoreTask(options, { log, databases, task, subTopology: sub })
        // A database without a change says no more than none, and of a task that never committed it says too much.
        if (one.changes === 0) await databases.remove(task)
        else restored.push(one)
      }
    }
    return restored
  }
  return closeAfter(restore, () => lock.close())
}

interface TaskParts {
  readonly log: Log
  readonly databases: TaskDatabases
  readonly task: TaskId
  readonly subTopology: SubTopology
}

async function restoreTask(
  { config: { application }, signal }: RestoreIntoOptions,
  { log, databases, task, subTopology }: TaskParts,
): Promise<RestoredTask> {
  const backend = await databases.open(task)
  const restore = async (): Promise<RestoredTask> => {
    const state = new TaskState({ reader: backend, specs: subTopology.stores, withChanges: false })
    const changes = await restoreState({
      log,
      clock: systemClock,
      application,
      task,
      subTopology,
      state,
      backend,
      // Whether it ever committed is for its next owner to see.
      hasCheckpoint: true,
      signal,
      onProgress: () => {},
    })
    const stores = await verifyStores(backend, (error) => {
      throw error
    })
    return { task, changes, rows: [...stores.values()].reduce((sum, some) => sum + some, 0) }
  }
  return closeAfter(restore, () => backend.close())
}
