/** Connections and the picture of the cluster while brokers are killed, halted and started again. */
import { afterEach, describe, expect, test } from 'vitest'
import { Cluster } from '../../transports/kafka/cluster.ts'
import { Connections } from '../../transports/kafka/connections.ts'
import { metadata } from '../../transports/kafka/protocol/metadata.ts'
import { eventually } from '../support/kafka/eventually.ts'
import { threeBrokers } from '../support/kafka/own-cluster.ts'
import { freshTopic, moveLeader } from '../support/kafka/topics.ts'

const cluster = threeBrokers()

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

interface Opened {
  readonly connections: Connections
  readonly known: Cluster
}

async function open(requestTimeoutMs = 2000): Promise<Opened> {
  const brokers = cluster().bootstrap.split(',')
  const options = { brokers, clientId: 'test', requestTimeoutMs, connectTimeoutMs: 2000 }
  const connections = new Connections(options, 'metadata')
  const known = new Cluster(connections)
  closing.push(
    () => connections.close(),
    () => known.close(),
  )
  await known.open()
  return { connections, known }
}

const brokerOf = (id: number) => {
  const broker = cluster().brokers.find((one) => one.id === id)
  if (broker === undefined) throw new Error(`there is no broker ${id}`)
  return broker
}

test('every broker is known and answers, many requests at a time', async () => {
  const { connections, known } = await open()
  expect(known.brokers().toSorted((one, other) => one - other)).toEqual([1, 2, 3])
  const asked = known
    .brokers()
    .flatMap((node) => Array.from({ length: 100 }, () => connections.send(node, metadata([]))))
  for (const { brokers } of await Promise.all(asked)) expect(brokers).toHaveLength(3)
})

describe('a broker that is killed', () => {
  test('fails its requests, is not waited for by others, and answers again once it is back', async () => {
    const { connections, known } = await open()
    const broker = brokerOf(2)
    await connections.send(2, metadata([]))
    await broker.kill('SIGKILL')
    await expect(connections.send(2, metadata([]))).rejects.toMatchObject({
      reaction: expect.stringMatching(/retry|restore/),
    })
    await expect(connections.send(2, metadata([]))).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
    await known.refresh()
    await eventually(async () => {
      await known.refresh()
      return !known.brokers().includes(2)
    })
    await broker.start()
    await eventually(async () => {
      await known.refresh()
      return known.brokers().includes(2)
    })
    await connections.send(2, metadata([]))
  })

  test('hands its partitions over, which is found out by looking again', async () => {
    const topic = await freshTopic(cluster().bootstrap, 'moves', { partitions: 3, replicas: 3 })
    const { known } = await open()
    await known.learn([topic])
    const before = known.leader(topic, 0) ?? -1
    const broker = brokerOf(before)
    await broker.kill('SIGKILL')
    const after = await eventually(async () => {
      await known.refresh()
      const leader = known.leader(topic, 0)
      return leader !== before && leader
    })
    expect(known.brokers()).toContain(after)
    await broker.start()
  })
})

describe('a broker that is halted', () => {
  test('leaves the outcome of what it was sent unknown, and others answer instead', async () => {
    const { connections, known } = await open(500)
    const broker = brokerOf(1)
    await connections.send(1, metadata([]))
    await broker.kill('SIGSTOP')
    try {
      await expect(connections.send(1, metadata([]))).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
      // Its socket still takes connections: what is never answered counts as not connected.
      await expect(connections.send(1, metadata([]))).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
      await known.refresh()
    } finally {
      await broker.kill('SIGCONT')
    }
    await eventually(() => connections.send(1, metadata([])))
  })
})

test('a leader that was moved is known after one look', async () => {
  const topic = await freshTopic(cluster().bootstrap, 'moves', { partitions: 1, replicas: 3 })
  const { known } = await open()
  const [info] = await known.learn([topic])
  const before = info?.partitions[0]
  const to = [1, 2, 3].find((id) => id !== before?.leader) ?? -1
  await moveLeader(cluster().bootstrap, topic, 0, to)
  await eventually(async () => {
    await known.refresh()
    return known.leader(topic, 0) === to
  })
  expect(known.topic(topic)?.partitions[0]?.leaderEpoch).toBeGreaterThan(before?.leaderEpoch ?? Number.NaN)
})

test('coordinators are found, and found again when their broker is gone', async () => {
  const { known } = await open()
  for (const kind of ['group', 'transaction'] as const) {
    const before = await known.coordinator(kind, 'some-name')
    const broker = brokerOf(before)
    await broker.kill('SIGKILL')
    const after = await eventually(async () => {
      known.forgetCoordinator(kind, 'some-name')
      const node = await known.coordinator(kind, 'some-name')
      return node !== before && node
    })
    expect(known.brokers()).toContain(after)
    await broker.start()
  }
})

test('a cluster that is all down is waited for', async () => {
  const { known } = await open()
  await Promise.all(cluster().brokers.map((broker) => broker.kill('SIGKILL')))
  await expect(known.refresh()).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
  const opening = open()
  await Promise.all(cluster().brokers.map((broker) => broker.start()))
  await opening
  await eventually(async () => {
    await known.refresh()
    return known.brokers().length === 3
  })
})
