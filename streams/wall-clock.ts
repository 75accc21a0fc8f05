/**
 * The wall time that tasks see, apart from the system clock that may jump.
 *
 * It starts at the later of the last committed wall time and the system clock and moves by the monotonic clock. Where
 * the two clocks drift apart by more than 60 s while the process runs, or the system clock lies more than 60 s behind
 * the last committed time at the start, expiries freeze: wall time goes on, wall timers do not fire, an incident is
 * reported. They thaw once the clocks have agreed for 5 minutes, or when an operator says so. How long a process was down
 * is not known where the system clock was behind at its start: set right, that clock agrees however far ahead it is, if
 * it stays so. What was committed may lie ahead of a clock that was set right since; then, once thawed, wall time stands
 * still until that has caught up.
 */
import type { Clock } from './clock.ts'

export const CLOCK_GAP_LIMIT_MS = 60_000
export const CLOCK_AGREEMENT_MS = 300_000

export interface ClockIncident {
  readonly kind: 'clock-frozen' | 'clock-thawed'
  /** System time minus wall time, milliseconds. */
  readonly gapMs: number
}

export class WallClock {
  readonly #clock: Clock
  readonly #onIncident: (incident: ClockIncident) => void
  #base: number
  #baseMonotonic: number
  #frozen = false
  /** It stands still until the system clock has caught up. */
  #waits = false
  /** Frozen because the system clock was behind at the start. */
  #behindAtStart = false
  /** While frozen: monotonic time since which the clocks agree, and the gap then. */
  #agreed: { readonly since: number; readonly gap: number } | undefined

  constructor(clock: Clock, lastCommitted: number, onIncident: (incident: ClockIncident) => void) {
    this.#clock = clock
    this.#onIncident = onIncident
    const system = clock.now()
    this.#base = Math.max(system, lastCommitted)
    this.#baseMonotonic = clock.monotonic()
    this.#behindAtStart = lastCommitted - system > CLOCK_GAP_LIMIT_MS
    if (this.#behindAtStart) this.#freeze(system - lastCommitted)
  }

  /** Wall time, epoch milliseconds; never goes back. Looks at the system clock as well and may freeze or thaw. */
  now(): number {
    const monotonic = this.#clock.monotonic()
    const system = this.#clock.now()
    if (this.#waits) {
      this.#baseMonotonic = monotonic
      if (system < this.#base) return this.#base
      this.#waits = false
    }
    const wall = this.#base + Math.floor(monotonic - this.#baseMonotonic)
    this.#compare(system - wall, monotonic)
    return wall
  }

  #compare(gap: number, monotonic: number): void {
    if (!this.#agrees(gap)) {
      this.#agreed = undefined
      if (!this.#frozen) this.#freeze(gap)
    } else if (this.#frozen) {
      if (this.#agreed === undefined || Math.abs(gap - this.#agreed.gap) > CLOCK_GAP_LIMIT_MS)
        this.#agreed = { since: monotonic, gap }
      if (monotonic - this.#agreed.since >= CLOCK_AGREEMENT_MS) this.thaw()
    }
  }

  #agrees(gap: number): boolean {
    return gap >= -CLOCK_GAP_LIMIT_MS && (gap <= CLOCK_GAP_LIMIT_MS || this.#behindAtStart)
  }

  /** While true, wall timers and expiries must wait. */
  get frozen(): boolean {
    return this.#frozen
  }

  /** Thawed while it was ahead of the system clock, it does not move until that has caught up. */
  get standsStill(): boolean {
    return this.#waits
  }

  /** Takes the system clock as the truth again, where it is not behind (wall time never goes back). */
  thaw(): void {
    if (!this.#frozen) return
    const monotonic = this.#clock.monotonic()
    const wall = this.#base + Math.floor(monotonic - this.#baseMonotonic)
    const system = this.#clock.now()
    this.#base = Math.max(wall, system)
    this.#baseMonotonic = monotonic
    this.#frozen = false
    this.#behindAtStart = false
    this.#waits = system < wall
    this.#agreed = undefined
    this.#onIncident({ kind: 'clock-thawed', gapMs: system - wall })
  }

  #freeze(gapMs: number): void {
    this.#frozen = true
    this.#onIncident({ kind: 'clock-frozen', gapMs })
  }
}
