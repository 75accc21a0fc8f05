/** Waits that end early where nobody wants them any more. */
import type { Clock } from '../../streams/index.ts'

/** Ends after `ms`, or when the signal fires. Never rejects. */
export function rest(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(Math.max(1, ms), done)
    signal.addEventListener('abort', done)
  })
}

/** What is thrown at once is a rejection like any other. */
export async function started<T>(begin: () => Promise<T>): Promise<T> {
  return await begin()
}

/** Ends with the promise, or when the signal fires; answers whether the promise was first. Never rejects. */
export function settled(promise: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const aborted = (): void => done(false)
    const done = (isSettled: boolean): void => {
      signal.removeEventListener('abort', aborted)
      resolve(isSettled)
    }
    promise.then(
      () => done(true),
      () => done(true),
    )
    if (signal.aborted) done(false)
    else signal.addEventListener('abort', aborted)
  })
}

/** A door that many wait at. */
export class Latch {
  #open: boolean
  #waiting: (() => void)[] = []

  constructor(open: boolean) {
    this.#open = open
  }

  get isOpen(): boolean {
    return this.#open
  }

  open(): void {
    this.#open = true
    const waiting = this.#waiting
    this.#waiting = []
    for (const go of waiting) go()
  }

  shut(): void {
    this.#open = false
  }

  /** Ends while it is open, or when the signal fires. Never rejects. */
  async passed(signal: AbortSignal): Promise<void> {
    while (!this.#open && !signal.aborted) {
      let go = (): void => {}
      await new Promise<void>((resolve) => {
        go = resolve
        this.#waiting.push(go)
        signal.addEventListener('abort', go, { once: true })
      })
      signal.removeEventListener('abort', go)
      this.#waiting = this.#waiting.filter((other) => other !== go)
    }
  }
}
