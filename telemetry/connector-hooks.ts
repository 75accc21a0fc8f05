/** Counts what connectors tell, and writes the log lines of their incidents. */
import { BoundedLabel } from './bounded-label.ts'
import type { IncidentLog } from './incidents.ts'
import type { Instruments } from './instruments.ts'

const MS_PER_SECOND = 1000
/** Reasons are few, but named by connectors. */
const MAX_REASONS = 50

export interface ConnectorTelling {
  onDelivered(connector: string, records: number, ms: number): void
  onFailure(connector: string, kind: string, cause: Error, final: boolean): void
  onRejected(connector: string, topic: string, reason: string): void
  onBreaker(connector: string, from: string, to: string): void
  onEnded(connector: string, cause: Error): void
}

export function connectorHooks(instruments: Instruments, incidents: IncidentLog): ConnectorTelling {
  const delivered = instruments.counter('millrace_connector_delivered_records_total')
  const times = instruments.histogram('millrace_connector_delivery_duration_seconds')
  const failures = instruments.counter('millrace_connector_failures_total')
  const deadLetters = instruments.counter('millrace_connector_dead_letters_total')
  const reasons = new BoundedLabel(MAX_REASONS)
  return {
    onDelivered(connector, records, ms) {
      delivered.inc({ connector }, records)
      times.observe({ connector }, ms / MS_PER_SECOND)
    },
    onFailure(connector, kind, cause, final) {
      failures.inc({ connector, kind, outcome: final ? 'final' : 'retried' })
      incidents.often('connector-failed', `${connector}|${kind}`, { connector, kind, final, ...named(cause) })
    },
    onRejected(connector, topic, reason) {
      deadLetters.inc({ connector, topic, reason: reasons.of(reason) })
      incidents.often('dead-letter', `${topic}|${reason}`, { connector, topic, reason })
    },
    onBreaker(connector, from, to) {
      if (from === 'closed' && to === 'open') incidents.raise('connector-unavailable', { connector })
      if (to === 'closed') incidents.note('the target of a connector is there again', { connector })
    },
    onEnded(connector, cause) {
      incidents.raise('connector-ended', { connector, ...named(cause) })
    },
  }
}

/** What targets say may quote what they were sent, addresses for example: a name and a code do not (I25). */
function named(cause: Error): { readonly error: string; readonly code?: string } {
  const code: unknown = Reflect.get(cause, 'code')
  return { error: cause.name, ...(typeof code === 'string' && { code }) }
}
