/** So many a second, evenly: a token bucket on the clock port. */
import type { Clock } from '../../streams/index.ts'
import { rest } from '../frame/waiting.ts'

const SECOND_MS = 1_000

export class TokenBucket {
  readonly #clock: Clock
  readonly #everyMs: number
  readonly #burst: number
  /** Monotonic time at which the bucket is full again. */
  #fullAt = Number.NEGATIVE_INFINITY

  /** `burst`: how many may go at once after a while of nothing. */
  constructor(clock: Clock, perSecond: number, burst: number = Math.max(1, Math.floor(perSecond))) {
    this.#clock = clock
    this.#everyMs = SECOND_MS / perSecond
    this.#burst = burst
  }

  /** Ends when the next one may go. Throws the signal's reason. */
  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const now = this.#clock.monotonic()
    this.#fullAt = Math.max(this.#fullAt, now) + this.#everyMs
    const wait = this.#fullAt - now - this.#burst * this.#everyMs
    if (wait <= 0) return
    await rest(this.#clock, wait, signal)
    signal.throwIfAborted()
  }
}
