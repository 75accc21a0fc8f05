import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { AppendResult } from '../../../streams/index.ts'
import type { BatchRecord } from '../../../transports/kafka/batches/encode.ts'
import { type RecordToAppend, Sender, type SenderOptions } from '../../../transports/kafka/sender.ts'
import { seededRandom } from '../../support/random.ts'
import { type Arriving, type Fate, ModelCluster } from './model-cluster.ts'

const MESSAGE_TOO_LARGE = 10
const NOT_ENOUGH_REPLICAS = 19
const TOPIC_AUTHORIZATION_FAILED = 29
const CLUSTER_AUTHORIZATION_FAILED = 31
const DUPLICATE_SEQUENCE = 46

let cluster: ModelCluster
beforeEach(() => {
  cluster = new ModelCluster(3, { orders: 3, other: 1 })
  // Pauses and deadlines pass as soon as nothing else is left to do.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] })
  vi.setTimerTickMode('nextTimerAsync')
  return () => vi.useRealTimers()
})

const sender = (options?: SenderOptions) => new Sender(cluster, cluster, options)

function record(value: string): BatchRecord {
  return { key: Buffer.from('k'), value: Buffer.from(value), timestamp: 1_700_000_000_000, headers: [] }
}

const to = (partition: number, ...values: string[]): RecordToAppend[] =>
  values.map((value) => ({ topic: 'orders', partition, record: record(value) }))

const offsets = (results: readonly AppendResult[]) =>
  results.map(({ partition, offset }) => [partition, offset])

/** The fate of the requests of one kind, one after the other; then all is well. */
function fates(api: string, ...plan: Fate[]): (arriving: Arriving) => Fate {
  return (arriving) => (arriving.api === api ? plan.shift() : undefined)
}

/** A request that is answered when the test says so. */
function heldUp(): { readonly begin: () => void } {
  const send = cluster.send.bind(cluster)
  let begin = () => {}
  const held = new Promise<void>((resolve) => (begin = resolve))
  let isFirst = true
  vi.spyOn(cluster, 'send').mockImplementation(async (node, request) => {
    if (request.apiName === 'Produce' && isFirst) {
      isFirst = false
      await held
    }
    return send(node, request)
  })
  return { begin: () => begin() }
}

describe('an append', () => {
  test('answers where each record went, in the order given', async () => {
    const results = await sender().append([...to(1, 'a'), ...to(0, 'b'), ...to(1, 'c')])
    expect(offsets(results)).toEqual([
      [1, 0],
      [0, 0],
      [1, 1],
    ])
    expect(cluster.values('orders', 1)).toEqual(['a', 'c'])
    expect(cluster.values('orders', 0)).toEqual(['b'])
  })

  test('of nothing asks nothing', async () => {
    expect(await sender().append([])).toEqual([])
    expect(cluster.sent).toEqual([])
  })

  test('asks for a producer id once', async () => {
    const one = sender()
    await one.append(to(0, 'a'))
    await one.append(to(1, 'b'))
    expect(cluster.sent).toEqual(['InitProducerId', 'Produce', 'Produce'])
  })

  test('sends one request to each broker', async () => {
    const one = sender()
    await one.append(to(0, 'a'))
    cluster.sent.length = 0
    await one.append([...to(0, 'b'), ...to(1, 'c'), { topic: 'other', partition: 0, record: record('d') }])
    expect(cluster.sent).toEqual(['Produce', 'Produce'])
  })

  test('goes at once when nothing is on its way, and together with all that came meanwhile', async () => {
    const one = sender()
    await one.append(to(0, 'first'))
    cluster.sent.length = 0
    const { begin } = heldUp()
    const calls = [one.append(to(0, 'a'))]
    await new Promise((resolve) => setImmediate(resolve))
    calls.push(one.append(to(0, 'b')), one.append(to(0, 'c')))
    await new Promise((resolve) => setImmediate(resolve))
    begin()
    expect((await Promise.all(calls)).map(offsets)).toEqual([[[0, 1]], [[0, 2]], [[0, 3]]])
    expect(cluster.sent).toHaveLength(2)
  })

  test('is split into batches of 1,000 records and of 900 KB', async () => {
    const one = sender()
    await one.append(to(0, ...Array.from({ length: 2001 }, (_, i) => `${i}`)))
    expect(cluster.sent.filter((api) => api === 'Produce')).toHaveLength(3)
    cluster.sent.length = 0
    const half = 'x'.repeat(500_000)
    await one.append(to(0, half, half, half))
    expect(cluster.sent).toHaveLength(3)
    expect(cluster.values('orders', 0)).toHaveLength(2004)
  })

  test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('may be compressed with %s', async (compression) => {
    await sender({ compression }).append(to(0, 'a'.repeat(1000), 'b'))
    expect(cluster.values('orders', 0)).toEqual(['a'.repeat(1000), 'b'])
  })
})

