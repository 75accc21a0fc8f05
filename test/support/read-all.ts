/** Every record of a partition, as any log's reader gives them. */
import type { Topic } from '../../schemas/index.ts'
import type { Log, LogRecord, TopicPartition } from '../../streams/index.ts'

const PAGE_ROWS = 1_000

/** Throws the reader's fault. */
export async function readAll(log: Log, at: TopicPartition): Promise<readonly LogRecord[]> {
  const { start, end } = await log.bounds(at)
  let readable = (): void => {}
  const reader = log.openReader(at, start, () => readable())
  const all: LogRecord[] = []
  try {
    while (reader.position < end) {
      const awake = new Promise<void>((resolve) => (readable = resolve))
      const taken = reader.take(PAGE_ROWS)
      if (reader.fault !== undefined) throw reader.fault
      if (taken.length === 0) await awake
      else all.push(...taken)
    }
  } finally {
    reader.close()
  }
  return all
}

/** Every value of a topic, partition by partition; deletions are left out. */
export async function valuesOf<V>(log: Log, { name, value }: Topic<V>): Promise<readonly V[]> {
  const partitions = Array.from({ length: log.partitions(name) }, (_, partition) => partition)
  const records = await Promise.all(partitions.map((partition) => readAll(log, { topic: name, partition })))
  return records.flat().flatMap((record) => (record.value === null ? [] : [value.deserialize(record.value)]))
}
