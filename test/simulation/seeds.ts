/** The seeds of every day: coupons, rankings and timers through storms of faults (F1–F10, F15, F16, F19, F23). */
import { describe, expect, test } from 'vitest'
import { simulate } from '../../testing/index.ts'
import { appNameOf, appOf } from './apps.ts'

/** Those of one file: files run beside each other. */
const SEEDS = 250
const PER_TEST = 25

/** @param first the first seed */
export function seedsComeOutRight(first: number): void {
  describe('in the simulator', () => {
    for (let from = first; from < first + SEEDS; from += PER_TEST) {
      test(`seeds ${from} to ${from + PER_TEST - 1} come out right`, async () => {
        for (let seed = from; seed < from + PER_TEST; seed++) {
          const { complaints } = await simulate({ app: appOf(seed), seed })
          expect(complaints, `npm run sim -- --seed ${seed} (${appNameOf(seed)})`).toEqual([])
        }
      })
    }
  })
}
