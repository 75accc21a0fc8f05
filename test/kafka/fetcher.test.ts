/** Reading on real brokers: what comes back, where a partition begins and ends, and a cluster that changes. */
import { describe, expect, inject, test } from 'vitest'
import { deleteTopics } from '../../transports/kafka/protocol/topics.ts'
import { eventually } from '../support/kafka/eventually.ts'
import { JavaTransactions, produce, readCommitted } from '../support/kafka/oracle.ts'
import { oneBroker, threeBrokers } from '../support/kafka/own-cluster.ts'
import {
  createTopic,
  deleteRecords,
  freshName,
  freshTopic,
  leaderOf,
  moveLeader,
  topicOffsets,
} from '../support/kafka/topics.ts'
import { Follower, line, type OpenedReads, openReads, readPartition } from './opened-reads.ts'
import '../support/kafka/fixture.ts'

const { bootstrap } = inject('kafka')
const eventId = '01890a5d-ac96-774b-bcce-b302099a8057'

describe('what Java wrote', () => {
  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'with codec %s is read',
    async (compression) => {
      const topic = await freshTopic(bootstrap, 'codec', { partitions: 2 })
      const records = Array.from({ length: 300 }, (_, index) => ({
        key: index % 7 === 0 ? null : `key ${index}`,
        value: index % 11 === 0 ? null : `value ${index} `.repeat(index),
        partition: index % 2,
        timestamp: 1_700_000_000_000 + index,
      }))
      await produce(bootstrap, topic, records, { compression })
      const opened = await openReads(bootstrap, [topic])
      const read = await Promise.all([0, 1].map((partition) => readPartition(opened, { topic, partition })))
      const expected = await readCommitted(bootstrap, topic)
      expect(expected).toHaveLength(records.length)
      expect(read.flat().map(line)).toEqual(expected.map(line))
      expect(read.flat().map(({ timestamp }) => timestamp)).toEqual(
        expected.map(({ timestamp }) => timestamp),
      )
    },
  )

  test('has its headers, and its lineage where there is an eventId', async () => {
    const topic = await freshTopic(bootstrap, 'headers')
    await produce(bootstrap, topic, [
      {
        value: 'a',
        headers: [
          ['color', 'red'],
          ['eventId', eventId],
          ['cause-topic', 'orders'],
          ['cause-partition', '3'],
          ['cause-offset', '17'],
          ['cause-timestamp', '1700000000000'],
          ['color', null],
        ],
      },
      { value: 'b', headers: [['traceparent', '00-x-y-01']] },
    ])
    const [first, second] = await readPartition(await openReads(bootstrap, [topic]), { topic, partition: 0 })
    const cause = { topic: 'orders', partition: 3, offset: 17, timestamp: 1_700_000_000_000 }
    expect(first?.lineage).toEqual({ eventId, cause })
    expect(first?.headers).toEqual([
      ['color', Buffer.from('red')],
      ['color', Buffer.alloc(0)],
    ])
    expect(second?.lineage).toBeUndefined()
    expect(second?.headers).toEqual([['traceparent', Buffer.from('00-x-y-01')]])
  })

  test('has the time of the log as its append time where the topic says so', async () => {
    const configs = { 'message.timestamp.type': 'LogAppendTime' }
    const topic = await freshTopic(bootstrap, 'log-append', { configs })
    const before = Date.now()
    await produce(bootstrap, topic, [{ value: 'a', timestamp: 5 }])
    const [record] = await readPartition(await openReads(bootstrap, [topic]), { topic, partition: 0 })
    expect(record?.timestamp).toBeGreaterThanOrEqual(before)
    expect(record?.appendTime).toBe(record?.timestamp)
  })
})

