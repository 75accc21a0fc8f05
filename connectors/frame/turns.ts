/**
 * Deliveries of all tasks of a connector, and the time before a new assignment in which none begins: what is under way is
 * committed by then, and nobody else delivers it again.
 */
import { Latch } from './waiting.ts'

/** A task's turn to deliver: it lasts until the delivery has failed, or its commit has ended. */
export interface Turn {
  /** Ends while deliveries may begin, or when the signal fires. Never rejects. */
  passed(signal: AbortSignal): Promise<void>
  /** Whether one may begin now; then it is under way until `end`. */
  begin(): boolean
  /** Idempotent. */
  end(): void
}

export class Turns {
  readonly #latch = new Latch(false)
  readonly #underWay = new Set<Turn>()
  readonly #idle: (() => void)[] = []

  make(): Turn {
    const turn: Turn = {
      passed: (signal) => this.#latch.passed(signal),
      begin: () => {
        if (this.#latch.isOpen) this.#underWay.add(turn)
        return this.#latch.isOpen
      },
      end: () => {
        this.#underWay.delete(turn)
        if (this.#underWay.size > 0) return
        for (const resolve of this.#idle.splice(0)) resolve()
      },
    }
    return turn
  }

  /** None begins until `open`. Resolves when none is under way. */
  shut(): Promise<void> {
    this.#latch.shut()
    if (this.#underWay.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  open(): void {
    this.#latch.open()
  }
}
