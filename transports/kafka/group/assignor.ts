/**
 * Who gets which tasks: what the group's leader decides from what the members say. Pure: the same group gives the same
 * answer, whatever the order in which members, sub-topologies or tasks are listed.
 *
 * Not its job: talking to the group (membership), what members say and get (`metadata.ts`), fencing.
 *
 * Invariants, in this order of weight:
 * 1. Every task is active on exactly one member.
 * 2. Balance: per sub-topology and in total a member gets its share, rounded down or up. `quotas.ts` defines shares and
 *    shows that both rules can always be met.
 * 3. Fewest moves: no balance leaves more tasks with their owners. A task's owner is who claims it with the highest
 *    generation; at the same generation, the first of the members.
 * 4. Warm first: a task with state that has no owner, or must leave it, goes to a member that has its state, the smallest
 *    lag first, as long as that member has a place; only then are places given to tasks without.
 * 5. Standbys (`standbys.ts`) are never in a process that has the task already.
 *
 * "First" among members is by slot, then process, then member id: slots stay over restarts, so a group that starts anew
 * gets what it had, even without state.
 *
 * Cost: a few times sub-topologies × members² + tasks × members, far below a heartbeat: 5,000 tasks in 20 sub-topologies
 * among 200 members are tens of milliseconds.
 */
import { quotas } from './quotas.ts'
import { placeStandbys, type WarmCopy } from './standbys.ts'
import { parseTaskKey, type TaskKey, taskKey, type WarmTask } from './task-key.ts'

export interface AssignedSubTopology {
  readonly id: number
  /** Number of its tasks, which are 0 to `partitions` - 1. */
  readonly partitions: number
  /** Has stores: moving a task means restoring it, and it may have standbys. */
  readonly stateful: boolean
}

/** What the leader knows of a member. Tasks that do not exist are passed over. */
export interface GroupMember {
  readonly memberId: string
  /** Identity of the process: members with the same one share a disk. */
  readonly processId: string
  /** Name of the member's place in the group; stays the same over restarts. */
  readonly slot: string
  readonly owned: readonly TaskKey[]
  /** The group's generation in which it got them; -1 without any. */
  readonly ownedGeneration: number
  readonly warm: readonly WarmTask[]
  /** How much it can take compared with others, a whole number from 1; 1 when absent. */
  readonly capacity?: number | undefined
}

export interface AssignInput {
  readonly subTopologies: readonly AssignedSubTopology[]
  readonly members: readonly GroupMember[]
  /** Standbys wanted per task with state. */
  readonly standbys: number
}

/** In the order of sub-topologies and partitions. */
export interface MemberTasks {
  readonly active: readonly TaskKey[]
  readonly standby: readonly TaskKey[]
}

const NOBODY = -1

/** The tasks of one sub-topology while they are given out; lists are by partition, members are indexes. */
interface Pool {
  readonly id: number
  readonly stateful: boolean
  readonly owners: number[]
  /** Copies of each task's state, the best first. */
  readonly warm: readonly WarmCopy[][]
  /** Who has the task from now on. */
  readonly active: number[]
}

/**
 * The tasks of every member, by member id.
 *
 * Throws a `RangeError` when two members have the same id, two sub-topologies the same number, or a capacity is no whole
 * number above 0.
 */
export function assign({ subTopologies, members, standbys }: AssignInput): Map<string, MemberTasks> {
  const ordered = members.toSorted(firstMember)
  check(ordered, subTopologies)
  if (ordered.length === 0) return new Map()
  const capacities = ordered.map(({ capacity }) => capacity ?? 1)
  const pools = poolsOf(subTopologies, ordered)
  const counts = quotas(
    pools.map((pool) => ({
      tasks: pool.owners.length,
      stateful: pool.stateful,
      owned: tally(pool.owners, ordered.length),
      wanted: tally(bestPlaces(pool, ordered.length), ordered.length),
    })),
    capacities,
  )
  pools.forEach((pool, index) => fill(pool, counts[index] as number[]))
  const spare = placeStandbys(
    pools.flatMap(({ stateful, active, warm }) =>
      stateful ? active.map((member, task) => ({ active: member, warm: warm[task] as WarmCopy[] })) : [],
    ),
    ordered.map(({ processId, capacity }) => ({ processId, capacity: capacity ?? 1 })),
    standbys,
  )
  return answer(pools, spare, ordered)
}

