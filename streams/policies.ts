/** What happens to a record that cannot be decoded, processed or sent; each policy is chosen per source or processor. */

/**
 * - `fail`: the task stops at the record; nothing of its batch is committed.
 * - `skip`: the record is counted and passed over.
 * - `dead-letter`: as `skip`, and the original bytes go to `<topic>.dlq` in the same commit.
 */
export type ErrorAction = 'fail' | 'skip' | 'dead-letter'

/** An action, or up to `retries` further tries of the same record first. */
export type ErrorPolicy = ErrorAction | { readonly retries: number; readonly otherwise: ErrorAction }

export interface SourcePolicies {
  /** Bytes that the topic's serde refuses. */
  readonly onUndecodable: ErrorAction
  /** Records without a key. `pass` hands them on with a null key. */
  readonly onNullKey: 'skip' | 'dead-letter' | 'pass'
  /** Records without a value. `pass` hands them on with a null value, never decoded. */
  readonly onNullValue: 'skip' | 'dead-letter' | 'pass'
  /**
   * Timestamps of 0 or less, or more than an hour past the append time. `clamp` takes the append time; `accept` takes
   * them as they are (then a record from the year 2099 closes windows).
   */
  readonly onBadTimestamp: 'dead-letter' | 'clamp' | 'accept'
}

export const defaultSourcePolicies: SourcePolicies = Object.freeze({
  onUndecodable: 'dead-letter',
  onNullKey: 'skip',
  onNullValue: 'skip',
  onBadTimestamp: 'dead-letter',
})

/** How far a record's timestamp may lie past its append time, milliseconds. */
export const FUTURE_LIMIT_MS = 3_600_000
/** Limits of what a record may carry; beyond them it goes to the dead letters. */
export const MAX_KEY_BYTES = 32 * 1024
export const MAX_HEADERS = 64

/**
 * When a task takes no more of an input because too many of its last records became dead letters: a producer that lost
 * its schema, say, would otherwise empty a topic into its dead letters before anybody looks.
 */
export interface BreakerPolicy {
  /** How many of an input's last records count. */
  readonly windowRecords: number
  /** Fewer dead letters among them are no flood, whatever their share. */
  readonly leastDeadLetters: number
  /** Share of dead letters among them from which they are one, in percent. */
  readonly percent: number
  /** Milliseconds until the task goes on by itself; `Infinity`: not before somebody says so. */
  readonly cooldownMs: number
}

export const defaultBreaker: BreakerPolicy = Object.freeze({
  windowRecords: 1_000,
  leastDeadLetters: 100,
  percent: 50,
  cooldownMs: 60_000,
})
