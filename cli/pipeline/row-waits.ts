/** Whoever waits for a row of a store is woken by the commit that changes it. */
import type { Clock, Streams } from '../../streams/index.ts'

/** A task that goes to another process tells nobody: it is looked again after this. */
const LOOK_AGAIN_MS = 1_000

export interface RowWaitsOptions {
  readonly topology: string
  /** Its keys are texts. */
  readonly store: string
  readonly streams: Streams
  readonly clock: Pick<Clock, 'after' | 'monotonic'>
}

export interface RowWait {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export class RowWaits {
  readonly #clock: RowWaitsOptions['clock']
  readonly #waiting = new Map<string, Set<() => void>>()

  constructor({ topology, store, streams, clock }: RowWaitsOptions) {
    this.#clock = clock
    const runner = streams.runners.find((one) => one.topology.name === topology)
    runner?.watches.watch(store, (key: string) => {
      for (const wake of this.#waiting.get(key) ?? []) wake()
    })
  }

  /**
   * Looks until it is enough, time is over or `signal` fires. `look` answers the row to wait for, or nothing where it is
   * enough.
   */
  async until(
    look: () => string | undefined | Promise<string | undefined>,
    { timeoutMs, signal }: RowWait,
  ): Promise<void> {
    const end = this.#clock.monotonic() + timeoutMs
    for (;;) {
      const key = await look()
      const left = end - this.#clock.monotonic()
      if (key === undefined || left <= 0 || signal?.aborted === true) return
      await this.#changed(key, left, signal)
    }
  }

  /** Resolves with the row's next change, `signal`, or soon in any case: look, and wait again. */
  #changed(key: string, mostMs: number, signal: AbortSignal | undefined): Promise<void> {
    const waiting = this.#waiting.get(key) ?? new Set()
    this.#waiting.set(key, waiting)
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel()
        signal?.removeEventListener('abort', wake)
        waiting.delete(wake)
        if (waiting.size === 0) this.#waiting.delete(key)
        resolve()
      }
      const cancel = this.#clock.after(Math.min(mostMs, LOOK_AGAIN_MS), wake)
      signal?.addEventListener('abort', wake)
      waiting.add(wake)
    })
  }
}
