import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { BatchRecord } from '../../../transports/kafka/batches/encode.ts'
import { codeOfPartitions } from '../../../transports/kafka/transaction-errors.ts'
import { offsetIn } from '../../../transports/kafka/transaction-writes.ts'
import { TransactionalProducer } from '../../../transports/kafka/transactional-producer.ts'
import { seededRandom } from '../../support/random.ts'
import { type Arriving, type Fate, ModelCluster } from './model-cluster.ts'

const COORDINATOR_NOT_AVAILABLE = 15
const NOT_COORDINATOR = 16
const NOT_ENOUGH_REPLICAS = 19
const REBALANCE_IN_PROGRESS = 27
const TOPIC_AUTHORIZATION_FAILED = 29
const OUT_OF_ORDER_SEQUENCE = 45
const INVALID_TXN_STATE = 48
const CONCURRENT_TRANSACTIONS = 51
const PRODUCER_FENCED = 90
const TRANSACTION_ABORTABLE = 120

const member = { group: 'shop', generation: 1, member: 'member', instance: null }

let cluster: ModelCluster
beforeEach(() => {
  cluster = new ModelCluster(3, { out: 3 })
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] })
  vi.setTimerTickMode('nextTimerAsync')
  return () => vi.useRealTimers()
})

const producer = (transactionalId = 'app.0') =>
  new TransactionalProducer(cluster, cluster, { transactionalId, timeoutMs: 10_000 })

async function ready(transactionalId?: string): Promise<TransactionalProducer> {
  const one = producer(transactionalId)
  await one.initialise()
  cluster.sent.length = 0
  return one
}

function group(partition: number, ...values: string[]) {
  const record = (value: string): BatchRecord => ({
    key: null,
    value: Buffer.from(value),
    timestamp: 1,
    headers: [],
  })
  return { topic: 'out', partition, records: values.map(record) }
}

const position = (offset: number) => [
  { topic: 'in', partitions: [{ partition: 0, offset, metadata: `at ${offset}` }] },
]

/** The fates of the requests of one kind, one after the other; then all is well. */
function fates(api: string, ...plan: Fate[]): (arriving: Arriving) => Fate {
  return (arriving) => (arriving.api === api ? plan.shift() : undefined)
}

