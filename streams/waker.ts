/** Lets a loop sleep until something may have changed, or for so long. A call that comes while it is awake is not lost. */
import type { Clock } from './clock.ts'

export class Waker {
  readonly #clock: Clock
  #called = false
  #wake: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Ends the sleep, or keeps the next one from beginning. */
  wake(): void {
    this.#called = true
    this.#wake?.()
  }

  /** Whether it was called since it was last asked, or last slept. */
  takeCall(): boolean {
    const called = this.#called
    this.#called = false
    return called
  }

  /** Milliseconds, at most; ends at once where it was called before. */
  async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(Math.max(1, ms), resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
      if (this.#called) this.#wake()
    })
    this.#wake = undefined
    this.#called = false
  }
}
