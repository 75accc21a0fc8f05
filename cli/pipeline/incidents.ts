/**
 * What the sentinel and the order saga found, read along from their topic: the same in every process, wherever they run.
 *
 * A topic that cannot be read leaves the answers out; it is tried again.
 */
import type { HealthCheck } from '../../api/index.ts'
import {
  orderIncidents,
  providerIncidents,
  type WatchedInvariant,
  watchedInvariants,
} from '../../processors/index.ts'
import type { Incident, Topics } from '../../schemas/index.ts'
import type { Clock, Log } from '../../streams/index.ts'
import type { InvariantFacts, OrderIncidentFacts, Telemetry } from '../../telemetry/index.ts'
import { TopicView } from './topic-view.ts'

/** An incident has less than a kilobyte. */
const MAX_BYTES = 16 * 1024 * 1024

/** What may be found about an order: by its saga, and by the gateways to its providers. */
const ORDER_FINDINGS = [...orderIncidents, ...providerIncidents] as const
const ofOrders: ReadonlySet<string> = new Set(ORDER_FINDINGS)

export interface IncidentsOptions {
  readonly log: Pick<Log, 'partitions' | 'bounds' | 'openReader'>
  /** With the serdes of this deployment. */
  readonly topics: Pick<Topics, 'opsIncident'>
  readonly clock: Pick<Clock, 'after' | 'yield'>
  readonly telemetry: Pick<Telemetry, 'incident' | 'logger'>
}

export class Incidents {
  readonly #view: TopicView<Incident>

  /** Begins to read; every incident that opens from then on is a log line. The topic exists. */
  constructor({ log, topics, clock, telemetry }: IncidentsOptions) {
    const { name, value } = topics.opsIncident
    this.#view = new TopicView({
      log,
      topic: name,
      value,
      clock,
      maxBytes: MAX_BYTES,
      onFault: (topic, fault) => telemetry.logger.warn({ topic, err: fault }, 'incidents cannot be read on'),
      onNews(bytes, before) {
        const incident = value.deserialize(bytes)
        const wasOpen = before !== undefined && value.deserialize(before).status === 'OPEN'
        if (incident.status !== 'OPEN' || wasOpen) return
        const { invariant, subject, detail, topic, partition, offset, pauseRequested } = incident
        const place = { subject, detail, topic, partition, offset }
        if (ofOrders.has(invariant)) telemetry.incident('order-incident', { found: invariant, ...place })
        else telemetry.incident('invariant-broken', { invariant, ...place, pauseRequested })
      },
    })
  }

  /** The last seen first; nothing before everything was read that there is. */
  list(): readonly Incident[] | undefined {
    if (!this.#view.ready) return undefined
    return this.#view.values().toSorted((a, b) => b.lastSeenAt - a.lastSeenAt)
  }

  /** Of every invariant that is watched; none before everything was read. */
  facts(): InvariantFacts[] {
    const all = this.list()
    if (all === undefined) return []
    return watchedInvariants.map((invariant: WatchedInvariant) => {
      const own = all.filter((incident) => incident.invariant === invariant)
      const violations = own.reduce((sum, { occurrences }) => sum + occurrences, 0)
      return { invariant, violations, open: own.filter(({ status }) => status === 'OPEN').length }
    })
  }

  /** Of all that may be found about an order; none before everything was read. */
  orderFacts(): OrderIncidentFacts[] {
    const open = this.list()?.filter(({ status }) => status === 'OPEN')
    if (open === undefined) return []
    return ORDER_FINDINGS.map((found) => ({
      found,
      open: open.filter(({ invariant }) => invariant === found).length,
    }))
  }

  checks(): readonly HealthCheck[] {
    const open = this.facts().filter((fact) => fact.open > 0)
    const detail = open.map((fact) => `${fact.invariant}: ${fact.open} open`).join(', ')
    return [{ name: 'invariants', ok: true, degraded: open.length > 0, detail: detail || 'none is broken' }]
  }

  /** Idempotent. */
  close(): void {
    this.#view.close()
  }
}
