/**
 * Transactions of both versions on real brokers: what is late, lost, stale or somebody else's. The judge is Kafka's own
 * consumer.
 */
import { describe, expect, inject, test } from 'vitest'
import { isStreamsError, type TaskCommit } from '../../streams/index.ts'
import { commitAtLeastOnce, commitExactlyOnce } from '../../transports/kafka/commit.ts'
import { checkpointOf, topicTag } from '../../transports/kafka/offset-metadata.ts'
import type { Brokers } from '../../transports/kafka/producer-batches.ts'
import { offsetFetch } from '../../transports/kafka/protocol/offsets.ts'
import {
  endTxn,
  type EndTxnAnswer,
  type GroupMember,
  initProducerId,
  NO_PRODUCER,
  type Producer,
} from '../../transports/kafka/protocol/transactions.ts'
import { Sender } from '../../transports/kafka/sender.ts'
import { TransactionalProducer } from '../../transports/kafka/transactional-producer.ts'
import { eventually } from '../support/kafka/eventually.ts'
import { readCommitted } from '../support/kafka/oracle.ts'
import { oneBroker } from '../support/kafka/own-cluster.ts'
import { createTopic, freshName, freshTopic, topicOffsets, transactions } from '../support/kafka/topics.ts'
import {
  groupOf,
  HoldingBrokers,
  join,
  leave,
  type OpenedWrites,
  openWrites,
  stableOffset,
} from './opened-writes.ts'
import '../support/kafka/fixture.ts'

/** They are 16 bits with a sign. */
const EPOCHS = 2 ** 15

/** Topics, a group and producers of one test. */
class Stage {
  readonly topic: string
  readonly input: string
  readonly group: string
  transactionalId: string
  readonly opened: OpenedWrites
  readonly brokers: HoldingBrokers
  readonly #bootstrap: string

  static async open(bootstrap: string): Promise<Stage> {
    const [topic, input] = await Promise.all(
      ['out', 'in'].map((name) => freshTopic(bootstrap, name, { partitions: 2 })),
    )
    if (topic === undefined || input === undefined) throw new Error('no topics')
    return new Stage(bootstrap, topic, input, await openWrites(bootstrap, [topic, input]))
  }

  private constructor(bootstrap: string, topic: string, input: string, opened: OpenedWrites) {
    this.#bootstrap = bootstrap
    this.topic = topic
    this.input = input
    this.group = freshName('group')
    this.transactionalId = freshName('id')
    this.opened = opened
    this.brokers = new HoldingBrokers(opened.connections)
  }

  producer(brokers: Brokers = this.brokers): TransactionalProducer {
    return new TransactionalProducer(this.opened.cluster, brokers, {
      transactionalId: this.transactionalId,
      timeoutMs: 10_000,
    })
  }

  async ready(): Promise<TransactionalProducer> {
    const producer = this.producer()
    await producer.initialise()
    return producer
  }

  /** The producer, settled; or one of another id, where its own is not used again. */
  async settled(producer: TransactionalProducer): Promise<TransactionalProducer> {
    try {
      await producer.settle()
      return producer
    } catch (error) {
      if (!isStreamsError(error, 'COMMIT_FENCED')) throw error
      this.transactionalId = freshName('id')
      return this.ready()
    }
  }

  position(offset: number) {
    return [{ topic: this.input, partitions: [{ partition: 0, offset, metadata: '' }] }]
  }

