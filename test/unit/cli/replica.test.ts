import { afterEach, describe, expect, test } from 'vitest'
import { Replica } from '../../../cli/pipeline/replica.ts'
import { TopicView, type TopicViewOptions } from '../../../cli/pipeline/topic-view.ts'
import {
  type Campaign,
  MasterKeys,
  type QuotaState,
  type RankingSnapshot,
  stringSerde,
  topics,
} from '../../../schemas/index.ts'
import { type Log, NO_HEADERS, type PartitionReader, StreamsError } from '../../../streams/index.ts'
import { ManualClock } from '../../../testing/index.ts'
import { MemoryLog } from '../../../transports/simulated/index.ts'

const TOPIC = 'capitals'
const BOARD_START = Date.parse('2026-03-02T00:00:00Z')
const open: { close(): void }[] = []
afterEach(() => {
  for (const one of open.splice(0)) one.close()
})

async function memoryLog(names: readonly string[] = [TOPIC]): Promise<MemoryLog> {
  const log = new MemoryLog({ stateHome: 'task', now: () => 0 })
  const retentionMs = Number.POSITIVE_INFINITY
  await log.ensureTopics(
    names.map((name) => ({
      name,
      partitions: 3,
      cleanup: 'compact',
      timestamps: 'CreateTime',
      retentionMs,
      retentionBytes: retentionMs,
    })),
  )
  return log
}

async function write(
  log: Log,
  topic: string,
  key: string | null,
  value: Buffer | string | null,
  partition?: number,
) {
  await log.append([
    {
      topic,
      partition,
      key: key === null ? null : Buffer.from(key),
      value: typeof value === 'string' ? Buffer.from(value) : value,
      timestamp: 0,
      lineage: { eventId: 'e', correlationId: 'e' } as never,
      headers: NO_HEADERS,
    },
  ])
}

function viewOf(log: TopicViewOptions<string>['log'], change: Partial<TopicViewOptions<string>> = {}) {
  const clock = new ManualClock(0)
  const faults: unknown[] = []
  const view = new TopicView({
    log,
    topic: TOPIC,
    value: stringSerde,
    clock,
    maxBytes: 1_000_000,
    onFault: (_topic, fault) => faults.push(fault),
    ...change,
  })
  open.push(view)
  return { view, clock, faults, ready: () => expect.poll(() => view.ready).toBe(true) }
}

