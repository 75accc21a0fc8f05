/** Work that only so many may do at a time, and waiting that can be given up. */

export class Places {
  readonly #limit: number
  readonly #waiting = new Set<() => void>()
  #taken = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Does the work once there is a place for it, first come, first served. Rejects with the signal's reason before that. */
  async take<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    while (this.#taken >= this.#limit) await this.#turn(signal)
    this.#taken++
    try {
      signal.throwIfAborted()
      return await work()
    } finally {
      this.#taken--
      this.#next()
    }
  }

  /** Resolves when there may be a place. */
  async #turn(signal: AbortSignal): Promise<void> {
    let resume = (): void => {}
    const free = new Promise<void>((resolve) => this.#waiting.add((resume = resolve)))
    try {
      await unlessAborted(signal, free)
    } catch (error) {
      // It may have been its turn.
      if (!this.#waiting.delete(resume)) this.#next()
      throw error
    }
  }

  #next(): void {
    const [resume] = this.#waiting
    if (resume === undefined) return
    this.#waiting.delete(resume)
    resume()
  }
}

/** What is waited for; rejects with the signal's reason once nobody waits any more. */
export function unlessAborted<T>(signal: AbortSignal, awaited: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason as Error)
    if (signal.aborted) giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
    awaited.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}
