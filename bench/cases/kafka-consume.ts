/**
 * Reads a topic of 6 partitions from Kafka in one process, through the log's readers, as tasks do: what is at hand, then
 * wait. The topic is full before. Once with values of 200 bytes alone, as consumers are compared, and once with the
 * lineage that every record of a log carries.
 */
import { formatUuid7, NO_HEADERS, type TopicSpec } from '../../streams/index.ts'
import type { BatchRecord } from '../../transports/kafka/batches/encode.ts'
import { measured, report, round, smoke, topicSpec } from '../harness.ts'
import {
  type Bench,
  brokerPid,
  cpuSecondsOf,
  openBenchLog,
  openSender,
  readTopic,
  withBroker,
} from '../kafka-harness.ts'

const RECORDS = smoke ? 60_000 : 4_000_000
const CALL_RECORDS = 1_000
const PARTITIONS = 6
const VALUE_BYTES = 200
const value = Buffer.alloc(VALUE_BYTES, 'v')

await withBroker(async (bench) => {
  const log = await openBenchLog(bench.cluster.bootstrap)
  await log.ensureTopics(['plain', 'lineage'].map(specOf))
  await fill(bench, 'plain', () => NO_HEADERS)
  await fill(bench, 'lineage', (index) => [['eventId', formatUuid7(Date.now(), index, 1, 2)]])
  await log.close()
  await consume(bench, 'values alone', 'plain')
  await consume(bench, 'with lineage', 'lineage')
})

function specOf(name: string): TopicSpec {
  return topicSpec({ name, role: 'source', cleanup: 'delete', timestamps: 'CreateTime' })
}

type HeadersOf = (index: number) => BatchRecord['headers']

async function fill({ cluster }: Bench, topic: string, headersOf: HeadersOf): Promise<void> {
  const opened = await openSender(cluster.bootstrap, [topic])
  const perPartition = RECORDS / PARTITIONS
  const timestamp = Date.now()
  await Promise.all(
    Array.from({ length: PARTITIONS }, async (_, partition) => {
      for (let from = 0; from < perPartition; from += CALL_RECORDS) {
        const records = Array.from({ length: Math.min(CALL_RECORDS, perPartition - from) }, (__, index) => {
          const key = Buffer.from(`${from + index}`.padStart(8, '0'))
          const headers = headersOf((from + index) * PARTITIONS + partition)
          return { topic, partition, record: { key, value, timestamp, headers } }
        })
        await opened.sender.append(records)
      }
    }),
  )
  await opened.close()
}

async function consume(bench: Bench, what: string, topic: string): Promise<void> {
  const log = await openBenchLog(bench.cluster.bootstrap)
  await log.ensureTopics([specOf(topic)])
  const pid = brokerPid(bench)
  const brokerBefore = cpuSecondsOf(pid)
  let records = 0
  const { seconds, cpuSeconds, residentMiB } = await measured(async () => {
    records = await readTopic(log, topic)
  })
  report({
    what,
    'records/s': Math.round(records / seconds),
    'CPU µs per record': round((cpuSeconds * 1e6) / records),
    'broker CPU µs per record': round(((cpuSecondsOf(pid) - brokerBefore) * 1e6) / records),
    'resident MiB': residentMiB,
  })
  await log.close()
}
