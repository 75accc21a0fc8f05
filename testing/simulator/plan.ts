/**
 * From a seed to a plan: which faults are on, how many processes and brokers there are, how often they commit.
 *
 * Swarm testing: with all faults on, some hide others. So each seed turns some off, and now and then all but a few.
 */
import { ALL_FAULTS, type Fault, type Random, seededRandom } from '../../transports/simulated/index.ts'

const FEW = 0.25
const FEW_FAULTS = 3

export interface SimulationPlan {
  readonly seed: number
  readonly faults: readonly Fault[]
  readonly processes: number
  readonly brokers: number
  /** How long the storm lasts at least, virtual milliseconds. */
  readonly stormMs: number
  readonly commitIntervalMs: number
  readonly commitWhenIdle: boolean
  readonly sessionTimeoutMs: number
  /** Whether processes leave their groups when they stop. */
  readonly leaves: boolean
}

/** `faults`: instead of those that the seed turns on; all else stays as the seed has it. */
export function planOf(seed: number, faults?: readonly Fault[]): SimulationPlan {
  const random = seededRandom(seed ^ 0x2545f491)
  const chosen = chosenFaults(random)
  return {
    seed,
    faults: faults ?? chosen,
    processes: random.pick([1, 2, 2, 3, 3]),
    brokers: random.pick([1, 2, 3, 3]),
    stormMs: 3_000 + random.below(9_000),
    commitIntervalMs: random.pick([20, 100, 100, 500, 2_000]),
    commitWhenIdle: random.chance(0.5),
    sessionTimeoutMs: random.pick([1_500, 3_000, 6_000]),
    leaves: random.chance(0.5),
  }
}

function chosenFaults(random: Random): Fault[] {
  if (random.chance(FEW)) return ALL_FAULTS.filter(() => random.chance(FEW_FAULTS / ALL_FAULTS.length))
  return ALL_FAULTS.filter(() => random.chance(0.5))
}