function firstMember(a: GroupMember, b: GroupMember): number {
  return compare(a.slot, b.slot) || compare(a.processId, b.processId) || compare(a.memberId, b.memberId)
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function check(members: readonly GroupMember[], subTopologies: readonly AssignedSubTopology[]): void {
  if (new Set(members.map(({ memberId }) => memberId)).size < members.length) {
    throw new RangeError('two members have the same id')
  }
  if (new Set(subTopologies.map(({ id }) => id)).size < subTopologies.length) {
    throw new RangeError('two sub-topologies have the same number')
  }
  for (const { memberId, capacity = 1 } of members) {
    if (!Number.isSafeInteger(capacity) || capacity < 1) {
      throw new RangeError(`${memberId}: ${capacity} is no capacity; it is a whole number above 0`)
    }
  }
}

function poolsOf(subTopologies: readonly AssignedSubTopology[], members: readonly GroupMember[]): Pool[] {
  const pools = subTopologies
    .toSorted((a, b) => a.id - b.id)
    .map(({ id, partitions, stateful }): Pool => {
      const owners = Array.from({ length: partitions }, () => NOBODY)
      return { id, stateful, owners, active: [...owners], warm: owners.map(() => []) }
    })
  const byId = new Map(pools.map((pool) => [pool.id, pool]))
  const find = (key: TaskKey) => {
    const task = parseTaskKey(key)
    const pool = task === undefined ? undefined : byId.get(task.subTopology)
    return pool === undefined || task === undefined || task.partition >= pool.owners.length
      ? undefined
      : { pool, partition: task.partition }
  }
  members.forEach((member, index) => {
    for (const key of member.owned) {
      const task = find(key)
      if (task !== undefined) claim(task.pool, task.partition, index, members)
    }
    for (const { task: key, lag } of member.warm) {
      const task = find(key)
      if (task?.pool.stateful === true) {
        task.pool.warm[task.partition]?.push({ member: index, lag: lag ?? Infinity })
      }
    }
  })
  for (const { warm } of pools) for (const copies of warm) copies.sort(bestCopy)
  return pools
}

/** Members come in their order: a later one must have a higher generation. */
function claim({ owners }: Pool, partition: number, member: number, members: readonly GroupMember[]): void {
  const before = members[owners[partition] as number]
  const { ownedGeneration } = members[member] as GroupMember
  if (before === undefined || ownedGeneration > before.ownedGeneration) owners[partition] = member
}

function bestCopy(a: WarmCopy, b: WarmCopy): number {
  return a.lag === b.lag ? a.member - b.member : a.lag - b.lag
}

/**
 * The best warm place of each unowned task: the smallest lag, then the member that is the best place of fewer tasks.
 * Nobody for the other tasks.
 */
function bestPlaces({ owners, warm }: Pool, members: number): number[] {
  const chosen = Array.from({ length: members }, () => 0)
  return owners.map((owner, partition) => {
    const copies = warm[partition] as WarmCopy[]
    const best = copies[0]
    if (owner !== NOBODY || best === undefined) return NOBODY
    const equal = copies.filter(({ lag }) => lag === best.lag).map(({ member }) => member)
    const place = equal.reduce((a, b) => ((chosen[b] as number) < (chosen[a] as number) ? b : a))
    chosen[place] = (chosen[place] as number) + 1
    return place
  })
}

function tally(tasks: readonly number[], members: number): number[] {
  const counts = Array.from({ length: members }, () => 0)
  for (const member of tasks) if (member !== NOBODY) counts[member] = (counts[member] as number) + 1
  return counts
}

/** Gives each member as many tasks as `counts` says. */
function fill(pool: Pool, counts: readonly number[]): void {
  const { owners, active } = pool
  const owned = tally(owners, counts.length)
  const room = counts.map((count, member) => Math.max(0, count - (owned[member] as number)))
  const surplus = counts.map((count, member) => Math.max(0, (owned[member] as number) - count))
  const give = (partition: number, member: number) => {
    if (active[partition] !== NOBODY || room[member] === 0) return
    const owner = owners[partition] as number
    if (owner !== NOBODY) {
      if (surplus[owner] === 0) return
      surplus[owner] = (surplus[owner] as number) - 1
    }
    active[partition] = member
    room[member] = (room[member] as number) - 1
  }
  for (const { partition, member } of copiesInTurn(pool)) give(partition, member)
  const homeless = keepRest(pool, surplus)
  dealOut(homeless, room, active)
}

/** The smallest lag first; of the same lag, the task with fewer other places to go to. */
function copiesInTurn({ warm }: Pool) {
  const copies = warm.flatMap((list, partition) =>
    list.map((copy) => ({ ...copy, partition, places: list.length })),
  )
  return copies.sort((a, b) =>
    a.lag === b.lag ? a.places - b.places || a.partition - b.partition || a.member - b.member : a.lag - b.lag,
  )
}

/** Owners keep their first tasks and leave their last; answers the tasks that nobody has yet. */
function keepRest({ owners, active }: Pool, surplus: number[]): number[] {
  const homeless: number[] = []
  for (let partition = owners.length - 1; partition >= 0; partition--) {
    if (active[partition] !== NOBODY) continue
    const owner = owners[partition] as number
    if (owner === NOBODY || (surplus[owner] as number) > 0) {
      homeless.unshift(partition)
      if (owner !== NOBODY) surplus[owner] = (surplus[owner] as number) - 1
    } else {
      active[partition] = owner
    }
  }
  return homeless
}

/** One task to each member in turn. */
function dealOut(tasks: readonly number[], room: number[], active: number[]): void {
  let member = 0
  for (const partition of tasks) {
    while (room[member] === 0) member = (member + 1) % room.length
    active[partition] = member
    room[member] = (room[member] as number) - 1
    member = (member + 1) % room.length
  }
}

function answer(
  pools: readonly Pool[],
  standbys: readonly (readonly number[])[],
  members: readonly GroupMember[],
): Map<string, MemberTasks> {
  const tasks = members.map(() => ({ active: [] as TaskKey[], standby: [] as TaskKey[] }))
  let statefulTask = 0
  for (const { id, stateful, active } of pools) {
    active.forEach((member, partition) => {
      const key = taskKey(id, partition)
      tasks[member]?.active.push(key)
      if (!stateful) return
      for (const other of standbys[statefulTask] ?? []) tasks[other]?.standby.push(key)
      statefulTask++
    })
  }
  return new Map(members.map(({ memberId }, index) => [memberId, tasks[index] as MemberTasks]))
}
