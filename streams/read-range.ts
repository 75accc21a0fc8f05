/** Reading a stretch of a partition from end to end, for whoever looks at records without being a task. */
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import type { LogRecord, TopicPartition } from './record.ts'

/** Records handed over before everything else in the process has its turn. */
const TURN_RECORDS = 256

export interface ReadRangeOptions {
  readonly log: Pick<Log, 'bounds' | 'openReader'>
  readonly clock: Pick<Clock, 'yield'>
  /** Ends the reading: its reason is thrown. */
  readonly signal?: AbortSignal | undefined
}

export interface Range {
  /** What is kept no more is passed over. */
  readonly from: number
  /** The offset after the last, which is waited for; what readers see now ends it unless told. */
  readonly to?: number | undefined
}

/** The records from `from` to before `to`. Throws the reader's fault, and what `bounds` throws. */
export async function* readRange(
  { log, clock, signal }: ReadRangeOptions,
  at: TopicPartition,
  { from, to }: Range,
): AsyncGenerator<LogRecord, void, undefined> {
  const { start, end } = await log.bounds(at)
  const last = to ?? end
  const first = Math.max(from, start)
  if (first >= last) return
  let wake = (): void => {}
  const onAbort = (): void => wake()
  const reader = log.openReader(at, first, () => wake())
  signal?.addEventListener('abort', onAbort)
  try {
    while (reader.position < last) {
      signal?.throwIfAborted()
      const readable = new Promise<void>((resolve) => (wake = resolve))
      const records = reader.take(TURN_RECORDS)
      if (reader.fault !== undefined) throw reader.fault
      for (const record of records) {
        if (record.offset >= last) return
        yield record
      }
      if (records.length > 0) await clock.yield()
      else if (reader.position < last) await readable
    }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    reader.close()
  }
}
