/** A shop that takes orders through the storms of the simulator: whatever happens, its books add up. */
import { expect, test } from 'vitest'
import { simulate } from '../../testing/index.ts'
import { orders } from './orders.ts'

const SEEDS = 12

test(`I10 to I21: orders of seeds 1 to ${SEEDS} end once, whole or not at all, and the books add up`, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { complaints } = await simulate({ app: orders(), seed })
    expect(complaints, `npm run sim -- --seed ${seed} --app orders`).toEqual([])
  }
})
