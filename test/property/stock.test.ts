/** I11 and I12: stock against a plain model, over random commands, repeats, late undos and crashes. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { StockCommand } from '../../processors/index.ts'
import { topics } from '../../schemas/index.ts'
import { stock, stockLevelStore } from '../../topologies/index.ts'
import { adjust, commit, linesOf, reserve, restore } from '../unit/stock/given.ts'
import { answersOf, decidedOtherwise, historiesOf, play, played, SAMPLE, sentBy } from './service-history.ts'
import { StockModel } from './stock-model.ts'

const products = ['tea', 'milk']
const about = {
  productId: fc.constantFrom(...products),
  orderId: fc.constantFrom('o1', 'o2', 'o3'),
  epoch: fc.constantFrom(0, 0, 0, 1, 2),
  lines: fc.constantFrom('1x1', '1x2', '1x2 2x1', '2x3').map(linesOf),
}
const command: fc.Arbitrary<StockCommand> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record(about).map((to): StockCommand => ({ kind: 'RESERVE', command: reserve(to) })),
  },
  {
    weight: 2,
    arbitrary: fc.record(about).map((to): StockCommand => ({ kind: 'RESTORE', command: restore(to) })),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ ...about, returnId: fc.constantFrom('r1', 'r2') })
      .map((to): StockCommand => ({ kind: 'RESTORE', command: restore(to) })),
  },
  {
    weight: 2,
    arbitrary: fc.record(about).map((to): StockCommand => ({ kind: 'COMMIT', command: commit(to) })),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(about.productId, fc.integer({ min: -4, max: 6 })).map(
      ([productId, quantity]): StockCommand => ({
        kind: 'ADJUST',
        command: adjust(quantity, { productId }),
      }),
    ),
  },
)
const histories = historiesOf(command, fc.integer({ min: 1, max: 20 }))

const topicOf = {
  RESERVE: topics.stockReserveRequested,
  RESTORE: topics.stockRestoreRequested,
  COMMIT: topics.stockCommitRequested,
  ADJUST: topics.stockAdjustRequested,
}

describe.each(played)('%s', (_, mode) => {
  test('I11 I12 stock answers as the plain model does and keeps its sums', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const service = stock()
        const { driver, sent } = await play(
          service,
          history,
          ({ kind, command: value }) => [topicOf[kind] as never, value],
          { breaker: 'off', ...mode },
        )
        const model = new StockModel()
        for (const { command: each } of sent) model.apply(each)
        const answers = answersOf(driver, topics.stockReserveResult)
        expect(answers).toEqual(model.reserved)
        expect(answersOf(driver, topics.restoreResult)).toEqual(model.restored)
        for (const productId of products) {
          const level = driver.store(service, stockLevelStore).get(productId).value
          const { available, reserved, sold, received } = model.level(productId)
          expect(Math.min(available, reserved, sold)).toBeGreaterThanOrEqual(0)
          expect({ received: 0, available: 0, reserved: 0, sold: 0, ...level }).toEqual({
            received,
            available,
            reserved,
            sold,
          })
        }
        if (mode.stateHome !== 'task') expect(await decidedOtherwise(driver, service, mode)).toEqual([])
        await driver.close()
      }),
      { numRuns: 40 },
    )
  })
})

test('stock is tried on histories in which everything happens', () => {
  const seen = new Set<string>()
  for (const history of fc.sample(histories, SAMPLE)) {
    const model = new StockModel()
    for (const { command: each } of sentBy(history).sent) model.apply(each)
    for (const { status, reason } of [...model.reserved, ...model.restored]) seen.add(reason ?? status)
  }
  expect([...seen].sort()).toEqual([
    'ALREADY',
    'CANCELLED',
    'EXCEEDS_SOLD',
    'NOT_HELD',
    'OUT_OF_STOCK',
    'RESERVED',
    'RESTORED',
    'UNKNOWN_PRODUCT',
  ])
})