describe('a view of a compacted topic', () => {
  test('has the newest value of each key, from before and from after it was opened', async () => {
    const log = await memoryLog()
    await write(log, TOPIC, 'it', 'Torino')
    await write(log, TOPIC, 'it', 'Roma')
    await write(log, TOPIC, 'de', 'Bonn')
    const { view, ready } = viewOf(log)
    await ready()
    expect(view.get('it')?.value).toBe('Roma')
    await write(log, TOPIC, 'de', 'Berlin')
    await expect.poll(() => view.get('de')?.value).toBe('Berlin')
  })

  test('says up to which position a value is the newest', async () => {
    const log = await memoryLog()
    await write(log, TOPIC, 'it', 'Roma', 1)
    await write(log, TOPIC, 'fr', 'Paris', 1)
    const { view, ready } = viewOf(log)
    await ready()
    expect(view.get('it')?.position).toEqual({ topic: TOPIC, partition: 1, offset: 2 })
  })

  test('does not know what was deleted, and what never was', async () => {
    const log = await memoryLog()
    await write(log, TOPIC, 'dd', 'Berlin')
    const { view, ready } = viewOf(log)
    await ready()
    await write(log, TOPIC, 'dd', null)
    await write(log, TOPIC, null, 'nobody')
    await expect.poll(() => view.get('dd')).toBeUndefined()
    expect(view.get('xx')).toBeUndefined()
  })

  test('says nothing before it has read what was there', async () => {
    const log = await memoryLog()
    await write(log, TOPIC, 'it', 'Torino', 0)
    for (let n = 0; n < 200; n++) await write(log, TOPIC, `k${n}`, 'x', 0)
    await write(log, TOPIC, 'it', 'Roma', 0)
    const { promise: turn, resolve: go } = Promise.withResolvers<void>()
    let asked = 0
    const halted = { after: () => () => {}, yield: () => ((asked += 1), turn) }
    const { view } = viewOf(log, { clock: halted })
    await expect.poll(() => asked).toBe(1)
    expect([view.ready, view.get('it')]).toEqual([false, undefined])
    go()
    await expect.poll(() => view.get('it')?.value).toBe('Roma')
  })

  test('keeps within its bytes: what was written longest ago goes first', async () => {
    const log = await memoryLog()
    const { view } = viewOf(log, { maxBytes: 3 * 3 * 1_210 })
    for (const key of ['a', 'b', 'c']) await write(log, TOPIC, key, key.repeat(1_000), 0)
    await write(log, TOPIC, 'a', 'A'.repeat(1_000), 0)
    await write(log, TOPIC, 'd', 'd'.repeat(1_000), 0)
    await expect.poll(() => view.get('d')).toBeDefined()
    expect(['a', 'b', 'c'].filter((key) => view.get(key) !== undefined)).toEqual(['a', 'c'])
  })

  test('has of each partition what was written last, at most so many', async () => {
    const log = await memoryLog()
    for (const key of ['a', 'b', 'c', 'a']) await write(log, TOPIC, key, `${key}0`, 0)
    for (const key of ['x', 'y']) await write(log, TOPIC, key, `${key}1`, 1)
    const { view, ready } = viewOf(log)
    await ready()
    expect(view.values(2).toSorted()).toEqual(['a0', 'c0', 'x1', 'y1'])
    expect(view.values().toSorted()).toEqual(['a0', 'b0', 'c0', 'x1', 'y1'])
  })

  test('that cannot be read on is forgotten, and read again from the start', async () => {
    const log = await memoryLog()
    await write(log, TOPIC, 'it', 'Roma', 0)
    const broken = withFaults(log)
    const { view, clock, faults, ready } = viewOf(broken)
    await ready()
    const fault = new StreamsError('OFFSET_OUT_OF_RANGE', 'truncated')
    broken.fault(fault)
    await write(log, TOPIC, 'it', 'Firenze', 0)
    await expect.poll(() => faults).toEqual([fault])
    expect([view.ready, view.get('it')]).toEqual([false, undefined])
    broken.fault(undefined)
    clock.advance(10_000)
    await ready()
    expect(view.get('it')?.value).toBe('Firenze')
  })

  test('of a topic that is not there yet begins once it is', async () => {
    const log = await memoryLog([])
    const { view, clock, faults, ready } = viewOf(log)
    expect([view.ready, faults.length]).toEqual([false, 1])
    await log.ensureTopics([...(await memoryLog()).topics()])
    await write(log, TOPIC, 'it', 'Roma')
    clock.advance(10_000)
    await ready()
    expect(view.get('it')?.value).toBe('Roma')
  })

  test('that is closed reads no more', async () => {
    const log = await memoryLog()
    const { view, ready } = viewOf(log)
    await ready()
    view.close()
    await write(log, TOPIC, 'it', 'Roma')
    expect([view.ready, view.get('it')]).toEqual([false, undefined])
  })
})

/** A log whose readers of partition 0 have the fault that the test says. */
function withFaults(log: MemoryLog) {
  let current: Error | undefined
  return {
    fault: (fault: Error | undefined) => (current = fault),
    partitions: (topic: string) => log.partitions(topic),
    bounds: (at: Parameters<Log['bounds']>[0]) => log.bounds(at),
    openReader(...[at, from, onReadable]: Parameters<Log['openReader']>): PartitionReader {
      const reader = log.openReader(at, from, onReadable)
      return at.partition === 0
        ? Object.defineProperty(Object.create(reader) as PartitionReader, 'fault', { get: () => current })
        : reader
    },
  }
}

