/** Making, comparing and altering topics on real brokers. */
import { afterEach, describe, expect, inject, test } from 'vitest'
import type { TopicSpec } from '../../streams/index.ts'
import { Cluster } from '../../transports/kafka/cluster.ts'
import { Connections } from '../../transports/kafka/connections.ts'
import { describeConfigs } from '../../transports/kafka/protocol/configs.ts'
import { metadata } from '../../transports/kafka/protocol/metadata.ts'
import { Topics, type TopicsOptions } from '../../transports/kafka/topics.ts'
import { eventually } from '../support/kafka/eventually.ts'
import { threeBrokers } from '../support/kafka/own-cluster.ts'
import { createTopic, freshName } from '../support/kafka/topics.ts'

const { bootstrap } = inject('kafka')

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

interface Opened {
  readonly connections: Connections
  readonly cluster: Cluster
  readonly topics: Topics
}

async function open(options: TopicsOptions = {}, brokers = bootstrap): Promise<Opened> {
  const connections = new Connections({ brokers: brokers.split(','), clientId: 'topics' }, 'test')
  const cluster = new Cluster(connections)
  const topics = new Topics(connections, cluster, options)
  closing.push(
    () => connections.close(),
    () => cluster.close(),
    () => topics.close(),
  )
  await cluster.open()
  return { connections, cluster, topics }
}

function spec(name: string, extra: Partial<TopicSpec> = {}): TopicSpec {
  return {
    name,
    partitions: 3,
    cleanup: 'delete',
    timestamps: 'CreateTime',
    retentionMs: 86_400_000,
    retentionBytes: Number.POSITIVE_INFINITY,
    ...extra,
  }
}

async function configsOf({ connections }: Opened, name: string): Promise<Record<string, string | null>> {
  const question = { type: 'topic', name, keys: null } as const
  const { resources } = await connections.sendToAny(describeConfigs([question]))
  return Object.fromEntries(resources[0]?.configs.map((config) => [config.name, config.value]) ?? [])
}

describe('a topic that is missing', () => {
  test('is made as wanted, and known afterwards', async () => {
    const opened = await open({ replicationFactor: 1, minInSyncReplicas: 1 })
    const name = freshName('orders')
    await opened.topics.ensureTopics([spec(name, { retentionBytes: 1_000_000 })])
    expect(opened.cluster.topic(name)?.partitions).toHaveLength(3)
    expect(opened.cluster.leader(name, 2)).toBe(1)
    expect(await configsOf(opened, name)).toMatchObject({
      'cleanup.policy': 'delete',
      'message.timestamp.type': 'CreateTime',
      'message.timestamp.after.max.ms': '9223372036854775807',
      'retention.ms': '86400000',
      'retention.bytes': '1000000',
      'min.insync.replicas': '1',
    })
  })

  test('is made for ever and stamped by the broker where that is wanted', async () => {
    const opened = await open()
    const name = freshName('orders')
    const wanted = spec(name, { timestamps: 'LogAppendTime', retentionMs: Number.POSITIVE_INFINITY })
    await opened.topics.ensureTopics([wanted])
    expect(await configsOf(opened, name)).toMatchObject({
      'message.timestamp.type': 'LogAppendTime',
      'retention.ms': '-1',
      'retention.bytes': '-1',
    })
  })

  test('is made short and whole where it is compacted', async () => {
    const opened = await open()
    const name = freshName('changelog')
    await opened.topics.ensureTopics([spec(name, { cleanup: 'compact' })])
    expect(await configsOf(opened, name)).toMatchObject({
      'cleanup.policy': 'compact',
      'segment.bytes': '52428800',
      'min.cleanable.dirty.ratio': '0.2',
      'delete.retention.ms': '604800000',
    })
  })

  test('is not made where that is for others, who are told how', async () => {
    const { cluster, topics } = await open({ mayCreate: ({ name }) => name.endsWith('-changelog') })
    const [user, own] = [freshName('orders'), `${freshName('orders')}-changelog`]
    await expect(topics.ensureTopics([spec(own), spec(user)])).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC',
      detail: `${user}: make it with 'millrace topics apply'`,
    })
    await expect(cluster.learn([own], 0)).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' })
    await createTopic(bootstrap, user, { partitions: 3 })
    await topics.ensureTopics([spec(own), spec(user)])
    expect(cluster.topic(own)).toBeDefined()
  })

  test('is made once by two processes that start at once', async () => {
    const both = [await open(), await open()]
    const wanted = Array.from({ length: 5 }, () => spec(freshName('orders')))
    await Promise.all(both.map(({ topics }) => topics.ensureTopics(wanted)))
    expect(await both[0]?.topics.planTopics(wanted)).toMatchObject(wanted.map(() => ({ action: 'ok' })))
  })

  test('of two processes that want it in two ways, one is refused', async () => {
    const both = [await open(), await open()]
    const name = freshName('orders')
    const outcomes = await Promise.allSettled(
      both.map(({ topics }, index) => topics.ensureTopics([spec(name, { partitions: 3 + index })])),
    )
    const refused = outcomes.filter(({ status }) => status === 'rejected')
    expect(refused).toMatchObject([{ reason: { code: 'TOPIC_MISMATCH' } }])
  })

  test('fails with the words of the broker where it cannot be made', async () => {
    const { topics } = await open({ replicationFactor: 5 })
    const name = freshName('orders')
    await expect(topics.ensureTopics([spec(name)])).rejects.toMatchObject({
      codeName: 'INVALID_REPLICATION_FACTOR',
      message: expect.stringContaining(name),
    })
  })
})