  /** What readers of committed records get now. */
  async values(partition = 0): Promise<(string | undefined)[]> {
    const records = await readCommitted(this.#bootstrap, this.topic)
    return records.filter((record) => record.partition === partition).map(({ value }) => value?.toString())
  }

  /** Readers get all that is there. */
  async nothingIsOpen(): Promise<void> {
    await eventually(
      async () => {
        const { end, stable } = await topicOffsets(this.#bootstrap, this.topic)
        return [0, 1].every((partition) => end[partition] === stable[partition])
      },
      { timeoutMs: 5_000, describe: 'the last stable offset reaches the end' },
    )
  }

  /** All values of a partition, once nothing holds readers up. */
  async finalValues(partition = 0): Promise<(string | undefined)[]> {
    await this.nothingIsOpen()
    return this.values(partition)
  }

  /** The group's stable position of the input's first partition. */
  position0 = () =>
    eventually(async () => {
      const offset = await stableOffset(this.opened, this.group, this.input, 0)
      return offset === undefined ? undefined : { offset }
    })
}

/** A broker of the level given; it looks often for transactions that are too old. */
function brokerOf(level: number): () => string {
  const properties = { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '100' }
  const cluster = oneBroker({ features: { 'transaction.version': level }, properties })
  return () => cluster().bootstrap
}

const isKafka4 = inject('kafka').version.startsWith('4')

// 2 is Transactions V2. Kafka 3.9 knows neither 1 nor 2.
describe.each(isKafka4 ? [2, 1, 0] : [0])('on transaction.version %i', (level) => {
  const bootstrapOf = brokerOf(level)
  const stage = () => Stage.open(bootstrapOf())

  test('records and positions are there with the commit, and not before', async () => {
    const open = await stage()
    const member = await join(open.opened, open.group)
    const producer = await open.ready()
    const written = await producer.produce([
      groupOf(open.topic, 0, 'a', 'b'),
      groupOf(open.topic, 1, ...Array.from({ length: 2500 }, (_value, i) => `${i}`)),
    ])
    await producer.sendOffsets(member, open.position(7))
    expect(await open.values()).toEqual([])
    await producer.commit()
    expect(await open.finalValues()).toEqual(['a', 'b'])
    expect(await open.finalValues(1)).toHaveLength(2500)
    expect(written.map(({ batches }) => batches.map(({ baseOffset }) => baseOffset))).toEqual([
      [0],
      [0, 1000, 2000],
    ])
    expect(await open.position0()).toEqual({ offset: 7 })
  })

  test('many transactions follow each other at once', async () => {
    const open = await stage()
    const member = await join(open.opened, open.group)
    const producer = await open.ready()
    for (let i = 0; i < 150; i++) {
      await producer.produce([groupOf(open.topic, i % 2, `${i}`)])
      await producer.sendOffsets(member, open.position(i))
      await producer.commit()
    }
    expect(await open.finalValues(1)).toEqual(Array.from({ length: 75 }, (_value, i) => `${2 * i + 1}`))
    expect(await open.position0()).toEqual({ offset: 149 })
  })

  describe('what is late', () => {
    test('a Produce does not land in the next transaction', async () => {
      const open = await stage()
      const producer = await open.ready()
      await producer.produce([groupOf(open.topic, 0, 'aborted')])
      open.brokers.hold('Produce')
      await expect(producer.produce([groupOf(open.topic, 0, 'late')])).rejects.toMatchObject({
        code: 'LOG_BUSY',
      })
      await producer.settle()
      await producer.produce([groupOf(open.topic, 0, 'next'), groupOf(open.topic, 1, 'next')])
      await open.brokers.release()
      await producer.commit()
      expect(await open.finalValues()).toEqual(['next'])
    })

    test('a Produce does not land between transactions', async () => {
      const open = await stage()
      const producer = await open.ready()
      open.brokers.hold('Produce')
      await expect(producer.produce([groupOf(open.topic, 0, 'late')])).rejects.toMatchObject({
        code: 'LOG_BUSY',
      })
      await producer.settle()
      await open.brokers.release()
      await open.nothingIsOpen()
      await producer.produce([groupOf(open.topic, 0, 'next')])
      await producer.commit()
      expect(await open.finalValues()).toEqual(['next'])
    })

    test('positions do not land in the next transaction', async () => {
      const open = await stage()
      const member = await join(open.opened, open.group)
      const producer = await open.ready()
      open.brokers.hold('TxnOffsetCommit')
      const late = producer.sendOffsets(member, open.position(99))
      await expect(late).rejects.toMatchObject({ code: 'LOG_BUSY' })
      const next = await open.settled(producer)
      await next.produce([groupOf(open.topic, 0, 'next')])
      await next.sendOffsets(member, open.position(1))
      await open.brokers.release()
      await next.commit()
      expect(await open.position0()).toEqual({ offset: 1 })
    })

    test('an end does not end the next transaction (F8)', async () => {
      const open = await stage()
      const producer = await open.ready()
      await producer.produce([groupOf(open.topic, 0, 'first')])
      open.brokers.hold('EndTxn')
      await expect(producer.commit()).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' })
      await producer.settle()
      await producer.produce([groupOf(open.topic, 0, 'half')])
      const [late] = await open.brokers.release<EndTxnAnswer>()
      expect(late?.errorCode).not.toBe(0)
      expect(await open.values()).toEqual([])
      await producer.produce([groupOf(open.topic, 0, 'whole')])
      await producer.commit()
      expect(await open.finalValues()).toEqual(['half', 'whole'])
    })
  })

  test('an end whose answer is lost has ended it (F9)', async () => {
    const open = await stage()
    const member = await join(open.opened, open.group)
    const producer = await open.ready()
    await producer.produce([groupOf(open.topic, 0, 'a')])
    await producer.sendOffsets(member, open.position(5))
    open.brokers.loseAnswer('EndTxn')
    await expect(producer.commit()).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' })
    await producer.settle()
    expect(await open.finalValues()).toEqual(['a'])
    expect(await open.position0()).toEqual({ offset: 5 })
  })

  test.each(['Produce', 'TxnOffsetCommit', 'AddOffsetsToTxn', 'AddPartitionsToTxn', 'InitProducerId'])(
    'a lost answer to %s is got over (F10)',
    async (api) => {
      const open = await stage()
      const member = await join(open.opened, open.group)
      let producer = open.producer()
      open.brokers.loseAnswer(api)
      await eventually(async () => {
        producer = await open.settled(producer)
        await producer.produce([groupOf(open.topic, 0, 'a')])
        await producer.sendOffsets(member, open.position(5))
        await producer.commit()
        return true
      })
      expect(await open.finalValues()).toEqual(['a'])
      expect(await open.position0()).toEqual({ offset: 5 })
    },
  )

  describe('a zombie', () => {
    const staleMembers: readonly (readonly [string, (open: Stage, old: GroupMember) => Promise<unknown>])[] =
      [
        ['of an older generation', (open, old) => join(open.opened, open.group, old.member)],
        ['that left the group', (open, old) => leave(open.opened, old)],
      ]
    test.each(staleMembers)('%s has its positions refused', async (_name, change) => {
      const open = await stage()
      const old = await join(open.opened, open.group)
      const producer = await open.ready()
      await producer.produce([groupOf(open.topic, 0, 'zombie')])
      await change(open, old)
      await expect(producer.sendOffsets(old, open.position(1))).rejects.toMatchObject({
        code: 'COMMIT_FENCED',
      })
      await producer.settle()
      expect(await open.finalValues()).toEqual([])
    })

    const uses: readonly (readonly [
      string,
      (open: Stage, zombie: TransactionalProducer) => Promise<unknown>,
    ])[] = [
      ['writes', (open, zombie) => zombie.produce([groupOf(open.topic, 0, 'more')])],
      ['writes elsewhere', (open, zombie) => zombie.produce([groupOf(open.topic, 1, 'more')])],
      ['commits', (_open, zombie) => zombie.commit()],
    ]
    test.each(uses)('whose id was taken is refused when it %s', async (_name, use) => {
      const open = await stage()
      const zombie = await open.ready()
      await zombie.produce([groupOf(open.topic, 0, 'zombie')])
      const owner = await open.ready()
      await open.nothingIsOpen()
      await expect(use(open, zombie)).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
      expect(zombie.state).toBe('retired')
      await owner.produce([groupOf(open.topic, 0, 'owner')])
      await owner.commit()
      expect(await open.finalValues()).toEqual(['owner'])
      expect(await open.finalValues(1)).toEqual([])
    })
  })

  test('after the broker has ended a transaction for its age, the next one begins', async () => {
    const open = await Stage.open(bootstrapOf())
    const { transactionalId } = open
    const producer = new TransactionalProducer(open.opened.cluster, open.brokers, {
      transactionalId,
      timeoutMs: 500,
    })
    await producer.initialise()
    await producer.produce([groupOf(open.topic, 0, 'old')])
    await eventually(async () => {
      const listed = await transactions(bootstrapOf())
      return listed.some((one) => one.transactionalId === transactionalId && one.state === 'CompleteAbort')
    })
    await expect(producer.commit()).rejects.toMatchObject({ code: 'LOG_BUSY' })
    await producer.settle()
    await producer.produce([groupOf(open.topic, 0, 'new')])
    await producer.commit()
    expect(await open.finalValues()).toEqual(['new'])
  })
})

describe('the commit of tasks', () => {
  const times = { streamTime: 1, wallTime: 1_700_000_000_000, lastRecordAt: 3 }
  const commitOf = (open: Stage, outputs: readonly string[]): TaskCommit => ({
    task: { topology: 'sales', subTopology: 0, partition: 0 },
    epoch: 1,
    outputs: outputs.map((value) => ({
      topic: open.topic,
      partition: 0,
      key: null,
      value: Buffer.from(value),
      timestamp: 1,
      lineage: { eventId: value },
      headers: [],
    })),
    checkpoint: { positions: [{ topic: open.input, partition: 0, offset: 11 }], times, sequence: 4 },
    journal: { sequence: 4, times, wallTimers: 0, punctuators: [], inputs: [], outputsCrc: 0 },
    state: [],
    changes: [{ store: 'counts', key: Buffer.from('k'), value: Buffer.from('1'), version: 1 }],
  })

  const checkpoint = async ({ opened, group, input }: Stage) => {
    const node = await opened.cluster.coordinator('group', group)
    const asked = offsetFetch([{ group, topics: [{ topic: input, partitions: [0] }] }], true)
    return eventually(async () => {
      const { groups } = await opened.connections.send(node, asked)
      const [found] = groups[0]?.topics[0]?.partitions ?? []
      return found?.errorCode === 0 ? { topic: input, ...found } : undefined
    })
  }

  test.each(['exactly once', 'at least once'])('%s', async (guarantee) => {
    const { bootstrap } = inject('kafka')
    const open = await Stage.open(bootstrap)
    const application = freshName('shop')
    const changelog = `${application}-sales-counts-changelog`
    await createTopic(bootstrap, changelog, { configs: { 'cleanup.policy': 'compact' } })
    await open.opened.cluster.learn([changelog])
    const member = await join(open.opened, open.group)
    const topicId = (topic: string) => open.opened.cluster.topic(topic)?.id ?? ''
    const context = { application, topicId }
    const commit = (of: GroupMember, outputs: readonly string[]) =>
      guarantee === 'exactly once'
        ? commitExactlyOnce(
            { ...context, producer: open.producer(), member: { ...of, isCurrent: () => true } },
            [commitOf(open, outputs)],
          )
        : commitAtLeastOnce(
            {
              ...context,
              sender: new Sender(open.opened.cluster, open.brokers),
              coordinators: open.opened.cluster,
              brokers: open.brokers,
              timeoutMs: 5_000,
              member: { ...of, isCurrent: () => true },
            },
            [commitOf(open, outputs)],
          )
    const [receipt] = await commit(member, ['a', 'b'])
    expect(receipt).toMatchObject({
      outputs: [{ topic: open.topic, partition: 0, offset: 0 }],
      changelogs: [{ topic: changelog, partition: 0, offset: 1 }],
    })
    expect(await open.finalValues()).toEqual(['a', 'b'])
    const [change] = await readCommitted(bootstrap, changelog)
    expect(change).toMatchObject({
      key: Buffer.from('k'),
      value: Buffer.from('1'),
      timestamp: times.wallTime,
      headers: [],
    })
    const position = await checkpoint(open)
    expect(checkpointOf([position])).toEqual(commitOf(open, []).checkpoint)
    expect(position.metadata).toContain(topicTag(topicId(open.input)))

    await join(open.opened, open.group, member.member)
    await expect(commit(member, ['stale'])).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
    if (guarantee === 'exactly once') expect(await open.finalValues()).toEqual(['a', 'b'])
  })
})

// Kafka 3.9 ends a transaction without another epoch.
test.each(isKafka4 ? [inject('kafka').bootstrap] : [])(
  'the last epoch is followed by another producer id',
  async (bootstrap) => {
    const open = await Stage.open(bootstrap)
    const { transactionalId } = open
    const { cluster, connections } = open.opened
    await open.ready()
    const node = await cluster.coordinator('transaction', transactionalId)
    let producer = await newEpoch(open, node)
    const first = producer.producerId
    // Each end of an empty transaction is an epoch of its own.
    while (producer.producerEpoch < EPOCHS - 10) {
      const answer = await connections.send(node, endTxn(5, { ...producer, transactionalId }, false))
      if (answer.errorCode === 0 && answer.next !== undefined) producer = answer.next
    }
    const last = await open.ready()
    for (let i = 0; i < 20; i++) {
      await last.produce([groupOf(open.topic, 0, `${i}`)])
      await last.commit()
    }
    expect(await open.finalValues()).toEqual(Array.from({ length: 20 }, (_value, i) => `${i}`))
    expect((await newEpoch(open, node)).producerId).not.toBe(first)
  },
  300_000,
)

async function newEpoch({ opened, transactionalId }: Stage, node: number): Promise<Producer> {
  const request = initProducerId({ transactionalId, transactionTimeoutMs: 10_000, producer: NO_PRODUCER })
  return eventually(async () => {
    const answer = await opened.connections.send(node, request)
    return answer.errorCode === 0 && answer
  })
}
