/** What members tell each other: as Java reads and writes it, and as it must not get past the reader. */
import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assign, type GroupMember, type MemberTasks } from '../../../transports/kafka/group/assignor.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  MAX_REMEMBERED_IDS,
  type MemberAssignment,
  type Subscription,
} from '../../../transports/kafka/group/metadata.ts'
import { taskKey } from '../../../transports/kafka/group/task-key.ts'
import { MAX_TASKS, MAX_USER_DATA_BYTES } from '../../../transports/kafka/group/user-data.ts'

const subTopologies = [
  { id: 0, inputs: ['claims', 'campaigns'], stores: ['counters'], hasState: true },
  { id: 1, inputs: ['verdicts'], stores: [], hasState: false },
]

const subscription: Subscription = {
  topics: ['claims', 'campaigns', 'verdicts'],
  processId: '0b0f1a52-7c55-4f5f-9a3e-1f2e3d4c5b6a',
  slot: 'shop-1',
  address: '10.0.0.7:8080',
  transactionalId: 'shop.coupons.shop-1.12',
  rememberedIds: ['shop.coupons.shop-1.11', 'shop.coupons.shop-2.3'],
  owned: ['0_0', '0_2', '1_5'],
  ownedGeneration: 41,
  warm: [{ task: '0_0', lag: 0 }, { task: '0_1' }, { task: '0_2', lag: 2 ** 40 }],
  standbys: 1,
  capacity: 4,
  topologyFingerprint: 'a94a8fe5ccb19ba61c4c0873d391e987982fbbd3',
  engineVersion: '1.4.0-rc.1+5',
}

const assignment: MemberAssignment = {
  active: ['0_0', '0_1', '1_2'],
  standby: ['0_3'],
  peers: [
    { address: '10.0.0.7:8080', tasks: ['0_0', '0_1', '1_2'] },
    { address: 'https://shop.example', tasks: ['0_2'] },
  ],
  liveIds: ['shop.coupons.shop-1.12', 'shop.coupons.shop-2.3'],
}

/** What Java's ConsumerProtocol 4.1 writes for two topics and the user data 02 01 02 03, by version. */
const JAVA_SUBSCRIPTIONS = [
  '0000000000020006636c61696d73000876657264696374730000000402010203',
  '0001000000020006636c61696d73000876657264696374730000000402010203000000010006636c61696d730000000100000001',
  '0002000000020006636c61696d73000876657264696374730000000402010203000000010006636c61696d73000000010000000100000007',
  '0003000000020006636c61696d73000876657264696374730000000402010203000000010006636c61696d7300000001000000010000000700067261636b2d61',
]
/** The same of claims 0 and 1, campaigns 0 and 1, verdicts 2. */
const JAVA_ASSIGNMENT =
  '0003000000030006636c61696d73000000020000000000000001000963616d706169676e730000000200000000000000010008766572646963747300000001000000020000000402010203'

