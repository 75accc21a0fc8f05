/** The tasks' own databases in memory: for logs that keep no state. What is opened again is what was closed. */
import { memoryBackend, type StateBackend, type WriteOp } from '../state/index.ts'
import { parseTaskName, type StateDirectory, type TaskId, taskName } from '../streams/index.ts'

export class MemoryStateDirectory implements StateDirectory {
  readonly #backends = new Map<string, StateBackend>()

  /** The task's database as it is now. */
  backend(task: TaskId): StateBackend | undefined {
    return this.#backends.get(taskName(task))
  }

  open(task: TaskId): Promise<StateBackend> {
    const name = taskName(task)
    const backend = this.#backends.get(name) ?? memoryBackend()
    this.#backends.set(name, backend)
    return Promise.resolve(keptOpen(backend))
  }

  stored(topology: string): Promise<readonly TaskId[]> {
    const tasks = [...this.#backends.keys()].map(parseTaskName)
    return Promise.resolve(tasks.filter((task) => task.topology === topology))
  }

  setAside(task: TaskId): Promise<void> {
    this.#backends.delete(taskName(task))
    return Promise.resolve()
  }

  /** As a machine that lost its disk. */
  clear(): void {
    this.#backends.clear()
  }
}

/** The same rows, which outlive its being closed. */
function keptOpen(backend: StateBackend): StateBackend {
  return {
    prefix: backend.prefix,
    get: (key) => backend.get(key),
    page: (range, options) => backend.page(range, options),
    approximateBytes: (range) => backend.approximateBytes(range),
    write: (ops: readonly WriteOp[]) => backend.write(ops),
    close: () => Promise.resolve(),
  }
}
