/**
 * Gets one batch to a target: again and again while the target is unavailable, as often as the policy says after another
 * failure, then record by record.
 *
 * Invariant: at most one delivery of a task is under way; a target whose delivery does not end is not used again.
 */
import type { Clock, Position } from '../../streams/index.ts'
import type { DeliveryBreaker } from './breaker.ts'
import {
  type Batch,
  type Delivered,
  type DeliveryPolicy,
  type Incoming,
  type Target,
  Unavailable,
} from './connector.ts'
import { asError, DeliveryStuck, DeliveryTimeout, isUnavailable, kindOf } from './failures.ts'
import type { ConnectorHooks } from './hooks.ts'
import { backoffMs } from './policy.ts'
import type { Turn } from './turns.ts'
import { rest, settled, started, type Latch } from './waiting.ts'

/** The longest wait that a target may ask for, in longest waits of the policy: it may be wrong by an hour or a day. */
const ASKED_AT_MOST = 12
/** How long a delivery may go on after it was told to end. */
const END_WITHIN_MS = 5_000

export interface DeliveryOptions {
  readonly connector: string
  readonly policy: DeliveryPolicy
  readonly clock: Clock
  readonly random: () => number
  readonly breaker: DeliveryBreaker
  /** Shut while an operator has paused the connector. */
  readonly going: Latch
  readonly hooks: ConnectorHooks
}

export interface DeliverySignals {
  /** The task is not wanted any more: what is under way is given up. */
  readonly dropped: AbortSignal
  /** The task ends: what is under way may come to its end, and nothing begins after it. Fires with `dropped`, too. */
  readonly stopping: AbortSignal
}

/** What a delivery needs of its task. */
export interface DeliveryTask extends DeliverySignals {
  readonly turn: Turn
}

/** What became of some records of a batch in a row. */
export interface Part {
  /** How many of them. */
  readonly count: number
  readonly delivered: Delivered
  /** Of one record that failed alone: what was thrown. */
  readonly failed?: string
}

export class Delivery {
  readonly #options: DeliveryOptions

  constructor(options: DeliveryOptions) {
    this.#options = options
  }

  /**
   * The batch in parts: one, or one for each record. What is yielded must be committed before the next is asked for; then
   * the task's turn is over. Throws the reason of a signal, and `DeliveryStuck`.
   */
  async *parts(target: Target, batch: Batch, task: DeliveryTask): AsyncGenerator<Part, void, undefined> {
    const { attempts } = this.#options.policy
    const whole = await this.#tried(target, batch, attempts, task)
    if (!(whole instanceof Error)) return yield { count: batch.records.length, delivered: whole }
    if (batch.records.length === 1) return yield setAside(whole)
    for (const [index, record] of batch.records.entries()) {
      const isLast = index === batch.records.length - 1
      const alone = { records: [record], next: isLast ? batch.next : [after(record)] }
      const outcome = await this.#tried(target, alone, 1, task)
      yield outcome instanceof Error ? setAside(outcome) : { count: 1, delivered: outcome }
    }
  }

  /** What the target answered, or what it failed with the last time. */
  async #tried(
    target: Target,
    batch: Batch,
    attempts: number,
    { dropped, stopping, turn }: DeliveryTask,
  ): Promise<Delivered | Error> {
    const { connector, clock, breaker, hooks } = this.#options
    let failed = 0
    for (let failures = 1; ; failures++) {
      await this.#mayTry(turn, stopping)
      const begin = clock.monotonic()
      try {
        const delivered = await this.#once(target, batch, dropped)
        breaker.answered()
        hooks.onDelivered(connector, batch.records.length, clock.monotonic() - begin)
        return delivered
      } catch (error) {
        turn.end()
        if (dropped.aborted) breaker.givenUp()
        dropped.throwIfAborted()
        const kind = kindOf(error)
        if (kind === 'failed') breaker.answered()
        else breaker.unavailable('deliver')
        if (kind === 'failed') failed++
        if (error instanceof DeliveryStuck) throw error
        const final = failed >= attempts
        hooks.onFailure(connector, kind, asError(error), final)
        if (final) return asError(error)
        await rest(clock, this.#waitMs(error, failures), stopping)
      }
    }
  }

  async #mayTry(turn: Turn, signal: AbortSignal): Promise<void> {
    const { going, breaker } = this.#options
    for (;;) {
      await going.passed(signal)
      await turn.passed(signal)
      await breaker.permit(signal)
      if (signal.aborted) breaker.givenUp()
      signal.throwIfAborted()
      // It may have been paused while it waited.
      if (going.isOpen && turn.begin()) return
      breaker.givenUp()
    }
  }

  #waitMs(error: unknown, failures: number): number {
    const { policy, random } = this.#options
    const asked = error instanceof Unavailable ? (error.retryAfterMs ?? 0) : 0
    const most = ASKED_AT_MOST * policy.maxBackoffMs
    return Math.max(Math.min(asked, most), backoffMs(policy, failures, random()))
  }

  async #once(target: Target, batch: Batch, signal: AbortSignal): Promise<Delivered> {
    const { clock, policy } = this.#options
    const late = new AbortController()
    const cancel = clock.after(policy.timeoutMs, () => late.abort(new DeliveryTimeout(policy.timeoutMs)))
    const ended = AbortSignal.any([signal, late.signal])
    try {
      const running = started(() => target.deliver(batch, ended))
      if (!(await settled(running, ended))) await this.#endOf(running)
      return await running
    } catch (error) {
      // Whatever it says: it was told to end, and nothing is known of what it did.
      if (late.signal.aborted && !isUnavailable(error) && !(error instanceof DeliveryStuck))
        throw late.signal.reason
      throw error
    } finally {
      cancel()
    }
  }

  async #endOf(running: Promise<unknown>): Promise<void> {
    const late = new AbortController()
    const cancel = this.#options.clock.after(END_WITHIN_MS, () => late.abort())
    const isEnded = await settled(running, late.signal)
    cancel()
    if (!isEnded) throw new DeliveryStuck('a delivery goes on although it was told to end')
  }
}

function after({ topic, partition, offset }: Incoming): Position {
  return { topic, partition, offset: offset + 1 }
}

function setAside(error: Error): Part {
  return { count: 1, delivered: {}, failed: `${error.name}: ${error.message}` }
}
