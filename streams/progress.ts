/** How far a topology has committed its inputs, and callers that wait for it. */
import type { Clock } from './clock.ts'
import type { Position } from './record.ts'

interface Waiter {
  readonly offset: number
  readonly settle: (reached: boolean) => void
}

export class Progress {
  readonly #clock: Clock
  readonly #positions = new Map<string, number>()
  readonly #waiters = new Map<string, Set<Waiter>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The next offset to be processed of a partition, committed; 0 before the first commit. */
  position(topic: string, partition: number): number {
    return this.#positions.get(`${topic}-${partition}`) ?? 0
  }

  /** Takes the positions of a commit and lets go whom it satisfies. */
  advance(positions: readonly Position[]): void {
    for (const { topic, partition, offset } of positions) {
      const key = `${topic}-${partition}`
      this.#positions.set(key, offset)
      const waiters = this.#waiters.get(key)
      if (waiters === undefined) continue
      for (const waiter of waiters) if (waiter.offset < offset) waiter.settle(true)
    }
  }

  /** Resolves true once the record at `offset` is processed and committed, false after `timeoutMs`. */
  reached(topic: string, partition: number, offset: number, timeoutMs: number): Promise<boolean> {
    if (offset < this.position(topic, partition)) return Promise.resolve(true)
    if (timeoutMs <= 0) return Promise.resolve(false)
    const key = `${topic}-${partition}`
    const waiters = this.#waiters.get(key) ?? new Set()
    this.#waiters.set(key, waiters)
    return new Promise((resolve) => {
      const cancel = this.#clock.after(timeoutMs, () => waiter.settle(false))
      const waiter: Waiter = {
        offset,
        settle(reached) {
          cancel()
          waiters.delete(waiter)
          resolve(reached)
        },
      }
      waiters.add(waiter)
    })
  }

  /** Lets every waiter go: the topology stops. */
  close(): void {
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.settle(false)
  }
}
