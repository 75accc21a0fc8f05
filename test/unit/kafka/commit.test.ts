import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { OutgoingRecord, StoreChange, TaskCommit } from '../../../streams/index.ts'
import { commitAtLeastOnce, commitExactlyOnce } from '../../../transports/kafka/commit.ts'
import { inputTag, parseOffsetMetadata } from '../../../transports/kafka/offset-metadata.ts'
import { Sender } from '../../../transports/kafka/sender.ts'
import { TransactionalProducer } from '../../../transports/kafka/transactional-producer.ts'
import { type Arriving, type Fate, ModelCluster } from './model-cluster.ts'

const NOT_COORDINATOR = 16
const COORDINATOR_NOT_AVAILABLE = 15
const TOPIC_ID = Buffer.from('0c5e2d1affffffffffffffffffffffff', 'hex').toString('base64url')
const TASKS = 3

let cluster: ModelCluster
let isCurrent: (epoch: number) => boolean
beforeEach(() => {
  cluster = new ModelCluster(3, { out: 2, dead: 1, 'shop-sales-counts-changelog': TASKS })
  isCurrent = (epoch) => epoch === 7
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] })
  vi.setTimerTickMode('nextTimerAsync')
  return () => vi.useRealTimers()
})

const context = () => ({
  application: 'shop',
  member: {
    group: 'shop.sales',
    generation: 1,
    member: 'member',
    instance: null,
    isCurrent: (epoch: number) => isCurrent(epoch),
  },
  topicId: () => TOPIC_ID,
})

const producer = () =>
  new TransactionalProducer(cluster, cluster, { transactionalId: 'shop.sales.0.1', timeoutMs: 10_000 })
const exactly = (commits: readonly TaskCommit[], by = producer()) =>
  commitExactlyOnce({ ...context(), producer: by }, commits)
const atLeast = (commits: readonly TaskCommit[], sender = new Sender(cluster, cluster)) =>
  commitAtLeastOnce(
    { ...context(), sender, coordinators: cluster, brokers: cluster, timeoutMs: 10_000 },
    commits,
  )

const times = { streamTime: 100, wallTime: 200, lastRecordAt: 200 }

const output = (topic: string, partition: number, value: string): OutgoingRecord => ({
  topic,
  partition,
  key: null,
  value: Buffer.from(value),
  timestamp: 1,
  lineage: { eventId: value },
  headers: [],
})

const change = (key: string, value: string | null): StoreChange => ({
  store: 'counts',
  key: Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
  version: 1,
})

function commitOf(
  partition: number,
  outputs: OutgoingRecord[],
  changes: StoreChange[],
  epoch = 7,
): TaskCommit {
  const positions = [
    { topic: 'in', partition, offset: 10 + partition },
    { topic: 'also', partition, offset: 20 },
  ]
  return {
    task: { topology: 'sales', subTopology: 0, partition },
    epoch,
    outputs,
    checkpoint: { positions, times, sequence: 5 },
    journal: { sequence: 5, times, wallTimers: 0, punctuators: [], inputs: [], outputsCrc: 0 },
    state: [],
    changes,
  }
}

const changelog = (partition: number) =>
  cluster
    .records('shop-sales-counts-changelog', partition)
    .map(({ key, value, timestamp }) => [key, value, timestamp])

const two = () => [
  commitOf(0, [output('out', 0, 'a'), output('out', 1, 'b'), output('out', 0, 'c')], [change('k', '1')]),
  commitOf(2, [output('dead', 0, 'd'), output('out', 0, 'e')], [change('x', '1'), change('y', null)]),
]

/** The fates of the requests of one kind, one after the other; then all is well. */
function fates(api: string, ...plan: Fate[]): (arriving: Arriving) => Fate {
  return (arriving) => (arriving.api === api ? plan.shift() : undefined)
}

function nothingIsThere() {
  expect(cluster.hasOpen).toBe(false)
  expect(cluster.values('out', 0)).toEqual([])
  expect(changelog(0)).toEqual([])
  expect(cluster.coordinators.offsets.size).toBe(0)
}