describe('what a member says', () => {
  test('reads back as it was written', () => {
    expect(decodeSubscription(encodeSubscription(subscription))).toEqual({ kind: 'understood', subscription })
  })

  test('reads back without what it left out', () => {
    const { address: _address, capacity: _capacity, ...rest } = subscription
    const bare = { ...rest, topics: [], owned: [], warm: [], rememberedIds: [], ownedGeneration: -1 }
    expect(decodeSubscription(encodeSubscription(bare))).toEqual({ kind: 'understood', subscription: bare })
  })

  test('comes back with its tasks in order, whatever order they were in', () => {
    const tasks = fc.uniqueArray(fc.tuple(fc.nat({ max: 9 }), fc.nat({ max: 99 })), { selector: String })
    fc.assert(
      fc.property(tasks, (pairs) => {
        const sorted = pairs
          .toSorted(([a, p], [b, q]) => a - b || p - q)
          .map(([sub, partition]) => taskKey(sub, partition))
        const said = {
          ...subscription,
          owned: pairs.map(([sub, partition]) => taskKey(sub, partition)),
          warm: pairs.map(([sub, partition]) => ({
            task: taskKey(sub, partition),
            lag: sub * 1_000 + partition,
          })),
        }
        const read = decodeSubscription(encodeSubscription(said))
        expect(read).toMatchObject({ kind: 'understood', subscription: { owned: sorted } })
        const warm = read.kind === 'understood' ? read.subscription.warm : []
        expect(warm.map(({ task }) => task)).toEqual(sorted)
        for (const { task, lag } of warm)
          expect(taskKey(Math.floor((lag ?? 0) / 1_000), (lag ?? 0) % 1_000)).toBe(task)
      }),
    )
  })

  test.each(JAVA_SUBSCRIPTIONS)('its topics are read from what Java writes: %s', (hex) => {
    const read = decodeSubscription(Buffer.from(hex, 'hex'))
    expect(read).toEqual({ kind: 'newer', version: 2, topics: ['claims', 'verdicts'] })
  })

  test('is laid out as Java has it', () => {
    const bytes = encodeSubscription({ ...subscription, topics: ['claims', 'verdicts'] })
    const topics = '0001000000020006636c61696d7300087665726469637473'
    expect(bytes.toString('hex', 0, topics.length / 2)).toBe(topics)
    const length = bytes.readInt32BE(topics.length / 2)
    // No owned partitions.
    expect(bytes.toString('hex', topics.length / 2 + 4 + length)).toBe('00000000')
  })

  test.each<[string, Partial<Subscription>]>([
    ['a process id that is no UUID', { processId: 'x' }],
    ['a slot with a dot', { slot: 'a.b' }],
    ['a blank in an id', { transactionalId: 'a b' }],
    ['more ids than can be remembered', { rememberedIds: Array<string>(MAX_REMEMBERED_IDS + 1).fill('x') }],
    ['a task twice', { owned: ['0_1', '0_1'] }],
    ['what is no task', { owned: ['01_1' as '1_1'] }],
    ['a lag below nothing', { warm: [{ task: '0_1', lag: -5 }] }],
    ['a lag that is no number', { warm: [{ task: '0_1', lag: Number.NaN }] }],
    ['a generation in parts', { ownedGeneration: 1.5 }],
    ['a topic that cannot be', { topics: ['a b'] }],
  ])('cannot be said: %s', (_what, wrong) => {
    expect(() => encodeSubscription({ ...subscription, ...wrong })).toThrow(RangeError)
  })

  test.each([
    'localhost:1',
    'shop-1.internal:65535',
    'my_shop:80',
    '127.0.0.1:8080',
    '[::1]:8080',
    'http://shop:8080',
    'https://shop.example',
    'http://[fe80::1]',
  ])('can be asked at %s', (address) => {
    const read = decodeSubscription(encodeSubscription({ ...subscription, address }))
    expect(read).toMatchObject({ kind: 'understood', subscription: { address } })
  })

  test.each([
    '',
    'shop',
    'shop:0',
    'shop:65536',
    'shop:8080/path',
    'http://shop/',
    'http://shop?x=1',
    'http://user:secret@shop:80',
    'user@shop:80',
    'file:///etc/passwd',
    'ftp://shop:21',
    'shop:80\n',
    'shop:80 other:80',
    `${'a'.repeat(300)}:80`,
  ])('cannot be asked at %j', (address) => {
    expect(() => encodeSubscription({ ...subscription, address })).toThrow(RangeError)
    const read = decodeSubscription(said({ address }))
    expect(read).toMatchObject({ kind: 'malformed', topics: ['claims'] })
  })
})

describe('what a member gets', () => {
  test('reads back as it was written', () => {
    const bytes = encodeAssignment(assignment, subTopologies)
    expect(decodeAssignment(bytes, subTopologies)).toEqual({ kind: 'understood', assignment })
  })

  test('shows the tools which partitions it reads, as Java has it', () => {
    const bytes = encodeAssignment(assignment, subTopologies)
    const partitions = JAVA_ASSIGNMENT.slice(4, -'0000000402010203'.length)
    expect(bytes.toString('hex', 0, 2)).toBe('0001')
    expect(bytes.toString('hex', 2, 2 + partitions.length / 2)).toBe(partitions)
  })

  test('from a leader of a later release, its tasks are those of its partitions', () => {
    const read = decodeAssignment(Buffer.from(JAVA_ASSIGNMENT, 'hex'), subTopologies)
    expect(read).toEqual({ kind: 'newer', version: 2, active: ['0_0', '0_1', '1_2'] })
  })

  test('is nothing where the leader did not know it', () => {
    const nothing = { active: [], standby: [], peers: [], liveIds: [] }
    expect(decodeAssignment(Buffer.alloc(0), subTopologies)).toEqual({
      kind: 'understood',
      assignment: nothing,
    })
  })

  test.each<[string, Partial<MemberAssignment>]>([
    ['a task of no sub-topology', { active: ['7_0'] }],
    [
      'one task at two places',
      { peers: [assignment.peers[0], assignment.peers[0]] as MemberAssignment['peers'] },
    ],
    ['a place that cannot be asked', { peers: [{ address: 'nowhere', tasks: [] }] }],
    ['an empty id', { liveIds: [''] }],
  ])('cannot be given: %s', (_what, wrong) => {
    expect(() => encodeAssignment({ ...assignment, ...wrong }, subTopologies)).toThrow(RangeError)
  })
})

/** The bytes of a subscription to claims that says what no member of this release would. */
function said(wrong: Record<string, unknown>): Buffer {
  const { topics: _topics, ...rest } = subscription
  const value = { ...rest, owned: {}, warm: {}, lags: [], ...wrong }
  return outer(Buffer.concat([Buffer.of(1), deflateRawSync(JSON.stringify(value))]))
}

