/**
 * Leaves a target alone that was not there several times in a row, for all tasks of a connector.
 *
 * closed → open (`failures` in a row) → half-open (after `openMs`: one try goes, the others wait) → closed, or open again.
 *
 * Only what says nothing of the records counts: an unavailable target, a delivery that took too long. Where deliveries
 * failed, only one that was answered sets the count back: a target that was opened need not have been asked anything.
 */
import type { Clock } from '../../streams/index.ts'
import { rest } from './waiting.ts'

export type BreakerState = 'closed' | 'open' | 'half-open'

/** Milliseconds between looks of those that wait for somebody else's try. */
const LOOK_MS = 50

export interface DeliveryBreakerOptions {
  readonly clock: Clock
  /** Unavailable this many times in a row opens it. */
  readonly failures: number
  readonly openMs: number
  readonly onChange: (from: BreakerState, to: BreakerState) => void
}

export class DeliveryBreaker {
  readonly #options: DeliveryBreakerOptions
  #state: BreakerState = 'closed'
  #inARow = 0
  /** Of those in a row, whether a delivery was among them. */
  #hasDelivered = false
  #until = 0

  constructor(options: DeliveryBreakerOptions) {
    this.#options = options
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Ends when a delivery may be tried, or when the signal fires. Never rejects. */
  async permit(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    while (!signal.aborted && this.#state !== 'closed') {
      const left = this.#until - clock.monotonic()
      if (this.#state === 'open' && left <= 0) return this.#to('half-open')
      await rest(clock, this.#state === 'open' ? left : LOOK_MS, signal)
    }
  }

  /** The target answered a delivery, whatever it said. */
  answered(): void {
    this.#inARow = 0
    this.#hasDelivered = false
    if (this.#state !== 'closed') this.#to('closed')
  }

  /** The target was opened. */
  opened(): void {
    if (this.#hasDelivered) this.givenUp()
    else this.answered()
  }

  unavailable(to: 'open' | 'deliver'): void {
    const { clock, failures, openMs } = this.#options
    this.#inARow++
    if (to === 'deliver') this.#hasDelivered = true
    if (this.#state === 'closed' && this.#inARow < failures) return
    this.#until = clock.monotonic() + openMs
    if (this.#state !== 'open') this.#to('open')
  }

  /** Whoever tried does not any more, and nothing is known: the next one may. */
  givenUp(): void {
    if (this.#state === 'half-open') this.#to('open')
  }

  #to(next: BreakerState): void {
    const from = this.#state
    this.#state = next
    this.#options.onChange(from, next)
  }
}
