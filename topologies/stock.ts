/**
 * Stock: commands about a product meet in one task, which decides them one after the other. All of them are
 * co-partitioned by productId and carry the log's append time; the answers go back by orderId.
 */
import { type Keeping, keepingOf, type StockCommand, stockKeeper } from '../processors/index.ts'
import {
  type Adjustment,
  adjustmentSchema,
  type OrderStock,
  orderStockSchema,
  type RestoreResult,
  stateSerde,
  type StockLevel,
  stockLevelSchema,
  type StockReserveResult,
  topics,
} from '../schemas/index.ts'
import { keys, keyValueStore } from '../state/index.ts'
import { processor, shape, type Topology, topology } from '../streams/index.ts'

/** How much there is of a product, by productId. */
export const stockLevelStore = keyValueStore<StockLevel>({
  name: 'stock-levels',
  value: stateSerde(stockLevelSchema),
  version: stockLevelSchema.version,
})

/** What orders have of a product, by (productId, orderId). */
export const orderStockStore = keyValueStore<OrderStock, [productId: string, orderId: string]>({
  name: 'order-stock',
  key: keys.tuple(keys.string, keys.string),
  value: stateSerde(orderStockSchema),
  version: orderStockSchema.version,
  lookups: 'mostly-absent',
})

/** What became of operators' adjustments, by (productId, adjustId). */
export const stockAdjustmentStore = keyValueStore<Adjustment, [productId: string, adjustId: string]>({
  name: 'stock-adjustments',
  key: keys.tuple(keys.string, keys.string),
  value: stateSerde(adjustmentSchema),
  version: adjustmentSchema.version,
  lookups: 'mostly-absent',
})

/** Declares the stock service. Throws a `RangeError` for durations that cannot be. */
export function stock(options: Partial<Keeping> = {}): Topology {
  const keeper = keeperOf(keepingOf(options))
  return topology('stock', (t) => {
    const reserves = t
      .stream(topics.stockReserveRequested, source)
      .mapValues((command): StockCommand => ({ kind: 'RESERVE', command }), { name: 'reserves' })
    const restores = t
      .stream(topics.stockRestoreRequested, source)
      .mapValues((command): StockCommand => ({ kind: 'RESTORE', command }), { name: 'restores' })
    const commits = t
      .stream(topics.stockCommitRequested, source)
      .mapValues((command): StockCommand => ({ kind: 'COMMIT', command }), { name: 'commits' })
    const adjustments = t
      .stream(topics.stockAdjustRequested, source)
      .mapValues((command): StockCommand => ({ kind: 'ADJUST', command }), { name: 'adjustments' })
    const answers = reserves.merge(restores, commits, adjustments).process(keeper)
    answers.reserved.to(topics.stockReserveResult)
    answers.restored.to(topics.restoreResult)
  })
}

/** A command that says nothing, or for no product, is a fault of whoever sent it. */
const source = { onNullKey: 'dead-letter', onNullValue: 'dead-letter' } as const

function keeperOf(keeping: Keeping) {
  const keeper = stockKeeper(keeping)
  return processor({
    name: 'stock-keeper',
    input: shape<string, StockCommand>(),
    stores: { levels: stockLevelStore, orders: orderStockStore, adjustments: stockAdjustmentStore },
    outputs: { reserved: shape<string, StockReserveResult>(), restored: shape<string, RestoreResult>() },
    timers: { order: 'wall', adjustment: 'wall' },
    process: keeper.process,
    onTimer: { order: keeper.forgetOrder, adjustment: keeper.forgetAdjustment },
  })
}