describe.each([
  ['V1', 0],
  ['V2', 2],
])('transactions %s:', (_, transactionVersion) => {
  beforeEach(() => {
    cluster.coordinators.transactionVersion = transactionVersion
  })
  const isV2 = transactionVersion === 2

  test('records and positions are there with the commit, and not before', async () => {
    const one = await ready()
    const written = await one.produce([group(0, 'a', 'b'), group(2, 'c')])
    await one.sendOffsets(member, position(7))
    expect(cluster.values('out', 0)).toEqual([])
    expect(cluster.coordinators.offsets.size).toBe(0)
    await one.commit()
    expect(cluster.values('out', 0)).toEqual(['a', 'b'])
    expect(cluster.values('out', 2)).toEqual(['c'])
    expect(cluster.coordinators.offsets.get('in-0')).toEqual({ offset: 7, metadata: 'at 7' })
    expect(written.map((some) => offsetIn(some, 0))).toEqual([0, 0])
  })

  test('what each commit costs', async () => {
    const one = await ready()
    for (let i = 0; i < 2; i++) {
      cluster.sent.length = 0
      await one.produce([group(0, 'a'), group(1, 'b')])
      await one.produce([group(0, 'c')])
      await one.sendOffsets(member, position(i))
      await one.commit()
      const v1 = ['AddPartitionsToTxn', 'Produce', 'Produce', 'Produce', 'AddOffsetsToTxn']
      const expected = isV2 ? ['Produce', 'Produce', 'Produce'] : v1
      expect(cluster.sent).toEqual([...expected, 'TxnOffsetCommit', 'EndTxn'])
    }
    expect(cluster.values('out', 0)).toEqual(['a', 'c', 'a', 'c'])
  })

  test('a commit of nothing asks nothing', async () => {
    const one = await ready()
    await one.commit()
    await one.settle()
    expect(cluster.sent).toEqual([])
  })

  test('records of many batches stay in order, each at its offset', async () => {
    const one = await ready()
    const values = Array.from({ length: 2500 }, (_, i) => `${i}`)
    const [written] = await one.produce([group(0, ...values)])
    await one.commit()
    const there = cluster.records('out', 0)
    expect(there.map(({ value }) => value)).toEqual(values)
    expect(values.map((_, i) => written && offsetIn(written, i))).toEqual(there.map(({ offset }) => offset))
  })

  test('large records get batches that brokers take', async () => {
    const one = await ready()
    const half = 'x'.repeat(500_000)
    const [written] = await one.produce([group(0, half, half, half)])
    await one.commit()
    expect(written?.batches.map(({ first }) => first)).toEqual([0, 1, 2])
    expect(cluster.values('out', 0)).toEqual([half, half, half])
    await expect(one.produce([group(1, 'a'), group(0, half + half + half)])).rejects.toMatchObject({
      code: 'RECORD_TOO_LARGE',
    })
    await one.settle()
    expect(cluster.values('out', 1)).toEqual([])
  })

  test('a coordinator that moved is found, in the same transaction', async () => {
    const one = await ready()
    await one.produce([group(0, 'a')])
    cluster.coordinatorNode = 1
    await one.sendOffsets(member, position(1))
    cluster.coordinatorNode = 2
    await one.commit()
    expect(cluster.values('out', 0)).toEqual(['a'])
  })

  test('a leader that moved is found, in the same transaction', async () => {
    const one = await ready()
    await one.produce([group(0, 'a'), group(1, 'b')])
    cluster.rotateLeaders()
    await one.produce([group(0, 'c'), group(1, 'd')])
    await one.commit()
    expect(cluster.values('out', 0)).toEqual(['a', 'c'])
    expect(cluster.values('out', 1)).toEqual(['b', 'd'])
  })

  test.each([
    ['Produce', NOT_ENOUGH_REPLICAS],
    ['Produce', CONCURRENT_TRANSACTIONS],
    ['TxnOffsetCommit', CONCURRENT_TRANSACTIONS],
    ['TxnOffsetCommit', NOT_COORDINATOR],
    ['EndTxn', CONCURRENT_TRANSACTIONS],
    ['EndTxn', COORDINATOR_NOT_AVAILABLE],
    ...(isV2 ? [] : ([['AddPartitionsToTxn', CONCURRENT_TRANSACTIONS]] as const)),
    ...(isV2 ? [] : ([['AddOffsetsToTxn', COORDINATOR_NOT_AVAILABLE]] as const)),
  ] as const)('%s is asked again when it answers %i', async (api, code) => {
    const one = await ready()
    cluster.fate = fates(api, { code }, 'unreachable', { code })
    await one.produce([group(0, 'a')])
    await one.sendOffsets(member, position(1))
    await one.commit()
    expect(cluster.values('out', 0)).toEqual(['a'])
    expect(one.state).toBe('ready')
  })

  test('an id that is busy or away is initialised in the end', async () => {
    cluster.fate = fates(
      'InitProducerId',
      { code: CONCURRENT_TRANSACTIONS },
      'unreachable',
      'answer lost',
      'lost',
    )
    const one = producer()
    await one.initialise()
    expect(one.state).toBe('ready')
  })

  describe('after a failure before the end nothing is committed, the producer must be initialised, and', () => {
    type Failure = readonly [name: string, api: string, fate: Fate]
    const v2Failures: readonly Failure[] = [
      ['positions without answer', 'TxnOffsetCommit', 'answer lost'],
      ['positions that arrive late', 'TxnOffsetCommit', 'held'],
    ]
    const failures: readonly Failure[] = [
      ['a produce without answer', 'Produce', 'answer lost'],
      ['a produce that arrives late', 'Produce', 'held'],
      ['a sequence that is not the next', 'Produce', { code: OUT_OF_ORDER_SEQUENCE }],
      ['a transaction that must be aborted', 'Produce', { code: TRANSACTION_ABORTABLE }],
      ...(isV2 ? v2Failures : []),
      ['an end that is refused', 'EndTxn', { code: INVALID_TXN_STATE }],
    ]
    test.each(failures)('%s may be tried again', async (_name, api, fate) => {
      const one = await ready()
      cluster.fate = fates(api, fate)
      const attempt = async (value: string, offset: number) => {
        await one.produce([group(0, value)])
        await one.sendOffsets(member, position(offset))
        await one.commit()
      }
      await expect(attempt('a', 1)).rejects.toMatchObject({ code: 'LOG_BUSY' })
      expect(one.state).toBe('unsettled')
      await expect(one.produce([group(0, 'early')])).rejects.toMatchObject({ code: 'ILLEGAL_TRANSITION' })
      await one.initialise()
      expect(cluster.hasOpen).toBe(false)
      await one.produce([group(0, 'b')])
      cluster.release()
      await one.sendOffsets(member, position(2))
      cluster.release()
      await one.commit()
      expect(cluster.values('out', 0)).toEqual(['b'])
      expect(cluster.coordinators.offsets.get('in-0')?.offset).toBe(2)
    })

    test('a refusal is told as it is', async () => {
      const one = await ready()
      cluster.fate = fates('Produce', { code: TOPIC_AUTHORIZATION_FAILED })
      await expect(one.produce([group(0, 'a')])).rejects.toMatchObject({ code: 'ACCESS_DENIED' })
      expect(one.state).toBe('unsettled')
    })

    test('a partition without leader is given up by the deadline', async () => {
      const one = await ready()
      cluster.moveLeader('out', 0, -1)
      await expect(one.produce([group(0, 'a'), group(1, 'b')])).rejects.toMatchObject({ code: 'LOG_BUSY' })
      await one.settle()
      expect(cluster.hasOpen).toBe(false)
    })
  })

  test('nothing is sent to a coordinator that was found too late', async () => {
    const one = await ready()
    await one.produce([group(0, 'a')])
    cluster.sent.length = 0
    vi.spyOn(cluster, 'coordinator').mockImplementation(
      () => new Promise((resolve) => setTimeout(() => resolve(0), 30_000)),
    )
    await expect(one.commit()).rejects.toMatchObject({ code: 'LOG_BUSY' })
    expect(cluster.sent).toEqual([])
  })

  test('the end is not asked for after the transaction ran out of time', async () => {
    const one = await ready()
    await one.produce([group(0, 'a')])
    vi.advanceTimersByTime(20_000)
    cluster.sent.length = 0
    await expect(one.commit()).rejects.toMatchObject({ code: 'LOG_BUSY' })
    expect(cluster.sent).toEqual([])
  })

  describe('an end of unknown outcome', () => {
    const endAfter = async (one: TransactionalProducer, ...plan: Fate[]) => {
      await one.produce([group(0, 'a')])
      cluster.fate = fates('EndTxn', ...plan)
      await expect(one.commit()).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' })
      cluster.fate = () => undefined
    }

    test('whose answer was lost was committed', async () => {
      const one = await ready()
      await endAfter(one, 'answer lost')
      await one.initialise()
      expect(cluster.values('out', 0)).toEqual(['a'])
    })

    test('that was lost was not', async () => {
      const one = await ready()
      await endAfter(one, 'lost')
      await one.initialise()
      expect(cluster.values('out', 0)).toEqual([])
      expect(cluster.hasOpen).toBe(false)
    })

    test('that comes late, within the next transaction, commits neither', async () => {
      const one = await ready()
      await endAfter(one, 'held')
      await one.initialise()
      await one.produce([group(0, 'b')])
      cluster.release()
      expect(cluster.values('out', 0)).toEqual([])
      await one.commit()
      expect(cluster.values('out', 0)).toEqual(['b'])
    })

    test('is one that was refused after it may have been carried out', async () => {
      const one = await ready()
      await endAfter(one, { code: COORDINATOR_NOT_AVAILABLE }, { code: PRODUCER_FENCED })
      expect(one.state).toBe('retired')
    })

    test('is asked for once', async () => {
      const one = await ready()
      await endAfter(one, 'lost')
      expect(cluster.sent.filter((api) => api === 'EndTxn')).toHaveLength(1)
    })
  })

  describe('a producer whose id another one has', () => {
    const fencedWhere = async (use: (one: TransactionalProducer) => Promise<unknown>) => {
      const one = await ready()
      await one.produce([group(0, 'zombie')])
      const other = await ready()
      await other.produce([group(0, 'other')])
      await expect(use(one)).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
      expect(one.state).toBe('retired')
      await other.commit()
      expect(cluster.values('out', 0)).toEqual(['other'])
      return one
    }

    test.each([
      ['writes', (one: TransactionalProducer) => one.produce([group(0, 'more')])],
      ['sends positions', (one: TransactionalProducer) => one.sendOffsets(member, position(1))],
      ['commits', (one: TransactionalProducer) => one.commit()],
    ])('is refused when it %s', async (_what, use) => {
      await fencedWhere(use)
    })

    test('never takes the id back', async () => {
      const one = await fencedWhere((zombie) => zombie.commit())
      cluster.sent.length = 0
      await expect(one.initialise()).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
      await expect(one.produce([group(0, 'x')])).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
      await expect(one.commit()).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
      expect(cluster.sent).toEqual([])
    })
  })

  test.each([
    ['of an older generation', () => (cluster.coordinators.generation = 2)],
    ['that the group does not know', () => cluster.coordinators.members.clear()],
    [
      'of a group that rebalances',
      () => (cluster.fate = fates('TxnOffsetCommit', { code: REBALANCE_IN_PROGRESS })),
    ],
  ])('the positions of a member %s are refused; the id is still its own', async (_what, change) => {
    const one = await ready()
    await one.produce([group(0, 'a')])
    change()
    await expect(one.sendOffsets(member, position(1))).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
    expect(one.state).toBe('unsettled')
    await one.settle()
    expect(cluster.hasOpen).toBe(false)
    expect(cluster.values('out', 0)).toEqual([])
  })

  test('a producer takes one call at a time', async () => {
    const one = await ready()
    const first = one.produce([group(0, 'a')])
    await expect(one.commit()).rejects.toMatchObject({ code: 'ILLEGAL_TRANSITION' })
    await first
  })

  test.each(Array.from({ length: 30 }, (_, seed) => seed))(
    'whatever happens to requests, each commit is there whole or not at all, and once (seed %i)',
    async (seed) => {
      const random = seededRandom(seed)
      const kinds: readonly Fate[] = [
        'unreachable',
        'lost',
        'answer lost',
        'held',
        { code: NOT_ENOUGH_REPLICAS },
      ]
      cluster.fate = () => {
        if (random.chance(0.05)) cluster.rotateLeaders()
        if (random.chance(0.2)) cluster.release()
        return random.chance(0.06) ? random.pick(kinds) : undefined
      }
      let one = producer('app.0')
      const known = new Map<number, 'committed' | 'not' | 'unknown'>()
      for (let number = 0; number < 60; number++) {
        try {
          await one.settle()
          await one.produce([0, 1, 2].map((partition) => group(partition, `${number}`)))
          await one.sendOffsets(member, position(number))
          await one.commit()
          known.set(number, 'committed')
        } catch (error) {
          const { code } = error as { code: string }
          known.set(number, code === 'COMMIT_UNKNOWN' ? 'unknown' : 'not')
          if (one.state !== 'retired') continue
          // One of its own requests may have come late and taken the id away. A new incarnation fences the old one.
          cluster.timeOut(one.transactionalId)
          one = producer(`app.${number}`)
        }
      }
      cluster.fate = () => undefined
      await one.settle().catch((error: unknown) => expect(error).toMatchObject({ code: 'COMMIT_FENCED' }))
      cluster.release()
      expect(cluster.hasOpen).toBe(false)
      const [there, ...others] = [0, 1, 2].map((partition) => cluster.values('out', partition))
      for (const other of others) expect(other).toEqual(there)
      expect(new Set(there).size).toBe(there?.length)
      for (const [number, what] of known) {
        if (what !== 'unknown') expect(there?.includes(`${number}`)).toBe(what === 'committed')
      }
      expect(`${cluster.coordinators.offsets.get('in-0')?.offset}`).toBe(there?.at(-1))
    },
  )
})

