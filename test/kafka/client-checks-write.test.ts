/**
 * What Kafka clients for Node are known to write wrong when leaders move: records lost that were acknowledged, records
 * doubled. The judge is Kafka's own consumer.
 */
import { describe, expect, test } from 'vitest'
import { Sender } from '../../transports/kafka/sender.ts'
import { TransactionalProducer } from '../../transports/kafka/transactional-producer.ts'
import { readCommitted } from '../support/kafka/oracle.ts'
import { threeBrokers } from '../support/kafka/own-cluster.ts'
import { freshName, freshTopic, leaderOf, moveLeader } from '../support/kafka/topics.ts'
import { eventually } from '../support/kafka/eventually.ts'
import { kafkaRuns } from './faults/runs.ts'
import { appendsTo, groupOf, openWrites } from './opened-writes.ts'
import '../support/kafka/fixture.ts'

const PARTITIONS = [0, 1, 2]
/** Their ids are 1 to 3. */
const BROKERS = 3
const MOVES = kafkaRuns(1) * BROKERS
/** Rounds between two moves, at least. */
const ROUNDS = 20

const cluster = threeBrokers()

/** All leaders move to the next broker. */
async function rotate(bootstrap: string, topic: string): Promise<void> {
  await Promise.all(
    PARTITIONS.map(async (partition) => {
      const leader = await leaderOf(bootstrap, topic, partition)
      await moveLeader(bootstrap, topic, partition, (leader % BROKERS) + 1)
    }),
  )
}

interface Outcome {
  readonly acknowledged: readonly string[]
  readonly refused: readonly string[]
  /** Values of which nobody knows. */
  readonly unknown: readonly string[]
}

/** Writes one value to each partition, round after round, while `disturb` is called again and again. */
async function writeWhile(
  disturb: (time: number) => Promise<void>,
  write: (values: readonly string[]) => Promise<unknown>,
): Promise<Outcome> {
  const acknowledged: string[] = []
  const refused: string[] = []
  const unknown: string[] = []
  let moves = 0
  let round = 0
  let sinceMove = 0
  const moving = (async () => {
    for (; moves < MOVES; moves++) {
      sinceMove = 0
      await disturb(moves)
      await eventually(() => sinceMove >= ROUNDS)
    }
  })()
  while (moves < MOVES) {
    const values = PARTITIONS.map((partition) => `${round}-${partition}`)
    try {
      await write(values)
      acknowledged.push(...values)
    } catch (error) {
      const { code } = error as { code?: string }
      if (code === 'LOG_BUSY') refused.push(...values)
      else if (code === 'APPEND_UNKNOWN' || code === 'COMMIT_UNKNOWN') unknown.push(...values)
      else throw error
    }
    round++
    sinceMove++
  }
  await moving
  return { acknowledged, refused, unknown }
}

async function judge(
  bootstrap: string,
  topic: string,
  { acknowledged, refused, unknown }: Outcome,
): Promise<void> {
  const there = (await readCommitted(bootstrap, topic)).map(({ value }) => value?.toString() ?? '')
  const present = new Set(there)
  expect(acknowledged.length).toBeGreaterThan(MOVES * ROUNDS)
  expect(acknowledged.filter((value) => !present.has(value))).toEqual([])
  expect(there.length - present.size).toBe(0)
  expect(refused.filter((value) => present.has(value))).toEqual([])
  expect(there.length).toBeLessThanOrEqual(acknowledged.length + unknown.length)
}

type Disturb = (bootstrap: string, topic: string, time: number) => Promise<void>

/** A broker dies and comes back. */
async function bounce(_bootstrap: string, _topic: string, time: number): Promise<void> {
  const { brokers } = cluster()
  const broker = brokers[time % brokers.length]
  await broker?.kill()
  await broker?.start()
}

describe.each<[string, Disturb]>([
  ['all leaders move (F12)', rotate],
  ['brokers die and come back (F11)', bounce],
])('while %s', (_, disturb) => {
  test('what is appended is there once', async () => {
    const { bootstrap } = cluster()
    const topic = await freshTopic(bootstrap, 'appends', { partitions: PARTITIONS.length, replicas: BROKERS })
    const opened = await openWrites(bootstrap, [topic])
    const sender = new Sender(opened.cluster, opened.connections)
    const outcome = await writeWhile(
      (time) => disturb(bootstrap, topic, time),
      (values) => sender.append(values.flatMap((value, partition) => appendsTo(topic, partition, [value]))),
    )
    await sender.close()
    await judge(bootstrap, topic, outcome)
  })

  test('what is committed is there once, in all partitions or in none', async () => {
    const { bootstrap } = cluster()
    const topic = await freshTopic(bootstrap, 'commits', { partitions: PARTITIONS.length, replicas: BROKERS })
    const opened = await openWrites(bootstrap, [topic])
    const producer = new TransactionalProducer(opened.cluster, opened.connections, {
      transactionalId: freshName('mover'),
      timeoutMs: 10_000,
    })
    const outcome = await writeWhile(
      (time) => disturb(bootstrap, topic, time),
      async (values) => {
        await producer.settle()
        await producer.produce(values.map((value, partition) => groupOf(topic, partition, value)))
        await producer.commit()
      },
    )
    await producer.settle()
    await judge(bootstrap, topic, outcome)
    const rounds = (await readCommitted(bootstrap, topic)).map(({ value }) => value?.toString().split('-')[0])
    for (const number of new Set(rounds)) {
      expect(rounds.filter((one) => one === number)).toHaveLength(PARTITIONS.length)
    }
  })
})