describe('nothing of an append is sent', () => {
  const refused = (records: readonly RecordToAppend[], options?: SenderOptions) =>
    sender(options).append(records)

  test('when one of its records is too large', async () => {
    const records = [...to(0, 'a'), ...to(1, 'x'.repeat(1024 * 1024))]
    await expect(refused(records)).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' })
    expect(cluster.sent).toEqual([])
  })

  test('when one of its timestamps is none', async () => {
    const odd = { ...record('a'), timestamp: Number.NaN }
    const records = [...to(0, 'a'), { topic: 'orders', partition: 0, record: odd }]
    await expect(refused(records)).rejects.toThrow(RangeError)
    expect(cluster.sent).toEqual([])
  })

  test('when it would never fit', async () => {
    const records = to(0, 'a'.repeat(600), 'b'.repeat(600))
    await expect(refused(records, { bufferBytes: 1000 })).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' })
  })

  test('while too much waits', async () => {
    const one = sender({ bufferBytes: 1000 })
    const { begin } = heldUp()
    const first = one.append(to(0, 'a'.repeat(600)))
    await expect(one.append(to(0, 'b'.repeat(600)))).rejects.toMatchObject({ code: 'LOG_BUSY' })
    begin()
    await first
    await one.append(to(0, 'c'.repeat(600)))
    expect(one.bufferedBytes).toBe(0)
    expect(cluster.values('orders', 0)).toEqual(['a'.repeat(600), 'c'.repeat(600)])
  })

  test('after close, which waits for what came before', async () => {
    const one = sender()
    const before = one.append(to(0, 'a'))
    const closed = one.close()
    await expect(one.append(to(0, 'b'))).rejects.toMatchObject({ code: 'LOG_CLOSED' })
    await closed
    await one.close()
    expect(offsets(await before)).toEqual([[0, 0]])
  })
})

describe('a batch is sent again, and is there once,', () => {
  test.each([
    ['its request was not sent', 'unreachable'],
    ['its request was lost', 'lost'],
    ['its answer was lost', 'answer lost'],
    ['too few replicas are there', { code: NOT_ENOUGH_REPLICAS }],
  ] as const)('when %s', async (_, fate) => {
    cluster.fate = fates('Produce', fate, fate)
    const one = sender()
    const [first, second] = await Promise.all([one.append(to(0, 'a', 'b')), one.append(to(0, 'c'))])
    expect(offsets([...(first ?? []), ...(second ?? [])])).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
    ])
    expect(cluster.values('orders', 0)).toEqual(['a', 'b', 'c'])
  })

  test('when its leader moved while another partition of the call was taken', async () => {
    const one = sender()
    await one.append(to(0, 'a'))
    cluster.moveLeader('orders', 0, 2)
    const results = await one.append([...to(0, 'b'), ...to(1, 'c')])
    expect(offsets(results)).toEqual([
      [0, 1],
      [1, 0],
    ])
    expect(cluster.values('orders', 1)).toEqual(['c'])
  })

  test('when its partition has no leader for a while', async () => {
    const one = sender()
    cluster.moveLeader('orders', 0, -1)
    await cluster.refresh()
    const looked = new Promise<void>((resolve) => {
      const refresh = cluster.refresh.bind(cluster)
      vi.spyOn(cluster, 'refresh').mockImplementation(() => refresh().finally(resolve))
    })
    const call = one.append(to(0, 'a'))
    await looked
    cluster.moveLeader('orders', 0, 1)
    expect(offsets(await call)).toEqual([[0, 0]])
  })

  test('when the first producer id was not to be had', async () => {
    cluster.fate = fates('InitProducerId', 'unreachable', 'lost', { code: 14 })
    expect(offsets(await sender().append(to(0, 'a')))).toEqual([[0, 0]])
  })

  test('smaller, when the topic takes no batch of this size', async () => {
    cluster.fate = fates('Produce', { code: MESSAGE_TOO_LARGE }, { code: MESSAGE_TOO_LARGE })
    const values = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(1000))
    const results = await sender().append(to(0, ...values))
    expect(results.map(({ offset }) => offset)).toEqual([0, 1, 2, 3])
    expect(cluster.values('orders', 0)).toEqual(values)
  })

  test('by another producer, when the broker has forgotten this one and refuses it', async () => {
    const one = sender()
    await one.append(to(0, 'a'))
    cluster.forgetProducers('orders', 0)
    expect(offsets(await one.append(to(0, 'b')))).toEqual([[0, 1]])
    expect(cluster.values('orders', 0)).toEqual(['a', 'b'])
  })
})

