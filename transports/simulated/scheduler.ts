/**
 * Virtual time: everything that happens in a simulation is an event here, and one event runs at a time.
 *
 * Before the next event, everything that the last one set off has run: promises settle in between, in the order in which
 * the language runs them, which is always the same. So a seed is a schedule.
 *
 * Not its job: what the events are; chance.
 */

interface Scheduled {
  readonly at: number
  /** Events of one moment run in the order in which they were planned. */
  readonly order: number
  run: (() => void) | undefined
}

export class Scheduler {
  /** Min-heap by time, then order. */
  readonly #heap: Scheduled[] = []
  #now = 0
  #planned = 0
  #ran = 0

  /** Virtual milliseconds since the start of the world. */
  get now(): number {
    return this.#now
  }

  /** Events so far. */
  get ran(): number {
    return this.#ran
  }

  /** Calls `run` after `delayMs`; the answer cancels it. */
  plan(delayMs: number, run: () => void): () => void {
    const event: Scheduled = { at: this.#now + Math.max(0, delayMs), order: this.#planned++, run }
    this.#push(event)
    return () => {
      event.run = undefined
    }
  }

  /** Runs events until `isOver` says so, nothing is planned, or it is `limit` o'clock; answers whether it is over. */
  async runUntil(isOver: () => boolean, limit: number): Promise<boolean> {
    await everythingSettled()
    while (!isOver()) {
      const next = this.#heap[0]
      if (next === undefined || next.at > limit) {
        this.#now = Math.max(this.#now, Number.isFinite(limit) ? limit : this.#now)
        return false
      }
      this.#pop()
      const { run } = next
      if (run === undefined) continue
      this.#now = next.at
      this.#ran++
      run()
      await everythingSettled()
    }
    return true
  }

  // --- the heap

  #push(event: Scheduled): void {
    const heap = this.#heap
    let at = heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent] as Scheduled)) break
      heap[at] = heap[parent] as Scheduled
      at = parent
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop() as Scheduled
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Scheduled, heap[child] as Scheduled)) child++
      if (!isBefore(heap[child] as Scheduled, last)) break
      heap[at] = heap[child] as Scheduled
      at = child
    }
    heap[at] = last
  }
}

/** Node runs an immediate once no promise is left that could go on. */
function everythingSettled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function isBefore(one: Scheduled, other: Scheduled): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order)
}
