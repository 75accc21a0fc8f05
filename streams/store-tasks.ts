/** Which tasks have the rows of a store or read an input, here or elsewhere. */
import { leavesStateReadable, StreamsError, TaskNotHere } from './errors.ts'
import { findStore, type SubTopology, type Topology } from './graph.ts'
import type { Log, Peer } from './log.ts'
import type { Task } from './task.ts'
import { taskName } from './task-id.ts'

export interface StoreTasksOptions {
  readonly topology: Topology
  readonly log: Log
  /** Those that are here. */
  readonly tasks: () => readonly Task[]
  /** Why the topology does not run here any more, if it does not. */
  readonly failure: () => Error | undefined
}

export class StoreTasks {
  readonly #topology: Topology
  readonly #log: Log
  readonly #tasks: () => readonly Task[]
  readonly #failure: () => Error | undefined
  /** Query addresses of the tasks that run elsewhere. */
  #elsewhere: ReadonlyMap<string, string> = new Map()

  constructor({ topology, log, tasks, failure }: StoreTasksOptions) {
    this.#topology = topology
    this.#log = log
    this.#tasks = tasks
    this.#failure = failure
  }

  /** What the other members say that they run. */
  know(peers: readonly Peer[]): void {
    const entries = peers.flatMap(({ address, tasks }) => {
      return tasks.map((task) => [taskName(task), address] as const)
    })
    this.#elsewhere = new Map(entries)
  }

  /** The tasks here that have a store, and can be read. Throws `UNKNOWN_STORE`. */
  here(store: string): readonly Task[] {
    const { id } = this.#ownerOf(store)
    return this.#tasks().filter((task) => task.task.subTopology === id && this.#mayRead(task))
  }

  /**
   * The task that has the rows of a store in a partition: it runs, or it stopped and can still be read. Throws
   * `UNKNOWN_STORE`, and `TASK_NOT_HERE` with the address of the process that has it, where one is known.
   */
  of(store: string, partition: number): Task {
    return this.#taskHere(this.#ownerOf(store), partition, store)
  }

  /** As `of`, for the task that reads a partition of a topic. Throws `UNKNOWN_TOPIC` for no input. */
  reading(topic: string, partition: number): Task {
    const reader = this.#topology.subTopologies.find(({ sources }) => {
      return sources.some((source) => source.topic.name === topic)
    })
    if (reader === undefined)
      throw new StreamsError('UNKNOWN_TOPIC', `${topic} is no input of ${this.#topology.name}`)
    return this.#taskHere(reader, partition, topic)
  }

  #taskHere({ id: subTopology }: SubTopology, partition: number, what: string): Task {
    const name = taskName({ topology: this.#topology.name, subTopology, partition })
    const task = this.#tasks().find((candidate) => candidate.name === name)
    if (task !== undefined && this.#mayRead(task)) return task
    throw new TaskNotHere(`${what} of ${name}`, this.#elsewhere.get(name))
  }

  #mayRead(task: Task): boolean {
    const failure = this.#failure()
    return task.readable && (failure === undefined || leavesStateReadable(failure))
  }

  /** Over how many partitions the rows of a store are spread. Throws `UNKNOWN_STORE`. */
  partitions(store: string): number {
    const { sources } = this.#ownerOf(store)
    return Math.max(...sources.map((source) => this.#log.partitions(source.topic.name)))
  }

  #ownerOf(store: string): SubTopology {
    const found = findStore(this.#topology, store)
    if (found === undefined) throw new StreamsError('UNKNOWN_STORE', `${store} in ${this.#topology.name}`)
    return found.subTopology
  }
}
