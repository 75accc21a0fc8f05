/** The brokers, the registry and the judges that every other test of this folder stands on. */
import { describe, expect, inject, test } from 'vitest'
import { eventually } from '../support/kafka/eventually.ts'
import { JavaTransactions, produce, readCommitted } from '../support/kafka/oracle.ts'
import { oneBroker, threeBrokers } from '../support/kafka/own-cluster.ts'
import { dumpLog, transactionsTool } from '../support/kafka/tools.ts'
import {
  createTopic,
  deleteRecords,
  freshName,
  freshTopic,
  leaderOf,
  moveLeader,
  topicOffsets,
  transactions,
} from '../support/kafka/topics.ts'

const { bootstrap, registryUrl, logDirectory } = inject('kafka')

const valuesOf = async (topic: string, isolation: 'read_committed' | 'read_uncommitted' = 'read_committed') =>
  (await readCommitted(bootstrap, topic, { isolation })).map(({ value }) => value?.toString())

describe('the oracle', () => {
  test('reads back what the Java producer wrote, byte for byte', async () => {
    const topic = await freshTopic(bootstrap, 'round-trip', { partitions: 3 })
    const key = Buffer.from([0, 255, 10])
    const sent = await produce(bootstrap, topic, [
      {
        key,
        value: 'one',
        partition: 2,
        timestamp: 1_700_000_000_000,
        headers: [
          ['a', 'x'],
          ['a', null],
        ],
      },
      { key: null, value: null, partition: 0, timestamp: 5 },
    ])
    expect(sent).toEqual([
      { partition: 2, offset: 0 },
      { partition: 0, offset: 0 },
    ])
    expect(await readCommitted(bootstrap, topic)).toEqual([
      { partition: 0, offset: 0, key: null, value: null, timestamp: 5, headers: [] },
      {
        partition: 2,
        offset: 0,
        key,
        value: Buffer.from('one'),
        timestamp: 1_700_000_000_000,
        headers: [
          ['a', Buffer.from('x')],
          ['a', null],
        ],
      },
    ])
  })

  test('reads an empty topic', async () => {
    const topic = await freshTopic(bootstrap, 'empty', { partitions: 2 })
    expect(await readCommitted(bootstrap, topic)).toEqual([])
  })

  test('says which topic there is not', async () => {
    await expect(readCommitted(bootstrap, freshName('none'))).rejects.toThrow(/read: .*topic/i)
  })

  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'writes batches with %s',
    async (compression) => {
      const topic = await freshTopic(bootstrap, compression)
      const values = Array.from({ length: 200 }, (_, index) => `value ${index}`)
      await produce(
        bootstrap,
        topic,
        values.map((value) => ({ value })),
        { compression, config: { 'linger.ms': '50' } },
      )
      expect(await valuesOf(topic)).toEqual(values)
      if (logDirectory !== undefined) {
        expect(await dumpLog(logDirectory, topic, 0)).toContain(`compresscodec: ${compression}`)
      }
    },
  )

  test('leaves out what was aborted, and stops before what is open', async () => {
    const topic = await freshTopic(bootstrap, 'aborted')
    const first = new JavaTransactions(bootstrap, freshName('first'))
    const second = new JavaTransactions(bootstrap, freshName('second'))
    await first.produce(topic, [{ value: 'a1' }], 'open')
    await second.produce(topic, [{ value: 'b1' }], 'commit')
    expect(await valuesOf(topic)).toEqual([])
    await first.produce(topic, [{ value: 'a2' }], 'abort')
    await second.produce(topic, [{ value: 'b2' }], 'open')
    expect(await valuesOf(topic)).toEqual(['b1'])
    expect(await valuesOf(topic, 'read_uncommitted')).toEqual(['a1', 'b1', 'a2', 'b2'])
    expect(await topicOffsets(bootstrap, topic)).toEqual({
      start: { 0: 0 },
      stable: { 0: 5 },
      end: { 0: 6 },
    })
    await second.end('commit')
    expect(await valuesOf(topic)).toEqual(['b1', 'b2'])
  })

  test('can leave a transaction as a killed producer does', async () => {
    const topic = await freshTopic(bootstrap, 'abandoned')
    const id = freshName('abandoned')
    const producer = new JavaTransactions(bootstrap, id, { config: { 'transaction.timeout.ms': '60000' } })
    await producer.produce(topic, [{ value: 'x' }], 'open')
    await producer.abandon()
    expect(await transactions(bootstrap)).toContainEqual(
      expect.objectContaining({ transactionalId: id, state: 'Ongoing' }),
    )
    expect(await transactionsTool(bootstrap, 'describe', '--transactional-id', id)).toContain('Ongoing')
    const heir = new JavaTransactions(bootstrap, id)
    await heir.produce(topic, [{ value: 'y' }], 'commit')
    expect(await valuesOf(topic)).toEqual(['y'])
  })

  test('begins where records were deleted', async () => {
    const topic = await freshTopic(bootstrap, 'deleted')
    await produce(bootstrap, topic, [{ value: 'a' }, { value: 'b' }, { value: 'c' }])
    await deleteRecords(bootstrap, topic, 0, 2)
    expect(await valuesOf(topic)).toEqual(['c'])
  })
})