describe('what a process knows of others', () => {
  const campaign: Campaign = {
    couponId: 'c1',
    name: '',
    quota: 5,
    perUserLimit: 1,
    opensAt: 0,
    closesAt: 1,
    validForMs: null,
    discount: { kind: 'AMOUNT', value: 1, minOrderAmount: null, maxDiscount: null },
    eligibility: null,
    fairness: 'FIFO',
    shards: 1,
    status: 'ACTIVE',
    revision: 1,
    operation: 'PUT',
    seedHash: null,
    seed: null,
  }
  const quota: QuotaState = {
    couponId: 'c1',
    shard: 0,
    quota: 5,
    issued: 5,
    exhausted: true,
    exhaustedAt: 9,
    revision: 3,
  }
  const board: RankingSnapshot = {
    window: 'day',
    metric: 'quantity',
    category: null,
    start: BOARD_START,
    end: BOARD_START + 86_400_000,
    timeZone: 'UTC',
    depth: 10,
    entries: [],
    watermark: 1,
    revision: 1,
    final: false,
    corrected: false,
    lateCount: 0,
  }
  const { couponCampaign, couponQuota, rankingSnapshot, productCatalog, privacyKey } = topics

  async function replicaOf(timeZone = 'UTC', keyBytes = 1_000_000) {
    const log = await memoryLog(
      [couponCampaign, couponQuota, rankingSnapshot, productCatalog, privacyKey].map(({ name }) => name),
    )
    const replica = new Replica({
      log,
      topics,
      timeZone,
      keyBytes,
      clock: new ManualClock(0),
      onFault: () => {},
    })
    open.push(replica)
    await expect.poll(() => replica.ready).toBe(true)
    return { log, replica }
  }

  test('a campaign, once both its definition and its quota were read', async () => {
    const { log, replica } = await replicaOf()
    await write(log, couponCampaign.name, 'c1', couponCampaign.value.serialize(campaign), 1)
    await expect.poll(() => log.records(couponCampaign.name).length).toBe(1)
    expect(replica.campaign('c1')).toBeUndefined()
    await write(log, couponQuota.name, couponQuota.keyOf(quota), couponQuota.value.serialize(quota), 1)
    await expect
      .poll(() => replica.campaign('c1'))
      .toEqual({
        value: { campaign, issued: 5, soldOutAt: 9 },
        positions: [
          { topic: 'coupon.campaign', partition: 1, offset: 1 },
          { topic: 'coupon.quota', partition: 1, offset: 1 },
        ],
      })
  })

  test('a board, of the time zone in which it was made only', async () => {
    const query = { window: 'day', metric: 'quantity', category: null, at: BOARD_START + 5 } as const
    const { log, replica } = await replicaOf()
    await write(
      log,
      rankingSnapshot.name,
      rankingSnapshot.keyOf(board),
      rankingSnapshot.value.serialize(board),
    )
    await expect.poll(() => replica.board(query)?.value).toEqual(board)
    expect(replica.board({ ...query, metric: 'amount' })).toBeUndefined()

    const london = await replicaOf('Europe/London')
    const say = (timeZone: string) => {
      const value = rankingSnapshot.value.serialize({ ...board, timeZone })
      return write(london.log, rankingSnapshot.name, rankingSnapshot.keyOf(board), value)
    }
    await say('Europe/London')
    await expect.poll(() => london.replica.board(query)).toBeDefined()
    await say('UTC')
    await expect.poll(() => london.replica.board(query)).toBeUndefined()
  })

  test('titles; and nothing of what cannot be decoded', async () => {
    const { log, replica } = await replicaOf()
    const product = { productId: 'p1', title: 'Lamp', categoryId: null, price: 1, currency: 'EUR' }
    await write(log, productCatalog.name, 'p2', 'no Avro')
    await write(log, productCatalog.name, 'p1', productCatalog.value.serialize(product))
    await expect.poll(() => replica.product('p1')?.title).toBe('Lamp')
    expect([replica.product('p2'), replica.product('p3')]).toEqual([undefined, undefined])
  })

  test('the data key of a user, until the person is erased', async () => {
    const { log, replica } = await replicaOf()
    const { wrapped } = MasterKeys.parse('ab'.repeat(32)).make('ann')
    const key = { userId: 'ann', ...wrapped, createdAt: 1 }
    await write(log, privacyKey.name, 'ann', privacyKey.value.serialize(key))
    await expect.poll(() => replica.privacyKey('ann')?.keyId).toBe(wrapped.keyId)
    await write(log, privacyKey.name, 'ann', null)
    await expect.poll(() => replica.privacyKey('ann')).toBeUndefined()
  })

  test('whether it has the keys of all users: not once one had no room', async () => {
    const { log, replica } = await replicaOf('UTC', 1_500)
    const add = (userId: string): Promise<unknown> => {
      const { wrapped } = MasterKeys.parse('ab'.repeat(32)).make(userId)
      const key = { userId, ...wrapped, createdAt: 1 }
      return write(log, privacyKey.name, userId, privacyKey.value.serialize(key), 1)
    }
    await add('ann')
    await expect.poll(() => replica.privacyKey('ann')).toBeDefined()
    expect(replica.knowsAllKeys).toBe(true)
    await add('bea')
    await add('cem')
    await expect.poll(() => replica.privacyKey('cem')).toBeDefined()
    expect([replica.privacyKey('ann'), replica.knowsAllKeys]).toEqual([undefined, false])
  })
})
