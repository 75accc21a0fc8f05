/** Leaders that move, brokers that go, topics that are not the same any more. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Fetcher } from '../../../transports/kafka/fetcher.ts'
import {
  FENCED_LEADER_EPOCH,
  NOT_LEADER_OR_FOLLOWER,
  UNKNOWN_TOPIC_OR_PARTITION,
} from '../../../transports/kafka/protocol/errors.ts'
import { FetchedCluster } from './fetched-cluster.ts'
import { ReadAlong } from './read-along.ts'

let cluster: FetchedCluster
let fetcher: Fetcher

beforeEach(() => {
  cluster = FetchedCluster.of('in', 3)
  fetcher = new Fetcher(cluster)
})

afterEach(() => fetcher.close())

describe('a cluster that changes', () => {
  test('a reader follows its leader', async () => {
    const partition = cluster.at('in')
    partition.append(['a'])
    const tap = new ReadAlong(fetcher, 'in')
    expect(await tap.valuesTo(1)).toEqual(['a'])
    await expect.poll(() => cluster.kept.length).toBe(1)
    cluster.change(() => {
      partition.leader = { node: 2, epoch: 1 }
      partition.append(['b'])
    })
    expect(await tap.valuesTo(2)).toEqual(['b'])
    const last = cluster.orders.at(-1)
    expect(last?.node).toBe(2)
    expect(last?.request.topics[0]?.partitions[0]?.currentLeaderEpoch).toBe(1)
  })

  test.each([NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_TOPIC_OR_PARTITION, -1])(
    'an answer with code %d leads to a look at the cluster, not to a fault',
    async (errorCode) => {
      cluster.at('in').errorCode = errorCode
      cluster.at('in').append(['a'])
      const tap = new ReadAlong(fetcher, 'in')
      await expect.poll(() => cluster.refreshes).toBeGreaterThan(2)
      cluster.at('in').errorCode = 0
      expect(await tap.valuesTo(1)).toEqual(['a'])
    },
  )

  test('other partitions go on while one has no leader', async () => {
    cluster.at('in', 1).leader = { node: -1, epoch: 3 }
    await cluster.refresh()
    const [tap, without] = [0, 1].map((partition) => new ReadAlong(fetcher, 'in', 0, partition))
    cluster.change(() => cluster.at('in').append(['a']))
    expect(await tap?.valuesTo(1)).toEqual(['a'])
    cluster.change(() => {
      cluster.at('in', 1).leader = { node: 1, epoch: 4 }
      cluster.at('in', 1).append(['b'])
    })
    expect(await without?.valuesTo(1)).toEqual(['b'])
  })

  test('a broker that is away is asked again until it answers', async () => {
    const tap = new ReadAlong(fetcher, 'in')
    await expect.poll(() => cluster.kept.length).toBe(1)
    cluster.stop(1)
    cluster.at('in').append(['a'])
    const before = cluster.orders.length
    await expect.poll(() => cluster.orders.length).toBeGreaterThan(before + 1)
    expect(cluster.refreshes).toBeGreaterThan(0)
    cluster.down.clear()
    expect(await tap.valuesTo(1)).toEqual(['a'])
    expect(tap.reader.fault).toBeUndefined()
  })

  test('a broker that is silent is left when another one leads', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    try {
      const partition = cluster.at('in')
      const tap = new ReadAlong(fetcher, 'in')
      await expect.poll(() => cluster.kept.length).toBe(1)
      partition.leader = { node: 2, epoch: 1 }
      partition.append(['a'])
      vi.advanceTimersByTime(4_000)
      expect(await tap.valuesTo(1)).toEqual(['a'])
      expect(cluster.kept.map(({ order }) => order.node)).toContain(1)
    } finally {
      vi.useRealTimers()
    }
  })

  test('a broker that answers at once and says nothing is not asked without pause', async () => {
    const tap = new ReadAlong(fetcher, 'in')
    await expect.poll(() => cluster.kept.length).toBe(1)
    for (let i = 0; i < 10; i++) {
      cluster.timeOut()
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(cluster.orders.length).toBeLessThan(6)
    cluster.at('in').append(['a'])
    expect(await tap.valuesTo(1)).toEqual(['a'])
  })

  test('an answer that comes late, from a leader that was left, changes nothing', async () => {
    const partition = cluster.at('in')
    const tap = new ReadAlong(fetcher, 'in')
    await expect.poll(() => cluster.kept.length).toBe(1)
    const late = cluster.kept.pop()
    partition.append(['a'])
    const position = { partition: 0, fetchOffset: 0, currentLeaderEpoch: 0, partitionMaxBytes: 1_000_000 }
    const answer = partition.fetched(position)
    partition.leader = { node: 2, epoch: 1 }
    // Another partition's trouble makes the fetcher look at the cluster.
    cluster.at('in', 1).errorCode = NOT_LEADER_OR_FOLLOWER
    new ReadAlong(fetcher, 'in', 0, 1)
    expect(await tap.valuesTo(1)).toEqual(['a'])
    late?.resolve({ throttleMs: 0, errorCode: 0, topics: [{ topicId: 'id of in', partitions: [answer] }] })
    cluster.change(() => partition.append(['b']))
    expect(await tap.valuesTo(2)).toEqual(['b'])
  })

  test('a topic that was made again ends the reader, even where its position is there', async () => {
    cluster.at('in').append(['a', 'b'])
    const tap = new ReadAlong(fetcher, 'in', 1)
    expect(await tap.valuesTo(2)).toEqual(['b'])
    await expect.poll(() => cluster.kept.length).toBe(1)
    cluster.change(() => {
      cluster.topicIds.set('in', 'another id')
      cluster.at('in').append(['of another topic'])
    })
    const fault = await tap.fault()
    expect(fault).toMatchObject({ code: 'RESET_REQUIRED' })
    expect(fault.message).toContain('in-0')
  })

  test('a topic that got more partitions ends the reader, and says what to do', async () => {
    const tap = new ReadAlong(fetcher, 'in')
    await expect.poll(() => cluster.kept.length).toBe(1)
    cluster.grown.add('in')
    cluster.change(() => cluster.at('in').append(['a']))
    expect(await tap.fault()).toMatchObject({
      code: 'TOPIC_MISMATCH',
      detail: expect.stringMatching(/^in got more partitions.*make a new topic/),
    })
  })

  test('a topic that was made again is not asked for, once the cluster was looked at', async () => {
    const tap = new ReadAlong(fetcher, 'in')
    await expect.poll(() => cluster.kept.length).toBe(1)
    cluster.topicIds.set('in', 'another id')
    await cluster.refresh()
    const before = cluster.orders.length
    cluster.timeOut()
    expect(await tap.fault()).toMatchObject({ code: 'RESET_REQUIRED' })
    expect(cluster.orders).toHaveLength(before)
  })

  test('a topic that is deleted ends the reader', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    try {
      const tap = new ReadAlong(fetcher, 'in')
      cluster.topicIds.delete('in')
      cluster.at('in').errorCode = UNKNOWN_TOPIC_OR_PARTITION
      const fault = tap.fault()
      for (let i = 0; i < 100 && tap.reader.fault === undefined; i++) {
        await vi.advanceTimersByTimeAsync(1_000)
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(await fault).toMatchObject({ code: 'RESET_REQUIRED' })
      expect(cluster.refreshes).toBe(10)
    } finally {
      vi.useRealTimers()
    }
  })
})
