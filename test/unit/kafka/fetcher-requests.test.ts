/** What brokers are asked for, in how many requests. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DEFAULT_FETCH_LIMITS, Fetcher } from '../../../transports/kafka/fetcher.ts'
import { FetchedCluster } from './fetched-cluster.ts'
import { ReadAlong } from './read-along.ts'

let cluster: FetchedCluster
let fetcher: Fetcher

beforeEach(() => {
  cluster = FetchedCluster.of('in', 3)
  fetcher = new Fetcher(cluster)
})

afterEach(() => fetcher.close())

describe('requests', () => {
  test('all partitions of a broker are in one, and one waits at a time', async () => {
    const taps = [0, 1, 2].map((partition) => new ReadAlong(fetcher, 'in', 0, partition))
    await expect.poll(() => cluster.orders.length).toBe(2)
    expect(cluster.asked()).toEqual(['main in-0@0 in-1@0 in-2@0', 'main in-0@0 in-1@0 in-2@0'])
    for (const tap of taps) expect(tap.reader.end).toBe(0)
    cluster.timeOut()
    await expect.poll(() => cluster.kept.length).toBe(1)
    expect(cluster.asked()).toHaveLength(3)
  })

  test('a reader that is opened meanwhile does not wait for the one under way, and joins the next', async () => {
    new ReadAlong(fetcher, 'in')
    await expect.poll(() => cluster.kept.length).toBe(1)
    cluster.at('in', 1).append(['a'])
    const tap = new ReadAlong(fetcher, 'in', 0, 1)
    expect(await tap.valuesTo(1)).toEqual(['a'])
    await expect.poll(() => cluster.kept.map(({ order }) => order.slot)).toEqual(['main', 'catch-up'])
    expect(cluster.asked().slice(-2)).toEqual(['catch-up in-1@0', 'catch-up in-1@1'])
    expect(cluster.orders.at(-1)?.request.maxWaitMs).toBeLessThan(100)
    cluster.timeOut()
    await expect.poll(() => cluster.kept.map(({ order }) => order.slot)).toEqual(['main'])
    expect(cluster.asked().at(-1)).toBe('main in-0@0 in-1@1')
  })

  test('what two requests bring is handed out once', async () => {
    new ReadAlong(fetcher, 'in')
    await expect.poll(() => cluster.kept.length).toBe(1)
    const tap = new ReadAlong(fetcher, 'in', 0, 1)
    tap.reader.take(1)
    await expect.poll(() => cluster.kept.map(({ order }) => order.slot)).toEqual(['main', 'catch-up'])
    const [main] = cluster.kept.splice(0, 1)
    // The main request comes back first and takes the reader over while the catch-up request still waits.
    main?.resolve({ throttleMs: 0, errorCode: 0, topics: [] })
    await expect.poll(() => cluster.asked().at(-1)).toBe('main in-0@0 in-1@0')
    cluster.change(() => cluster.at('in', 1).append(['a']))
    cluster.change(() => cluster.at('in', 1).append(['b']))
    expect(await tap.valuesTo(2)).toEqual(['a', 'b'])
  })

  test('a reader that holds enough is left out until it is emptied', async () => {
    fetcher = new Fetcher(cluster, {
      ...DEFAULT_FETCH_LIMITS,
      partitionMaxBytes: 3_000,
      readerBufferBytes: 2_000,
    })
    const partition = cluster.at('in')
    for (let i = 0; i < 4; i++) partition.append([`${i}`], { valueBytes: 2_500 })
    const tap = new ReadAlong(fetcher, 'in')
    await expect.poll(() => cluster.asked()).toEqual(['main in-0@0'])
    const other = new ReadAlong(fetcher, 'in', 0, 1)
    await expect.poll(() => cluster.asked().at(-1)).toBe('main in-1@0')
    expect((await tap.valuesTo(4)).map((value) => value[0])).toEqual(['0', '1', '2', '3'])
    expect(other.reader.position).toBe(0)
  })

  test('readers that together hold enough are left out while they hold anything', async () => {
    fetcher = new Fetcher(cluster, {
      ...DEFAULT_FETCH_LIMITS,
      partitionMaxBytes: 3_000,
      totalBufferBytes: 2_000,
    })
    for (const partition of [0, 1]) {
      for (let i = 0; i < 3; i++) cluster.at('in', partition).append([`${i}`], { valueBytes: 2_500 })
    }
    const taps = [0, 1].map((partition) => new ReadAlong(fetcher, 'in', 0, partition))
    await expect.poll(() => cluster.asked()).toEqual(['main in-0@0 in-1@0'])
    for (const tap of taps) {
      expect((await tap.valuesTo(3)).map((value) => value[0])).toEqual(['0', '1', '2'])
    }
  })

  test('a partition that got records stands behind the others in the next one', async () => {
    const taps = [0, 1, 2].map((partition) => new ReadAlong(fetcher, 'in', 0, partition))
    await expect.poll(() => cluster.kept.length).toBe(1)
    cluster.change(() => cluster.at('in', 0).append(['a']))
    await expect.poll(() => cluster.asked().at(-1)).toBe('main in-1@0 in-2@0 in-0@1')
    expect(await taps[0]?.valuesTo(1)).toEqual(['a'])
  })
})
