/** The tasks that a data directory has stored, in either mode, for commands that look at them while nobody runs there. */
import type { Config } from '../../config/index.ts'
import { type StateReader, TaskDatabases } from '../../state/index.ts'
import type { TaskId } from '../../streams/index.ts'
import { Closing } from '../closing.ts'
import { assertDirectory, openOfflineLog } from './embedded-shop-log.ts'
import { lockKafkaDirectory, taskDirectory } from './kafka-shop-log.ts'

export interface StoredRows {
  readonly reader: StateReader
  close(): Promise<void>
}

export interface StoredState {
  /** By topology and number. */
  readonly tasks: readonly TaskId[]
  /** As the directory's mode changes it. */
  readonly config: Config
  /** To be closed, one before the next is opened. */
  open(task: TaskId): Promise<StoredRows>
  /** Writes its database or databases anew. */
  compact(): Promise<void>
  /** Idempotent. */
  close(): Promise<void>
}

/** Throws a `DirectoryError` where there is no data directory, and what opening it throws. */
export function openStoredState(config: Config): Promise<StoredState> {
  return config.kafka.brokers.length > 0 ? openTasks(config) : openLog(config)
}

async function openLog(given: Config): Promise<StoredState> {
  const { log, config } = await openOfflineLog(given)
  return {
    tasks: sorted(log.storedTasks()),
    config,
    open: async (task) => ({ reader: await log.taskState(task), close: () => Promise.resolve() }),
    compact: () => log.compact(),
    close: () => log.close(),
  }
}

async function openTasks(config: Config): Promise<StoredState> {
  const { dataDir, application } = config
  assertDirectory(config)
  const closing = new Closing()
  const lock = await lockKafkaDirectory(dataDir, application)
  closing.add('lock', () => lock.close())
  const databases = new TaskDatabases({ directory: taskDirectory(dataDir), application })
  const stored = (await databases.topologies()).map((topology) => databases.stored(topology))
  const tasks = sorted((await Promise.all(stored)).flat())
  return {
    tasks,
    config,
    async open(task) {
      const backend = await databases.open(task)
      return { reader: backend, close: () => backend.close() }
    },
    async compact() {
      for (const task of tasks) await databases.compact(task)
    },
    close: () => closing.close(),
  }
}

function sorted(tasks: readonly TaskId[]): readonly TaskId[] {
  return tasks.toSorted(
    (a, b) =>
      a.topology.localeCompare(b.topology) || a.subTopology - b.subTopology || a.partition - b.partition,
  )
}
