/**
 * Membership where there is one process: every join gets all tasks of its topology, and ends the one before.
 *
 * Each task has a number that its rows begin with, kept with the names of its stores and inputs: rows are read only by
 * the topology that wrote them, as it was or grown. A task has grown when stores were added of which the topology has no
 * rows yet, and it reads all that it read: then nothing that was kept is missing, and new inputs are read from where
 * they begin. All else that concerns stores needs a reset.
 */
import type { WriteOp } from '../../state/index.ts'
import {
  type Checkpoint,
  type GroupListener,
  type GroupSpec,
  StreamsError,
  type SubTopologyMeta,
  type TaskId,
  taskName,
} from '../../streams/index.ts'
import type { Catalog } from './catalog.ts'
import { taskKey } from './keys.ts'
import { sealedJson } from './small-rows.ts'

const MAX_TASKS = 65_536

/** What the log keeps about a task. */
export interface TaskEntry {
  readonly ordinal: number
  readonly task: TaskId
  /** As of its last join, alphabetical. */
  stores: readonly string[]
  /** Topics it reads, as of its last join. */
  inputs: readonly string[]
  checkpoint: Checkpoint | undefined
  /** A reset has begun and not ended. */
  resetting: boolean
}

/** A task's identity row. */
export interface TaskIdentity {
  readonly task: TaskId
  readonly stores: readonly string[]
  readonly inputs: readonly string[]
  readonly resetting?: boolean
}

interface Group {
  epoch: number
  listener: GroupListener | undefined
  tasks: ReadonlySet<string>
}

export class Groups {
  readonly #tasks = new Map<string, TaskEntry>()
  readonly #groups = new Map<string, Group>()
  #nextOrdinal = 0

  /** A task as it was found in the database. */
  add(entry: TaskEntry): void {
    this.#tasks.set(taskName(entry.task), entry)
    this.#nextOrdinal = Math.max(this.#nextOrdinal, entry.ordinal + 1)
  }

  forget(id: TaskId): void {
    this.#tasks.delete(taskName(id))
  }

  hasMember(topology: string): boolean {
    return this.#groups.get(topology)?.listener !== undefined
  }

  task(id: TaskId): TaskEntry | undefined {
    return this.#tasks.get(taskName(id))
  }

  get tasks(): readonly TaskEntry[] {
    return [...this.#tasks.values()]
  }

  /**
   * The tasks of a topology, and the identity rows that are new or changed; nothing takes effect before `apply`.
   * Throws `UNKNOWN_TOPIC`, `TOPOLOGY_INVALID` (inputs of one sub-topology differ in partitions), `RESET_REQUIRED` (the
   * state was written by a topology of which this one has not grown).
   */
  plan(group: GroupSpec, catalog: Catalog): { tasks: TaskId[]; ops: WriteOp[]; apply: () => void } {
    const ops: WriteOp[] = []
    const changes: (() => void)[] = []
    const tasks: TaskId[] = []
    let next = this.#nextOrdinal
    for (const sub of group.subTopologies) {
      for (let partition = 0; partition < partitionsOf(group, sub, catalog); partition++) {
        const task: TaskId = { topology: group.topology, subTopology: sub.id, partition }
        tasks.push(task)
        const known = this.task(task)
        if (known?.resetting === true) throw unfinished(known)
        if (known !== undefined) this.#checkStores(known, sub)
        if (known !== undefined && same(known.inputs, sub.inputs) && same(known.stores, sub.stores)) continue
        const { stores, inputs } = sub
        const ordinal = known?.ordinal ?? next++
        if (ordinal >= MAX_TASKS) throw new StreamsError('TOPOLOGY_INVALID', `more than ${MAX_TASKS} tasks`)
        changes.push(() => {
          if (known === undefined)
            this.add({ ordinal, task, stores, inputs, checkpoint: undefined, resetting: false })
          else Object.assign(known, { stores, inputs })
        })
        const key = taskKey(ordinal)
        const identity: TaskIdentity = { task, stores, inputs }
        ops.push({ type: 'put', key, value: sealedJson(key, identity) })
      }
    }
    return { tasks, ops, apply: () => changes.forEach((change) => change()) }
  }

  #checkStores(known: TaskEntry, sub: SubTopologyMeta): void {
    if (same(known.stores, sub.stores)) return
    const { topology } = known.task
    const elsewhere = this.tasks.filter(
      ({ task }) => task.topology === topology && task.subTopology !== sub.id,
    )
    const hasRows = (store: string) => elsewhere.some(({ stores }) => stores.includes(store))
    const isGrown = within(known.stores, sub.stores) && within(known.inputs, sub.inputs)
    if (!isGrown || sub.stores.some(hasRows)) throw otherStores(known, sub)
  }

  /** Makes `listener` the member of the topology; answers the epoch and the listener that it took over from. */
  enter(topology: string, tasks: readonly TaskId[], listener: GroupListener) {
    const group = this.#groups.get(topology)
    const epoch = (group?.epoch ?? 0) + 1
    this.#groups.set(topology, { epoch, listener, tasks: new Set(tasks.map(taskName)) })
    return { epoch, before: group?.listener }
  }

  /** Ends the membership that began with `epoch`, if another has not ended it already. */
  leave(topology: string, epoch: number): void {
    const group = this.#groups.get(topology)
    if (group?.epoch === epoch) group.listener = undefined
  }

  /** Throws `COMMIT_FENCED` unless the task belongs to the current member and to this epoch. */
  check(task: TaskId, epoch: number): TaskEntry {
    const name = taskName(task)
    const group = this.#groups.get(task.topology)
    const entry = this.#tasks.get(name)
    if (entry === undefined || group?.listener === undefined || !group.tasks.has(name)) {
      throw new StreamsError('COMMIT_FENCED', `${name} is assigned to nobody`)
    }
    if (group.epoch !== epoch) {
      throw new StreamsError('COMMIT_FENCED', `${name} is in epoch ${group.epoch}, the commit in ${epoch}`)
    }
    return entry
  }
}

/** One task per partition of the inputs, which must agree. */
function partitionsOf({ topology }: GroupSpec, { id, inputs }: SubTopologyMeta, catalog: Catalog): number {
  const counts = inputs.map((name) => catalog.topic(name).spec.partitions)
  const partitions = Math.max(0, ...counts)
  if (counts.some((count) => count !== partitions)) {
    const list = inputs.map((name, index) => `${name} has ${counts[index]}`).join(', ')
    throw new StreamsError(
      'TOPOLOGY_INVALID',
      `${topology}.${id}: its inputs must have as many partitions: ${list}`,
    )
  }
  return partitions
}

function otherStores({ task, stores, inputs }: TaskEntry, sub: SubTopologyMeta): StreamsError {
  const list = (names: readonly string[]) => (names.length === 0 ? 'no stores' : names.join(', '))
  const found = `${taskName(task)} has the state of ${list(stores)}, from ${inputs.join(', ')}`
  const wanted = `the topology now has ${list(sub.stores)}, from ${sub.inputs.join(', ')}`
  return new StreamsError('RESET_REQUIRED', `${found}; ${wanted}`)
}

function unfinished({ task }: TaskEntry): StreamsError {
  return new StreamsError('RESET_REQUIRED', `a reset of ${taskName(task)} was not finished; run it again`)
}

/** Whether all of `some` are in `all`. */
function within(some: readonly string[], all: readonly string[]): boolean {
  return some.every((name) => all.includes(name))
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index])
}
