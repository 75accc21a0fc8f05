/** A member of a group against a coordinator that answers as the test wants: what its engine is told, and when. */
import { randomUUID } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import {
  type Assignment,
  type GroupListener,
  type GroupSpec,
  type StoredTask,
  StreamsError,
  systemClock,
  type TaskId,
} from '../../../streams/index.ts'
import { ClusterError } from '../../../transports/kafka/errors.ts'
import { GroupMembership } from '../../../transports/kafka/group/membership.ts'
import {
  decodeSubscription,
  encodeAssignment,
  type MemberAssignment,
  type Subscription,
} from '../../../transports/kafka/group/metadata.ts'
import { REBALANCE_IN_PROGRESS, UNKNOWN_MEMBER_ID } from '../../../transports/kafka/protocol/errors.ts'
import { Reader } from '../../../transports/kafka/protocol/reader.ts'
import type { KafkaRequest } from '../../../transports/kafka/protocol/request.ts'

const SESSION_MS = 10_000
const subTopologies = [{ id: 0, inputs: ['in'], stores: [], hasState: false }]
const spec: GroupSpec = { application: 'shop', topology: 'sales', subTopologies }
const refused = new StreamsError('COMMIT_FENCED', 'refused', { cause: new Error('by a broker') })

class Rig {
  /** What happened, in order. */
  readonly events: string[] = []
  /** How long an answer is waited for, by request. Milliseconds. */
  readonly patience = new Map<string, number | undefined>()
  /** Answered to heartbeats; 0: all is well. */
  heartbeatCode = 0
  /** Answered to the next JoinGroup. */
  joinCode = 0
  /** Whether it is this member that assigns. */
  leads = false
  onRebalancing = (): Promise<void> => Promise.resolve()
  onAssigning = (): Promise<void> => Promise.resolve()
  /** What it said of itself, each time it joined. */
  readonly subscriptions: Subscription[] = []
  /** What it is given from now on. */
  mine: MemberAssignment = { active: [], standby: [], peers: [], liveIds: [] }
  stored: readonly StoredTask[] = []
  onAssigned = (_assignment: Assignment): Promise<void> => Promise.resolve()
  onRevoked = (): Promise<void> => Promise.resolve()
  /** Why the coordinator cannot be asked. */
  trouble: Error | undefined
  readonly member: GroupMembership
  readonly #watchers = new Set<() => void>()
  #generation = 0

  constructor(sessionTimeoutMs = SESSION_MS) {
    let epoch = 0
    this.member = new GroupMembership({
      clock: systemClock,
      spec,
      listener: this.#listener(),
      identity: {
        group: 'shop.sales',
        instance: 'shop.sales.a',
        processId: randomUUID(),
        slot: 'a',
        address: undefined,
        version: '0',
      },
      sessionTimeoutMs,
      rebalanceTimeoutMs: 10_000,
      heartbeatMs: 1,
      leaves: false,
      standbys: 1,
      send: <R>(request: KafkaRequest<R>) => {
        this.patience.set(request.apiName, request.timeoutMs)
        if (this.trouble !== undefined) {
          this.#saw('no answer')
          return Promise.reject(this.trouble)
        }
        if (request.apiName === 'JoinGroup') this.subscriptions.push(subscriptionIn(request.encode()))
        return Promise.resolve(this.#answer(request.apiName) as R)
      },
      forgetCoordinator: () => {},
      assign: async () => {
        await this.onAssigning()
        return new Map()
      },
      transactionalId: () => 'shop.sales.a.1',
      renewProducer: () => {
        this.#saw('new producer')
        return Promise.resolve()
      },
      nextEpoch: () => ++epoch,
      disconnect: () => Promise.resolve(),
    })
    onTestFinished(() => this.member.leave())
  }

  static async joined(sessionTimeoutMs?: number): Promise<Rig> {
    const rig = new Rig(sessionTimeoutMs)
    await rig.member.start()
    return rig
  }

  /** Resolves when it has happened so often. */
  seen(event: string, times: number): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.events.filter((each) => each === event).length < times) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
      look()
    })
  }

  #saw(event: string): void {
    this.events.push(event)
    for (const look of this.#watchers) look()
  }

  #listener(): GroupListener {
    return {
      stored: () => Promise.resolve(this.stored),
      rebalancing: () => this.onRebalancing(),
      assigned: (assignment: Assignment) => {
        this.#saw(`assigned ${assignment.epoch}`)
        return this.onAssigned(assignment)
      },
      revoked: () => {
        this.#saw('revoked')
        return this.onRevoked()
      },
      lost: (cause) => this.#saw(`lost: ${cause.message}`),
    }
  }

  #answer(api: string): object {
    const ok = { throttleMs: 0, errorCode: 0, protocolType: 'consumer', protocolName: 'millrace-1' }
    switch (api) {
      case 'JoinGroup': {
        this.#saw('join')
        const errorCode = this.joinCode
        this.joinCode = 0
        const generation = ++this.#generation
        return {
          ...ok,
          errorCode,
          generation,
          leader: this.leads ? 'm' : 'other',
          skipAssignment: false,
          member: 'm',
          members: [],
        }
      }
      case 'SyncGroup':
        return { ...ok, assignment: encodeAssignment(this.mine, subTopologies) }
      case 'LeaveGroup':
        this.#saw('leave')
        return { ...ok, members: [] }
      default: {
        this.#saw('heartbeat')
        const errorCode = this.heartbeatCode
        // The group knows who joins again.
        this.heartbeatCode = 0
        return { ...ok, errorCode }
      }
    }
  }
}