test('a batch that was refused whole comes again in its order', async () => {
  const one = sender()
  await one.append(to(0, 'first'))
  cluster.forgetProducers('orders', 0)
  const calls = ['a', 'b', 'c'].map((letter) => Array.from({ length: 600 }, (_, i) => `${letter}${i}`))
  await Promise.all(calls.map((values) => one.append(to(0, ...values))))
  expect(cluster.values('orders', 0)).toEqual(['first', ...calls.flat()])
})

test('a batch that may have been taken is not sent by another producer', async () => {
  const one = sender()
  await one.append(to(0, 'a'))
  cluster.fate = ({ api }) => {
    if (api !== 'Produce') return undefined
    cluster.fate = () => {
      cluster.forgetProducers('orders', 0)
      cluster.fate = () => undefined
      return undefined
    }
    return 'answer lost'
  }
  await expect(one.append(to(0, 'b'))).rejects.toMatchObject({ code: 'APPEND_UNKNOWN' })
  await one.append(to(0, 'c'))
  expect(cluster.values('orders', 0)).toEqual(['a', 'b', 'c'])
})

test('a batch that the broker knows, but not where it is, counts as taken', async () => {
  cluster.fate = fates('Produce', { code: DUPLICATE_SEQUENCE })
  expect(offsets(await sender().append(to(0, 'a', 'b')))).toEqual([
    [0, -1],
    [0, -1],
  ])
})

describe('a call is refused', () => {
  test('when the broker does not want its records, and nothing more of it is sent', async () => {
    cluster.fate = fates('Produce', { code: TOPIC_AUTHORIZATION_FAILED })
    const values = Array.from({ length: 1500 }, (_, i) => `${i}`)
    const one = sender()
    await expect(one.append(to(0, ...values))).rejects.toMatchObject({
      code: 'LOG_WRITE_FAILED',
      cause: { code: 'ACCESS_DENIED' },
    })
    expect(cluster.values('orders', 0)).toEqual([])
    expect(one.bufferedBytes).toBe(0)
    await one.append(to(0, 'next'))
    expect(cluster.values('orders', 0)).toEqual(['next'])
  })

  test('when a single record is too large for the topic', async () => {
    cluster.fate = fates('Produce', { code: MESSAGE_TOO_LARGE })
    await expect(sender().append(to(0, 'a'))).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' })
  })

  test('when the cluster gives no producer id', async () => {
    cluster.fate = fates('InitProducerId', { code: CLUSTER_AUTHORIZATION_FAILED })
    const one = sender()
    await expect(one.append(to(0, 'a'))).rejects.toMatchObject({ code: 'LOG_WRITE_FAILED' })
    await one.append(to(0, 'b'))
    expect(cluster.values('orders', 0)).toEqual(['b'])
  })

  test('as unknown, when another part of it was taken', async () => {
    const one = sender()
    await one.append([...to(0, 'a'), ...to(1, 'b')])
    cluster.fate = ({ api, node }) =>
      api === 'Produce' && node === 1 ? { code: TOPIC_AUTHORIZATION_FAILED } : undefined
    await expect(one.append([...to(0, 'c'), ...to(1, 'd')])).rejects.toMatchObject({ code: 'APPEND_UNKNOWN' })
    expect(cluster.values('orders', 0)).toEqual(['a', 'c'])
  })
})

