/**
 * What Kafka clients for Node are known to read wrong: aborted records, batches that compaction emptied, damage, and
 * bytes that inflate without end. The judge is Kafka's own consumer.
 */
import { join } from 'node:path'
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { eventually } from '../support/kafka/eventually.ts'
import { flipByteOf } from '../support/kafka/flip-byte.ts'
import { JavaTransactions, type OracleRecord, produce, readCommitted } from '../support/kafka/oracle.ts'
import { oneBroker } from '../support/kafka/own-cluster.ts'
import { dumpLog } from '../support/kafka/tools.ts'
import { freshName, freshTopic } from '../support/kafka/topics.ts'
import { type Random, seededRandom, seedOfRun } from '../support/random.ts'
import { Follower, line, openReads, readPartition } from './opened-reads.ts'
import '../support/kafka/fixture.ts'

const { bootstrap } = inject('kafka')

/** An int32 of 0, and the key of an abort marker without its version: neither means anything in a key. */
const MARKER_LIKE_KEYS = [Buffer.alloc(4), Buffer.from([0, 0]), Buffer.from([0, 0, 0, 1])]
/** One batch, a few batches, and more than there is. */
const FETCH_BYTES = [64, 16 * 1024, 1024 * 1024]

describe('aborted transactions (F4, F5)', () => {
  const PRODUCERS = 5
  const RUNS = 50
  const seed = seedOfRun()
  let topic = ''
  let committed: readonly OracleRecord[] = []
  let aborted = 0

  /** One partition is one run: 2 to 5 producers take turns on it, and end their transactions either way. */
  beforeAll(async () => {
    topic = await freshTopic(bootstrap, 'aborts', { partitions: RUNS })
    const random = seededRandom(seed)
    const name = freshName('aborts')
    const producers = Array.from(
      { length: PRODUCERS },
      (_, i) => new JavaTransactions(bootstrap, `${name}-${i}`),
    )
    for (let run = 0; run < RUNS; run++) aborted += await interleave(random, producers, topic, run)
    await Promise.all(producers.map((producer) => producer.abandon()))
    committed = await readCommitted(bootstrap, topic)
  }, 600_000)

  test.each(FETCH_BYTES)('leave nothing behind, fetched %d bytes at a time', async (partitionMaxBytes) => {
    const opened = await openReads(bootstrap, [topic], { partitionMaxBytes })
    const partitions = Array.from({ length: RUNS }, (_, partition) => ({ topic, partition }))
    const read = await Promise.all(partitions.map((at) => readPartition(opened, at)))
    // Without aborts, and aborts that span fetches of 16 KiB, nothing would be shown.
    expect(aborted, `seed ${seed}`).toBeGreaterThan(RUNS)
    expect(committed.length, `seed ${seed}`).toBeGreaterThan(RUNS)
    expect(read.flat().map(line), `seed ${seed}`).toEqual(committed.map(line))
  })
})

/** Answers how many transactions were aborted. */
async function interleave(
  random: Random,
  producers: readonly JavaTransactions[],
  topic: string,
  partition: number,
): Promise<number> {
  const taking = producers.slice(0, 2 + random.below(producers.length - 1))
  const abortRate = random.pick([0.1, 0.3, 0.5, 0.8])
  const inTransaction = new Set<JavaTransactions>()
  let aborted = 0
  const end = async (producer: JavaTransactions): Promise<void> => {
    const how = random.chance(abortRate) ? 'abort' : 'commit'
    if (how === 'abort') aborted++
    inTransaction.delete(producer)
    await producer.end(how)
  }
  const steps = 30 + random.below(40)
  for (let step = 0; step < steps; step++) {
    const producer = random.pick(taking)
    if (inTransaction.has(producer) && random.chance(0.3)) {
      await end(producer)
      continue
    }
    inTransaction.add(producer)
    const records = Array.from({ length: 1 + random.below(3) }, (_, i) => ({
      key: random.chance(0.05) ? random.pick(MARKER_LIKE_KEYS) : `producer ${taking.indexOf(producer)}`,
      value: `${step} ${i} ${'x'.repeat(random.chance(0.1) ? 12_000 : random.below(120))}`,
      partition,
    }))
    await producer.produce(topic, records, 'open')
  }
  for (const producer of inTransaction) await end(producer)
  return aborted
}

describe('two producers whose transactions overlap', () => {
  test.each([
    ['abort', 'abort'],
    ['abort', 'commit'],
    ['commit', 'abort'],
  ] as const)('and %s and %s leave what was committed', async (first, second) => {
    const topic = await freshTopic(bootstrap, 'overlap')
    const [one, two] = ['one', 'two'].map((name) => new JavaTransactions(bootstrap, freshName(name)))
    if (one === undefined || two === undefined) throw new Error('there are two')
    // Each transaction is longer than a fetch of 16 KiB, and goes on after the other has ended.
    const send = async (producer: JavaTransactions, name: string, how: 'commit' | 'abort' | 'open') => {
      const records = MARKER_LIKE_KEYS.map((key) => ({ key, value: `${name} ${'x'.repeat(10_000)}` }))
      await producer.produce(topic, records, how)
    }
    await send(one, 'first of one', 'open')
    await send(two, 'first of two', 'open')
    await send(one, 'more of one', 'open')
    await send(two, 'more of two', 'open')
    await send(one, 'last of one', first)
    await send(two, 'last of two', 'open')
    // At once again, so that its next transaction is not taken for the one that was aborted.
    await send(one, 'next of one', 'open')
    await two.end(second)
    await one.end('commit')
    await Promise.all([one.abandon(), two.abandon()])

    const expected = await readCommitted(bootstrap, topic)
    expect(expected.length).toBeGreaterThan(0)
    for (const partitionMaxBytes of FETCH_BYTES) {
      const opened = await openReads(bootstrap, [topic], { partitionMaxBytes })
      expect((await readPartition(opened, { topic, partition: 0 })).map(line)).toEqual(expected.map(line))
    }
  })
})

