/** The contract of logs, on a real broker, with both guarantees. */
import { Kafka, logLevel } from 'kafkajs'
import { inject } from 'vitest'
import { openKafkaLog } from '../../transports/kafka/index.ts'
import { logContract } from '../contract/log-contract.ts'
import { eventually } from '../support/kafka/eventually.ts'

const { bootstrap } = inject('kafka')
const brokers = bootstrap.split(',')
/** Every topic and group that the contract makes. */
const TOPICS = ['in', 'out', 'same', 'one', 'two', 'keyed', 'stamped', 'three']
const GROUP = 'contract.orders'

for (const guarantee of ['exactly-once', 'at-least-once'] as const) {
  logContract(`Kafka, ${guarantee}`, async () => {
    const open = () =>
      openKafkaLog({
        application: 'contract',
        connection: { brokers, clientId: 'contract' },
        slot: 'a',
        version: '0.0.0',
        guarantee,
        leaves: true,
      })
    let log = await open()
    return {
      log,
      tooLargeBytes: 2 * 1024 * 1024,
      async reopen() {
        await log.close()
        log = await open()
        return log
      },
      async dispose() {
        await log.close()
        await clear()
      },
    }
  })
}

/** The names are the same in every test: what they stand for must be gone. */
async function clear(): Promise<void> {
  const admin = new Kafka({ brokers, clientId: 'clear', logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    const there = (await admin.listTopics()).filter((topic) => TOPICS.includes(topic))
    if (there.length > 0) await admin.deleteTopics({ topics: there })
    await admin.deleteGroups([GROUP]).catch(() => undefined)
    await eventually(async () => (await admin.listTopics()).every((topic) => !TOPICS.includes(topic)), {
      describe: () => 'topics are not deleted',
    })
  } finally {
    await admin.disconnect()
  }
}
