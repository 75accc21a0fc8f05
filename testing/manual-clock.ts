import type { Clock } from '../streams/index.ts'

/** Both clocks in hand: time moves only when told. */
export class ManualClock implements Clock {
  #now: number
  #monotonic = 0
  readonly #timers = new Set<{ readonly at: number; readonly run: () => void }>()

  /** @param start system time, epoch milliseconds */
  constructor(start: number) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#monotonic
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#monotonic + ms, run }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  yield(): Promise<void> {
    return Promise.resolve()
  }

  /** Moves both clocks and calls what fell due, in order. */
  advance(ms: number): void {
    this.#now += ms
    this.#monotonic += ms
    const due = [...this.#timers]
      .filter((timer) => timer.at <= this.#monotonic)
      .toSorted((a, b) => a.at - b.at)
    for (const timer of due) {
      this.#timers.delete(timer)
      timer.run()
    }
  }

  /** Moves the system clock alone, as an operator or NTP would. */
  jump(ms: number): void {
    this.#now += ms
  }
}
