/** When to kill: after so many of something that the test sees happen, never after so much time. */
import type { Random } from '../support/random.ts'

/**
 * `opening`, `opened`: while the process starts. `sent`, `acknowledged`, `verdict` (read for the first time): after that many of them under
 * load. `told`: when the test says so.
 */
export type Trigger = 'opening' | 'opened' | 'sent' | 'acknowledged' | 'verdict' | 'told'

export interface KillPlan {
  readonly trigger: Trigger
  readonly count: number
}

/** One in ten kills hits a process that is still starting. */
const DURING_START = 0.1

export function planKill(random: Random, most: number): KillPlan {
  if (random.chance(DURING_START)) return { trigger: random.pick(['opening', 'opened']), count: 1 }
  const trigger = random.pick<Trigger>(['sent', 'acknowledged', 'acknowledged', 'verdict'])
  // Some kills come early: then the process has hardly anything but what it recovered.
  const limit = random.chance(0.3) ? Math.ceil(most / 10) : most
  return { trigger, count: 1 + random.below(limit) }
}

export class KillSwitch {
  readonly #plan: KillPlan
  readonly #kill: () => void
  #left: number
  #thrown = false

  constructor(plan: KillPlan, kill: () => void) {
    this.#plan = plan
    this.#left = plan.count
    this.#kill = kill
  }

  /** Ends a load that nothing but the test itself ends. */
  static told(): KillSwitch {
    return new KillSwitch({ trigger: 'told', count: 1 }, () => {})
  }

  get thrown(): boolean {
    return this.#thrown
  }

  /** Counts; kills in this very turn of the event loop when the count is full. */
  saw(trigger: Trigger): void {
    if (this.#thrown || trigger !== this.#plan.trigger || --this.#left > 0) return
    this.#thrown = true
    this.#kill()
  }
}
