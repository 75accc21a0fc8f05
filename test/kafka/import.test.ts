/** Records of an embedded log at the offsets that they had, whatever retention and compaction took before. */
import { join } from 'node:path'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { comparePartition, copyPartition, type CopyParts } from '../../cli/pipeline/migration/records.ts'
import { unchanged } from '../../cli/pipeline/migration/values.ts'
import type { AppendRecord, TopicSpec } from '../../streams/index.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../transports/embedded/index.ts'
import { ClusterImport, type ImportParts } from '../../transports/kafka/import.ts'
import { openKafkaLog } from '../../transports/kafka/index.ts'
import { Sender } from '../../transports/kafka/sender.ts'
import { Topics } from '../../transports/kafka/topics.ts'
import { TransactionalProducer } from '../../transports/kafka/transactional-producer.ts'
import { freshDirectory } from '../e2e/command.ts'
import { readCommitted } from '../support/kafka/oracle.ts'
import { freshName, topicOffsets } from '../support/kafka/topics.ts'
import { openWrites } from './opened-writes.ts'

const { bootstrap } = inject('kafka')
const HOUR_MS = 3_600_000

function specOf(name: string, extra: Partial<TopicSpec>): TopicSpec {
  const kept = { retentionMs: Number.POSITIVE_INFINITY, retentionBytes: Number.POSITIVE_INFINITY }
  return { name, partitions: 1, cleanup: 'delete', timestamps: 'CreateTime', ...kept, ...extra }
}

function record(topic: string, key: string, value: string): AppendRecord {
  return {
    topic,
    partition: 0,
    key: Buffer.from(key),
    value: Buffer.from(value),
    timestamp: 1_700_000_000_000,
    lineage: { eventId: '018bcfe5-6800-7000-8000-000000000001', correlationId: 'c' },
    headers: [['tenant', Buffer.from('t1')]],
  }
}

interface Source {
  readonly log: EmbeddedLog
  readonly specs: readonly TopicSpec[]
}

/** Topics of which retention took the beginning, retention took all, and compaction took some here and there. */
async function holedLog(): Promise<Source> {
  const clock = { time: 1_700_000_000_000, now: () => clock.time }
  const directory = join(freshDirectory(), 'log')
  const open = () => openEmbeddedLog({ directory, application: 'holes', housekeepingIntervalMs: 0, clock })
  const log = await open()
  const headless = specOf(freshName('headless'), { retentionMs: HOUR_MS, timestamps: 'LogAppendTime' })
  const emptied = specOf(freshName('emptied'), { retentionMs: HOUR_MS })
  const compacted = specOf(freshName('compacted'), { cleanup: 'compact' })
  const specs = [headless, emptied, compacted]
  await log.ensureTopics(specs)
  const appendEach = async (topic: string, keys: string): Promise<void> => {
    for (const [index, key] of keys.split('').entries())
      await log.append([record(topic, key, `${key}${index}`)])
  }
  await appendEach(headless.name, 'abcde')
  await appendEach(emptied.name, 'abc')
  // Holes of one and of several, at the beginning and behind the last one but one.
  await appendEach(compacted.name, 'xabaaacbdccabyzzy')
  clock.time += 2 * HOUR_MS
  await appendEach(headless.name, 'fgh')
  await log.housekeep(clock.time)
  // Readers of the log that wrote them may still have the records in memory.
  await log.close()
  const again = await open()
  onTestFinished(() => again.close())
  return { log: again, specs }
}

/** What kills a process at a call: it was carried out, and nothing after it is. */
type Death = (call: string) => void

const lives: Death = () => {}

function deadly<T extends object>(parts: T, dies: Death): T {
  return new Proxy(parts, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]) => {
        const answer: unknown = await Reflect.apply(value, target, args)
        dies(String(name))
        return answer
      }
    },
  })
}

