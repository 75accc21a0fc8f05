/**
 * Asking somebody outside until it is known. Pure: when to ask again, and when silence is worth an incident.
 *
 * Every call is followed by a timer, so one whose answer gets lost anywhere is made again, with the same idempotency key.
 * There is no last time.
 */
import type { AskingState } from '../../schemas/index.ts'
import { backoffMs } from '../../streams/kit/index.ts'

export interface AskingRules {
  /** How long a call and its way back may take, milliseconds; then it is asked anew. */
  readonly answerMs: number
  /** Wait after a call that brought nothing; each is twice the one before, up to the most. */
  readonly backoffMs: number
  readonly maxBackoffMs: number
  /** How long something may stay unknown until there is an incident. */
  readonly alarmMs: number
}

/** Of what nobody was asked for yet. */
export const notAsked: AskingState = Object.freeze({
  attempt: 0,
  askedAt: 0,
  silentSince: 0,
  alarmed: false,
  incidents: 0,
})

const DEFAULTS: AskingRules = {
  answerMs: 60_000,
  backoffMs: 1_000,
  maxBackoffMs: 300_000,
  alarmMs: 900_000,
}

/** Throws a `RangeError` for durations that cannot be; a minute, 1 s to 5 min and 15 min unless told. */
export function askingRulesOf(options: Partial<AskingRules>): AskingRules {
  const rules = { ...DEFAULTS, ...options }
  for (const [name, ms] of Object.entries(rules)) {
    if (!Number.isSafeInteger(ms) || ms < 1) throw new RangeError(`${name} ${ms} is no duration`)
  }
  return Object.freeze(rules)
}

/** Something new is asked for: the calls are counted anew, its incidents are not. */
export function beginAsking({ alarmed, incidents }: AskingState, now: number): AskingState {
  return { attempt: 0, askedAt: now, silentSince: now, alarmed, incidents }
}

/** A call is made now. */
export function asked(asking: AskingState, now: number): AskingState {
  return { ...asking, attempt: asking.attempt + 1, askedAt: now }
}

/** Until when a call that is asked for now may be made and answered; it is asked for anew some time after that. */
export function answerBy({ answerMs }: AskingRules, now: number): number {
  return now + answerMs
}

/** When to ask anew, from the moment on at which a call brought nothing, or nothing final. */
export function askAgainAt(
  rules: AskingRules,
  { attempt }: AskingState,
  key: string,
  retryAfterMs: number | null,
  now: number,
): number {
  const { backoffMs: first, maxBackoffMs } = rules
  // The backoff is full long before 2 ** attempt is no number any more.
  const step = Math.min(Math.max(attempt, 1), 100)
  const wait = backoffMs({ attempts: step, backoffMs: first, maxBackoffMs }, step, key)
  // Whoever asks to be left alone is, but not for as long as they like.
  return now + Math.max(wait, Math.min(retryAfterMs ?? 0, 12 * maxBackoffMs))
}

/** Whether it has been unknown for so long that people must know. */
export function isOverdue({ alarmMs }: AskingRules, { silentSince }: AskingState, now: number): boolean {
  return now - silentSince >= alarmMs
}
