/** Appends on a real broker; the judge is Kafka's own consumer. */
import { describe, expect, inject, test } from 'vitest'
import type { ProduceAnswer } from '../../transports/kafka/protocol/produce.ts'
import { Sender } from '../../transports/kafka/sender.ts'
import { readCommitted } from '../support/kafka/oracle.ts'
import { freshTopic } from '../support/kafka/topics.ts'
import { appendsTo, HoldingBrokers, openWrites } from './opened-writes.ts'
import '../support/kafka/fixture.ts'

const { bootstrap } = inject('kafka')
const INVALID_PRODUCER_EPOCH = 47

const valuesOf = async (topic: string, partition = 0) =>
  (await readCommitted(bootstrap, topic))
    .filter((record) => record.partition === partition)
    .map(({ value }) => value?.toString())

test('records are where the answer says, with all that they have', async () => {
  const topic = await freshTopic(bootstrap, 'append', { partitions: 3 })
  const { cluster, connections } = await openWrites(bootstrap, [topic])
  const sender = new Sender(cluster, connections)
  const record = {
    key: Buffer.from([0, 255]),
    value: Buffer.from('value'),
    timestamp: 1_700_000_000_000,
    headers: [
      ['eventId', 'é'],
      ['none', null],
    ] as const,
  }
  const results = await sender.append([
    ...appendsTo(topic, 2, ['a']),
    { topic, partition: 1, record },
    { topic, partition: 2, record: { ...record, key: null, value: null, headers: [] } },
  ])
  expect(results.map(({ partition, offset }) => [partition, offset])).toEqual([
    [2, 0],
    [1, 0],
    [2, 1],
  ])
  const there = await readCommitted(bootstrap, topic)
  expect(there[0]).toMatchObject({
    partition: 1,
    offset: 0,
    key: record.key,
    value: record.value,
    timestamp: record.timestamp,
    headers: [
      ['eventId', Buffer.from('é')],
      ['none', null],
    ],
  })
  expect(there[2]).toMatchObject({ partition: 2, offset: 1, key: null, value: null })
  await sender.close()
})

test.each([undefined, 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
  'with %s, many records',
  async (compression) => {
    const topic = await freshTopic(bootstrap, 'many', { partitions: 2 })
    const { cluster, connections } = await openWrites(bootstrap, [topic])
    const sender = new Sender(cluster, connections, { compression })
    const values = Array.from({ length: 12_000 }, (_, i) => `value ${i}`)
    const calls: Promise<unknown>[] = []
    for (let i = 0; i < values.length; i += 300) {
      calls.push(sender.append(appendsTo(topic, (i / 300) % 2, values.slice(i, i + 300))))
    }
    await Promise.all(calls)
    const expected = (partition: number) => values.filter((_, i) => Math.floor(i / 300) % 2 === partition)
    expect(await valuesOf(topic, 0)).toEqual(expected(0))
    expect(await valuesOf(topic, 1)).toEqual(expected(1))
    await sender.close()
  },
)

describe('the size of records and batches', () => {
  test('the largest record that is let through is taken by a broker as it comes', async () => {
    const topic = await freshTopic(bootstrap, 'large')
    const { cluster, connections } = await openWrites(bootstrap, [topic])
    const sender = new Sender(cluster, connections)
    // Key and value of 1 MiB less what the batch and the record have around them.
    const largest = 'x'.repeat(1024 * 1024 + 12 - 61 - 36)
    await sender.append(appendsTo(topic, 0, [largest, 'small']))
    await expect(sender.append(appendsTo(topic, 0, [`${largest}x`]))).rejects.toMatchObject({
      code: 'RECORD_TOO_LARGE',
    })
    expect((await valuesOf(topic)).map((value) => value?.length)).toEqual([largest.length, 5])
  })

  test('a topic of small batches gets small batches', async () => {
    const topic = await freshTopic(bootstrap, 'small', { configs: { 'max.message.bytes': '5000' } })
    const { cluster, connections } = await openWrites(bootstrap, [topic])
    const sender = new Sender(cluster, connections)
    const values = Array.from({ length: 40 }, (_, i) => `${i}`.padEnd(1000))
    await sender.append(appendsTo(topic, 0, values))
    await expect(sender.append(appendsTo(topic, 0, ['x'.repeat(6000)]))).rejects.toMatchObject({
      code: 'RECORD_TOO_LARGE',
    })
    await sender.append(appendsTo(topic, 0, ['last']))
    expect(await valuesOf(topic)).toEqual([...values, 'last'])
  })
})

test('where the log gives the time, it is answered', async () => {
  const configs = { 'message.timestamp.type': 'LogAppendTime' }
  const topic = await freshTopic(bootstrap, 'times', { configs })
  const { cluster, connections } = await openWrites(bootstrap, [topic])
  const [result] = await new Sender(cluster, connections).append(appendsTo(topic, 0, ['a']))
  const [record] = await readCommitted(bootstrap, topic)
  expect(result?.appendTime).toBe(record?.timestamp)
})

test('a request that arrives twice is there once', async () => {
  const topic = await freshTopic(bootstrap, 'twice')
  const { cluster, connections } = await openWrites(bootstrap, [topic])
  const brokers = new HoldingBrokers(connections)
  const sender = new Sender(cluster, brokers)
  await sender.append(appendsTo(topic, 0, ['a']))
  brokers.hold('Produce')
  // No answer: it is sent again, and answered.
  const results = await sender.append(appendsTo(topic, 0, ['b', 'c']))
  await sender.append(appendsTo(topic, 0, ['d']))
  const [late] = await brokers.release<ProduceAnswer>()
  expect(late?.topics[0]?.partitions[0]).toMatchObject({ errorCode: 0, baseOffset: results[0]?.offset })
  expect(await valuesOf(topic)).toEqual(['a', 'b', 'c', 'd'])
})

test('what was given up is refused when it arrives after newer records', async () => {
  const topic = await freshTopic(bootstrap, 'late')
  const { cluster, connections } = await openWrites(bootstrap, [topic])
  const brokers = new HoldingBrokers(connections)
  const sender = new Sender(cluster, brokers, { deliveryTimeoutMs: 300 })
  await sender.append(appendsTo(topic, 0, ['a']))
  brokers.hold('Produce', Number.POSITIVE_INFINITY)
  await expect(sender.append(appendsTo(topic, 0, ['b']))).rejects.toMatchObject({ code: 'APPEND_UNKNOWN' })
  brokers.hold('nothing more')
  await sender.append(appendsTo(topic, 0, ['c']))
  for (const { topics } of await brokers.release<ProduceAnswer>()) {
    expect(topics[0]?.partitions[0]?.errorCode).toBe(INVALID_PRODUCER_EPOCH)
  }
  await sender.append(appendsTo(topic, 0, ['d']))
  expect(await valuesOf(topic)).toEqual(['a', 'c', 'd'])
})