function outer(userData: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(userData.length)
  return Buffer.concat([
    Buffer.from('0001000000010006636c61696d73', 'hex'),
    length,
    userData,
    Buffer.alloc(4),
  ])
}

describe('what others write into the group', () => {
  test('is understood where it adds fields that this release does not know', () => {
    expect(decodeSubscription(said({ mood: 'good' }))).toMatchObject({ kind: 'understood' })
  })

  test.each<[string, Record<string, unknown>]>([
    ['tasks as a list', { owned: ['0_0'] }],
    ['tasks of no sub-topology', { owned: { x: [1] } }],
    ['tasks of a sub-topology written otherwise', { owned: { '01': [1] } }],
    ['a partition twice', { owned: { 0: [1, 0] } }],
    ['a partition below 0', { owned: { 0: [-1] } }],
    ['a partition beyond all', { owned: { 0: [2 ** 31] } }],
    ['partitions that add up beyond all', { owned: { 0: [2 ** 31 - 1, 1] } }],
    ['partitions as texts', { owned: { 0: ['1'] } }],
    ['more tasks than there can be', { owned: { 0: Array<number>(MAX_TASKS + 1).fill(1) } }],
    ['fewer lags than tasks', { warm: { 0: [0, 1] }, lags: [1] }],
    ['no tasks', { owned: null }],
    ['an id that is a number', { transactionalId: 7 }],
    ['ids that are objects', { rememberedIds: [{}] }],
    ['no version', { engineVersion: undefined }],
    ['a capacity of 0', { capacity: 0 }],
    ['more standbys than possible', { standbys: 9 }],
  ])('is malformed with %s', (_what, wrong) => {
    expect(decodeSubscription(said(wrong))).toMatchObject({ kind: 'malformed', topics: ['claims'] })
  })

  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['version 0', Buffer.of(0)],
    ['a version below 0', Buffer.of(0xff)],
    ['a version and nothing', Buffer.of(1)],
    ['no compressed bytes', Buffer.from('01ffffffff', 'hex')],
    ['no JSON', Buffer.concat([Buffer.of(1), deflateRawSync('{')])],
    ['a list', Buffer.concat([Buffer.of(1), deflateRawSync('[]')])],
    ['null', Buffer.concat([Buffer.of(1), deflateRawSync('null')])],
    [
      'what grows without end',
      Buffer.concat([Buffer.of(1), deflateRawSync(Buffer.alloc(64 * 1024 * 1024, 32))]),
    ],
    ['more than the limit', Buffer.alloc(MAX_USER_DATA_BYTES + 1, 1)],
  ])('is malformed with %s as user data', (_what, userData) => {
    expect(decodeSubscription(outer(userData))).toMatchObject({ kind: 'malformed', topics: ['claims'] })
  })

  test('does not show up in the reason', () => {
    const read = decodeSubscription(said({ address: '<script>' }))
    expect(read).toEqual({
      kind: 'malformed',
      topics: ['claims'],
      reason: 'subscription: address has a text that cannot be one',
    })
  })

  test('never makes reading throw: any bytes, and any byte of good ones changed or cut off', () => {
    const good = [encodeSubscription(subscription), encodeAssignment(assignment, subTopologies)]
    const changed = fc
      .tuple(fc.constantFrom(...good), fc.nat(), fc.nat({ max: 255 }), fc.boolean())
      .map(([bytes, at, value, cut]) => {
        const copy = Buffer.from(bytes)
        copy[at % copy.length] = value
        return cut ? copy.subarray(0, at % copy.length) : copy
      })
    const any = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes))
    const kinds = ['understood', 'newer', 'malformed']
    fc.assert(
      fc.property(fc.oneof(any, changed), (bytes) => {
        expect(kinds).toContain(decodeSubscription(bytes).kind)
        expect(kinds).toContain(decodeAssignment(bytes, subTopologies).kind)
      }),
      { numRuns: 2_000 },
    )
  })
})

test('with 20 members and 1,000 tasks, an assignment takes a kilobyte', () => {
  const stateful = Array.from({ length: 4 }, (_, id) => ({ id, partitions: 250, stateful: true }))
  const members = Array.from({ length: 20 }, (_, index): GroupMember => {
    const name = `shop-${index}`
    return { memberId: name, processId: name, slot: name, owned: [], ownedGeneration: -1, warm: [] }
  })
  const assigned = assign({ subTopologies: stateful, members, standbys: 1 })
  const peers = [...assigned].map(([name, { active }]) => ({
    address: `${name}.internal:8080`,
    tasks: active,
  }))
  const liveIds = members.map(({ slot }, index) => `shop.coupons.${slot}.${7_919 * index}`)
  const specs = stateful.map(({ id }) => ({ id, inputs: [`topic-${id}`], stores: ['store'], hasState: true }))
  const bytes = encodeAssignment({ ...(assigned.get('shop-0') as MemberTasks), peers, liveIds }, specs)
  expect(bytes.length).toBeLessThan(1_000)
})
