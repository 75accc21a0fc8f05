/** Whoever waits for an order is woken by the commit that changes it. */
import type { Clock, Streams } from '../../streams/index.ts'
import { orderStore } from '../../topologies/index.ts'

/** A task that goes to another process tells nobody: it is looked again after this. */
const LOOK_AGAIN_MS = 1_000

export class OrderWatch {
  readonly #clock: Pick<Clock, 'after'>
  readonly #waiting = new Map<string, Set<() => void>>()

  constructor(streams: Streams, clock: Pick<Clock, 'after'>) {
    this.#clock = clock
    const runner = streams.runners.find(({ topology }) => topology.name === 'orders')
    runner?.watches.watch(orderStore.name, (orderId: string) => {
      for (const wake of this.#waiting.get(orderId) ?? []) wake()
    })
  }

  /** Resolves with the order's next change, `signal`, or soon in any case: look, and wait again. */
  changed(orderId: string, mostMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve()
    const waiting = this.#waiting.get(orderId) ?? new Set()
    this.#waiting.set(orderId, waiting)
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel()
        signal?.removeEventListener('abort', wake)
        waiting.delete(wake)
        if (waiting.size === 0) this.#waiting.delete(orderId)
        resolve()
      }
      const cancel = this.#clock.after(Math.min(mostMs, LOOK_AGAIN_MS), wake)
      signal?.addEventListener('abort', wake)
      waiting.add(wake)
    })
  }
}
