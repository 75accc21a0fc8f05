/**
 * Durable timers: at most one per (name, key), stored in the task's own rows, so that they move and restart with it.
 * `stream` timers fall due when the task's stream time reaches them, `wall` timers when its wall time does.
 */
export type TimerClock = 'stream' | 'wall'

export interface DueTimer {
  readonly clock: TimerClock
  readonly name: string
  readonly key: string
  /** When it was to fire, epoch milliseconds. */
  readonly at: number
}

/** What a processor sees of one declared timer. */
export interface TimerHandle {
  /** Sets or moves the timer of `key`; `at` in epoch milliseconds of the timer's clock. */
  schedule(key: string, at: number): void
  cancel(key: string): void
  /** When the timer of `key` is due, if it is set. */
  dueAt(key: string): number | undefined
}
