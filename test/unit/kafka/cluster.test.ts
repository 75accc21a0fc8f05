import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Cluster, type ClusterOptions } from '../../../transports/kafka/cluster.ts'
import { Connections } from '../../../transports/kafka/connections.ts'
import { FakeBroker, type Received, versionsAnswer } from './fake-broker.ts'
import { coordinatorAnswer, type FakeTopic, kafka39, metadataAnswer } from './fake-cluster.ts'

const METADATA = 3
const FIND_COORDINATOR = 10

const UNKNOWN_TOPIC_OR_PARTITION = 3
const COORDINATOR_LOAD_IN_PROGRESS = 14
const COORDINATOR_NOT_AVAILABLE = 15
const TOPIC_AUTHORIZATION_FAILED = 29
const GROUP_AUTHORIZATION_FAILED = 30
const TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** What the one broker answers; tests change it. */
let topics: FakeTopic[]
let versions: () => Buffer
let clusterId: string
let coordinator: (key: string) => number
let onRequest: (request: Received) => boolean
let broker: FakeBroker
let connections: Connections

beforeEach(async () => {
  topics = []
  versions = () => versionsAnswer(kafka39)
  clusterId = 'one'
  coordinator = () => 0
  onRequest = () => false
  broker = await FakeBroker.start(answer, { versions: () => versions() })
  closing.push(() => broker.close())
  connections = new Connections({ brokers: [broker.address], clientId: 'shop' }, 'metadata')
  closing.push(() => connections.close())
})

function answer(request: Received): void {
  if (onRequest(request)) return
  const own = { nodeId: 1, host: '127.0.0.1', port: broker.port }
  if (request.apiKey === METADATA)
    request.answer(metadataAnswer(request.body, { clusterId, brokers: [own], topics }))
  if (request.apiKey === FIND_COORDINATOR) request.answer(coordinatorAnswer(request.body, own, coordinator))
}

function newCluster(options?: ClusterOptions): Cluster {
  const cluster = new Cluster(connections, options)
  closing.push(() => cluster.close())
  return cluster
}

async function openCluster(): Promise<Cluster> {
  const cluster = newCluster()
  await cluster.open()
  return cluster
}

const looks = () => broker.received.filter(({ apiKey }) => apiKey === METADATA).length
const questions = () => broker.received.filter(({ apiKey }) => apiKey === FIND_COORDINATOR).length

describe('opening', () => {
  test('learns brokers, and the features that are switched on', async () => {
    versions = () => versionsAnswer(kafka39, { 'transaction.version': 2, 'metadata.version': 25 })
    const cluster = await openCluster()
    expect(cluster.brokers()).toEqual([1])
    expect(cluster.controller()).toBe(1)
    expect(cluster.transactionVersion).toBe(2)
  })

  test('takes transactions as of old where no feature is switched on', async () => {
    expect((await openCluster()).transactionVersion).toBe(0)
  })

  test('refuses a broker that is too old, naming what it does not know', async () => {
    versions = () =>
      versionsAnswer(
        kafka39.filter(({ key }) => key !== 66).map((api) => ({ ...api, max: Math.min(api.max, 10) })),
      )
    await expect(newCluster().open()).rejects.toMatchObject({
      code: 'BROKER_UNSUPPORTED',
      detail:
        'it does not know Produce 11 (it knows 0 to 10), Fetch 13 (it knows 0 to 10), Metadata 12 (it knows 0 to 10), ListTransactions 1 (it knows none)',
    })
  })

  test('waits for a cluster that is away', async () => {
    const { port } = broker
    await broker.close()
    const opening = newCluster().open()
    broker = await FakeBroker.start(answer, { port, versions: () => versions() })
    await opening
  })

  test('gives up when it is away for too long', async () => {
    await broker.close()
    await expect(newCluster({ patienceMs: 120 }).open()).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
  })

  test('does not give up where somebody is told that it is away, and is open once it is back', async () => {
    const { port } = broker
    await broker.close()
    const told: Error[] = []
    const back = Promise.withResolvers<void>()
    const onUnavailable = (error: Error): void => {
      if (told.push(error) === 2) back.resolve()
    }
    const opening = newCluster({ patienceMs: 120, onUnavailable }).open()
    await back.promise
    broker = await FakeBroker.start(answer, { port, versions: () => versions() })
    await opening
    expect(told[0]).toMatchObject({ code: 'CONNECTION_FAILED' })
  })

  test('gives up at once what no waiting helps, whoever is told', async () => {
    versions = () => versionsAnswer([])
    const onUnavailable = (): void => expect.unreachable()
    await expect(newCluster({ onUnavailable }).open()).rejects.toMatchObject({ code: 'BROKER_UNSUPPORTED' })
  })

  test('is ended by closing, also where it would wait for ever', async () => {
    await broker.close()
    const cluster = newCluster({ onUnavailable: () => undefined })
    const opening = cluster.open()
    opening.catch(() => {})
    cluster.close()
    await expect(opening).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
  })
})

