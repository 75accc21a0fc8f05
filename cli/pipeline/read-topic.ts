/** All of a topic, for checks of what was written. */
import type { Log } from '../../streams/index.ts'

const PAGE_RECORDS = 1_000

/** Every value of a topic, from its first record to the end it has now. */
export async function readTopic<V>(
  log: Log,
  topic: { readonly name: string; readonly value: { deserialize(bytes: Buffer): V } },
): Promise<V[]> {
  const values: V[] = []
  for (let partition = 0; partition < log.partitions(topic.name); partition++) {
    const { start, end } = await log.bounds({ topic: topic.name, partition })
    let wake: (() => void) | undefined
    const reader = log.openReader({ topic: topic.name, partition }, start, () => wake?.())
    try {
      // The end may lie behind the last record: a log has marks of its own.
      while (reader.position < end) {
        const readable = new Promise<void>((resolve) => (wake = resolve))
        const records = reader.take(PAGE_RECORDS)
        for (const { value } of records) if (value !== null) values.push(topic.value.deserialize(value))
        if (reader.fault !== undefined) throw reader.fault
        if (records.length === 0 && reader.position < end) await readable
      }
    } finally {
      reader.close()
    }
  }
  return values
}
