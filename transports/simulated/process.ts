/**
 * A process of the simulated world: what is done in it is done through here, so that it can be killed and halted.
 *
 * Killed, nothing of it goes on: timers, answers and disk operations that it waits for never come. Halted, they wait, as
 * for a process that is stopped or whose event loop is blocked.
 */
import type { Clock } from '../../streams/index.ts'
import type { Random } from './random.ts'
import type { Scheduler } from './scheduler.ts'

/** Milliseconds that everything else may take before a process that let go has its turn again. */
const YIELD_MS = 0.5

export interface ProcessOptions {
  readonly name: string
  readonly scheduler: Scheduler
  readonly random: Random
  /** System time at the start of the world, epoch milliseconds. */
  readonly epoch: number
}

export class SimulatedProcess {
  readonly name: string
  readonly clock: Clock
  readonly #scheduler: Scheduler
  #isAlive = true
  #isHalted = false
  readonly #held: (() => void)[] = []
  readonly #onKill = new Set<() => void>()
  /** How far its system clock is off, milliseconds. */
  #offset = 0

  constructor({ name, scheduler, random, epoch }: ProcessOptions) {
    this.name = name
    this.#scheduler = scheduler
    this.clock = {
      now: () => Math.floor(epoch + scheduler.now + this.#offset),
      monotonic: () => scheduler.now,
      after: (ms, run) => this.later(ms, run),
      yield: () => new Promise((resolve) => this.later(random.next() * YIELD_MS, resolve)),
    }
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  get isHalted(): boolean {
    return this.#isHalted
  }

  /** Runs in the process after `ms`, if it is alive then, and once it is not halted. */
  later(ms: number, run: () => void): () => void {
    let isWanted = true
    const once = (): void => {
      if (isWanted) run()
    }
    const cancel = this.#scheduler.plan(ms, () => this.#deliver(once))
    return () => {
      isWanted = false
      cancel()
    }
  }

  #deliver(run: () => void): void {
    if (!this.#isAlive) return
    if (this.#isHalted) this.#held.push(run)
    else run()
  }

  /** Calls `run` when the process is killed; the answer ends that. */
  onKill(run: () => void): () => void {
    this.#onKill.add(run)
    return () => this.#onKill.delete(run)
  }

  /** Idempotent. */
  kill(): void {
    if (!this.#isAlive) return
    this.#isAlive = false
    this.#held.length = 0
    for (const run of this.#onKill) run()
    this.#onKill.clear()
  }

  halt(): void {
    this.#isHalted = true
  }

  /** What came meanwhile is done now, in order. */
  resume(): void {
    this.#isHalted = false
    for (const run of this.#held.splice(0)) this.later(0, run)
  }

  /** Moves the system clock alone. */
  jump(ms: number): void {
    this.#offset += ms
  }

  /** The system clock is set right. */
  setClock(): void {
    this.#offset = 0
  }
}
