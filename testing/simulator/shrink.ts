/** From a failing seed to its smallest failing set of faults: each fault is turned off that the failure does not need. */
import type { Fault } from '../../transports/simulated/index.ts'
import { simulate, type SimulationOptions, type SimulationResult } from './simulate.ts'

/** `make` gives a fresh app for each run. The answer fails as well, if not always in the same way. */
export async function shrink(
  failed: SimulationResult,
  make: () => SimulationOptions['app'],
): Promise<SimulationResult> {
  let smallest = failed
  const tryWith = async (faults: readonly Fault[]): Promise<boolean> => {
    const result = await simulate({ app: make(), seed: failed.seed, faults })
    if (result.complaints.length === 0) return false
    smallest = result
    return true
  }
  // Half of them at once first: mostly few are needed.
  for (
    let size = Math.ceil(failed.plan.faults.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = 0; at < smallest.plan.faults.length; ) {
      const { faults } = smallest.plan
      const without = [...faults.slice(0, at), ...faults.slice(at + size)]
      if (!(await tryWith(without))) at += size
    }
  }
  return smallest
}
