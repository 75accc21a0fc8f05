/**
 * Points: commands by userId, and what completed, cancelled and returned orders mean for them, repartitioned from
 * orderId to userId. All of a user's meets in one task.
 */
import { keepingOf, pointKeeper, type PointMessage, type PointRules } from '../processors/index.ts'
import {
  type Adjustment,
  adjustmentSchema,
  type OrderEarnings,
  orderEarningsSchema,
  type OrderPoints,
  orderPointsSchema,
  type PointAccount,
  pointAccountSchema,
  type PointBooked,
  type PointDeductResult,
  type PointEarned,
  type PointEntry,
  pointEntrySchema,
  type RestoreResult,
  stateSerde,
  type Topic,
  topics,
} from '../schemas/index.ts'
import { keys, keyValueStore } from '../state/index.ts'
import { processor, shape, type Topology, topology, type TopologyBuilder } from '../streams/index.ts'

/** What a user has, by userId. */
export const pointAccountStore = keyValueStore<PointAccount>({
  name: 'point-accounts',
  value: stateSerde(pointAccountSchema),
  version: pointAccountSchema.version,
})

/** Every change of a user's points, by (userId, 0..n): they add up to what the user has. */
export const pointLedgerStore = keyValueStore<PointEntry, [userId: string, entry: number]>({
  name: 'point-ledger',
  key: keys.tuple(keys.string, keys.int64),
  value: stateSerde(pointEntrySchema),
  version: pointEntrySchema.version,
})

/** What orders spent, by (userId, orderId). */
export const orderPointStore = keyValueStore<OrderPoints, [userId: string, orderId: string]>({
  name: 'order-points',
  key: keys.tuple(keys.string, keys.string),
  value: stateSerde(orderPointsSchema),
  version: orderPointsSchema.version,
  lookups: 'mostly-absent',
})

/** What orders earned, by (userId, orderId). */
export const orderEarningStore = keyValueStore<OrderEarnings, [userId: string, orderId: string]>({
  name: 'order-earnings',
  key: keys.tuple(keys.string, keys.string),
  value: stateSerde(orderEarningsSchema),
  version: orderEarningsSchema.version,
  lookups: 'mostly-absent',
})

/** What became of grants, by (userId, adjustId). */
export const pointAdjustmentStore = keyValueStore<Adjustment, [userId: string, adjustId: string]>({
  name: 'point-adjustments',
  key: keys.tuple(keys.string, keys.string),
  value: stateSerde(adjustmentSchema),
  version: adjustmentSchema.version,
  lookups: 'mostly-absent',
})

const YEAR_MS = 365 * 86_400_000
/** A hundred times what was paid, in hundredths of a per cent. */
const MAX_RATE_BP = 1_000_000

/** What a shop may change; see `PointRules`. */
export interface PointOptions extends Partial<PointRules> {
  /** Every entry of the ledger goes to `point.entry` as well; false unless told. See `docs/data-platform.md`. */
  readonly tellEntries?: boolean
}

/** Declares the point service: 1 % of what was paid, for a year, unless told. Throws a `RangeError` for rules that cannot be. */
export function points(options: PointOptions = {}): Topology {
  const keeper = keeperOf(rulesOf(options))
  return topology('points', (t) => {
    const deducts = t
      .stream(topics.pointDeductRequested, source)
      .mapValues((message): PointMessage => ({ kind: 'DEDUCT', message }), { name: 'deducts' })
    const restores = t
      .stream(topics.pointRestoreRequested, source)
      .mapValues((message): PointMessage => ({ kind: 'RESTORE', message }), { name: 'restores' })
    const adjustments = t
      .stream(topics.pointAdjustRequested, source)
      .mapValues((message): PointMessage => ({ kind: 'ADJUST', message }), { name: 'adjustments' })
    const completed = byUser(
      t,
      topics.orderCompleted,
      'completed-by-user',
      (order) => order.completedAt,
    ).mapValues((message): PointMessage => ({ kind: 'COMPLETED', message }), { name: 'completed' })
    const returned = byUser(t, topics.orderReturned, 'returned-by-user', (order) => order.at).mapValues(
      (message): PointMessage => ({ kind: 'RETURNED', message }),
      { name: 'returned' },
    )
    const cancelled = byUser(t, topics.orderCancelled, 'cancelled-by-user', (order) => order.at).mapValues(
      (message): PointMessage => ({ kind: 'CANCELLED', message }),
      { name: 'cancelled' },
    )
    const out = deducts.merge(restores, adjustments, completed, returned, cancelled).process(keeper)
    out.deducted.to(topics.pointDeductResult)
    out.restored.to(topics.restoreResult)
    out.earned.to(topics.pointEarned)
    if (options.tellEntries === true) out.booked.to(topics.pointEntry)
  })
}

/** A record that says nothing, or about nobody, is a fault of whoever sent it. */
const source = { onNullKey: 'dead-letter', onNullValue: 'dead-letter' } as const

function byUser<V extends { readonly userId: string }>(
  t: TopologyBuilder,
  topic: Topic<V>,
  name: string,
  eventTime: (fact: V) => number,
) {
  return t
    .stream(topic, { ...source, eventTime })
    .selectKey(({ userId }) => userId, { name: `${name}-key` })
    .repartition({ name, key: topic.key, value: topic.value })
}

function rulesOf(options: Partial<PointRules>): PointRules {
  const { rateBp = 100, validForMs = YEAR_MS } = options
  if (!Number.isInteger(rateBp) || rateBp < 0 || rateBp > MAX_RATE_BP) {
    throw new RangeError(`rateBp ${rateBp} is not 0 to ${MAX_RATE_BP}`)
  }
  if (validForMs !== null && !(Number.isSafeInteger(validForMs) && validForMs >= 1)) {
    throw new RangeError(`validForMs ${validForMs} is no duration`)
  }
  return Object.freeze({ ...keepingOf(options), rateBp, validForMs })
}

function keeperOf(rules: PointRules) {
  const keeper = pointKeeper(rules)
  return processor({
    name: 'point-keeper',
    input: shape<string, PointMessage>(),
    stores: {
      accounts: pointAccountStore,
      ledger: pointLedgerStore,
      orders: orderPointStore,
      earnings: orderEarningStore,
      adjustments: pointAdjustmentStore,
    },
    outputs: {
      deducted: shape<string, PointDeductResult>(),
      restored: shape<string, RestoreResult>(),
      earned: shape<string, PointEarned>(),
      booked: shape<string, PointBooked>(),
    },
    timers: { expiry: 'wall', order: 'wall', adjustment: 'wall' },
    process: keeper.process,
    onTimer: { expiry: keeper.expire, order: keeper.forgetOrder, adjustment: keeper.forgetAdjustment },
  })
}
