/**
 * Groups for the assignor's property tests, true and untrue, and what must come out, found the slow way.
 */
import fc from 'fast-check'
import { expect } from 'vitest'
import type {
  AssignedSubTopology,
  AssignInput,
  GroupMember,
  MemberTasks,
} from '../../transports/kafka/group/assignor.ts'
import { type TaskKey, taskKey } from '../../transports/kafka/group/task-key.ts'

export type Assigned = ReadonlyMap<string, MemberTasks>

const MAX_PARTITIONS = 9

function subTopologiesOf(most: number) {
  const one = fc.record({ partitions: fc.nat({ max: MAX_PARTITIONS }), stateful: fc.boolean() })
  return fc
    .array(one, { maxLength: most })
    .map((all) => all.map((each, id): AssignedSubTopology => ({ id, ...each })))
}

/** One partition and one sub-topology beyond what there is at most: claims on tasks that do not exist. */
const keys = fc
  .tuple(fc.nat({ max: 4 }), fc.nat({ max: MAX_PARTITIONS }))
  .map(([subTopology, partition]) => taskKey(subTopology, partition))

const lags = fc.option(fc.nat({ max: 3 }), { nil: undefined })

/** What a member may say, true or not. */
const sayings = fc.record({
  process: fc.nat({ max: 5 }),
  slot: fc.nat({ max: 5 }),
  owned: fc.array(keys, { maxLength: 20 }),
  ownedGeneration: fc.integer({ min: -1, max: 3 }),
  warm: fc.array(fc.record({ task: keys, lag: lags }), { maxLength: 20 }),
  capacity: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined, freq: 2 }),
})

function membersOf(most: number) {
  return fc.array(sayings, { minLength: 1, maxLength: most }).map((all) =>
    all.map(
      ({ process, slot, ...said }, index): GroupMember => ({
        memberId: `member-${index}`,
        processId: `process-${process}`,
        slot: `slot-${slot}`,
        ...said,
      }),
    ),
  )
}

export const groups: fc.Arbitrary<AssignInput> = fc.record({
  subTopologies: subTopologiesOf(4),
  members: membersOf(6),
  standbys: fc.nat({ max: 2 }),
})

/** Every member a process of its own, all of the same capacity, with owners as chance has it. */
export const plainGroups: fc.Arbitrary<AssignInput> = groups.map((input) => ({
  ...input,
  members: input.members.map(({ owned, ownedGeneration }, index) => ({
    ...newcomer(index),
    owned,
    ownedGeneration,
  })),
}))

export function newcomer(index: number): GroupMember {
  const name = { memberId: `member-${index}`, processId: `process-${index}`, slot: `slot-${index}` }
  return { ...name, owned: [], ownedGeneration: -1, warm: [] }
}

export function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index)
}

/** What the members say after they got this: the states of active tasks complete, those of standbys one record behind. */
export function afterwards(
  { members, ...rest }: AssignInput,
  assigned: Assigned,
  generation: number,
): AssignInput {
  const stateful = (task: TaskKey) =>
    rest.subTopologies.find(({ id }) => id === subTopologyOf(task))?.stateful === true
  return {
    ...rest,
    members: members.map((member) => {
      const { active, standby } = tasksOf(assigned, member)
      const warm = [
        ...active.filter(stateful).map((task) => ({ task, lag: 0 })),
        ...standby.map((task) => ({ task, lag: 1 })),
      ]
      return { ...member, owned: active, ownedGeneration: generation, warm }
    }),
  }
}

export function subTopologyOf(task: TaskKey): number {
  return Number(task.split('_')[0])
}

export function tasksOf(assigned: Assigned, { memberId }: GroupMember): MemberTasks {
  return assigned.get(memberId) as MemberTasks
}

export function allTasks({ subTopologies }: AssignInput): TaskKey[] {
  return subTopologies.flatMap(({ id, partitions }) =>
    range(partitions).map((partition) => taskKey(id, partition)),
  )
}

