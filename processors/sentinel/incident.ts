/**
 * What becomes of violations: one incident per (invariant, subject), told when it opens, once a minute while it is found
 * again, and when it has not been found for a while. Pure.
 *
 * `none` or RESOLVED ── found ──► OPEN ── not found for `resolveAfterMs` ──► RESOLVED
 */
import type { Incident, IncidentState } from '../../schemas/index.ts'
import type { Place } from './facts.ts'
import type { Violation } from './invariants.ts'

/** An incident that is found again is told again after this much wall time. */
export const TELL_EVERY_MS = 60_000

export interface IncidentRules {
  /** Wall time without a further occurrence after which an incident is resolved, milliseconds. */
  readonly resolveAfterMs: number
  /** Whether an incident that opens asks its campaign to pause. */
  readonly pauseCampaigns: boolean
}

export interface IncidentChange {
  readonly state: IncidentState
  /** The incident is to be told now. */
  readonly tell: boolean
  /** It has opened, and its campaign is to pause. */
  readonly pause: boolean
  /** When to look again, epoch milliseconds; nothing where it is over. */
  readonly lookAt: number | undefined
}

export function incidentKey({ invariant, subject }: Pick<Incident, 'invariant' | 'subject'>): string {
  return `${invariant}|${subject}`
}

/** A violation was found by the fact at `place`. */
export function found(
  before: IncidentState | undefined,
  { invariant, subject, couponId, detail }: Violation,
  { topic, partition, offset }: Place,
  now: number,
  { pauseCampaigns }: IncidentRules,
): IncidentChange {
  const known = before?.incident
  const isOpen = known?.status === 'OPEN'
  const pause = !isOpen && pauseCampaigns && couponId !== null
  const incident: Incident = {
    invariant,
    subject,
    couponId,
    status: 'OPEN',
    detail,
    occurrences: (known?.occurrences ?? 0) + 1,
    openedAt: isOpen ? known.openedAt : now,
    lastSeenAt: now,
    resolvedAt: null,
    topic,
    partition,
    offset,
    pauseRequested: isOpen ? known.pauseRequested : pause,
    revision: (known?.revision ?? 0) + (isOpen ? 0 : 1),
  }
  const told = isOpen ? (before?.told ?? 0) : incident.occurrences
  return { state: { incident, told }, tell: !isOpen, pause, lookAt: now + TELL_EVERY_MS }
}

/** The time that `lookAt` named has come. */
export function looked(
  before: IncidentState,
  now: number,
  { resolveAfterMs }: IncidentRules,
): IncidentChange {
  const { incident, told } = before
  const quietAt = incident.lastSeenAt + resolveAfterMs
  if (incident.status === 'OPEN' && now >= quietAt) {
    const resolved = { ...incident, status: 'RESOLVED', resolvedAt: now } as const
    return { ...toldNow(resolved), lookAt: undefined }
  }
  const lookAt = incident.status === 'OPEN' ? quietAt : undefined
  if (incident.occurrences === told) return { state: before, tell: false, pause: false, lookAt }
  return { ...toldNow(incident), lookAt }
}

function toldNow(incident: Incident): Pick<IncidentChange, 'state' | 'tell' | 'pause'> {
  const next = { ...incident, revision: incident.revision + 1 }
  return { state: { incident: next, told: next.occurrences }, tell: true, pause: false }
}
