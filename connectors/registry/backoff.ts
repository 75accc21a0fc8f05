/** How long a registry that gave no answer is left alone: longer each time, for all who ask. */
import type { Clock } from '../../streams/index.ts'

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 30_000

export class Backoff {
  readonly #clock: Clock
  #failures = 0
  #until = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Milliseconds until it may be asked again. */
  get left(): number {
    return Math.max(0, this.#until - this.#clock.monotonic())
  }

  /** Calls that failed together count once. */
  failed(): void {
    if (this.left > 0) return
    this.#until = this.#clock.monotonic() + Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures)
    this.#failures++
  }

  answered(): void {
    this.#failures = 0
    this.#until = Number.NEGATIVE_INFINITY
  }

  /** Ends when it may be asked again, or when the signal fires. Never rejects. */
  wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (this.left === 0 || signal.aborted) return resolve()
      const done = (): void => {
        cancel()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const cancel = this.#clock.after(this.left, done)
      signal.addEventListener('abort', done)
    })
  }
}