describe('the registry', () => {
  const headers = { 'content-type': 'application/vnd.schemaregistry.v1+json' }
  const record = (...fields: object[]) => JSON.stringify({ type: 'record', name: 'Order', fields })
  const id = { name: 'id', type: 'string' }
  const register = (subject: string, schema: string) =>
    fetch(`${registryUrl}/subjects/${subject}/versions`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ schema }),
    })

  test('keeps a schema, and refuses one that does not go with it', async () => {
    const subject = freshName('orders')
    const registered = await register(subject, record(id))
    expect(registered.status).toBe(200)
    const { id: schemaId } = (await registered.json()) as { id: number }
    const found = await fetch(`${registryUrl}/schemas/ids/${schemaId}`)
    expect(JSON.parse(((await found.json()) as { schema: string }).schema)).toMatchObject({ fields: [id] })

    const level = await fetch(`${registryUrl}/config/${subject}`, {
      method: 'PUT',
      headers,
      body: JSON.stringify({ compatibility: 'FULL_TRANSITIVE' }),
    })
    expect(level.status).toBe(200)
    expect((await register(subject, record(id, { name: 'amount', type: 'long' }))).status).toBe(409)
    expect((await register(subject, record(id, { name: 'amount', type: 'long', default: 0 }))).status).toBe(
      200,
    )
  })
})

describe('one broker and a registry of a file', () => {
  const cluster = oneBroker({ registry: true })

  test('come back after kill -9 with all they had', async () => {
    const { bootstrap: own, brokers, registry, registryUrl: ownRegistry } = cluster()
    const broker = brokers[0]
    if (broker === undefined || registry === undefined) throw new Error('not there')
    await createTopic(own, 'kept')
    await produce(own, 'kept', [{ value: 'a' }, { value: 'b' }])
    await fetch(`${ownRegistry}/subjects/kept-value/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: JSON.stringify({ schema: '"string"' }),
    })

    const before = broker.pid
    await Promise.all([broker.kill(), registry.kill()])
    expect(broker.pid).toBeUndefined()
    await Promise.all([broker.start(), registry.start()])

    expect(broker.pid).not.toBe(before)
    await produce(own, 'kept', [{ value: 'c' }])
    const values = (await readCommitted(own, 'kept')).map(({ value }) => value?.toString())
    expect(values).toEqual(['a', 'b', 'c'])
    expect(await (await fetch(`${ownRegistry}/subjects`)).json()).toEqual(['kept-value'])
  })
})

describe('three brokers', () => {
  const cluster = threeBrokers()

  test('move a leader where it is wanted', async () => {
    const { bootstrap: own } = cluster()
    const topic = await freshTopic(own, 'moved', { partitions: 2 })
    for (const broker of [3, 1, 2]) {
      await moveLeader(own, topic, 1, broker)
      expect(await leaderOf(own, topic, 1)).toBe(broker)
    }
  })

  test.each(['SIGKILL', 'SIGSTOP'] as const)(
    'go on without one that got %s, and have it back',
    async (signal) => {
      const { bootstrap: own, brokers } = cluster()
      const topic = await freshTopic(own, 'failover')
      const lost = brokers[1]
      if (lost === undefined) throw new Error('not there')
      await moveLeader(own, topic, 0, lost.id)
      await produce(own, topic, [{ value: 'before' }], { config: { acks: 'all' } })

      await lost.kill(signal)
      const survivors = brokers.filter((broker) => broker !== lost).map(({ address }) => address)
      await eventually(async () => (await leaderOf(survivors.join(), topic, 0)) !== lost.id, {
        describe: 'another leader',
      })
      await produce(survivors.join(), topic, [{ value: 'meanwhile' }], { config: { acks: 'all' } })

      await (signal === 'SIGKILL' ? lost.start() : lost.kill('SIGCONT'))
      await moveLeader(own, topic, 0, lost.id)
      const values = (await readCommitted(own, topic)).map(({ value }) => value?.toString())
      expect(values).toEqual(['before', 'meanwhile'])
    },
  )
})
