/** What the cases share: a fresh data directory, the clock and counters around a piece of work, one line of JSON. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type AppendRecord,
  type AppendResult,
  formatUuid7,
  type Log,
  NO_HEADERS,
  type Topic,
  type TopicSpec,
  type TopicUse,
} from '../streams/index.ts'

/** Records per append while a case fills the log. */
const FILL_BATCH = 2_000
const MEBIBYTE = 1024 * 1024
const IDLE_LOOK_MS = 300
const IDLE_LOOKS = 3

/** Runs `work` in a fresh directory and removes it afterwards. */
export async function inFreshDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  try {
    return await work(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}

export function topicSpec(use: TopicUse): TopicSpec {
  return {
    name: use.name,
    partitions: 6,
    cleanup: use.cleanup,
    timestamps: use.timestamps,
    retentionMs: Number.POSITIVE_INFINITY,
    retentionBytes: Number.POSITIVE_INFINITY,
  }
}

let made = 0

export function recordOf<K, V>(topic: Topic<K, V>, key: K, value: V, timestamp: number): AppendRecord {
  return {
    topic: topic.name,
    key: topic.key.serialize(key),
    value: topic.value.serialize(value),
    timestamp,
    lineage: { eventId: formatUuid7(timestamp, made++, 1, 2) },
    headers: NO_HEADERS,
  }
}

/** Appends `count` records in batches; answers where the last record of each partition lies. */
export async function fill(
  log: Log,
  count: number,
  make: (index: number) => AppendRecord,
): Promise<readonly AppendResult[]> {
  const last = new Map<number, AppendResult>()
  for (let from = 0; from < count; from += FILL_BATCH) {
    const size = Math.min(FILL_BATCH, count - from)
    const results = await log.append(Array.from({ length: size }, (_, index) => make(from + index)))
    for (const result of results) last.set(result.partition, result)
  }
  return [...last.values()]
}

export interface Measured {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly residentMiB: number
}

export async function measured(work: () => Promise<unknown>): Promise<Measured> {
  const cpu = process.cpuUsage()
  const begin = performance.now()
  await work()
  const seconds = (performance.now() - begin) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  return {
    seconds,
    cpuSeconds: (user + system) / 1e6,
    residentMiB: Math.round(process.memoryUsage.rss() / MEBIBYTE),
  }
}

/** Waits until the process has done next to nothing for a second; answers the CPU that it took until then, seconds. */
export async function untilIdle(): Promise<number> {
  const begin = process.cpuUsage()
  for (let looks = 0; looks < IDLE_LOOKS; ) {
    const before = process.cpuUsage()
    await delay(IDLE_LOOK_MS)
    const { user, system } = process.cpuUsage(before)
    looks = (user + system) / 1_000 < IDLE_LOOK_MS / 20 ? looks + 1 : 0
  }
  const { user, system } = process.cpuUsage(begin)
  return (user + system) / 1e6
}

/** A figure for people: three significant digits at least. */
export function round(value: number): number {
  return value >= 100 ? Math.round(value) : Math.round(value * 100) / 100
}

/** Of a directory whose files may come and go while they are counted. */
export async function directoryMiB(directory: string): Promise<number> {
  let bytes = 0
  for (const name of await readdir(directory)) bytes += await sizeOf(join(directory, name))
  return Math.round(bytes / MEBIBYTE)
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
}

/** The result of a case: the last line of its standard output. */
export function report(result: Readonly<Record<string, number | string>>): void {
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

export const smoke = process.argv.includes('--smoke')
