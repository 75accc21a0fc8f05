/** The engine in the test's own process, on the run's broker. Ended, and its directory gone, at the end of the test. */
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { TaskDatabases } from '../../../state/index.ts'
import { type Log, Streams, type Topology, type TopicSpec, type TopicUse } from '../../../streams/index.ts'
import type { KafkaLog } from '../../../transports/kafka/index.ts'
import { scratchDirectory } from '../../support/scratch.ts'
import { openLog } from './opened-log.ts'

export const PARTITIONS = 4

export interface OpenedEngine {
  readonly application: string
  readonly log: KafkaLog
  readonly streams: Streams
}

export interface EngineOptions {
  readonly application: string
  readonly topologies: readonly Topology[]
  /** Of the process; else `a`. */
  readonly slot?: string
}

/** Its tasks run when it resolves. */
export async function openEngine({
  application,
  topologies,
  slot = 'a',
}: EngineOptions): Promise<OpenedEngine> {
  const log = await openLog({ application, slot })
  const directory = join(await scratchDirectory('interop'), slot)
  const stateDirectory = new TaskDatabases({ directory, application })
  const streams = new Streams({
    application,
    topologies,
    log,
    topicSpec: specOf,
    commitIntervalMs: 50,
    stateDirectory,
  })
  onTestFinished(() => streams.close())
  await streams.open()
  await streams.ready()
  streams.run()
  return { application, log, streams }
}

/** Resolves when everything in the inputs of the topology is decided and committed. */
export async function drained(log: Log, streams: Streams, topology: string): Promise<void> {
  const { progress, topology: graph } = streams.runner(topology)
  for (const { topic } of graph.subTopologies.flatMap(({ sources }) => sources)) {
    for (let partition = 0; partition < log.partitions(topic.name); partition++) {
      const { end } = await log.bounds({ topic: topic.name, partition })
      if (end > 0) await progress.reached(topic.name, partition, end - 1, 60_000)
    }
  }
}

function specOf({ name, cleanup, timestamps }: TopicUse): TopicSpec {
  const kept = { retentionMs: Number.POSITIVE_INFINITY, retentionBytes: Number.POSITIVE_INFINITY }
  return { name, partitions: PARTITIONS, cleanup, timestamps, ...kept }
}
