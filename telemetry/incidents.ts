/** Log lines of what an operator must know, each counted. */
import type { Logger } from 'pino'
import type { Counter } from 'prom-client'

/** Every kind of incident. `docs/metrics.md` says what each means, and a test holds it to this list. */
export const incidentKinds = [
  'task-failed',
  'task-refused',
  'database-set-aside',
  'database-close-failed',
  'standby-failed',
  'tasks-revoked',
  'topology-failed',
  'clock-frozen',
  'dead-letter',
  'dead-letter-flood',
  'connector-unavailable',
  'connector-failed',
  'connector-ended',
  'log-fault',
  'slow-batch',
  'http-error',
  'scrape-incomplete',
  'invariant-broken',
  'order-incident',
] as const

export type IncidentKind = (typeof incidentKinds)[number]

/** Of incidents that come in floods, one line per this time and kind of thing. */
const REPEAT_AFTER_MS = 60_000
/** Kinds of things remembered for that. */
const MAX_REMEMBERED = 1_000

export class IncidentLog {
  readonly #logger: Logger
  readonly #counter: Counter
  readonly #now: () => number
  readonly #lastLines = new Map<string, { at: number; suppressed: number }>()

  constructor(logger: Logger, counter: Counter, now: () => number = () => performance.now()) {
    this.#logger = logger
    this.#counter = counter
    this.#now = now
    // A series that began with its first incident would not have risen by it, and no alert would see that one.
    for (const kind of incidentKinds) counter.inc({ kind }, 0)
  }

  /** An incident: somebody may have to act. */
  raise(kind: IncidentKind, fields: Readonly<Record<string, unknown>>): void {
    this.#counter.inc({ kind })
    const { cause, ...rest } = fields
    this.#logger.error(
      cause === undefined ? { incident: kind, ...rest } : { incident: kind, ...rest, err: cause },
      kind,
    )
  }

  /** An incident that may come per record: counted each time, written once a minute for each `what`. */
  often(kind: IncidentKind, what: string, fields: Readonly<Record<string, unknown>>): void {
    this.#counter.inc({ kind })
    const key = `${kind}|${what}`
    const now = this.#now()
    const last = this.#lastLines.get(key)
    if (last !== undefined && now - last.at < REPEAT_AFTER_MS) {
      last.suppressed++
      return
    }
    if (this.#lastLines.size >= MAX_REMEMBERED) this.#lastLines.clear()
    this.#lastLines.set(key, { at: now, suppressed: 0 })
    this.#logger.warn({ incident: kind, ...fields, suppressed: last?.suppressed ?? 0 }, kind)
  }

  /** What is normal. */
  note(message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#logger.debug(fields, message)
  }
}