test('a member that keeps its place over restarts gives it up where it leaves for good', async () => {
  const [restarted, failed] = [await Rig.joined(), await Rig.joined()]
  await restarted.member.leave()
  expect(restarted.events).not.toContain('leave')
  await failed.member.leave({ forGood: true })
  expect(failed.events.at(-1)).toBe('leave')
})

test('tasks that are kept may commit while those that left are still being closed', async () => {
  const rig = new Rig()
  let current: number | undefined
  rig.onAssigned = () => {
    current = rig.member.current?.epoch
    return Promise.resolve()
  }
  await rig.member.start()
  expect(current).toBe(1)
})

test('a member that the group forgot gives up everything, and joins as a new producer', async () => {
  const rig = await Rig.joined()
  rig.heartbeatCode = UNKNOWN_MEMBER_ID
  await rig.seen('assigned 2', 1)
  const told = rig.events.filter((event) => event !== 'heartbeat')
  expect(told).toEqual(['join', 'assigned 1', 'revoked', 'new producer', 'join', 'assigned 2'])
})

test('a commit that is refused while everything is given up does not have it given up again', async () => {
  const rig = await Rig.joined()
  rig.onRevoked = () => {
    rig.member.rejoin(refused)
    return Promise.resolve()
  }
  rig.heartbeatCode = UNKNOWN_MEMBER_ID
  await rig.seen('assigned 2', 1)
  const { length } = rig.events.filter((event) => event === 'heartbeat')
  await rig.seen('heartbeat', length + 3)
  expect(rig.events.filter((event) => event === 'revoked')).toEqual(['revoked'])
})

test('a commit that is refused while an assignment is on its way has everything given up before the next', async () => {
  const rig = new Rig()
  let isFirst = true
  rig.onRebalancing = () => {
    if (isFirst) rig.member.rejoin(refused)
    isFirst = false
    return Promise.resolve()
  }
  await rig.member.start()
  expect(rig.events).toEqual(['revoked', 'new producer', 'join', 'assigned 1'])
})

test('a member says what it has on its disk and how old that is, and hears what to run and what to keep up', async () => {
  const rig = new Rig()
  const [zero, one] = [0, 1].map((partition) => ({ topology: 'sales', subTopology: 0, partition }))
  rig.stored = [{ task: zero as TaskId, lag: 7 }, { task: one as TaskId }]
  rig.mine = { ...rig.mine, active: ['0_0'], standby: ['0_1'] }
  let given: Assignment | undefined
  rig.onAssigned = (assignment) => {
    given = assignment
    return Promise.resolve()
  }
  await rig.member.start()
  expect(rig.subscriptions).toMatchObject([{ standbys: 1, warm: [{ task: '0_0', lag: 7 }, { task: '0_1' }] }])
  expect(given).toMatchObject({ tasks: [zero], standbys: [one] })
})

