/** Topics that are not as they were made: one that takes less than others, one that grew. */
import { Kafka, logLevel } from 'kafkajs'
import { expect, inject, test } from 'vitest'
import { serdes } from '../../state/index.ts'
import { type Topic, topology } from '../../streams/index.ts'
import { appendRecord } from '../contract/log-fixtures.ts'
import { readCommitted } from '../support/kafka/oracle.ts'
import { createTopic, freshName, freshTopic } from '../support/kafka/topics.ts'
import '../support/kafka/fixture.ts'
import { drained, openEngine, PARTITIONS } from './interop/opened-engine.ts'
import { Follower, openReads } from './opened-reads.ts'

const { bootstrap } = inject('kafka')
const SMALL_BYTES = 20_000
const MANY = 300

function textTopic(name: string): Topic<string, string> {
  const { string } = serdes
  return { name: freshName(name), key: string, value: string, cleanup: 'delete', timestamps: 'CreateTime' }
}

test('an output larger than its topic takes becomes a dead letter, and the commit goes on with all the others', async () => {
  const input = textTopic('sizes')
  const output = textTopic('small')
  const growing = topology('growing', (t) => {
    t.stream(input)
      .mapValues((value) => 'x'.repeat(Number(value)))
      .to(output)
  })
  await createTopic(bootstrap, output.name, {
    partitions: PARTITIONS,
    configs: { 'max.message.bytes': String(SMALL_BYTES) },
  })
  const { log, streams } = await openEngine({ application: freshName('sizes'), topologies: [growing] })
  // As many as fill batches that the topic would refuse as a whole.
  const sizes = [...Array<number>(MANY).fill(5_000), 30_000, 19_500, 1]
  await log.append(sizes.map((size) => appendRecord(input.name, String(size), { key: Buffer.from('k') })))
  await drained(log, streams, growing.name)
  const written = await readCommitted(bootstrap, output.name)
  expect(written.map(({ value }) => value?.length)).toEqual([...Array<number>(MANY).fill(5_000), 1])
  const letters = await readCommitted(bootstrap, `${input.name}.dlq`)
  expect(
    letters.map(({ value, headers }) => [value?.toString(), headers.find(isReason)?.[1]?.toString()]),
  ).toEqual([
    ['30000', 'OutputTooLarge'],
    ['19500', 'OutputTooLarge'],
  ])
})

test('a topic that gets more partitions ends its readers, who say so', async () => {
  const topic = await freshTopic(bootstrap, 'growing', { partitions: 2 })
  const opened = await openReads(bootstrap, [topic])
  const follower = new Follower(opened, { topic, partition: 0 })
  const fault = follower.readToFault()
  const admin = new Kafka({ brokers: bootstrap.split(','), logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
  await admin.disconnect()
  await opened.cluster.refresh()
  expect(await fault).toMatchObject({ code: 'TOPIC_MISMATCH', detail: expect.stringContaining(topic) })
  expect(opened.cluster.topic(topic)).toMatchObject({ firstCount: 2, partitions: { length: 3 } })
})

function isReason([name]: readonly [name: string, value: Buffer | null]): boolean {
  return name === '__streams.errors.exception'
}