describe('bytes that inflate to more than is allowed', () => {
  test('end the reader at their offset', async () => {
    const topic = await freshTopic(bootstrap, 'bomb')
    await produce(bootstrap, topic, [{ value: 'before' }])
    const config = { 'max.request.size': `${32 * 1024 * 1024}` }
    await produce(bootstrap, topic, [{ value: Buffer.alloc(8 * 1024 * 1024) }], {
      compression: 'gzip',
      config,
    })
    const opened = await openReads(bootstrap, [topic], { maxInflatedBytes: 1024 * 1024 })
    const follower = new Follower(opened, { topic, partition: 0 })
    const fault = await follower.readToFault()
    expect(fault).toMatchObject({ code: 'LOG_RECORD_CORRUPT' })
    expect(fault.message).toMatch(new RegExp(`${topic}-0 at offset 1: .*gzip`))
    expect(follower.records.map(line)).toEqual(['0@0 (null)=before'])
  })
})

describe('what a broker has on its disk', () => {
  const cluster = oneBroker({
    properties: { 'log.cleaner.backoff.ms': '500', 'log.cleaner.min.compaction.lag.ms': '0' },
  })

  test('may be a segment that ends in empty batches (F17), which a reader passes', async () => {
    const servers = cluster().bootstrap
    const [logDirectory] = cluster().brokers.map((broker) => broker.logDirectory)
    const topic = await freshTopic(servers, 'compacted', {
      configs: {
        'cleanup.policy': 'compact',
        'min.cleanable.dirty.ratio': '0.01',
        'segment.bytes': `${1024 * 1024}`,
        'delete.retention.ms': '0',
        'min.compaction.lag.ms': '0',
      },
    })
    // One batch, so that it begins a segment when it does not fit into the last one.
    const config = { 'batch.size': '700000', 'linger.ms': '500' }
    const fill = async (count: number, tag: string) => {
      const value = `${tag} ${'v'.repeat(970)}`
      const records = Array.from({ length: count }, (_, i) => ({ key: `${tag}${i}`, value }))
      await produce(servers, topic, records, { config })
    }
    const again = (value: string) => ['x0', 'x1', 'x2', 'x3', 'x4'].map((key) => ({ key, value }))
    const aborting = new JavaTransactions(servers, freshName('aborting'))
    await fill(500, 'a')
    await fill(490, 'b')
    // The tail of the first segment: an aborted transaction, then a batch that the second segment overwrites.
    await aborting.produce(topic, again('aborted'), 'abort')
    await produce(servers, topic, again('old'))
    await fill(500, 'c')
    await produce(servers, topic, again('new'))
    await fill(400, 'd')
    await fill(600, 'e')
    await fill(600, 'f')
    await aborting.abandon()
    await eventually(async () => endsEmpty(await dumpLog(logDirectory ?? '', topic, 0)), {
      timeoutMs: 60_000,
      describe: 'a segment that ends in an empty batch',
    })

    const expected = await readCommitted(servers, topic)
    const opened = await openReads(servers, [topic])
    const read = await readPartition(opened, { topic, partition: 0 })
    expect(read.map(line)).toEqual(expected.map(line))
    expect(read.map(({ value }) => value?.toString())).toContain('new')
  })

  test('may be damaged (F21), which ends the reader at the offset, and nothing before it', async () => {
    const servers = cluster().bootstrap
    const [broker] = cluster().brokers
    if (broker === undefined) throw new Error('there is a broker')
    const topic = await freshTopic(servers, 'damaged')
    for (const value of ['first', 'second', 'to be damaged', 'last'])
      await produce(servers, topic, [{ value }])
    const opened = await openReads(servers, [topic])
    expect(await readPartition(opened, { topic, partition: 0 })).toHaveLength(4)
    await broker.stop()
    await flipByteOf('to be damaged', join(broker.logDirectory, `${topic}-0`))
    await broker.start()
    const follower = new Follower(opened, { topic, partition: 0 })
    const fault = await follower.readToFault()
    expect(fault).toMatchObject({ code: 'LOG_RECORD_CORRUPT' })
    expect(fault.message).toContain(`${topic}-0 at offset 2`)
    expect(follower.records.map(({ value }) => value?.toString())).toEqual(['first', 'second'])
    // Those who stand behind it go on.
    const behind = await new Follower(opened, { topic, partition: 0 }, 3).readTo(4)
    expect(behind.map(({ value }) => value?.toString())).toEqual(['last'])
  })
})

/** Whether, by what `dumpLog` prints, a segment's last batch has no records. */
function endsEmpty(dump: string): boolean {
  const segments = dump.split(/^Dumping /m).slice(1)
  return segments.some((segment) => {
    const batches = segment.split('\n').filter((text) => text.startsWith('baseOffset:'))
    return batches.at(-1)?.includes(' count: 0 ')
  })
}