describe.each([
  ['exactly once', exactly],
  ['at least once', atLeast],
])('a commit %s', (_, commit) => {
  test('writes outputs, changes and positions of all its tasks', async () => {
    await commit(two())
    expect(cluster.values('out', 0)).toEqual(['a', 'c', 'e'])
    expect(cluster.values('out', 1)).toEqual(['b'])
    expect(cluster.values('dead', 0)).toEqual(['d'])
    expect(changelog(0)).toEqual([['k', '1', 200]])
    expect(changelog(2)).toEqual([
      ['x', '1', 200],
      ['y', null, 200],
    ])
    const positions = [...cluster.coordinators.offsets].map(([name, { offset }]) => [name, offset])
    expect(positions).toEqual([
      ['in-0', 10],
      ['in-2', 12],
      ['also-0', 20],
      ['also-2', 20],
    ])
    for (const { metadata } of cluster.coordinators.offsets.values()) {
      expect(parseOffsetMetadata(metadata)).toEqual({
        times,
        sequence: 5,
        topicTag: '0c5e2d1a',
        inputTags: [inputTag('in'), inputTag('also')],
      })
    }
  })

  test('answers where the first outputs and the ends of the changelogs are', async () => {
    await commit([commitOf(0, [output('out', 0, 'before')], [])])
    const first = cluster.records('out', 0)[0]?.offset
    const receipts = await commit(two())
    const [a, , e] = cluster.records('out', 0).slice(1)
    expect(first).toBe(0)
    const log = 'shop-sales-counts-changelog'
    expect(receipts).toEqual([
      {
        task: { topology: 'sales', subTopology: 0, partition: 0 },
        outputs: [
          { topic: 'out', partition: 0, offset: a?.offset },
          { topic: 'out', partition: 1, offset: 0 },
        ],
        changelogs: [{ topic: log, partition: 0, offset: 1 }],
      },
      {
        task: { topology: 'sales', subTopology: 0, partition: 2 },
        outputs: [
          { topic: 'dead', partition: 0, offset: 0 },
          { topic: 'out', partition: 0, offset: e?.offset },
        ],
        changelogs: [{ topic: log, partition: 2, offset: 2 }],
      },
    ])
  })

  test('of only positions writes those', async () => {
    await commit([commitOf(1, [], [])])
    expect(cluster.coordinators.offsets.get('in-1')?.offset).toBe(11)
    expect(cluster.sent).not.toContain('Produce')
  })

  test('of nothing asks nothing', async () => {
    expect(await commit([])).toEqual([])
    expect(cluster.sent).toEqual([])
  })

  test('from an assignment that is not current is refused before anything is sent', async () => {
    const stale = [...two(), commitOf(1, [], [], 6)]
    await expect(commit(stale)).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
    expect(cluster.sent).toEqual([])
  })

  test('of a task without position is refused: nothing would fence it', async () => {
    const bare = commitOf(0, [output('out', 0, 'a')], [])
    const commits = [{ ...bare, checkpoint: { ...bare.checkpoint, positions: [] } }]
    await expect(commit(commits)).rejects.toThrow(RangeError)
    expect(cluster.sent).toEqual([])
  })
})