/** What a JoinGroup request tells the group's leader. */
function subscriptionIn(request: Buffer): Subscription {
  const from = new Reader(request, 'JoinGroup')
  from.tags()
  from.string()
  from.int32()
  from.int32()
  from.string()
  from.nullableString()
  from.string()
  const [metadata] = from.array(() => {
    from.string()
    const bytes = from.bytes()
    from.tags()
    return bytes
  })
  const read = decodeSubscription(metadata as Buffer)
  if (read.kind !== 'understood') throw new Error(read.kind)
  return read.subscription
}

const finals = [
  new ClusterError('ACCESS_DENIED', 'FindCoordinator of group shop.sales'),
  new ClusterError('AUTHENTICATION_FAILED', 'broker 1'),
]
test.each(finals)('a member that is refused for good does not start: $code', async (trouble) => {
  const rig = new Rig()
  rig.trouble = trouble
  await expect(rig.member.start()).rejects.toBe(trouble)
})

test.each(finals)(
  'a member that is refused for good by now is lost, and says why: $code',
  async (trouble) => {
    const rig = await Rig.joined()
    rig.trouble = trouble
    await rig.seen(`lost: ${trouble.message}`, 1)
    expect(rig.member.current).toBeUndefined()
  },
)

test('a member whose coordinator is away tries until it is back', async () => {
  const rig = new Rig()
  rig.trouble = new ClusterError('CONNECTION_FAILED', 'broker 1')
  const started = rig.member.start()
  await new Promise(setImmediate)
  rig.trouble = undefined
  await started
  expect(rig.events).toContain('assigned 1')
})

test('a heartbeat that is not answered within the session is given up: the answer would be worth nothing', async () => {
  const rig = await Rig.joined()
  await rig.seen('heartbeat', 1)
  expect(rig.patience.get('Heartbeat')).toBe(SESSION_MS)
})

test.each([
  ['its commit takes long before it joins again', 'onRebalancing'],
  ['what it fences takes long before it assigns', 'onAssigning'],
  ['what it was given takes long to be taken', 'onAssigned'],
] as const)('a member sends heartbeats while %s', async (_, step) => {
  const rig = await Rig.joined()
  rig.leads = true
  const others = (): string[] => rig.events.filter((event) => event !== 'heartbeat')
  const meanwhile = new Promise<boolean>((resolve) => {
    rig[step] = async () => {
      rig[step] = () => Promise.resolve()
      const before = others()
      await rig.seen('heartbeat', rig.events.length - before.length + 3)
      resolve(others().length === before.length)
    }
  })
  rig.heartbeatCode = REBALANCE_IN_PROGRESS
  expect(await meanwhile).toBe(true)
  await rig.seen('assigned 2', 1)
  expect(others()).toEqual(['join', 'assigned 1', 'join', 'assigned 2'])
})

test('a member that is cut off for a session gives up everything once, and joins when the coordinator is back', async () => {
  const rig = await Rig.joined(1)
  rig.trouble = new ClusterError('CONNECTION_FAILED', 'broker 1')
  await rig.seen('revoked', 1)
  expect(rig.member.current).toBeUndefined()
  const { length } = rig.events.filter((event) => event === 'no answer')
  await rig.seen('no answer', length + 2)
  rig.joinCode = UNKNOWN_MEMBER_ID
  rig.trouble = undefined
  await rig.seen('assigned 2', 1)
  const told = rig.events.filter((event) => event !== 'heartbeat' && event !== 'no answer')
  expect(told).toEqual(['join', 'assigned 1', 'revoked', 'new producer', 'join', 'join', 'assigned 2'])
})

test('a member that is cut off for less than a session keeps everything', async () => {
  const rig = await Rig.joined()
  rig.trouble = new ClusterError('CONNECTION_FAILED', 'broker 1')
  await rig.seen('no answer', 2)
  rig.trouble = undefined
  const { length } = rig.events.filter((event) => event === 'heartbeat')
  await rig.seen('heartbeat', length + 2)
  expect(rig.events).not.toContain('revoked')
  expect(rig.member.current?.epoch).toBe(1)
})
