/** A clock whose timers fall due as soon as nothing else is to do: hours of backoff in a test's milliseconds. */
import type { Clock } from '../../streams/index.ts'

export class HurriedClock implements Clock {
  #time = 0
  readonly #start: number
  readonly #timers = new Set<{ readonly at: number; readonly run: () => void }>()
  #ticking = false

  /** @param start system time, epoch milliseconds */
  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#start = start
  }

  now(): number {
    return this.#start + this.#time
  }

  monotonic(): number {
    return this.#time
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#time + ms, run }
    this.#timers.add(timer)
    this.#tick()
    return () => void this.#timers.delete(timer)
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  /** One timer per turn of the event loop: what it set off comes first. */
  #tick(): void {
    if (this.#ticking || this.#timers.size === 0) return
    this.#ticking = true
    setImmediate(() => {
      this.#ticking = false
      const [next] = [...this.#timers].toSorted((a, b) => a.at - b.at)
      if (next === undefined) return
      this.#timers.delete(next)
      this.#time = Math.max(this.#time, next.at)
      next.run()
      this.#tick()
    })
  }
}