describe.each([
  ['V1', 0],
  ['V2', 2],
])('a commit exactly once, with transactions %s,', (_, transactionVersion) => {
  beforeEach(() => {
    cluster.coordinators.transactionVersion = transactionVersion
  })

  test('asks in the order of its steps', async () => {
    const by = producer()
    await exactly(two(), by)
    cluster.sent.length = 0
    await exactly([commitOf(0, [output('out', 0, 'a')], [])], by)
    const v1 = ['AddPartitionsToTxn', 'Produce', 'AddOffsetsToTxn', 'TxnOffsetCommit', 'EndTxn']
    expect(cluster.sent).toEqual(transactionVersion === 2 ? ['Produce', 'TxnOffsetCommit', 'EndTxn'] : v1)
  })

  test('does not end when the assignment changed meanwhile, and leaves nothing open', async () => {
    let looks = 0
    isCurrent = () => ++looks <= 2
    const by = producer()
    await expect(exactly(two(), by)).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
    expect(cluster.sent).not.toContain('EndTxn')
    nothingIsThere()
    expect(by.state).toBe('ready')
  })

  test('of a generation that is over is refused by the group, and leaves nothing open', async () => {
    cluster.coordinators.generation = 2
    await expect(exactly(two())).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
    nothingIsThere()
  })

  test('of a producer whose id was taken leaves the new owner alone', async () => {
    const zombie = producer()
    await zombie.initialise()
    const owner = producer()
    await owner.initialise()
    await owner.produce([{ topic: 'out', partition: 0, records: [] }])
    await expect(exactly(two(), zombie)).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
    expect(zombie.state).toBe('retired')
    nothingIsThere()
  })

  const positions = [
    ['positions without answer', 'TxnOffsetCommit', 'answer lost'],
    ['positions that arrive late', 'TxnOffsetCommit', 'held'],
  ] as const
  test.each([
    ['a Produce without answer', 'Produce', 'answer lost'],
    ...(transactionVersion === 2 ? positions : []),
  ] as const)('commits nothing after %s, and may be offered again', async (_what, api, fate) => {
    const by = producer()
    cluster.fate = fates(api, fate)
    await expect(exactly(two(), by)).rejects.toMatchObject({ code: 'LOG_BUSY', reaction: 'retry' })
    nothingIsThere()
    await exactly(two(), by)
    cluster.release()
    expect(cluster.values('out', 0)).toEqual(['a', 'c', 'e'])
    expect(cluster.hasOpen).toBe(false)
  })

  test.each([
    ['lost', []],
    ['answer lost', ['a', 'c', 'e']],
    ['held', []],
  ] as const)('whose end is %s is unknown, and settled before anything else', async (fate, there) => {
    const by = producer()
    cluster.fate = fates('EndTxn', fate)
    await expect(exactly(two(), by)).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN', reaction: 'restore' })
    expect(cluster.sent.at(-1)).toBe('InitProducerId')
    expect(cluster.hasOpen).toBe(false)
    expect(cluster.values('out', 0)).toEqual(there)
    cluster.release()
    await exactly([commitOf(1, [output('out', 0, 'next')], [])], by)
    expect(cluster.values('out', 0)).toEqual([...there, 'next'])
  })

  test('begins by settling what could not be settled before', async () => {
    const by = producer()
    await by.initialise()
    let isAway = false
    cluster.fate = ({ api }) => {
      if (api === 'EndTxn') isAway = true
      return isAway ? 'lost' : undefined
    }
    await expect(exactly(two(), by)).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' })
    expect(by.state).toBe('unsettled')
    cluster.fate = () => undefined
    cluster.sent.length = 0
    await exactly(two(), by)
    expect(cluster.sent[0]).toBe('InitProducerId')
    expect(cluster.values('out', 0)).toEqual(['a', 'c', 'e'])
  })
})

describe('a commit at least once', () => {
  test('leaves its outputs when its positions are refused', async () => {
    cluster.coordinators.generation = 2
    await expect(atLeast(two())).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
    expect(cluster.values('out', 0)).toEqual(['a', 'c', 'e'])
    expect(cluster.coordinators.offsets.size).toBe(0)
  })

  test('does not send positions when the assignment changed meanwhile', async () => {
    let looks = 0
    isCurrent = () => ++looks <= 2
    await expect(atLeast(two())).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
    expect(cluster.coordinators.offsets.size).toBe(0)
  })

  test('finds the group again', async () => {
    cluster.fate = fates('OffsetCommit', { code: NOT_COORDINATOR }, 'unreachable')
    await atLeast(two())
    expect(cluster.coordinators.offsets.size).toBe(4)
  })

  test.each([
    ['answer lost', 'COMMIT_UNKNOWN'],
    ['lost', 'COMMIT_UNKNOWN'],
  ] as const)('whose positions are %s is unknown', async (fate, code) => {
    cluster.fate = fates('OffsetCommit', fate)
    await expect(atLeast(two())).rejects.toMatchObject({ code })
    expect(cluster.sent.filter((api) => api === 'OffsetCommit')).toHaveLength(1)
  })

  test('that the group never took is known not to be', async () => {
    cluster.fate = ({ api }) => (api === 'OffsetCommit' ? { code: NOT_COORDINATOR } : undefined)
    await expect(atLeast(two())).rejects.toMatchObject({ code: 'LOG_BUSY' })
    cluster.fate = ({ api }) => (api === 'OffsetCommit' ? { code: COORDINATOR_NOT_AVAILABLE } : undefined)
    await expect(atLeast(two())).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' })
  })
})
