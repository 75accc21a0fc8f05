/** Dead letters as the API needs them. One process sends those of a topic back: the one that reads its first partition. */
import type { DeadLetterPort, PausedTask } from '../../../api/index.ts'
import type { Topics } from '../../../schemas/index.ts'
import { type Clock, type Log, parseTaskName, type Streams, type Topology } from '../../../streams/index.ts'
import { runnerOf } from '../queries.ts'
import type { RunningConnectors } from '../running-connectors.ts'
import { DeadLetterBrowser } from './browse.ts'
import { redrive } from './redrive.ts'
import { DeadLetterTopics } from './topics.ts'

export interface DeadLetterOptions {
  readonly streams: Streams
  readonly log: Log
  readonly clock: Clock
  /** With the serdes of this deployment. */
  readonly topics: Topics
  /** Of the whole deployment. */
  readonly topologies: readonly Topology[]
  readonly connectors: Pick<RunningConnectors, 'all' | 'assertReading'>
}

export function deadLetterPort({
  streams,
  log,
  clock,
  topics,
  topologies,
  connectors,
}: DeadLetterOptions): DeadLetterPort {
  const deadLetters = new DeadLetterTopics(topologies, connectors.all)
  const options = { log, clock, topics, deadLetters }
  const browser = new DeadLetterBrowser(options)
  const running = new Set<string>()

  /** Throws `TASK_NOT_HERE` where this is not the process that does it. */
  function assertOwner(topic: string): void {
    const [reader] = deadLetters.readersOf(topic)
    if (reader === undefined) return
    if (topologies.some(({ name }) => name === reader)) runnerOf(streams, reader).stores.reading(topic, 0)
    else connectors.assertReading(reader, 0)
  }

  function paused(name: string) {
    const id = parseTaskName(name)
    const topology = topologies.find((candidate) => candidate.name === id.topology)
    const topic = topology?.subTopologies[id.subTopology]?.sources[0]?.topic.name
    if (topology === undefined || topic === undefined || id.partition >= log.partitions(topic))
      return undefined
    const task = runnerOf(streams, topology.name).stores.reading(topic, id.partition)
    return task.flood === undefined ? undefined : { task, flood: task.flood }
  }

  return {
    deadLetterTopic: (name) => deadLetters.sourceOf(name),
    deadLetters: (filter, page) => browser.page(filter, page),
    deadLetterCauses: (filter) => browser.causes(filter),
    deadLetter: (at, show) => browser.one(at, show),
    isRedriving(topic) {
      assertOwner(topic)
      return running.has(topic)
    },
    async redrive({ filter, dryRun, ignoreEarlier, ends }, { timeoutMs, signal }) {
      const { topic: source } = filter
      assertOwner(source)
      if (running.has(source)) return undefined
      running.add(source)
      try {
        const mayGoOn = (): void => assertOwner(source)
        const run = { source, filter, dryRun, ignoreEarlier, ends, timeoutMs, signal, mayGoOn }
        return await redrive(options, run)
      } finally {
        running.delete(source)
      }
    },
    pausedTask(name): PausedTask | undefined {
      const found = paused(name)
      if (found === undefined) return undefined
      const { topic, records, deadLetters: dead } = found.flood
      return { task: name, topic, records, deadLetters: dead }
    },
    resumeTask: (name) => void paused(name)?.task.release(),
  }
}