describe('the code of an answer about partitions', () => {
  const asked = [{ topic: 'in', partitions: [0, 1] }]
  const answer = (...errorCodes: number[]) => ({
    throttleMs: 0,
    topics: [
      { topic: 'in', partitions: errorCodes.map((errorCode, partition) => ({ partition, errorCode })) },
    ],
  })

  test.each([
    ['is good when all are', [0, 0], 0],
    ['is that of the one that was refused', [0, 29], 29],
    ['is one that stays before one that passes', [NOT_COORDINATOR, 29], 29],
    ['is one that passes before one that was not tried', [55, NOT_COORDINATOR], NOT_COORDINATOR],
    ['is good for nothing when one is left out', [0], -1],
  ] as const)('%s', (_, codes, expected) => {
    expect(codeOfPartitions(answer(...codes), asked)).toBe(expected)
  })
})

test.each(['answer lost', 'held'] as const)(
  'with Transactions V1 an id whose positions were %s is settled, and not used again',
  async (fate) => {
    cluster.coordinators.transactionVersion = 1
    const one = await ready()
    await one.produce([group(0, 'a')])
    cluster.fate = fates('TxnOffsetCommit', fate)
    await expect(one.sendOffsets(member, position(1))).rejects.toMatchObject({ code: 'LOG_BUSY' })
    await expect(one.settle()).rejects.toMatchObject({
      code: 'COMMIT_FENCED',
      cause: { code: 'OUTCOME_UNKNOWN' },
    })
    expect(one.state).toBe('retired')
    expect(cluster.hasOpen).toBe(false)
    const next = await ready('app.1')
    await next.produce([group(0, 'b')])
    await next.sendOffsets(member, position(2))
    cluster.release()
    await next.commit()
    expect(cluster.values('out', 0)).toEqual(['b'])
    expect(cluster.coordinators.offsets.get('in-0')?.offset).toBe(2)
  },
)

test('with Transactions V2 the last epoch is followed by another producer id', async () => {
  const one = await ready()
  cluster.coordinators.exhaustEpochs('app.0')
  await one.initialise()
  for (const value of ['a', 'b', 'c']) {
    await one.produce([group(0, value)])
    await one.commit()
  }
  const producers = cluster.records('out', 0).map(({ producer: written }) => written)
  expect(cluster.values('out', 0)).toEqual(['a', 'b', 'c'])
  expect(new Set(producers).size).toBe(3)
})

test('a cluster that was upgraded is used as what it is, from the next initialisation on', async () => {
  cluster.coordinators.transactionVersion = 0
  const one = await ready()
  cluster.coordinators.transactionVersion = 2
  await one.produce([group(0, 'a')])
  await one.commit()
  expect(cluster.sent).toContain('AddPartitionsToTxn')
  await one.initialise()
  cluster.sent.length = 0
  await one.produce([group(0, 'b')])
  await one.commit()
  expect(cluster.sent).toEqual(['Produce', 'EndTxn'])
  expect(cluster.values('out', 0)).toEqual(['a', 'b'])
})
