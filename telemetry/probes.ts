/** What is asked of the running system when somebody reads the metrics; all else is counted as it happens. */

import type { RunnerState, TaskPhase } from '../streams/index.ts'

/** How far one input of one task is behind. */
export interface TaskLag {
  readonly topology: string
  readonly task: string
  readonly topic: string
  readonly lagRecords: number
  /** Since when the oldest unprocessed record has been in the log; 0 when there is none. */
  readonly lagSeconds: number
}

/** How far the standby of a task is behind its changelogs. */
export interface StandbyLag {
  readonly topology: string
  readonly task: string
  readonly lagRecords: number
}

export interface TaskClock {
  readonly topology: string
  readonly task: string
  /** Highest event time, epoch milliseconds; below 0 before the first record. */
  readonly streamTimeMs: number
}

export interface StoreSize {
  readonly topology: string
  readonly store: string
  /** Estimated by the database. */
  readonly bytes: number
}

export interface CampaignFacts {
  readonly couponId: string
  readonly quota: number
  readonly issued: number
  /** Decisions so far by verdict, for example `ISSUED` or `SOLD_OUT`. */
  readonly decisions: Readonly<Record<string, number>>
}

export interface InvariantFacts {
  readonly invariant: string
  /** How often it was found broken, since ever. */
  readonly violations: number
  /** Incidents that are not resolved. */
  readonly open: number
}

export interface OrderIncidentFacts {
  /** For example `ORDER_NEEDS_ATTENTION`. */
  readonly found: string
  /** Incidents that are not resolved. */
  readonly open: number
}

export interface ConnectorFacts {
  readonly connector: string
  readonly state: ConnectorStateName
  readonly breaker: BreakerStateName
  readonly lags: readonly { readonly task: string; readonly topic: string; readonly lagRecords: number }[]
}

export type ConnectorStateName = 'joining' | 'running' | 'paused' | 'failed' | 'stopped'
export type BreakerStateName = 'closed' | 'open' | 'half-open'

export interface LogFacts {
  readonly waitingRecords: number
  readonly waitingBytes: number
  readonly diskBytes: number
  readonly diskLimitBytes: number
}

export interface StateFacts {
  readonly topology: string
  readonly state: RunnerState
  /** Number of tasks by state; one that is closed is not assigned any more. */
  readonly tasks: Readonly<Record<Exclude<TaskPhase, 'created' | 'closed'>, number>>
}

/** All of it reads committed data and costs little; a scrape asks for each part once. */
export interface Probes {
  lags(): Promise<readonly TaskLag[]>
  /** Of the standbys here that follow. */
  standbys(): readonly StandbyLag[]
  clocks(): readonly TaskClock[]
  stores(): Promise<readonly StoreSize[]>
  campaigns(): Promise<readonly CampaignFacts[]>
  /** The boards' watermark, epoch milliseconds; nothing before the first sale. */
  watermarkMs(): number | undefined
  /** Of every invariant that is watched; none where that is off, or what was found is not read yet. */
  invariants(): readonly InvariantFacts[]
  /** Of everything that may be found about an order; none where the shop takes none, or it is not read yet. */
  orderIncidents(): readonly OrderIncidentFacts[]
  /** Requests without a verdict as far as both were read, of this process's share; none where it watches nothing. */
  unanswered(): Promise<readonly number[]>
  /** Of the connectors of this process. */
  connectors(): Promise<readonly ConnectorFacts[]>
  /** Nothing where the log is not in this process. */
  log(): LogFacts | undefined
  states(): readonly StateFacts[]
}
