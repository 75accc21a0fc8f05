/** The tasks' databases of a data directory, and the rows of those that run here. */
import { type StateBackend, type StateReader, TaskDatabases } from '../../state/index.ts'
import { type StateDirectory, type TaskId, taskName } from '../../streams/index.ts'

export class TaskStores implements StateDirectory {
  readonly #databases: TaskDatabases
  /** As last opened: whoever asks for a task's rows asks for one that runs. */
  readonly #opened = new Map<string, StateBackend>()

  constructor(directory: string, application: string) {
    this.#databases = new TaskDatabases({ directory, application })
  }

  async open(task: TaskId): Promise<StateBackend> {
    const backend = await this.#databases.open(task)
    this.#opened.set(taskName(task), backend)
    return backend
  }

  stored(topology: string): Promise<readonly TaskId[]> {
    return this.#databases.stored(topology)
  }

  setAside(task: TaskId): Promise<void> {
    return this.#databases.setAside(task)
  }

  rows(task: TaskId): StateReader | undefined {
    return this.#opened.get(taskName(task))
  }
}
