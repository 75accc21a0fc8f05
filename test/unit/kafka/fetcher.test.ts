/** What a reader hands out, and when it calls its owner. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LogRecord } from '../../../streams/index.ts'
import { encodeBatch } from '../../../transports/kafka/batches/encode.ts'
import { DEFAULT_FETCH_LIMITS, Fetcher } from '../../../transports/kafka/fetcher.ts'
import { FetchedCluster } from './fetched-cluster.ts'
import { ReadAlong, texts } from './read-along.ts'

let cluster: FetchedCluster
let fetcher: Fetcher

beforeEach(() => {
  cluster = FetchedCluster.of('in', 3)
  fetcher = new Fetcher(cluster)
})

afterEach(() => fetcher.close())

describe('reading', () => {
  test('records come in order, from where the reader stands', async () => {
    cluster.at('in').append(['a', 'b', 'c'])
    cluster.at('in').append(['d'])
    const { reader } = new ReadAlong(fetcher, 'in', 1)
    await expect.poll(() => texts(reader.take(2))).toEqual(['b', 'c'])
    expect(reader.position).toBe(3)
    expect(reader.take(0)).toEqual([])
    expect(texts(reader.take(5))).toEqual(['d'])
    expect([reader.position, reader.end]).toEqual([4, 4])
  })

  test('a topic that is stamped has append times, also in batches that do not say so', async () => {
    cluster.at('in').append(['a'])
    const taken = async (isStamped: boolean) => {
      const reader = fetcher.open({ topic: 'in', partition: 0 }, 0, () => {}, isStamped)
      const records: LogRecord[] = []
      await expect.poll(() => records.push(...reader.take(1))).toBe(1)
      return records.every(({ appendTime, timestamp }) => appendTime === timestamp)
    }
    expect(await taken(true)).toBe(true)
    expect(await taken(false)).toBe(false)
  })

  test('only committed records are asked for', async () => {
    new ReadAlong(fetcher, 'in')
    await expect.poll(() => cluster.orders[0]?.request.isolationLevel).toBe('read_committed')
  })

  test('until the broker has said where the partition ends, there may be more', async () => {
    const tap = new ReadAlong(fetcher, 'in')
    expect(tap.reader.end).toBe(1)
    tap.reader.take(1)
    await expect.poll(() => tap.wakes).toBe(1)
    expect([tap.reader.position, tap.reader.end]).toEqual([0, 0])
    // To know the end is worth no wait at the broker; to know of records is.
    await expect.poll(() => cluster.orders.map(({ request }) => request.maxWaitMs)).toEqual([0, 500])
  })

  test('after an empty take the owner is called once, when there is more', async () => {
    cluster.at('in').append(['a'])
    const tap = new ReadAlong(fetcher, 'in')
    expect(await tap.valuesTo(1)).toEqual(['a'])
    const before = tap.wakes
    expect(tap.reader.take(1)).toEqual([])
    await expect.poll(() => cluster.kept.length).toBe(1)
    cluster.change(() => cluster.at('in').append(['b']))
    await expect.poll(() => cluster.kept.length).toBe(1)
    cluster.change(() => cluster.at('in').append(['c']))
    await expect.poll(() => cluster.kept.length).toBe(1)
    expect(tap.wakes).toBe(before + 1)
    expect(await tap.valuesTo(3)).toEqual(['b', 'c'])
  })

  test('a record that is larger than an answer may be still comes', async () => {
    fetcher = new Fetcher(cluster, { ...DEFAULT_FETCH_LIMITS, partitionMaxBytes: 1_000 })
    for (const value of ['a', 'b', 'c']) cluster.at('in').append([value], { valueBytes: 5_000 })
    const tap = new ReadAlong(fetcher, 'in')
    expect((await tap.valuesTo(3)).map((value) => value[0])).toEqual(['a', 'b', 'c'])
  })

  test('readers of one partition read each from their own position', async () => {
    for (let i = 0; i < 10; i++) cluster.at('in').append([`${i}`])
    const taps = [0, 7, 7, 10].map((from) => new ReadAlong(fetcher, 'in', from))
    await expect.poll(() => cluster.kept.length).toBeGreaterThan(0)
    cluster.change(() => cluster.at('in').append(['last']))
    const read = await Promise.all(taps.map((tap) => tap.valuesTo(11)))
    const all = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'last']
    expect(read).toEqual([all, all.slice(7), all.slice(7), ['last']])
  })

  test('a batch too large to be inflated with its neighbours is inflated in the next take', async () => {
    fetcher = new Fetcher(cluster, { ...DEFAULT_FETCH_LIMITS, maxInflatedBytes: 1_500 })
    for (const value of ['a', 'b', 'c']) {
      const record = { key: null, value: Buffer.alloc(1_000, value), timestamp: 1, headers: [] }
      const stamp = { producerId: -1n, producerEpoch: -1, baseSequence: -1 }
      cluster.at('in').push(encodeBatch([record], { ...stamp, transactional: false, compression: 'gzip' }))
    }
    const tap = new ReadAlong(fetcher, 'in')
    expect((await tap.valuesTo(3)).map((value) => value[0])).toEqual(['a', 'b', 'c'])
    expect(tap.reader.fault).toBeUndefined()
  })
})

describe('what no record is handed out for', () => {
  test('aborted records and markers are passed over, those of other producers are not', async () => {
    const partition = cluster.at('in')
    partition.append(['lost'], { producerId: 7n })
    partition.append(['kept'], { producerId: 8n })
    partition.mark(7n, 'abort')
    partition.append(['kept too'], { producerId: 7n })
    partition.mark(8n, 'commit')
    partition.mark(7n, 'commit')
    const tap = new ReadAlong(fetcher, 'in')
    expect(await tap.valuesTo(6)).toEqual(['kept', 'kept too'])
    expect(tap.reader.end).toBe(6)
  })

  test('nothing after the last stable offset is read or counted', async () => {
    const partition = cluster.at('in')
    partition.append(['a'])
    partition.append(['open'], { producerId: 7n })
    partition.lastStable = 1
    const tap = new ReadAlong(fetcher, 'in')
    expect(await tap.valuesTo(1)).toEqual(['a'])
    expect([tap.reader.position, tap.reader.end]).toEqual([1, 1])
    tap.reader.take(1)
    await expect.poll(() => cluster.kept.length).toBe(1)
    cluster.change(() => {
      partition.mark(7n, 'commit')
      partition.lastStable = undefined
    })
    expect(await tap.valuesTo(3)).toEqual(['open'])
  })

  test('the owner is called for markers alone, and the position moves with an empty take', async () => {
    const tap = new ReadAlong(fetcher, 'in')
    tap.reader.take(1)
    await expect.poll(() => tap.wakes).toBe(1)
    expect(tap.reader.take(1)).toEqual([])
    await expect.poll(() => cluster.kept.length).toBe(1)
    cluster.change(() => {
      cluster.at('in').append(['lost'], { producerId: 7n })
      cluster.at('in').mark(7n, 'abort')
    })
    await expect.poll(() => tap.wakes).toBe(2)
    expect(tap.reader.take(1)).toEqual([])
    expect([tap.reader.position, tap.reader.end]).toEqual([2, 2])
    // Whoever waited for this position, and sees no record, is called to look at it.
    await expect.poll(() => tap.wakes).toBe(3)
    expect(tap.reader.take(1)).toEqual([])
    await expect.poll(() => cluster.kept.length).toBe(1)
    expect(tap.wakes).toBe(3)
  })

  test('batches that compaction emptied do not hold a reader up', async () => {
    cluster.at('in').append(['a'])
    cluster.at('in').appendEmptied(5)
    cluster.at('in').appendEmptied(2)
    const tap = new ReadAlong(fetcher, 'in')
    expect(await tap.valuesTo(8)).toEqual(['a'])
    expect(tap.reader.end).toBe(8)
  })
})

describe('closing', () => {
  test('a closed reader gives nothing and is asked for no more', async () => {
    const taps = [0, 1].map((partition) => new ReadAlong(fetcher, 'in', 0, partition))
    await expect.poll(() => cluster.kept.length).toBe(1)
    taps[0]?.reader.close()
    taps[0]?.reader.close()
    cluster.change(() => cluster.at('in').append(['a']))
    await expect.poll(() => cluster.asked().at(-1)).toBe('main in-1@0')
    expect(taps[0]?.reader.take(1)).toEqual([])
  })

  test('without readers nothing is asked', async () => {
    const tap = new ReadAlong(fetcher, 'in')
    await expect.poll(() => cluster.kept.length).toBe(1)
    tap.reader.close()
    const before = cluster.orders.length
    cluster.timeOut()
    await new Promise((resolve) => setImmediate(resolve))
    expect(cluster.orders).toHaveLength(before)
  })

  test('a closed fetcher opens no reader, and may be closed twice', () => {
    const tap = new ReadAlong(fetcher, 'in')
    fetcher.close()
    fetcher.close()
    expect(tap.reader.take(1)).toEqual([])
    expect(() => new ReadAlong(fetcher, 'in')).toThrow(expect.objectContaining({ code: 'LOG_CLOSED' }))
  })
})