/** Who owns what, by invariant 3. */
export function ownersOf(input: AssignInput): Map<TaskKey, string> {
  const first = (a: GroupMember, b: GroupMember) =>
    compare([a.slot, a.processId, a.memberId].join(' '), [b.slot, b.processId, b.memberId].join(' '))
  return new Map(
    allTasks(input).flatMap((task) => {
      const claims = input.members.filter(({ owned }) => owned.includes(task)).toSorted(first)
      const highest = Math.max(...claims.map(({ ownedGeneration }) => ownedGeneration))
      const owner = claims.find(({ ownedGeneration }) => ownedGeneration === highest)
      return owner === undefined ? [] : [[task, owner.memberId] as const]
    }),
  )
}

export function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** Owned tasks that are elsewhere now. */
export function moves(input: AssignInput, assigned: Assigned): TaskKey[] {
  return [...ownersOf(input)]
    .filter(([task, owner]) => assigned.get(owner)?.active.includes(task) !== true)
    .map(([task]) => task)
}

/** An unknown lag is larger than any known one, and no state is worse. */
export function lagOf({ warm }: GroupMember, task: TaskKey): number {
  const copies = warm.filter((one) => one.task === task)
  return Math.min(...copies.map(({ lag }) => lag ?? Number.MAX_SAFE_INTEGER), Infinity)
}

export function countOf(tasks: readonly TaskKey[], subTopology: number): number {
  return tasks.filter((task) => subTopologyOf(task) === subTopology).length
}

/** The share of n tasks, rounded down and up. */
export function shareOf(tasks: number, member: GroupMember, { members }: AssignInput): [number, number] {
  const capacity = (one: GroupMember) => one.capacity ?? 1
  const all = members.reduce((sum, one) => sum + capacity(one), 0)
  const share = (tasks * capacity(member)) / all
  return [Math.floor(share), Math.ceil(share)]
}

export function expectBetween(count: number, [lowest, highest]: [number, number]): void {
  expect(count).toBeGreaterThanOrEqual(lowest)
  expect(count).toBeLessThanOrEqual(highest)
}

/** The fewest owned tasks that any balance moves: of all ways to round, row by row, the best for each set of totals. */
export function fewestMoves(input: AssignInput): number {
  const { subTopologies, members } = input
  const owners = [...ownersOf(input)]
  const totals = members.map((member) => shareOf(allTasks(input).length, member, input))
  let best = new Map([[members.map(() => 0).join(), 0]])
  for (const { id, partitions } of subTopologies) {
    const owned = members.map(({ memberId }) =>
      countOf(
        owners.filter(([, owner]) => owner === memberId).map(([task]) => task),
        id,
      ),
    )
    const shares = members.map((member) => shareOf(partitions, member, input))
    const next = new Map<string, number>()
    for (const counts of roundings(shares, partitions)) {
      const keeps = counts.reduce((sum, count, index) => sum + Math.min(count, owned[index] as number), 0)
      for (const [before, kept] of best) {
        const sums = before.split(',').map((sum, index) => Number(sum) + (counts[index] as number))
        if (sums.some((sum, index) => sum > (totals[index]?.[1] as number))) continue
        next.set(sums.join(), Math.max(next.get(sums.join()) ?? 0, kept + keeps))
      }
    }
    best = next
  }
  const balanced = [...best].filter(([sums]) =>
    sums.split(',').every((sum, index) => Number(sum) >= (totals[index]?.[0] as number)),
  )
  expect(balanced).not.toEqual([])
  return owners.length - Math.max(...balanced.map(([, kept]) => kept))
}

/** All ways to round shares so that they sum up to the tasks. */
function roundings(shares: readonly [number, number][], tasks: number): number[][] {
  const [share, ...rest] = shares
  if (share === undefined) return tasks === 0 ? [[]] : []
  return [...new Set(share)].flatMap((count) =>
    roundings(rest, tasks - count).map((counts) => [count, ...counts]),
  )
}
