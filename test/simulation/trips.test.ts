/** Sagas through the storms of the simulator: progress, timers and commands of each are one commit, or none. */
import { expect, test } from 'vitest'
import { simulate } from '../../testing/index.ts'
import { trips } from './trips.ts'

const SEEDS = 60

test(`I14, I16: sagas of seeds 1 to ${SEEDS} end whole or not at all`, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { complaints } = await simulate({ app: trips(), seed })
    expect(complaints, `npm run sim -- --seed ${seed} --app trips`).toEqual([])
  }
})
