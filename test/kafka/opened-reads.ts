/** The reading half of the Kafka log on a real cluster, and everything in a partition as it reads it. */
import { onTestFinished } from 'vitest'
import type { LogRecord, PartitionReader, TopicPartition } from '../../streams/index.ts'
import { Cluster } from '../../transports/kafka/cluster.ts'
import { ClusterReads } from '../../transports/kafka/cluster-reads.ts'
import { Connections } from '../../transports/kafka/connections.ts'
import { DEFAULT_FETCH_LIMITS, type FetchLimits, Fetcher } from '../../transports/kafka/fetcher.ts'
import { networkOf } from '../../transports/kafka/open-kafka-log.ts'

export interface OpenedReads {
  readonly cluster: Cluster
  /** Carries what is answered at once. */
  readonly connections: Connections
  readonly reads: ClusterReads
  readonly fetcher: Fetcher
}

/** Closed at the end of the test. */
export async function openReads(
  bootstrap: string,
  topics: readonly string[],
  limits: Partial<FetchLimits> = {},
): Promise<OpenedReads> {
  const options = { brokers: bootstrap.split(','), clientId: 'test' }
  const connections = new Connections(options, 'questions')
  const cluster = new Cluster(connections)
  const reads = new ClusterReads(cluster, connections, networkOf(options))
  const fetcher = new Fetcher(reads, { ...DEFAULT_FETCH_LIMITS, ...limits })
  onTestFinished(async () => {
    fetcher.close()
    await reads.close()
    cluster.close()
    await connections.close()
  })
  await cluster.open()
  await cluster.learn(topics)
  return { cluster, connections, reads, fetcher }
}

/** A reader that can be waited for. */
export class Follower {
  readonly reader: PartitionReader
  readonly records: LogRecord[] = []
  #wake = (): void => {}

  constructor({ fetcher }: OpenedReads, at: TopicPartition, from = 0) {
    this.reader = fetcher.open(at, from, () => this.#wake())
  }

  /** Collects records until the position is `end`. Throws the reader's fault. */
  async readTo(end: number): Promise<readonly LogRecord[]> {
    while (this.reader.position < end) {
      const awake = new Promise<void>((resolve) => (this.#wake = resolve))
      const records = this.reader.take(100)
      this.records.push(...records)
      if (this.reader.fault !== undefined) throw this.reader.fault
      if (records.length === 0) await awake
    }
    return this.records
  }

  /** Collects records until there is a fault. */
  async readToFault(): Promise<Error> {
    try {
      await this.readTo(Number.POSITIVE_INFINITY)
    } catch (fault) {
      return fault as Error
    }
    throw new Error('there is no end')
  }
}

/** All records that are in the partition now. */
export async function readPartition(opened: OpenedReads, at: TopicPartition): Promise<readonly LogRecord[]> {
  const { start, end } = await opened.reads.bounds(at)
  const follower = new Follower(opened, at, start)
  try {
    return await follower.readTo(end)
  } finally {
    follower.reader.close()
  }
}

/** A record in one line: partition, offset, key, value. */
export function line(record: {
  readonly partition: number
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}): string {
  const { partition, offset, key, value } = record
  return `${partition}@${offset} ${key?.toString('latin1') ?? '(null)'}=${value?.toString('latin1') ?? '(null)'}`
}
