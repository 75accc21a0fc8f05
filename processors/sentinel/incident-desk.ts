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
  const pauses = new Set<string>()
  for (const violation of violations) {
    const key = incidentKey(violation)
    const change = found(stores.incidents.get(key), violation, place, wallTime, rules)
    stores.incidents.put(key, change.state)
    tell(change, context)
    if (change.pause && violation.couponId !== null) pauses.add(violation.couponId)
    const due = timers.incident.dueAt(key)
    if (due === undefined || due > (change.lookAt ?? due)) schedule(key, change, context)
  }
  // One fact may break several invariants of its coupon.
  for (const couponId of pauses)
    context.emit.commands?.(couponId, campaignCommand(couponId, 'PAUSE'), wallTime)
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

function tell({ state: { incident }, tell: isTold }: IncidentChange, context: IncidentContext): void {
  if (isTold) context.emit.incidents(incidentKey(incident), incident, context.wallTime)
}

function schedule(key: string, { lookAt }: IncidentChange, { timers }: IncidentContext): void {
  if (lookAt !== undefined) timers.incident.schedule(key, lookAt)
}
