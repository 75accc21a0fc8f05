/** Makes a cluster, and the data directory of this machine, forget a topology. */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../../config/index.ts'
import { TaskDatabases } from '../../state/index.ts'
import {
  groupSpecOf,
  intermediateTopics,
  isChangelog,
  type TaskId,
  type Topology,
  topicSpecsOf,
} from '../../streams/index.ts'
import type { ClusterReset, ClusterResetRequest } from '../../transports/kafka/index.ts'
import { Closing, closeAfter } from '../closing.ts'
import { lockKafkaDirectory, taskDirectory } from './kafka-shop-log.ts'
import { openToolLog } from './kafka-topics.ts'
import { topicSpecs } from './topic-specs.ts'

const WORKER = /^worker-\d+$/

export interface KafkaResetOptions {
  readonly config: Config
  readonly version: string
  readonly topology: Topology
  /** The cluster stays as it is, and is not asked. */
  readonly isLocal: boolean
}

export interface KafkaReset {
  /** Absent where only this machine was meant. */
  readonly cluster?: ClusterReset
  /** Those in the data directory. */
  readonly databases: readonly { readonly directory: string; readonly task: TaskId }[]
}

/**
 * What `resetOnKafka` would take; changes nothing. Rejects with `STATE_LOCKED` while a process has the data directory,
 * and as `planClusterReset`.
 */
export function planKafkaReset(options: KafkaResetOptions): Promise<KafkaReset> {
  return holdingDirectories(options, async (directories) => {
    const databases = await storedIn(directories, options)
    if (options.isLocal) return { databases }
    return { cluster: await onCluster(options, (log, request) => log.planReset(request)), databases }
  })
}

/**
 * The cluster first, as its group says whether anybody runs; then the databases, which are refused from there on
 * because their changelogs are gone.
 */
export function resetOnKafka(options: KafkaResetOptions): Promise<KafkaReset> {
  return holdingDirectories(options, async (directories) => {
    const databases = await storedIn(directories, options)
    const cluster = options.isLocal
      ? undefined
      : await onCluster(options, (log, request) => log.resetTopology(request))
    for (const { directory, task } of databases) await databasesIn(directory, options).remove(task)
    return cluster === undefined ? { databases } : { cluster, databases }
  })
}

type ToolLog = Awaited<ReturnType<typeof openToolLog>>

async function onCluster(
  { config, version, topology }: KafkaResetOptions,
  work: (log: ToolLog, request: ClusterResetRequest) => Promise<ClusterReset>,
): Promise<ClusterReset> {
  const { application } = config
  const topicSpec = topicSpecs(config)
  const specs = topicSpecsOf({ application, topologies: [topology], topicSpec, changelogs: true })
  const request = {
    spec: groupSpecOf(application, topology),
    changelogs: specs.map(({ name }) => name).filter((name) => isChangelog(application, name)),
    internalTopics: topology.internalTopics.map(({ name }) => name),
    intermediateTopics: intermediateTopics(topology),
  }
  const log = await openToolLog(config, version, 'reset')
  return closeAfter(
    () => work(log, request),
    () => log.close(),
  )
}

/** Those that have tasks: the data directory, or one for each worker. Nobody else has them while `work` runs. */
async function holdingDirectories<T>(
  { config: { dataDir, application } }: KafkaResetOptions,
  work: (directories: readonly string[]) => Promise<T>,
): Promise<T> {
  const names = existsSync(dataDir) ? await readdir(dataDir) : []
  const all = [dataDir, ...names.filter((name) => WORKER.test(name)).map((name) => join(dataDir, name))]
  const directories = all.filter((directory) => existsSync(taskDirectory(directory)))
  const closing = new Closing()
  const locked = async (): Promise<T> => {
    for (const directory of directories) {
      const lock = await lockKafkaDirectory(directory, application)
      closing.add(directory, () => lock.close())
    }
    return work(directories)
  }
  return closeAfter(locked, () => closing.close())
}

async function storedIn(directories: readonly string[], options: KafkaResetOptions) {
  const found = await Promise.all(
    directories.map(async (directory) => {
      const tasks = await databasesIn(directory, options).stored(options.topology.name)
      return tasks.map((task) => ({ directory, task }))
    }),
  )
  return found.flat()
}

function databasesIn(directory: string, { config }: KafkaResetOptions): TaskDatabases {
  return new TaskDatabases({ directory: taskDirectory(directory), application: config.application })
}
