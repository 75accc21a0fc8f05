/** The assignor by example. `test/property/assignor.test.ts` holds its invariants. */
import { describe, expect, test } from 'vitest'
import { assign, type GroupMember } from '../../../transports/kafka/group/assignor.ts'
import { parseTaskKey, taskKey } from '../../../transports/kafka/group/task-key.ts'

/** Sub-topology 0: with state. */
function stateful(partitions: number, id = 0) {
  return { id, partitions, stateful: true }
}

function stateless(partitions: number, id = 0) {
  return { id, partitions, stateful: false }
}

/** A member that has just started: its own process, its slot named as itself. */
function started(name: string, more: Partial<GroupMember> = {}): GroupMember {
  return {
    memberId: name,
    processId: `process-${name}`,
    slot: name,
    owned: [],
    ownedGeneration: -1,
    warm: [],
    ...more,
  }
}

/** A member with tasks since generation 1, and their state. */
function running(name: string, owned: GroupMember['owned'], more: Partial<GroupMember> = {}): GroupMember {
  const warm = owned.map((task) => ({ task, lag: 0 }))
  return started(name, { owned, ownedGeneration: 1, warm, ...more })
}

function active(subTopologies: Parameters<typeof assign>[0]['subTopologies'], ...members: GroupMember[]) {
  const assigned = assign({ subTopologies, members, standbys: 0 })
  return Object.fromEntries([...assigned].map(([name, tasks]) => [name, tasks.active]))
}

function standby(
  standbys: number,
  subTopologies: Parameters<typeof assign>[0]['subTopologies'],
  ...members: GroupMember[]
) {
  const assigned = assign({ subTopologies, members, standbys })
  return Object.fromEntries([...assigned].map(([name, tasks]) => [name, tasks.standby]))
}

describe('sharing out', () => {
  test('one member has everything', () => {
    expect(active([stateful(2), stateless(1, 1)], started('a'))).toEqual({ a: ['0_0', '0_1', '1_0'] })
  })

  test('a new group deals in turn, by the names of the slots', () => {
    expect(active([stateful(5)], started('b'), started('a'))).toEqual({
      a: ['0_0', '0_2', '0_4'],
      b: ['0_1', '0_3'],
    })
  })

  test('who has one task more of one sub-topology has one less of another', () => {
    const given = active([stateful(3), stateful(3, 1)], started('a'), started('b'))
    expect(given).toEqual({ a: ['0_0', '0_2', '1_0'], b: ['0_1', '1_1', '1_2'] })
  })

  test('sub-topologies of one task each do not gather on one member', () => {
    const given = active(
      [stateful(1), stateful(1, 1), stateful(1, 2)],
      started('a'),
      started('b'),
      started('c'),
    )
    expect(Object.values(given).map((tasks) => tasks.length)).toEqual([1, 1, 1])
  })

  test('with more members than tasks, some have none', () => {
    expect(active([stateful(1)], started('a'), started('b'))).toEqual({ a: ['0_0'], b: [] })
  })

  test('a member of three times the capacity has three times the tasks', () => {
    const given = active([stateful(8)], started('large', { capacity: 3 }), started('small'))
    expect(given).toMatchObject({ large: { length: 6 }, small: { length: 2 } })
  })

  test('a group without members, or without tasks, is no error', () => {
    expect(assign({ subTopologies: [stateful(3)], members: [], standbys: 1 })).toEqual(new Map())
    expect(active([], started('a'))).toEqual({ a: [] })
  })

  test.each([
    ['two members with one id', { members: [started('a'), started('a')] }],
    ['two sub-topologies with one number', { subTopologies: [stateful(1), stateful(2)] }],
    ['a capacity of nothing', { members: [started('a', { capacity: 0 })] }],
    ['a capacity in parts', { members: [started('a', { capacity: 1.5 })] }],
  ])('%s are refused', (_what, wrong) => {
    const input = { subTopologies: [stateful(1)], members: [started('a')], standbys: 0, ...wrong }
    expect(() => assign(input)).toThrow(RangeError)
  })
})