describe('a reader', () => {
  test('follows what is appended, beside others that have nothing to read', async () => {
    const topic = await freshTopic(bootstrap, 'follow', { partitions: 4 })
    const opened = await openReads(bootstrap, [topic])
    const followers = [0, 1, 2, 3].map((partition) => new Follower(opened, { topic, partition }))
    for (let round = 1; round <= 20; round++) {
      await produce(bootstrap, topic, [{ value: `${round}`, partition: 2 }])
      const records = await followers[2]?.readTo(round)
      expect(records?.at(-1)?.value?.toString()).toBe(`${round}`)
    }
    expect(followers.map(({ records }) => records.length)).toEqual([0, 0, 20, 0])
  })

  test('does not see an open transaction, and is past it when it is aborted', async () => {
    const topic = await freshTopic(bootstrap, 'open')
    const transactions = new JavaTransactions(bootstrap, freshName('tx'))
    const opened = await openReads(bootstrap, [topic])
    const at = { topic, partition: 0 }
    await produce(bootstrap, topic, [{ value: 'before' }])
    await transactions.produce(topic, [{ value: 'open' }, { value: 'open too' }], 'open')
    expect(await opened.reads.bounds(at)).toEqual({ start: 0, end: 1, highWatermark: 3 })
    const follower = new Follower(opened, at)
    expect((await follower.readTo(1)).map(line)).toEqual(['0@0 (null)=before'])
    await transactions.end('abort')
    // The marker has an offset as well.
    await follower.readTo(4)
    expect(follower.records).toHaveLength(1)
    await transactions.produce(topic, [{ value: 'after' }], 'commit')
    expect((await follower.readTo(6)).map(line)).toEqual(['0@0 (null)=before', '0@4 (null)=after'])
    expect(await opened.reads.bounds(at)).toEqual({ start: 0, end: 6, highWatermark: 6 })
    await transactions.abandon()
  })

  test('from outside the partition has a fault that names what is there', async () => {
    const topic = await freshTopic(bootstrap, 'outside')
    await produce(bootstrap, topic, [{ value: 'a' }, { value: 'b' }, { value: 'c' }])
    await deleteRecords(bootstrap, topic, 0, 2)
    const opened = await openReads(bootstrap, [topic])
    const at = { topic, partition: 0 }
    expect(await opened.reads.bounds(at)).toEqual({ start: 2, end: 3, highWatermark: 3 })
    for (const from of [-1, 1, 4]) {
      const fault = await new Follower(opened, at, from).readToFault()
      expect(fault).toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
      if (from >= 0) expect(fault.message).toContain(`${topic}-0: position ${from}, the log has 2 to 3`)
    }
  })

  test('whose records go while it has not read them has a fault, and jumps nowhere', async () => {
    const topic = await freshTopic(bootstrap, 'truncated')
    await produce(bootstrap, topic, [{ value: 'a' }])
    const opened = await openReads(bootstrap, [topic], { readerBufferBytes: 1 })
    const follower = new Follower(opened, { topic, partition: 0 })
    // One piece is in memory, and the reader asks for no more until it is taken.
    await eventually(() => follower.reader.end === 1)
    await produce(bootstrap, topic, [{ value: 'b' }, { value: 'c' }])
    await deleteRecords(bootstrap, topic, 0, 2)
    const fault = await follower.readToFault()
    expect(fault).toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
    expect(follower.records.map(line)).toEqual(['0@0 (null)=a'])
  })

  test('of a topic that is deleted and made again has a fault, and reads nothing of the new one', async () => {
    const topic = await freshTopic(bootstrap, 'again')
    await produce(bootstrap, topic, [{ value: 'old' }])
    const opened = await openReads(bootstrap, [topic])
    const follower = new Follower(opened, { topic, partition: 0 })
    await follower.readTo(1)
    await remake(opened, topic)
    await produce(bootstrap, topic, [{ value: 'new' }, { value: 'newer' }])
    expect(await follower.readToFault()).toMatchObject({ code: 'RESET_REQUIRED' })
    expect(follower.records.map(line)).toEqual(['0@0 (null)=old'])
  })

  test('of a topic that is made again while the reader holds enough reads nothing of the new one', async () => {
    const topic = await freshTopic(bootstrap, 'again-unseen')
    await produce(bootstrap, topic, [{ value: 'old' }])
    const opened = await openReads(bootstrap, [topic], { readerBufferBytes: 1 })
    const follower = new Follower(opened, { topic, partition: 0 })
    await eventually(() => follower.reader.end === 1)
    // No request is under way that the broker could refuse, and nobody looks at the cluster.
    await remake(opened, topic)
    await produce(bootstrap, topic, [{ value: 'new' }, { value: 'newer' }])
    expect(await follower.readToFault()).toMatchObject({ code: 'RESET_REQUIRED' })
    expect(follower.records.map(line)).toEqual(['0@0 (null)=old'])
  })

  test('of a topic that is deleted has a fault', async () => {
    const topic = await freshTopic(bootstrap, 'deleted')
    const opened = await openReads(bootstrap, [topic])
    const follower = new Follower(opened, { topic, partition: 0 })
    await remove(opened, topic)
    expect(await follower.readToFault()).toMatchObject({ code: 'RESET_REQUIRED' })
  })

  test('of a partition that does not exist is none', async () => {
    const topic = await freshTopic(bootstrap, 'short')
    const opened = await openReads(bootstrap, [topic])
    expect(() => new Follower(opened, { topic, partition: 1 })).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_TOPIC' }),
    )
    await expect(opened.reads.bounds({ topic, partition: 1 })).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC',
    })
  })
})