describe('a topic that exists', () => {
  test('stays as it is when it is as wanted', async () => {
    const { topics } = await open()
    const wanted = [spec(freshName('orders')), spec(freshName('log'), { cleanup: 'compact' })]
    expect(await topics.planTopics(wanted)).toMatchObject([{ action: 'create' }, { action: 'create' }])
    await topics.ensureTopics(wanted)
    expect(await topics.planTopics(wanted)).toEqual(
      wanted.map(({ name }) => ({ name, action: 'ok', differences: [] })),
    )
    await topics.ensureTopics(wanted)
  })

  test('gets another retention', async () => {
    const opened = await open()
    const name = freshName('orders')
    await opened.topics.ensureTopics([spec(name)])
    const longer = spec(name, { retentionMs: Number.POSITIVE_INFINITY })
    expect(await opened.topics.planTopics([longer])).toEqual([
      {
        name,
        action: 'alter',
        differences: [{ setting: 'retention.ms', wanted: '-1', found: '86400000' }],
      },
    ])
    await opened.topics.ensureTopics([longer])
    await eventually(async () => (await configsOf(opened, name))['retention.ms'] === '-1')
    expect(await configsOf(opened, name)).toMatchObject({
      'message.timestamp.after.max.ms': '9223372036854775807',
    })
  })

  test('that differs in what cannot change is named with every setting, and nothing is changed', async () => {
    const { cluster, topics } = await open()
    const [name, missing] = [freshName('orders'), freshName('refunds')]
    await topics.ensureTopics([spec(name)])
    const wanted = spec(name, { partitions: 6, cleanup: 'compact', timestamps: 'LogAppendTime' })
    await expect(topics.ensureTopics([spec(missing), wanted])).rejects.toMatchObject({
      code: 'TOPIC_MISMATCH',
      detail:
        `${name} has partitions 3, not 6, cleanup.policy delete, not compact, ` +
        'message.timestamp.type CreateTime, not LogAppendTime',
    })
    expect(await topics.planTopics([wanted])).toMatchObject([
      { action: 'mismatch', differences: [{ setting: 'partitions', wanted: '6', found: '3' }, {}, {}] },
    ])
    await expect(cluster.learn([missing], 0)).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' })
  })
})

describe('specs', () => {
  test('of one topic are one', async () => {
    const { topics } = await open()
    const name = freshName('orders')
    await topics.ensureTopics([spec(name), spec(name)])
    await expect(topics.ensureTopics([spec(name), spec(name, { partitions: 4 })])).rejects.toMatchObject({
      code: 'TOPIC_MISMATCH',
      detail: `${name} is wanted in two ways`,
    })
  })
})

describe('three brokers', () => {
  const cluster = threeBrokers()

  test('all know a topic, its partitions and their leaders once it is made', async () => {
    const opened = await open({ replicationFactor: 3, minInSyncReplicas: 2 }, cluster().bootstrap)
    for (let round = 0; round < 10; round++) {
      const name = freshName('orders')
      await opened.topics.ensureTopics([spec(name, { partitions: 12 })])
      for (const node of opened.cluster.brokers()) {
        const { topics } = await opened.connections.send(node, metadata([name]))
        const leaders = topics[0]?.partitions.map(({ leader }) => leader) ?? []
        expect(leaders).toHaveLength(12)
        expect(leaders).not.toContain(-1)
      }
    }
  })

  test('make topics while one of them is down', async () => {
    const opened = await open({ replicationFactor: 2 }, cluster().bootstrap)
    const controller = opened.cluster.controller()
    const broker = cluster().brokers.find(({ id }) => id === controller)
    await broker?.kill('SIGKILL')
    const name = freshName('orders')
    await opened.topics.ensureTopics([spec(name)])
    expect(opened.cluster.topic(name)?.partitions).toHaveLength(3)
    await broker?.start()
  })
})