describe('staying', () => {
  test('a member that leaves is replaced where it was, and nowhere else', () => {
    const a = running('a', ['0_0', '0_3'])
    const c = running('c', ['0_2', '0_5'])
    expect(active([stateful(6)], a, c)).toEqual({ a: ['0_0', '0_1', '0_3'], c: ['0_2', '0_4', '0_5'] })
  })

  test('a member that joins takes its share and leaves the others in peace', () => {
    const a = running('a', ['0_0', '0_2', '0_4'])
    const b = running('b', ['0_1', '0_3', '0_5'])
    expect(active([stateful(6)], a, b, started('c'))).toEqual({
      a: ['0_0', '0_2'],
      b: ['0_1', '0_3'],
      c: ['0_4', '0_5'],
    })
  })

  test('who must give up a task gives up one without state', () => {
    const a = running('a', ['0_0', '1_0'])
    expect(active([stateless(1), stateful(1, 1)], a, started('b'))).toEqual({ a: ['1_0'], b: ['0_0'] })
  })

  test('of two that claim a task, the one with the higher generation has it', () => {
    const late = running('a', ['0_0'], { ownedGeneration: 4 })
    const current = running('b', ['0_0'], { ownedGeneration: 5 })
    expect(active([stateful(1)], late, current)).toEqual({ a: [], b: ['0_0'] })
  })

  test('of two that claim a task with the same generation, the first has it', () => {
    expect(active([stateful(1)], running('b', ['0_0']), running('a', ['0_0']))).toEqual({ a: ['0_0'], b: [] })
  })

  test('claims on tasks that do not exist count for nothing', () => {
    const a = running('a', ['0_7', '3_0', '0_1'])
    expect(active([stateful(2)], a, started('b'))).toEqual({ a: ['0_1'], b: ['0_0'] })
  })

  test('claiming everything does not bring more than a share', () => {
    const greedy = running('a', ['0_0', '0_1', '0_2', '0_3'], { ownedGeneration: 1_000_000 })
    expect(active([stateful(4)], greedy, running('b', ['0_2', '0_3']))).toEqual({
      a: ['0_0', '0_1'],
      b: ['0_2', '0_3'],
    })
  })

  test('when members leave, balance may move a task of one who stays, where it cannot be had otherwise', () => {
    // Sub-topology 2 has a task for each of two members, and with it c would have three of four.
    const b = running('b', ['2_1'])
    const c = running('c', ['0_0', '1_0'])
    const given = active([stateful(1), stateful(1, 1), stateful(2, 2)], b, c)
    expect(given).toEqual({ b: ['0_0', '2_1'], c: ['1_0', '2_0'] })
  })
})

describe('where the state is', () => {
  test('a process that was killed and started again has its tasks back', () => {
    const again = started('a', {
      memberId: 'a-again',
      processId: 'new',
      warm: [
        { task: '0_1', lag: 40 },
        { task: '0_3', lag: 2 },
      ],
    })
    const b = running('b', ['0_0', '0_2'])
    expect(active([stateful(4)], again, b)).toEqual({ 'a-again': ['0_1', '0_3'], b: ['0_0', '0_2'] })
  })

  test('it also has the place of the one task more that it had', () => {
    const a = running('a', ['0_0'])
    const again = started('b', {
      warm: [
        { task: '0_1', lag: 0 },
        { task: '0_2', lag: 0 },
      ],
    })
    expect(active([stateful(3)], a, again)).toEqual({ a: ['0_0'], b: ['0_1', '0_2'] })
  })

  test('a task without an owner goes where the least is missing', () => {
    const far = started('a', { warm: [{ task: '0_0', lag: 900 }] })
    const near = started('b', { warm: [{ task: '0_0', lag: 10 }] })
    expect(active([stateful(1)], far, near)).toEqual({ a: [], b: ['0_0'] })
  })

  test('a lag that is not known is larger than any that is', () => {
    const unknown = started('a', { warm: [{ task: '0_0' }] })
    const known = started('b', { warm: [{ task: '0_0', lag: 1_000_000 }] })
    expect(active([stateful(1)], unknown, known)).toEqual({ a: [], b: ['0_0'] })
  })

  test('of equals, the task with fewer other places comes first', () => {
    const a = started('a', {
      warm: [
        { task: '0_0', lag: 0 },
        { task: '0_1', lag: 0 },
      ],
    })
    const b = started('b', { warm: [{ task: '0_0', lag: 0 }] })
    expect(active([stateful(2)], a, b)).toEqual({ a: ['0_1'], b: ['0_0'] })
  })

  test('who joins with old state gets those tasks when others must give some up', () => {
    const a = running('a', ['0_0', '0_1', '0_2', '0_3'])
    const back = started('b', {
      warm: [
        { task: '0_0', lag: 70 },
        { task: '0_2', lag: 80 },
      ],
    })
    expect(active([stateful(4)], a, back)).toEqual({ a: ['0_1', '0_3'], b: ['0_0', '0_2'] })
  })

  test('having state does not move a task that has an owner', () => {
    const a = running('a', ['0_0'])
    const b = running('b', ['0_1'], { warm: [{ task: '0_0', lag: 0 }] })
    expect(active([stateful(2)], a, b)).toEqual({ a: ['0_0'], b: ['0_1'] })
  })
})