describe('topics', () => {
  test('are known once they are learnt', async () => {
    topics = [
      {
        name: 'orders',
        partitions: [
          { leader: 1, leaderEpoch: 4 },
          { leader: -1, leaderEpoch: 2 },
        ],
      },
    ]
    const cluster = await openCluster()
    expect(cluster.topic('orders')).toBeUndefined()
    const [info] = await cluster.learn(['orders'])
    expect(info).toBe(cluster.topic('orders'))
    expect(info).toMatchObject({
      name: 'orders',
      partitions: [
        { leader: 1, leaderEpoch: 4 },
        { leader: -1, leaderEpoch: 2 },
      ],
    })
    expect(cluster.leader('orders', 0)).toBe(1)
    expect(cluster.leader('orders', 1)).toBeUndefined()
    expect(cluster.leader('orders', 2)).toBeUndefined()
    expect(cluster.leader('other', 0)).toBeUndefined()
  })

  test('that are missing are named: the first of them', async () => {
    topics = [{ name: 'orders', partitions: [{ leader: 1, leaderEpoch: 0 }] }]
    const cluster = await openCluster()
    await expect(cluster.learn(['orders', 'refunds', 'returns'], 80)).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC',
      detail: 'refunds',
    })
  })

  test('that were just made are waited for', async () => {
    const cluster = await openCluster()
    const learning = cluster.learn(['orders'])
    await broker.requests(2)
    topics = [{ name: 'orders', partitions: [{ leader: 1, leaderEpoch: 0 }] }]
    expect(await learning).toMatchObject([{ name: 'orders' }])
  })

  test('that are not allowed are named', async () => {
    topics = [{ name: 'orders', errorCode: TOPIC_AUTHORIZATION_FAILED, partitions: [] }]
    const cluster = await openCluster()
    await expect(cluster.learn(['orders'])).rejects.toMatchObject({
      code: 'ACCESS_DENIED',
      detail: 'Metadata of topic orders (TOPIC_AUTHORIZATION_FAILED)',
    })
  })

  test('never go back to an older leader', async () => {
    topics = [{ name: 'orders', partitions: [{ leader: 1, leaderEpoch: 5 }] }]
    const cluster = await openCluster()
    await cluster.learn(['orders'])
    topics = [{ name: 'orders', partitions: [{ leader: 2, leaderEpoch: 4 }] }]
    await cluster.refresh()
    expect(cluster.leader('orders', 0)).toBe(1)
    topics = [{ name: 'orders', partitions: [{ leader: 2, leaderEpoch: 6 }] }]
    await cluster.refresh()
    expect(cluster.leader('orders', 0)).toBe(2)
  })

  test('that were made again are other topics', async () => {
    topics = [{ name: 'orders', id: 'A', partitions: [{ leader: 1, leaderEpoch: 5 }] }]
    const cluster = await openCluster()
    const [before] = await cluster.learn(['orders'])
    topics = [{ name: 'orders', id: 'B', partitions: [{ leader: 2, leaderEpoch: 0 }] }]
    await cluster.refresh()
    expect(cluster.topic('orders')?.id).not.toBe(before?.id)
    expect(cluster.leader('orders', 0)).toBe(2)
  })

  test('that got more partitions keep the count by which their keys have places', async () => {
    const partition = { leader: 1, leaderEpoch: 5 }
    topics = [{ name: 'orders', id: 'A', partitions: [partition] }]
    const cluster = await openCluster()
    await cluster.learn(['orders'])
    topics = [{ name: 'orders', id: 'A', partitions: [partition, partition] }]
    await cluster.refresh()
    expect(cluster.topic('orders')).toMatchObject({ partitions: { length: 2 }, firstCount: 1 })
    topics = [{ name: 'orders', id: 'B', partitions: [partition, partition] }]
    await cluster.refresh()
    expect(cluster.topic('orders')).toMatchObject({ firstCount: 2 })
  })

  test('that were deleted are not known any more, and are known again once they are back', async () => {
    topics = [{ name: 'orders', partitions: [{ leader: 1, leaderEpoch: 5 }] }]
    const cluster = await openCluster()
    await cluster.learn(['orders'])
    topics = [{ name: 'orders', errorCode: UNKNOWN_TOPIC_OR_PARTITION, partitions: [] }]
    await cluster.refresh()
    expect(cluster.topic('orders')).toBeUndefined()
    topics = [{ name: 'orders', partitions: [{ leader: 1, leaderEpoch: 0 }] }]
    await cluster.refresh()
    expect(cluster.leader('orders', 0)).toBe(1)
  })
})

