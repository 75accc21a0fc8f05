/** Incidents about providers that leave something unknown: never silence. */
import type { AskingState, Incident } from '../../schemas/index.ts'
import type { LogRecord } from '../../streams/index.ts'
import { incidentKey } from '../sentinel/incident.ts'
import { type AskingRules, isOverdue } from './asking.ts'

/** What may be found about a provider: labels of the metric, explained in `docs/providers.md`. */
export const providerIncidents = ['PAYMENT_UNKNOWN', 'DELIVERY_UNKNOWN'] as const

export interface About {
  readonly invariant: (typeof providerIncidents)[number]
  /** The orderId; of a refund `orderId/refundId`. */
  readonly subject: string
  readonly detail: string
}

export interface Telling {
  readonly emit: { readonly incident: (key: string, incident: Incident) => void }
  /** Epoch milliseconds. */
  readonly wallTime: number
}

/** Opens the incident about it once it has been unknown for too long; `asking` as it is to be stored. */
export function alarmIfOverdue(
  rules: AskingRules,
  asking: AskingState,
  about: About,
  telling: Telling,
): AskingState {
  if (asking.alarmed || !isOverdue(rules, asking, telling.wallTime)) return asking
  return tell('OPEN', asking, about, telling)
}

/** It is known now. `record` is what says so. */
export function allClear(
  asking: AskingState,
  about: About,
  telling: Telling,
  record: LogRecord,
): AskingState {
  return asking.alarmed ? tell('RESOLVED', asking, about, telling, record) : asking
}

function tell(
  status: 'OPEN' | 'RESOLVED',
  before: AskingState,
  { invariant, subject, detail }: About,
  { emit, wallTime }: Telling,
  record?: LogRecord,
): AskingState {
  const incidents = before.incidents + 1
  const { topic = '', partition = 0, offset = -1 } = record ?? {}
  const incident: Incident = {
    invariant,
    subject,
    couponId: null,
    status,
    detail,
    occurrences: 1,
    openedAt: before.silentSince,
    lastSeenAt: wallTime,
    resolvedAt: status === 'RESOLVED' ? wallTime : null,
    topic,
    partition,
    offset,
    pauseRequested: false,
    revision: incidents,
  }
  emit.incident(incidentKey(incident), incident)
  return { ...before, alarmed: status === 'OPEN', incidents }
}
