/** Time as the engine needs it; the composition root gives the real one, tests give theirs. */
export interface Clock {
  /** System time, epoch milliseconds; may jump. */
  now(): number
  /** Milliseconds since some start; never goes back. */
  monotonic(): number
  /** Calls `run` once after `ms`; the answer cancels it. */
  after(ms: number, run: () => void): () => void
  /** Lets everything else that is ready run first. */
  yield(): Promise<void>
}