/** A process that imports, with connections of its own. */
async function openImport({ log, specs }: Source, id: string, dies: Death): Promise<CopyParts> {
  const { cluster, connections } = await openWrites(bootstrap, [])
  const target = await openKafkaLog({
    application: 'holes',
    connection: { brokers: bootstrap.split(','), clientId: id },
    slot: 'a',
    version: '0.0.0',
  })
  onTestFinished(() => target.close())
  const topics = new Topics(connections, cluster)
  const filler = new TransactionalProducer(cluster, connections, {
    transactionalId: `holes.import.${id}`,
    isV1: true,
    timeoutMs: 10_000,
  })
  const parts: ImportParts = {
    id,
    cluster,
    connections,
    topics,
    filler: deadly(filler, dies),
    sender: deadly(new Sender(cluster, connections), dies),
    bounds: (at) => target.bounds(at),
  }
  const importer = new ClusterImport(parts)
  await importer.makeTopics(specs)
  await target.ensureTopics(specs.map((spec) => specOf(spec.name, {})))
  await importer.settle()
  const { signal } = new AbortController()
  return { source: log, target, importer, translate: unchanged, signal, onSlice: () => {} }
}

async function copyAll(parts: CopyParts, { specs }: Source): Promise<void> {
  for (const { name } of specs) await copyPartition(parts, { topic: name, partition: 0 })
}

async function requireSame(parts: CopyParts, { log, specs }: Source): Promise<void> {
  for (const { name: topic } of specs) {
    const { count } = await comparePartition(parts, { topic, partition: 0 })
    const { start, end } = await log.bounds({ topic, partition: 0 })
    expect((await topicOffsets(bootstrap, topic)).end[0]).toBe(end)
    const offsets = (await readCommitted(bootstrap, topic)).map(({ offset }) => offset)
    expect(offsets).toHaveLength(count)
    expect(offsets.every((offset) => offset >= start && offset < end)).toBe(true)
  }
}

describe('an import', () => {
  test('gives records the offsets that they had, holes included', async () => {
    const source = await holedLog()
    const parts = await openImport(source, freshName('whole').replace('-', ''), lives)
    await copyAll(parts, source)
    await requireSame(parts, source)
    const counts = await Promise.all(
      source.specs.map(async ({ name }) => (await readCommitted(bootstrap, name)).length),
    )
    expect(counts.slice(0, 2)).toEqual([3, 0])
    expect(counts[2]).toBeLessThan(17)
    // Again, which finds nothing to do.
    await copyAll(parts, source)
    await requireSame(parts, source)
  })

  test('that ends after whatever request goes on with the next one', async () => {
    const source = await holedLog()
    const id = freshName('killed').replace('-', '')
    const deaths: string[] = []
    for (let isDone = false; !isDone; ) {
      let calls = 0
      const dies: Death = (call) => {
        // The first call settles what the process before left; then it lives for none, one or two more.
        if (++calls <= 1 + (deaths.length % 3)) return
        deaths.push(call)
        throw new Error(`the process dies after ${call}`)
      }
      const parts = await openImport(source, id, dies)
      isDone = await copyAll(parts, source).then(
        () => true,
        () => false,
      )
    }
    expect([...new Set(deaths)].toSorted()).toEqual(['append', 'enlist', 'initialise', 'produce'])
    await requireSame(await openImport(source, id, lives), source)
  })

  test('notices that somebody else writes', async () => {
    const source = await holedLog()
    const parts = await openImport(source, freshName('foreign').replace('-', ''), lives)
    const [{ name: topic } = specOf('', {})] = source.specs
    await parts.target.append([record(topic, 'a', 'foreign')])
    await copyAll(parts, source)
    await expect(requireSame(parts, source)).rejects.toThrow('on the cluster')
    await parts.target.append([record(topic, 'a', 'foreign')])
    await expect(copyAll(parts, source)).rejects.toThrow('ends at 9 on the cluster and at 8 in the directory')
  })
})
