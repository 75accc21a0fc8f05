/**
 * Stops a task from emptying an input into its dead letters.
 *
 * Its job: to look back on the last records of each input, to say that they are a flood, and to hold the task until the
 * cool-down is over or somebody lets it go. Not its job: what becomes of a record, telling anybody (`task.ts`).
 *
 * Invariants:
 * 1. What counts are records that are through: the one that opens the breaker is part of its batch, dead letter and all.
 * 2. It decides when a record is taken, never what becomes of it; so it is no part of a batch's journal, and a batch is
 *    decided again without it.
 * 3. It is not stored: a task that is opened again begins with an empty window.
 */
import type { BreakerPolicy } from './policies.ts'

/** The rule. */
export function isFlood(records: number, deadLetters: number, policy: BreakerPolicy): boolean {
  return deadLetters >= policy.leastDeadLetters && deadLetters * 100 >= records * policy.percent
}

/** The last records of one input: how many there are, and how many of them became dead letters. */
export class BreakerWindow {
  readonly #policy: BreakerPolicy
  /** A ring; 1 for a dead letter. */
  readonly #died: Uint8Array
  #next = 0
  #records = 0
  #deadLetters = 0

  constructor(policy: BreakerPolicy) {
    this.#policy = policy
    this.#died = new Uint8Array(policy.windowRecords)
  }

  get records(): number {
    return this.#records
  }

  get deadLetters(): number {
    return this.#deadLetters
  }

  /** Counts a record; answers whether the last ones are a flood, which only a dead letter can make them. */
  note(died: boolean): boolean {
    const at = this.#next
    if (this.#records < this.#died.length) this.#records++
    else this.#deadLetters -= this.#died[at] as number
    this.#died[at] = died ? 1 : 0
    this.#next = at + 1 === this.#died.length ? 0 : at + 1
    if (!died) return false
    this.#deadLetters++
    return isFlood(this.#records, this.#deadLetters, this.#policy)
  }

  clear(): void {
    this.#next = 0
    this.#records = 0
    this.#deadLetters = 0
  }
}

/** Why a task is paused. */
export interface Flood {
  readonly topic: string
  /** The last records of the topic, and how many of them became dead letters. */
  readonly records: number
  readonly deadLetters: number
  /** Milliseconds until the task goes on by itself; `Infinity`: not by itself. */
  readonly cooldownMs: number
}

/** The breakers of one task: while one is open, the whole task takes nothing, as its inputs are read in one order. */
export class TaskBreaker {
  readonly #policy: BreakerPolicy | undefined
  readonly #windows = new Map<string, BreakerWindow>()
  readonly #monotonic: () => number
  readonly #onChange: (topic: string, flood: Flood | undefined) => void
  #flood: Flood | undefined
  #until = 0

  /** @param onChange a breaker opened, or, without a flood, closed */
  constructor(
    policy: BreakerPolicy | 'off',
    monotonic: () => number,
    onChange: (topic: string, flood: Flood | undefined) => void,
  ) {
    this.#policy = policy === 'off' ? undefined : policy
    this.#monotonic = monotonic
    this.#onChange = onChange
  }

  /** The flood that holds the task, if one does. */
  get flood(): Flood | undefined {
    return this.#flood
  }

  /** Whether the task has to wait; lets it go where the cool-down is over. */
  holds(): boolean {
    if (this.#flood === undefined) return false
    if (this.#monotonic() >= this.#until) this.release()
    return this.#flood !== undefined
  }

  /** A record of the topic is through. */
  note(topic: string, died: boolean): void {
    if (this.#policy === undefined) return
    const window = this.#windows.get(topic) ?? new BreakerWindow(this.#policy)
    this.#windows.set(topic, window)
    if (!window.note(died)) return
    const { records, deadLetters } = window
    const { cooldownMs } = this.#policy
    this.#flood = { topic, records, deadLetters, cooldownMs }
    this.#until = this.#monotonic() + cooldownMs
    // What made it open does not count twice: it opens again after as many more.
    window.clear()
    this.#onChange(topic, this.#flood)
  }

  /** Lets the task go on; answers whether it was held. */
  release(): boolean {
    const flood = this.#flood
    if (flood === undefined) return false
    this.#flood = undefined
    this.#onChange(flood.topic, undefined)
    return true
  }
}
