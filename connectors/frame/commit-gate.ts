/** Commits of all tasks of a connector, and the times between two assignments in which none may be under way. */
import { Latch } from './waiting.ts'

export class CommitGate {
  readonly #latch = new Latch(false)
  readonly #underWay = new Set<Promise<unknown>>()

  /** Waits until commits may begin, then runs one. Throws the signal's reason, and what the commit throws. */
  async run<T>(signal: AbortSignal, commit: () => Promise<T>): Promise<T> {
    // Looked at in the turn in which the commit begins: whoever waits at the latch goes on a turn later, and may find it
    // shut again.
    while (!this.#latch.isOpen && !signal.aborted) await this.#latch.passed(signal)
    signal.throwIfAborted()
    const running = commit()
    this.#underWay.add(running)
    try {
      return await running
    } finally {
      this.#underWay.delete(running)
    }
  }

  /** None begins until `open`. Resolves when none is under way. */
  async shut(): Promise<void> {
    this.#latch.shut()
    await Promise.allSettled(this.#underWay)
  }

  open(): void {
    this.#latch.open()
  }
}
