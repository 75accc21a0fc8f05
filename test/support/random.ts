/** Chance from a seed: the same seed gives the same choices, so a failing run can be repeated. */

export { type Random, seededRandom } from '../../transports/simulated/random.ts'

/** The seed of this run: `CRASH_SEED`, or a new one. */
export function seedOfRun(): number {
  const given = process.env['CRASH_SEED']
  return given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)
}

/** Kills of a crash test: `CRASH_RUNS`, or what a short run does. */
export function crashRuns(short: number): number {
  const given = process.env['CRASH_RUNS']
  return given === undefined ? short : Number(given)
}
