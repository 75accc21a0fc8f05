/** A connector on a cluster: two processes share its tasks, one joins and one leaves in the middle, and nothing is lost. */
import { expect, inject, onTestFinished, test } from 'vitest'
import {
  type Connector,
  ConnectorRunner,
  connectorTopics,
  eachRecord,
  noConnectorHooks,
} from '../../connectors/index.ts'
import { serdes } from '../../state/index.ts'
import { type Log, systemClock, type Topic } from '../../streams/index.ts'
import { appendRecord } from '../contract/log-fixtures.ts'
import { readCommitted } from '../support/kafka/oracle.ts'
import { freshName } from '../support/kafka/topics.ts'
import '../support/kafka/fixture.ts'
import { openLog } from './interop/opened-log.ts'

const { bootstrap } = inject('kafka')
const PARTITIONS = 4
const RECORDS = 4_000

function textTopic(name: string): Topic<string, string> {
  const { string } = serdes
  return { name: freshName(name), key: string, value: string, cleanup: 'delete', timestamps: 'CreateTime' }
}

test('a rebalance in the middle loses no record, and what is given back to the log is there exactly once', async () => {
  const application = freshName('connected')
  const input = textTopic('events')
  const output = textTopic('answers')
  const delivered: string[] = []
  const connectorOf = (process: string): Connector => ({
    name: 'sink',
    inputs: [input],
    outputs: [output],
    delivery: { batchRecords: 20, backoffMs: 50 },
    open: () =>
      Promise.resolve(
        eachRecord({
          concurrency: 2,
          deliver: async ({ recordKey, value, timestamp }) => {
            await new Promise((resolve) => setTimeout(resolve, 20))
            delivered.push(`${process} ${value}`)
            return { outputs: [{ topic: output, key: recordKey, value, timestamp }] }
          },
        }),
      ),
  })
  const start = async (slot: string): Promise<ConnectorRunner> => {
    const log = await openLog({ application, slot })
    const connector = connectorOf(slot)
    await ensure(log, connector)
    if (slot === 'a') await log.append(Array.from({ length: RECORDS }, (_, i) => recordOf(input.name, i)))
    const runner = new ConnectorRunner({
      application,
      connector,
      log,
      clock: systemClock,
      random: Math.random,
      hooks: noConnectorHooks,
    })
    await runner.start()
    onTestFinished(() => runner.stop())
    return runner
  }
  const of = (process: string): number => delivered.filter((one) => one.startsWith(process)).length

  const first = await start('a')
  await expect.poll(() => of('a'), { timeout: 30_000 }).toBeGreaterThan(100)
  await start('b')
  await expect.poll(() => of('b'), { timeout: 60_000 }).toBeGreaterThan(20)
  await first.stop()
  const values = Array.from({ length: RECORDS }, (_, i) => `v${i}`).toSorted()
  const answered = async () => (await readCommitted(bootstrap, output.name)).map(({ value }) => String(value))
  await expect.poll(async () => (await answered()).length, { timeout: 90_000, interval: 1_000 }).toBe(RECORDS)
  expect((await answered()).toSorted()).toEqual(values)
  expect([...new Set(delivered.map((one) => one.slice(2)))].toSorted()).toEqual(values)
  console.log(`${delivered.length - RECORDS} of ${RECORDS} delivered again`)
})

function recordOf(topic: string, i: number) {
  return appendRecord(topic, `v${i}`, { partition: i % PARTITIONS })
}

function ensure(log: Log, connector: Connector): Promise<void> {
  return log.ensureTopics(
    connectorTopics(connector).map(({ name, cleanup, timestamps }) => ({
      name,
      cleanup,
      timestamps,
      partitions: PARTITIONS,
      retentionMs: Number.POSITIVE_INFINITY,
      retentionBytes: Number.POSITIVE_INFINITY,
    })),
  )
}
