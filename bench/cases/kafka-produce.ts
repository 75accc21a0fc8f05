/**
 * Appends to Kafka from one process: calls of 1,000 records to 6 partitions by their keys, acknowledged by the broker,
 * a few calls at a time. Once with values of 200 bytes alone, as producers are compared, and once with the lineage that
 * every record of a log carries.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type AppendRecord, formatUuid7, NO_HEADERS, partitionFor } from '../../streams/index.ts'
import type { RecordToAppend } from '../../transports/kafka/sender.ts'
import { report, round, smoke, topicSpec } from '../harness.ts'
import {
  type Bench,
  brokerPid,
  cpuSecondsOf,
  openBenchLog,
  openSender,
  withBroker,
} from '../kafka-harness.ts'

const CALL_RECORDS = 1_000
const PARTITIONS = 6
/** Calls under way. */
const LANES = 24
const VALUE_BYTES = 200
const WARM_UP_MS = smoke ? 500 : 3_000
const MEASURE_MS = smoke ? 1_000 : 10_000

const value = Buffer.alloc(VALUE_BYTES, 'v')
const keys = Array.from({ length: 1_000 }, (_, index) => Buffer.from(`${index}`.padStart(8, '0')))

await withBroker(async (bench) => {
  const log = await openBenchLog(bench.cluster.bootstrap)
  const topic = { role: 'source', cleanup: 'delete', timestamps: 'CreateTime' } as const
  await log.ensureTopics([topicSpec({ ...topic, name: 'plain' }), topicSpec({ ...topic, name: 'lineage' })])
  report({ what: 'sender, values alone', ...(await sendPlain(bench)) })
  report({ what: 'log, with lineage', ...(await measuredCalls(bench, (from) => log.append(fullCall(from)))) })
  await log.close()
})

/** The sender under the log, which is given partitions and Kafka's records. */
async function sendPlain(bench: Bench): Promise<Figures> {
  const opened = await openSender(bench.cluster.bootstrap, ['plain'])
  const figures = await measuredCalls(bench, (from) => opened.sender.append(plainCall(from)))
  await opened.close()
  return figures
}

function plainCall(from: number): RecordToAppend[] {
  const timestamp = Date.now()
  const records: RecordToAppend[] = []
  for (let i = from; i < from + CALL_RECORDS; i++) {
    const key = keys[i % keys.length] as Buffer
    const partition = partitionFor(key, PARTITIONS)
    records.push({ topic: 'plain', partition, record: { key, value, timestamp, headers: NO_HEADERS } })
  }
  return records
}

function fullCall(from: number): AppendRecord[] {
  const timestamp = Date.now()
  const records: AppendRecord[] = []
  for (let i = from; i < from + CALL_RECORDS; i++) {
    const key = keys[i % keys.length] as Buffer
    const lineage = { eventId: formatUuid7(timestamp, i, 1, 2) }
    records.push({ topic: 'lineage', key, value, timestamp, lineage, headers: NO_HEADERS })
  }
  return records
}

type Figures = Readonly<Record<string, number>>

/** Keeps `LANES` calls under way for a while; counts what was acknowledged after the warm-up. */
async function measuredCalls(bench: Bench, call: (from: number) => Promise<unknown>): Promise<Figures> {
  let sent = 0
  let acknowledged = 0
  let isOver = false
  const lane = async (): Promise<void> => {
    while (!isOver) {
      const from = sent
      sent += CALL_RECORDS
      await call(from)
      acknowledged += CALL_RECORDS
    }
  }
  const lanes = Array.from({ length: LANES }, lane)
  await delay(WARM_UP_MS)
  const pid = brokerPid(bench)
  const before = { acknowledged, cpu: process.cpuUsage(), broker: cpuSecondsOf(pid), at: performance.now() }
  do await delay(MEASURE_MS)
  while (acknowledged === before.acknowledged)
  const records = acknowledged - before.acknowledged
  const seconds = (performance.now() - before.at) / 1_000
  const { user, system } = process.cpuUsage(before.cpu)
  const brokerSeconds = cpuSecondsOf(pid) - before.broker
  isOver = true
  await Promise.all(lanes)
  return {
    'records/s': Math.round(records / seconds),
    'CPU µs per record': round((user + system) / records),
    'broker CPU µs per record': round((brokerSeconds * 1e6) / records),
    'CPU seconds per second': round((user + system) / 1e6 / seconds),
  }
}