describe('after its deadline a call', () => {
  test('that was never sent is refused as busy', async () => {
    cluster.fate = fates('Produce', ...Array<Fate>(100).fill('unreachable'))
    const one = sender()
    await expect(one.append(to(0, 'a'))).rejects.toMatchObject({ code: 'LOG_BUSY' })
    cluster.fate = () => undefined
    await one.append(to(0, 'b'))
    expect(cluster.values('orders', 0)).toEqual(['b'])
    expect(one.bufferedBytes).toBe(0)
  })

  test('that may have been taken is told so, and what comes late is not there', async () => {
    const one = sender()
    await one.append(to(0, 'a'))
    cluster.fate = fates('Produce', ...Array<Fate>(100).fill('held'))
    await expect(one.append(to(0, 'b'))).rejects.toMatchObject({ code: 'APPEND_UNKNOWN' })
    cluster.fate = () => undefined
    await one.append(to(0, 'c'))
    cluster.release()
    await one.append(to(0, 'd'))
    expect(cluster.values('orders', 0)).toEqual(['a', 'c', 'd'])
    expect(one.bufferedBytes).toBe(0)
  })

  test('that was taken leaves its place to it: the next one is not taken for a repetition', async () => {
    const one = sender()
    await one.append(to(0, 'a'))
    cluster.fate = fates('Produce', ...Array<Fate>(100).fill('answer lost'))
    await expect(one.append(to(0, 'b'))).rejects.toMatchObject({ code: 'APPEND_UNKNOWN' })
    cluster.fate = () => undefined
    expect(offsets(await one.append(to(0, 'c')))).toEqual([[0, 2]])
    expect(cluster.values('orders', 0)).toEqual(['a', 'b', 'c'])
  })

  test('is over, whatever its answer says later', async () => {
    const one = sender()
    await one.append(to(0, 'a'))
    const { begin } = heldUp()
    await expect(one.append(to(0, 'b'))).rejects.toMatchObject({ code: 'APPEND_UNKNOWN' })
    await one.append(to(0, 'c'))
    begin()
    await one.append(to(0, 'd'))
    expect(cluster.values('orders', 0)).toEqual(['a', 'c', 'd'])
    expect(one.bufferedBytes).toBe(0)
  })

  test('does not take others of its batch with it', async () => {
    const one = sender({ deliveryTimeoutMs: 1000 })
    await one.append(to(0, 'a'))
    cluster.fate = fates('Produce', ...Array<Fate>(100).fill('unreachable'))
    const early = one.append(to(0, 'early')).catch((error: unknown) => error)
    await new Promise((resolve) => setTimeout(resolve, 500))
    const late = one.append(to(0, 'late'))
    expect(await early).toMatchObject({ code: 'LOG_BUSY' })
    cluster.fate = () => undefined
    expect(offsets(await late)).toEqual([[0, 1]])
    expect(cluster.values('orders', 0)).toEqual(['a', 'late'])
  })

  test('frees its room, also while its partition has no leader', async () => {
    const one = sender({ deliveryTimeoutMs: 100 })
    cluster.moveLeader('orders', 0, -1)
    await cluster.refresh()
    const calls = Array.from({ length: 20 }, () => one.append(to(0, 'x'.repeat(100))))
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'LOG_BUSY' })
    expect(one.bufferedBytes).toBe(0)
    await one.close()
  })
})

describe('whatever happens to requests', () => {
  const FATES: readonly Fate[] = ['unreachable', 'lost', 'answer lost', 'held', { code: NOT_ENOUGH_REPLICAS }]

  test.each(Array.from({ length: 40 }, (_, seed) => seed))(
    'acknowledged records are there once, at their offsets and in order (seed %i)',
    async (seed) => {
      const random = seededRandom(seed)
      cluster.fate = ({ api }) => {
        if (random.chance(0.1)) cluster.rotateLeaders()
        if (random.chance(0.2)) cluster.release()
        return api === 'Produce' && random.chance(0.3) ? random.pick(FATES) : undefined
      }
      const one = sender({ deliveryTimeoutMs: 200 })
      const acknowledged: { value: string; at: AppendResult }[] = []
      const refused: string[] = []
      const call = async (number: number) => {
        const partitions = [0, 1, 2].filter(() => random.chance(0.6))
        const values = partitions.map((partition) => `${number}-${partition}`)
        try {
          const results = await one.append(
            partitions.flatMap((partition, i) => to(partition, values[i] ?? '')),
          )
          acknowledged.push(...results.map((at, i) => ({ value: values[i] ?? '', at })))
        } catch (error) {
          if ((error as { code: string }).code === 'LOG_BUSY') refused.push(...values)
        }
      }
      const calls: Promise<void>[] = []
      for (let number = 0; number < 60; number++) {
        calls.push(call(number))
        if (random.chance(0.5)) await new Promise((resolve) => setTimeout(resolve, random.below(20)))
      }
      await Promise.all(calls)
      cluster.release()
      await one.close()
      const there = [0, 1, 2].map((partition) => cluster.values('orders', partition))
      for (const values of there) {
        expect(new Set(values).size).toBe(values.length)
        expect(values.filter((value) => refused.includes(value ?? ''))).toEqual([])
      }
      for (const { value, at } of acknowledged) expect(there[at.partition]?.[at.offset]).toBe(value)
      for (const partition of [0, 1, 2]) {
        const numbers = acknowledged
          .filter(({ at }) => at.partition === partition)
          .toSorted((a, b) => a.at.offset - b.at.offset)
          .map(({ value }) => Number.parseInt(value, 10))
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
      }
      expect(one.bufferedBytes).toBe(0)
    },
  )
})
