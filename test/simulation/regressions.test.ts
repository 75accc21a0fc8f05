/** Seeds that failed once, with what was wrong. They run among the others too, for as long as plans do not change. */
import { expect, test } from 'vitest'
import { simulate } from '../../testing/index.ts'
import { appOf } from './apps.ts'

test.each([
  [63, 'expiries stayed frozen for ever behind a clock that had been set right, whatever the operator said'],
  [
    97,
    'an id that is given up after a lost answer (Kafka 3.9) made the tasks that were being opened refused',
  ],
  [165, 'a task that another process had meanwhile, and committed first, was refused: RESET_REQUIRED'],
])('seed %i: %s', async (seed) => {
  const { complaints } = await simulate({ app: appOf(seed), seed })
  expect(complaints).toEqual([])
})
