/** A record, remembered by whoever makes something from it later: an answer that is put off, for example. */
import type { LogRecord, PastCause } from '../record.ts'

/** For `ProcessorContext.causedBy`; plain data, to be stored as it is. Nothing for what a timer made. */
export function pastCauseOf({ topic, partition, offset, timestamp, lineage }: LogRecord): PastCause | null {
  if (offset < 0) return null
  const { eventId = null, correlationId = eventId, traceparent = null } = lineage ?? {}
  return { topic, partition, offset, timestamp, eventId, correlationId, traceparent }
}
