/** Keeps the incidents of a task, and tells them; what pure rules say (`incident.ts`) goes to stores, timers, outputs. */
import { type Campaign, campaignCommand, type Incident, type IncidentState } from '../../schemas/index.ts'
import type { KeyValueStore, TimerHandle } from '../../state/index.ts'
import type { Place } from './facts.ts'
import { found, type IncidentChange, incidentKey, type IncidentRules, looked } from './incident.ts'
import type { Violation } from './invariants.ts'

export interface IncidentContext {
  readonly stores: { readonly incidents: KeyValueStore<string, IncidentState> }
  readonly emit: {
    readonly incidents: (key: string, incident: Incident, timestamp?: number) => void
    readonly commands?: (couponId: string, command: Campaign, timestamp?: number) => void
  }
  readonly timers: { readonly incident: TimerHandle }
  readonly wallTime: number
}

export function raise(
  violations: readonly Violation[],
  place: Place,
  context: IncidentContext,
  rules: IncidentRules,
): void {
  const { stores, timers, wallTime } = context
  for (const violation of violations) {
    const key = incidentKey(violation)
    const change = found(stores.incidents.get(key), violation, place, wallTime, rules)
    stores.incidents.put(key, change.state)
    tell(change, context)
    const due = timers.incident.dueAt(key)
    if (due === undefined || due > (change.lookAt ?? due)) schedule(key, change, context)
  }
}

/** The durable wall timer `incident` of an incident. */
export function lookAtIncident(key: string, context: IncidentContext, rules: IncidentRules): void {
  const { stores, wallTime } = context
  const before = stores.incidents.get(key)
  if (before === undefined) return
  const change = looked(before, wallTime, rules)
  if (change.state !== before) stores.incidents.put(key, change.state)
  tell(change, context)
  schedule(key, change, context)
}

function tell({ state: { incident }, tell: isTold, pause }: IncidentChange, context: IncidentContext): void {
  const { emit, wallTime } = context
  if (isTold) emit.incidents(incidentKey(incident), incident, wallTime)
  if (pause && incident.couponId !== null)
    emit.commands?.(incident.couponId, campaignCommand(incident.couponId, 'PAUSE'), wallTime)
}

function schedule(key: string, { lookAt }: IncidentChange, { timers }: IncidentContext): void {
  if (lookAt !== undefined) timers.incident.schedule(key, lookAt)
}
