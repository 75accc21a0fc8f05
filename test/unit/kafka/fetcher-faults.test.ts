/** What ends a reader, and what only delays it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { crc32c } from '../../../transports/kafka/batches/crc32c.ts'
import { ATTRIBUTES_AT, CRC_AT } from '../../../transports/kafka/batches/layout.ts'
import { ClusterError } from '../../../transports/kafka/errors.ts'
import { Fetcher } from '../../../transports/kafka/fetcher.ts'
import { FetchedCluster } from './fetched-cluster.ts'
import { ReadAlong, texts } from './read-along.ts'

const TOPIC_AUTHORIZATION_FAILED = 29

let cluster: FetchedCluster
let fetcher: Fetcher

beforeEach(() => {
  cluster = FetchedCluster.of('in', 3)
  fetcher = new Fetcher(cluster)
})

afterEach(() => fetcher.close())

describe('faults', () => {
  test.each([-1, 3, 2.5, Number.NaN])('position %d of a partition of two is none', async (from) => {
    cluster.at('in').append(['a', 'b'])
    const tap = new ReadAlong(fetcher, 'in', from)
    expect(await tap.fault()).toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
    expect(tap.reader.take(1)).toEqual([])
  })

  test('a position that retention took names the range that is there', async () => {
    const partition = cluster.at('in')
    partition.append(['a', 'b', 'c'])
    partition.start = 2
    const fault = await new ReadAlong(fetcher, 'in', 1).fault()
    expect(fault.message).toMatch(/in-0: position 1, the log has 2 to 3$/)
  })

  test('a leader that lost its place and knows less than the partition has is no fault', async () => {
    const partition = cluster.at('in')
    partition.append(['a', 'b'])
    const tap = new ReadAlong(fetcher, 'in', 2)
    await expect.poll(() => cluster.kept.length).toBe(1)
    cluster.change(() => (partition.errorCode = 1))
    await expect.poll(() => cluster.refreshes).toBeGreaterThan(0)
    cluster.change(() => {
      partition.errorCode = 0
      partition.append(['c'])
    })
    expect(await tap.valuesTo(3)).toEqual(['c'])
  })

  test('a damaged batch is fetched again, and whole the second time', async () => {
    const partition = cluster.at('in')
    partition.append(['a'])
    partition.append(['b'])
    const whole = partition.batches[1]?.bytes as Buffer
    const damaged = Buffer.from(whole)
    damaged[damaged.length - 2] = (damaged.at(-2) ?? 0) ^ 1
    partition.batches[1] = { last: 1, bytes: damaged }
    partition.append(['c'])
    const tap = new ReadAlong(fetcher, 'in')
    const first = await tap.some()
    expect(texts(first)).toEqual(['a'])
    partition.batches[1] = { last: 1, bytes: whole }
    expect(await tap.valuesTo(3)).toEqual(['b', 'c'])
    expect(tap.reader.fault).toBeUndefined()
  })

  test('a batch that stays damaged is the fault, after all that precedes it', async () => {
    const partition = cluster.at('in')
    partition.append(['a', 'b'])
    partition.append(['c'])
    const { bytes } = partition.batches[1] as { bytes: Buffer }
    bytes[bytes.length - 2] = (bytes.at(-2) ?? 0) ^ 1
    partition.append(['d'])
    const tap = new ReadAlong(fetcher, 'in')
    expect(texts(await tap.some())).toEqual(['a', 'b'])
    const fault = await tap.fault()
    expect(fault).toMatchObject({ code: 'LOG_RECORD_CORRUPT' })
    expect(fault.message).toContain('in-0 at offset 2')
    expect(tap.reader.position).toBe(2)
    // The first time and three times more.
    expect(cluster.asked().filter((request) => request.endsWith('in-0@2'))).toHaveLength(3)
  })

  test.each([
    ['a length that no batch has', 8, 5],
    ['a message format of before 0.11', 16, 1],
  ])('%s is a fault, not a wait without end', async (_what, at, byte) => {
    const partition = cluster.at('in')
    partition.append(['a'])
    const { bytes } = partition.batches[0] as { bytes: Buffer }
    if (at === 8) bytes.writeInt32BE(byte, at)
    else bytes[at] = byte
    const fault = await new ReadAlong(fetcher, 'in').fault()
    expect(fault).toMatchObject({ code: 'LOG_RECORD_CORRUPT' })
    expect(fault.message).toContain('in-0 at offset 0')
  })

  test('a codec that nobody knows is a fault that names codec and place, not a wait without end', async () => {
    const partition = cluster.at('in')
    partition.append(['a'])
    const { bytes } = partition.batches[0] as { bytes: Buffer }
    bytes.writeInt16BE(5, ATTRIBUTES_AT)
    bytes.writeUInt32BE(crc32c(bytes, ATTRIBUTES_AT), CRC_AT)
    const fault = await new ReadAlong(fetcher, 'in').fault()
    expect(fault).toMatchObject({ code: 'LOG_RECORD_CORRUPT' })
    expect(fault.message).toMatch(/in-0 at offset 0: .*codec 5/)
  })

  test('missing rights are a fault that names the topic', async () => {
    cluster.at('in').errorCode = TOPIC_AUTHORIZATION_FAILED
    const fault = await new ReadAlong(fetcher, 'in').fault()
    expect(fault).toMatchObject({ code: 'ACCESS_DENIED' })
    expect(fault.message).toContain('topic in')
  })

  test('refused credentials are the fault of every reader of the broker', async () => {
    const taps = [0, 1].map((partition) => new ReadAlong(fetcher, 'in', 0, partition))
    await expect.poll(() => cluster.kept.length).toBe(1)
    const refused = new ClusterError('AUTHENTICATION_FAILED', 'broker 1')
    cluster.stop(1, refused)
    expect(await Promise.all(taps.map((tap) => tap.fault()))).toEqual([refused, refused])
  })

  test('a topic that does not exist has no reader', () => {
    expect(() => new ReadAlong(fetcher, 'nowhere')).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_TOPIC' }),
    )
  })
})
