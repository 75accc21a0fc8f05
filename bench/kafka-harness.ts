/** What the cases on Kafka share: a broker of the bench's own, the log on it, and what a process costs. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LocalCluster, startCluster } from '../cli/local-cluster/cluster.ts'
import { runMain } from '../cli/local-cluster/java.ts'
import type { Log, LogRecord, TopicPartition } from '../streams/index.ts'
import { Cluster } from '../transports/kafka/cluster.ts'
import { Connections } from '../transports/kafka/connections.ts'
import { type KafkaLog, type KafkaLogOptions, openKafkaLog } from '../transports/kafka/index.ts'
import { Sender } from '../transports/kafka/sender.ts'

const TOOL_TIMEOUT_MS = 60_000
/** Records that a reader is asked for at once. */
const TAKE_RECORDS = 1_000

export interface Bench {
  readonly cluster: LocalCluster
  /** Fresh, and gone at the end. */
  readonly directory: string
}

/** Starts one broker in a fresh directory for `work`, and removes both afterwards. */
export async function withBroker<T>(work: (bench: Bench) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  try {
    const place = join(directory, 'cluster')
    const cluster = await startCluster({ brokers: 1, directory: place, tunedFor: 'throughput' })
    try {
      return await work({ cluster, directory })
    } finally {
      await cluster.kill()
    }
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** With sessions of six seconds: what is killed is missed soon. */
export function openBenchLog(bootstrap: string, options: Partial<KafkaLogOptions> = {}): Promise<KafkaLog> {
  return openKafkaLog({
    application: 'bench',
    connection: { brokers: bootstrap.split(','), clientId: 'bench' },
    slot: 'a',
    version: '0',
    sessionTimeoutMs: 6_000,
    ...options,
  })
}

export interface OpenedSender {
  readonly sender: Sender
  close(): Promise<void>
}

/** What stands under a log's appends: it is given partitions and Kafka's records. */
export async function openSender(bootstrap: string, topics: readonly string[]): Promise<OpenedSender> {
  const options = { brokers: bootstrap.split(','), clientId: 'bench' }
  const questions = new Connections(options, 'questions')
  const appends = new Connections(options, 'append')
  const cluster = new Cluster(questions)
  cluster.onBrokers((brokers) => appends.know(brokers))
  await cluster.open()
  await cluster.learn(topics)
  const sender = new Sender(cluster, appends)
  return {
    sender,
    async close() {
      await sender.close()
      cluster.close()
      await Promise.all([appends.close(), questions.close()])
    },
  }
}

/** Reads all that is in a topic now, its partitions side by side; answers how many records there are. */
export async function readTopic(log: Log, topic: string): Promise<number> {
  let records = 0
  let bytes = 0
  await readRecords(log, topic, ({ key, value }) => {
    records++
    // A reader that looks at nothing would be measured for less than it does.
    bytes += (key?.length ?? 0) + (value?.length ?? 0)
  })
  if (records > 0 && bytes === 0) throw new Error(`${topic} has nothing but empty records`)
  return records
}

/** Hands over every record that is in a topic now, partitions side by side. */
export async function readRecords(log: Log, topic: string, take: (record: LogRecord) => void): Promise<void> {
  await Promise.all(
    partitionsOf(log, topic).map(async (at) => {
      const { start, end } = await log.bounds(at)
      if (start >= end) return
      await follow(log, at, start, (taken, position) => {
        for (const record of taken) take(record)
        return position < end
      })
    }),
  )
}

/** Reads what is and what comes in the topics, from their beginning, until `take` answers false. */
export async function followTopics(
  log: Log,
  topics: readonly string[],
  take: (topic: string, records: readonly LogRecord[]) => boolean,
): Promise<void> {
  const all = topics.flatMap((topic) => partitionsOf(log, topic))
  let isWanted = true
  const wakers: (() => void)[] = []
  await Promise.all(
    all.map((at) =>
      follow(
        log,
        at,
        0,
        (records) => {
          if (isWanted && records.length > 0) isWanted = take(at.topic, records)
          if (!isWanted) for (const wake of wakers) wake()
          return isWanted
        },
        wakers,
      ),
    ),
  )
}

function partitionsOf(log: Log, topic: string): TopicPartition[] {
  return Array.from({ length: log.partitions(topic) }, (_, partition) => ({ topic, partition }))
}

/** Until `take` answers false; it is asked before each wait too. `wakers` ends a wait from outside. */
async function follow(
  log: Log,
  at: TopicPartition,
  from: number,
  take: (records: readonly LogRecord[], position: number) => boolean,
  wakers: (() => void)[] = [],
): Promise<void> {
  let wake = (): void => {}
  wakers.push(() => wake())
  const reader = log.openReader(at, from, () => wake())
  for (;;) {
    const awake = new Promise<void>((resolve) => (wake = resolve))
    const records = reader.take(TAKE_RECORDS)
    if (reader.fault !== undefined) throw reader.fault
    if (!take(records, reader.position)) break
    if (records.length === 0) await awake
  }
  reader.close()
}

/** Removes every topic whose name begins so; resolves when the broker has taken the order. */
export async function deleteTopics({ cluster }: Bench, prefix: string): Promise<void> {
  const { java, jars, bootstrap } = cluster
  const wanted = `${prefix.replaceAll('.', '\\.')}.*`
  const args = ['--bootstrap-server', bootstrap, '--delete', '--if-exists', '--topic', wanted]
  await runMain(java, jars, 'org.apache.kafka.tools.TopicCommand', args, { timeoutMs: TOOL_TIMEOUT_MS })
}

/** Fields of `/proc/<pid>/stat`, counted from after the name. */
const USER_TICKS_AT = 11
const SYSTEM_TICKS_AT = 12

let ticksPerSecond: number | undefined

/** Processor time of another process so far, seconds. Linux only. */
export function cpuSecondsOf(pid: number): number {
  ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name is in brackets, and may hold blanks and brackets itself.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[USER_TICKS_AT]) + Number(fields[SYSTEM_TICKS_AT])) / ticksPerSecond
}

/** Resident memory of another process now, MiB. Linux only. */
export function residentMiBOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024)
}

/** The broker's process. */
export function brokerPid({ cluster }: Bench): number {
  const pid = cluster.brokers[0]?.pid
  if (pid === undefined) throw new Error('the broker has ended')
  return pid
}
