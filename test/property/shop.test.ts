/** All topologies of orders together: what is left when every order has ended adds up, by the log and in the rows. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { DriverOptions } from '../../testing/index.ts'
import { PlayedShop, type ShopHistory } from './shop-played.ts'

const histories: fc.Arbitrary<ShopHistory> = fc.record({
  seed: fc.nat(1_000_000),
  orders: fc.integer({ min: 1, max: 12 }),
  completeOn: fc.constantFrom('started' as const, 'started' as const, 'delivered' as const),
  pauses: fc.array(
    fc.tuple(
      fc.constantFrom(0, 0, 200, 1_000, 3_000),
      fc.oneof({ weight: 2, arbitrary: fc.constant(-1) }, { weight: 1, arbitrary: fc.nat(1_000) }),
    ),
    { minLength: 1, maxLength: 12 },
  ),
})

const modes: [string, Partial<DriverOptions>, runs: number][] = [
  ['steady', {}, 20],
  ['restarted after every record', { restartAfterEachRecord: true }, 3],
  ['state from changelogs alone, after every record', { restartAfterEachRecord: true, stateHome: 'task' }, 3],
]

describe.each(modes)('a whole shop, %s', (_, mode, numRuns) => {
  test('keeps I10, I11, I12, I13, I14, I15, I16, I17, I18, I19, I20 and I21', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const shop = await PlayedShop.play(history, mode)
        expect(await shop.judge()).toEqual([])
        await shop.close()
      }),
      { numRuns },
    )
  })
})