describe('refreshing', () => {
  test('asks for all topics at once, however many ask', async () => {
    topics = ['orders', 'refunds'].map((name) => ({ name, partitions: [{ leader: 1, leaderEpoch: 0 }] }))
    const cluster = await openCluster()
    await cluster.learn(['orders'])
    await cluster.learn(['refunds'])
    const before = looks()
    await Promise.all(Array.from({ length: 50 }, () => cluster.refresh()))
    expect(looks() - before).toBe(1)
  })

  test('looks again for who asks while a look is under way', async () => {
    topics = [{ name: 'orders', partitions: [{ leader: 1, leaderEpoch: 0 }] }]
    const cluster = await openCluster()
    await cluster.learn(['orders'])
    const held: Received[] = []
    onRequest = (request) => held.push(request) > 0
    const first = cluster.refresh()
    await vi.waitFor(() => expect(held).toHaveLength(1))
    const second = cluster.refresh()
    onRequest = () => false
    topics = [{ name: 'orders', partitions: [{ leader: 2, leaderEpoch: 1 }] }]
    for (const request of held) answer(request)
    await Promise.all([first, second])
    expect(cluster.leader('orders', 0)).toBe(2)
  })

  test('tells each who asked that no broker answers, and works again after it', async () => {
    const cluster = await openCluster()
    const { port } = broker
    await broker.close()
    const asked = await Promise.allSettled([cluster.refresh(), cluster.refresh()])
    for (const answered of asked) expect(answered).toMatchObject({ status: 'rejected' })
    broker = await FakeBroker.start(answer, { port })
    await cluster.refresh()
  })

  test('refuses another cluster', async () => {
    const cluster = await openCluster()
    clusterId = 'two'
    await expect(cluster.refresh()).rejects.toMatchObject({ code: 'WRONG_CLUSTER' })
  })
})

describe('coordinators', () => {
  test('are asked for once, and again when forgotten', async () => {
    const cluster = await openCluster()
    expect(await Promise.all([cluster.coordinator('group', 'g'), cluster.coordinator('group', 'g')])).toEqual(
      [1, 1],
    )
    expect(await cluster.coordinator('group', 'g')).toBe(1)
    expect(questions()).toBe(1)
    cluster.forgetCoordinator('group', 'g')
    await cluster.coordinator('group', 'g')
    expect(questions()).toBe(2)
  })

  test('of a group and of a transactional id are apart', async () => {
    const cluster = await openCluster()
    await cluster.coordinator('group', 'same')
    await cluster.coordinator('transaction', 'same')
    expect(questions()).toBe(2)
  })

  test('are waited for while they come up', async () => {
    const codes = [COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS, 0]
    coordinator = () => codes.shift() ?? 0
    const cluster = await openCluster()
    expect(await cluster.coordinator('transaction', 't')).toBe(1)
    expect(questions()).toBe(3)
  })

  test.each([
    ['group', GROUP_AUTHORIZATION_FAILED, 'FindCoordinator of group mine (GROUP_AUTHORIZATION_FAILED)'],
    [
      'transaction',
      TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
      'FindCoordinator of transactional id mine (TRANSACTIONAL_ID_AUTHORIZATION_FAILED)',
    ],
  ] as const)('of a %s that is not allowed names it', async (kind, code, detail) => {
    coordinator = () => code
    const cluster = await openCluster()
    await expect(cluster.coordinator(kind, 'mine')).rejects.toMatchObject({ code: 'ACCESS_DENIED', detail })
    coordinator = () => 0
    expect(await cluster.coordinator(kind, 'mine')).toBe(1)
  })
})

describe('listeners', () => {
  test('are told of the brokers that there are, and of those that come', async () => {
    const cluster = await openCluster()
    const told: number[][] = []
    const stop = cluster.onBrokers((brokers) => told.push(brokers.map(({ nodeId }) => nodeId)))
    await cluster.refresh()
    onRequest = (request) => {
      const brokers = [1, 2].map((nodeId) => ({ nodeId, host: '127.0.0.1', port: broker.port }))
      request.answer(metadataAnswer(request.body, { clusterId, brokers, topics }))
      return true
    }
    await cluster.refresh()
    stop()
    onRequest = () => false
    await cluster.refresh()
    expect(told).toEqual([[1], [1, 2]])
  })
})
