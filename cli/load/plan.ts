/** Who asks when: made up front from the seed, so that no answer can slow the questions down. */
import { SeededRandom } from './random.ts'

export interface RushOptions {
  /** Requests. */
  readonly requests: number
  /** Mean arrivals per second; they come at random, as people do. */
  readonly ratePerSecond: number
  /** Distinct users. Each asks once before anyone asks again. */
  readonly users: number
  readonly seed: number
  /** Share of the requests whose decision is waited for at once, 0 to 1. */
  readonly followed: number
}

/** One row per request. */
export interface RushPlan {
  readonly requests: number
  /** Milliseconds after the start, ascending. */
  readonly dueMs: Float64Array
  readonly user: Uint32Array
  readonly followed: Uint8Array
}

const MS_PER_SECOND = 1000

export function planRush({ requests, ratePerSecond, users, seed, followed }: RushOptions): RushPlan {
  const random = new SeededRandom(seed)
  const plan: RushPlan = {
    requests,
    dueMs: new Float64Array(requests),
    user: new Uint32Array(requests),
    followed: new Uint8Array(requests),
  }
  const order = shuffled(users, random)
  let at = 0
  for (let index = 0; index < requests; index++) {
    at += random.exponential(MS_PER_SECOND / ratePerSecond)
    plan.dueMs[index] = at
    plan.user[index] = index < users ? (order[index] as number) : random.below(users)
    plan.followed[index] = random.next() < followed ? 1 : 0
  }
  return plan
}

/** 0 to `size` - 1 in random order (Fisher and Yates). */
function shuffled(size: number, random: SeededRandom): Uint32Array {
  const numbers = Uint32Array.from({ length: size }, (_, index) => index)
  for (let last = size - 1; last > 0; last--) {
    const other = random.below(last + 1)
    const kept = numbers[last] as number
    numbers[last] = numbers[other] as number
    numbers[other] = kept
  }
  return numbers
}