describe('a broker that goes', () => {
  const cluster = oneBroker()

  test('and comes back loses and repeats nothing', async () => {
    const [broker] = cluster().brokers
    if (broker === undefined) throw new Error('there is a broker')
    const topic = await freshTopic(cluster().bootstrap, 'restart', { partitions: 2 })
    const opened = await openReads(cluster().bootstrap, [topic])
    const followers = [0, 1].map((partition) => new Follower(opened, { topic, partition }))
    for (let round = 1; round <= 3; round++) {
      const records = [0, 1].map((partition) => ({ value: `${round}`, partition }))
      await produce(cluster().bootstrap, topic, records)
      await Promise.all(followers.map((follower) => follower.readTo(round)))
      await broker.kill()
      await broker.start()
    }
    for (const { records } of followers) expect(records.map(({ offset }) => offset)).toEqual([0, 1, 2])
  })
})

describe('a leader that moves', () => {
  const cluster = threeBrokers()

  test('while records come loses and repeats nothing', async () => {
    const servers = cluster().bootstrap
    const topic = await freshTopic(servers, 'moves', { partitions: 2, replicas: 3 })
    const opened = await openReads(servers, [topic])
    const followers = [0, 1].map((partition) => new Follower(opened, { topic, partition }))
    let sent = 0
    for (let move = 0; move < 6; move++) {
      for (const partition of [0, 1]) {
        const leader = await leaderOf(servers, topic, partition)
        await moveLeader(servers, topic, partition, (leader % 3) + 1)
      }
      const records = Array.from({ length: 50 }, (_, index) => ({ value: `${sent + index}` }))
      await produce(
        servers,
        topic,
        [0, 1].flatMap((partition) => records.map((record) => ({ ...record, partition }))),
      )
      sent += records.length
      await Promise.all(followers.map((follower) => follower.readTo(sent)))
    }
    const all = Array.from({ length: sent }, (_, index) => `${index}`)
    for (const { records } of followers)
      expect(records.map(({ value }) => `${value?.toString()}`)).toEqual(all)
    expect((await topicOffsets(servers, topic)).stable).toEqual({ 0: sent, 1: sent })
  })

  test('because its broker is killed goes on at the next one', async () => {
    const servers = cluster().bootstrap
    const topic = await freshTopic(servers, 'killed', {
      replicas: 3,
      configs: { 'min.insync.replicas': '2' },
    })
    const opened = await openReads(servers, [topic])
    const follower = new Follower(opened, { topic, partition: 0 })
    await produce(servers, topic, [{ value: 'before' }])
    await follower.readTo(1)
    const leader = await leaderOf(servers, topic, 0)
    const broker = cluster().brokers.find(({ id }) => id === leader)
    await broker?.kill()
    try {
      await produce(servers, topic, [{ value: 'after' }])
      expect((await follower.readTo(2)).map(line)).toEqual(['0@0 (null)=before', '0@1 (null)=after'])
    } finally {
      await broker?.start()
    }
  })
})

async function remove(opened: OpenedReads, topic: string): Promise<void> {
  const controller = opened.cluster.controller() ?? 1
  const { topics } = await opened.connections.send(controller, deleteTopics([topic], 30_000))
  expect(topics[0]?.errorCode).toBe(0)
}

async function remake(opened: OpenedReads, topic: string): Promise<void> {
  await remove(opened, topic)
  await eventually(() => createTopic(bootstrap, topic).then(() => true))
}
