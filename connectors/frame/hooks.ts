/** What connectors tell about themselves. Called synchronously, once per delivery or event; must not throw. */
import type { BreakerState } from './breaker.ts'

/**
 * - `unavailable`: the target could not be reached or took nothing.
 * - `timeout`: a delivery took too long.
 * - `failed`: the target, or the connector's own code, failed on the records.
 * - `log`: the log did not take a commit, or could not be read.
 */
export type FailureKind = 'unavailable' | 'timeout' | 'failed' | 'log'

export interface ConnectorHooks {
  /** A delivery of so many records succeeded, after `ms`. */
  onDelivered(connector: string, records: number, ms: number): void
  /** A try failed; it is tried again where `final` is false. */
  onFailure(connector: string, kind: FailureKind, cause: Error, final: boolean): void
  /** A record went to the dead letters of its topic. */
  onRejected(connector: string, topic: string, reason: string): void
  onBreaker(connector: string, from: BreakerState, to: BreakerState): void
  /** It does not run any more in this process, or one of its tasks does not. */
  onEnded(connector: string, cause: Error): void
}

const nothing = (): void => {}

export const noConnectorHooks: ConnectorHooks = Object.freeze({
  onDelivered: nothing,
  onFailure: nothing,
  onRejected: nothing,
  onBreaker: nothing,
  onEnded: nothing,
})
