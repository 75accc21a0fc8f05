/**
 * The assignor over random groups: members come, go, forget, and claim what is not theirs. The rules are the
 * invariants in `transports/kafka/group/assignor.ts`.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assign, type GroupMember } from '../../transports/kafka/group/assignor.ts'
import type { TaskKey } from '../../transports/kafka/group/task-key.ts'
import {
  afterwards,
  allTasks,
  type Assigned,
  compare,
  countOf,
  expectBetween,
  fewestMoves,
  groups,
  lagOf,
  moves,
  newcomer,
  ownersOf,
  plainGroups,
  range,
  shareOf,
  subTopologyOf,
  tasksOf,
} from './assignor-groups.ts'

describe('the assignor, whatever the members say', () => {
  test('rule 1: every task is active exactly once, and nothing else is', () => {
    fc.assert(
      fc.property(groups, (input) => {
        const active = [...assign(input).values()].flatMap((tasks) => tasks.active)
        expect(active.toSorted(compare)).toEqual(allTasks(input).toSorted(compare))
      }),
    )
  })

  test('rule 2: a member has its share, rounded down or up, of each sub-topology and of all tasks', () => {
    fc.assert(
      fc.property(groups, (input) => {
        const assigned = assign(input)
        for (const member of input.members) {
          const { active } = tasksOf(assigned, member)
          expectBetween(active.length, shareOf(allTasks(input).length, member, input))
          for (const { id, partitions } of input.subTopologies) {
            expectBetween(countOf(active, id), shareOf(partitions, member, input))
          }
        }
      }),
    )
  })

  test('rule 3: no balance moves fewer owned tasks', () => {
    fc.assert(
      fc.property(groups, (input) => {
        expect(moves(input, assign(input))).toHaveLength(fewestMoves(input))
      }),
    )
  })

  test('rule 4: a task without an owner is where its lag is smallest, or that place got other tasks with no larger lag', () => {
    fc.assert(
      fc.property(groups, (input) => {
        const assigned = assign(input)
        const owners = ownersOf(input)
        for (const member of input.members) {
          for (const task of tasksOf(assigned, member).active) {
            if (owners.has(task) || input.subTopologies[subTopologyOf(task)]?.stateful !== true) continue
            const nearer = input.members.filter((other) => lagOf(other, task) < lagOf(member, task))
            for (const other of nearer) {
              const got = tasksOf(assigned, other).active.filter(
                (one) => subTopologyOf(one) === subTopologyOf(task) && owners.get(one) !== other.memberId,
              )
              const behind = got.filter((one) => lagOf(other, one) > lagOf(other, task))
              expect(behind).toEqual([])
            }
          }
        }
      }),
    )
  })

  test('rule 5: a process has a task once, running or standing by, and standbys only tasks with state', () => {
    fc.assert(
      fc.property(groups, (input) => {
        const assigned = assign(input)
        const processes = new Set(input.members.map(({ processId }) => processId)).size
        for (const task of allTasks(input)) {
          const running = input.members.filter((member) => tasksOf(assigned, member).active.includes(task))
          const standing = input.members.filter((member) => tasksOf(assigned, member).standby.includes(task))
          const places = [...running, ...standing].map(({ processId }) => processId)
          expect(new Set(places).size).toBe(places.length)
          const stateful = input.subTopologies[subTopologyOf(task)]?.stateful === true
          expect(standing).toHaveLength(stateful ? Math.min(input.standbys, processes - 1) : 0)
        }
      }),
    )
  })

  test('rule 5: no standby could go to a member that stays less full than the one it is on', () => {
    fc.assert(
      fc.property(groups, (input) => {
        const assigned = assign(input)
        const load = (member: GroupMember, more: number) =>
          (tasksOf(assigned, member).standby.length + more) / (member.capacity ?? 1)
        const inProcess = (processId: string, task: TaskKey) =>
          input.members
            .filter((member) => member.processId === processId)
            .some((member) =>
              [...tasksOf(assigned, member).active, ...tasksOf(assigned, member).standby].includes(task),
            )
        for (const from of input.members) {
          for (const to of input.members.filter((member) => load(from, 0) > load(member, 1))) {
            const movable = tasksOf(assigned, from).standby.filter((task) => !inProcess(to.processId, task))
            expect(movable).toEqual([])
          }
        }
      }),
    )
  })

  test('the order in which anything is listed does not matter', () => {
    const shuffled = groups.chain((input) =>
      fc.tuple(shuffle(input.members), shuffle(input.subTopologies)).chain(([members, subTopologies]) =>
        fc
          .tuple(...members.map((member) => fc.tuple(shuffle(member.owned), shuffle(member.warm))))
          .map((lists) => ({
            input,
            other: {
              ...input,
              subTopologies,
              members: members.map((member, index) => {
                const [owned, warm] = lists[index] as (typeof lists)[number]
                return { ...member, owned, warm }
              }),
            },
          })),
      ),
    )
    fc.assert(
      fc.property(shuffled, ({ input, other }) => {
        const sorted = (assigned: Assigned) => [...assigned].toSorted(([a], [b]) => compare(a, b))
        expect(sorted(assign(other))).toEqual(sorted(assign(input)))
      }),
    )
  })
})

function shuffle<T>(items: readonly T[]): fc.Arbitrary<T[]> {
  return fc.shuffledSubarray([...items], { minLength: items.length })
}

describe('the assignor, from one assignment to the next', () => {
  test('the same group gets the same again, standbys included', () => {
    fc.assert(
      fc.property(groups, (input) => {
        const assigned = assign(input)
        expect(assign(afterwards(input, assigned, 1))).toEqual(assigned)
      }),
    )
  })

  test('when a member leaves, only its tasks move, unless balance cannot be had so', () => {
    fc.assert(
      fc.property(plainGroups, fc.nat(), (input, leaver) => {
        fc.pre(input.members.length > 1)
        const before = afterwards(input, assign(input), 1)
        const members = before.members.toSpliced(leaver % before.members.length, 1)
        const left = { ...before, members }
        expect(moves(left, assign(left))).toHaveLength(fewestMoves(left))
      }),
    )
  })

  test('with one sub-topology, a leaver moves its own tasks only, and a joiner as many as it gets', () => {
    const single = plainGroups.map((input) => ({ ...input, subTopologies: input.subTopologies.slice(0, 1) }))
    fc.assert(
      fc.property(single, fc.nat(), (input, leaver) => {
        fc.pre(input.members.length > 1)
        const before = afterwards(input, assign(input), 1)
        const left = { ...before, members: before.members.toSpliced(leaver % before.members.length, 1) }
        expect(moves(left, assign(left))).toEqual([])
        const joined = { ...before, members: [...before.members, newcomer(before.members.length)] }
        const assigned = assign(joined)
        const got = tasksOf(assigned, newcomer(before.members.length)).active
        expect(new Set(moves(joined, assigned))).toEqual(new Set(got))
      }),
    )
  })

  test('when members join, nothing moves between those who stay, unless balance cannot be had so', () => {
    fc.assert(
      fc.property(plainGroups, fc.integer({ min: 1, max: 2 }), (input, joiners) => {
        const before = afterwards(input, assign(input), 1)
        const more = range(joiners).map((index) => newcomer(before.members.length + index))
        const joined = { ...before, members: [...before.members, ...more] }
        expect(moves(joined, assign(joined))).toHaveLength(fewestMoves(joined))
      }),
    )
  })

  test('a killed process that starts again in its slot gets all its tasks with state back', () => {
    fc.assert(
      fc.property(plainGroups, fc.nat(), (input, killed) => {
        const assigned = assign(input)
        const before = afterwards(input, assigned, 1)
        const index = killed % before.members.length
        const members = before.members.map((member, at): GroupMember => {
          if (at !== index) return member
          return { ...member, memberId: 'again', processId: 'again', owned: [], ownedGeneration: -1 }
        })
        const again = assign({ ...before, members })
        const stateful = (task: TaskKey) => input.subTopologies[subTopologyOf(task)]?.stateful === true
        const had = tasksOf(assigned, before.members[index] as GroupMember).active.filter(stateful)
        expect(again.get('again')?.active.filter(stateful)).toEqual(had)
      }),
    )
  })

  test('a whole group that starts anew gets its tasks with state back', () => {
    fc.assert(
      fc.property(plainGroups, (input) => {
        const assigned = assign(input)
        const before = afterwards(input, assigned, 1)
        const members = before.members.map((member) => ({ ...member, owned: [], ownedGeneration: -1 }))
        const again = assign({ ...before, members })
        for (const member of members) {
          const stateful = (task: TaskKey) => input.subTopologies[subTopologyOf(task)]?.stateful === true
          const had = tasksOf(assigned, member).active.filter(stateful)
          expect(tasksOf(again, member).active.filter(stateful)).toEqual(had)
        }
      }),
    )
  })
})