describe('standing by', () => {
  test('each task with state has a standby on another member', () => {
    expect(standby(1, [stateful(2), stateless(2, 1)], started('a'), started('b'))).toEqual({
      a: ['0_1'],
      b: ['0_0'],
    })
  })

  test('there are no more standbys of a task than other processes', () => {
    expect(standby(3, [stateful(1)], started('a'), started('b'))).toEqual({ a: [], b: ['0_0'] })
  })

  test('members of one process count as one place', () => {
    const a = running('a', ['0_0'])
    const sameProcess = started('b', { processId: a.processId })
    expect(standby(1, [stateful(1)], a, sameProcess)).toEqual({ a: [], b: [] })
    expect(standby(1, [stateful(1)], a, sameProcess, started('c'))).toEqual({ a: [], b: [], c: ['0_0'] })
  })

  test('a standby stays where the state is', () => {
    const a = running('a', ['0_0', '0_1'])
    const b = running('b', ['0_2', '0_3'])
    const c = running('c', ['0_4', '0_5'])
    const beside = (member: GroupMember, task: GroupMember['owned'][number]) => {
      return { ...member, warm: [...member.warm, { task, lag: 5 }] }
    }
    const given = standby(1, [stateful(6)], beside(a, '0_4'), beside(b, '0_0'), beside(c, '0_1'))
    expect(given['a']).toContain('0_4')
    expect(given['b']).toContain('0_0')
    expect(given['c']).toContain('0_1')
  })

  test('where a task ran before is where it stands by', () => {
    const a = running('a', ['0_0', '0_1'])
    const assigned = assign({
      subTopologies: [stateful(2)],
      members: [a, started('b'), started('c')],
      standbys: 1,
    })
    expect(assigned.get('b')).toEqual({ active: ['0_1'], standby: [] })
    expect(assigned.get('a')).toEqual({ active: ['0_0'], standby: ['0_1'] })
    expect(assigned.get('c')).toEqual({ active: [], standby: ['0_0'] })
  })

  test('one member with the state of all does not stand by for all', () => {
    const all = ['0_0', '0_1', '0_2', '0_3', '0_4', '0_5'] as const
    const hoarder = running('d', [], { warm: all.map((task, lag) => ({ task, lag })) })
    const members = [
      running('a', ['0_0', '0_1']),
      running('b', ['0_2', '0_3']),
      running('c', ['0_4', '0_5']),
      hoarder,
    ]
    const given = standby(1, [stateful(6)], ...members)
    expect(
      Object.values(given)
        .map((tasks) => tasks.length)
        .toSorted((x, y) => x - y),
    ).toEqual([1, 1, 2, 2])
  })
})

describe('task keys', () => {
  test('read back as they are written', () => {
    expect(parseTaskKey(taskKey(3, 17))).toEqual({ subTopology: 3, partition: 17 })
  })

  test.each(['', '1', '1_', '_1', '01_2', '1_02', '1_-2', '1_2_3', '1_2\n', '1_99999999999'])(
    '%j is none',
    (text) => {
      expect(parseTaskKey(text)).toBeUndefined()
    },
  )
})
