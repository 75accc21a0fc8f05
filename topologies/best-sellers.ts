/**
 * Best-sellers: orders → what they add to each product (by orderId) → each partition's best products (by productId) →
 * one board per window and metric.
 */
import {
  applyDelta,
  boardRoute,
  calendarOf,
  closeByStreamTime,
  closeWhenIdle,
  makeSnapshot,
  MAX_DEPTH,
  mergeUpdate,
  OPEN,
  type OrderFact,
  parseSnapshotKey,
  type RankingRules,
  reportProgress,
  salesDeriver,
  sendChanged,
  settle,
  startSweep,
  sweep,
  windowKey,
  type WindowName,
} from '../processors/index.ts'
import {
  type BoardPart,
  boardPartSchema,
  type BoardState,
  boardStateSchema,
  type HourTally,
  hourTallySchema,
  type MergeProgress,
  mergeProgressSchema,
  type RankerProgress,
  rankerProgressSchema,
  type RankingPartitionUpdate,
  type RankingSalesDelta,
  type RankingSnapshot,
  rankingSnapshotSchema,
  type SaleState,
  saleStateSchema,
  stateSerde,
  topics,
  type WindowMeta,
  windowMetaSchema,
  type WindowSum,
  windowSumSchema,
} from '../schemas/index.ts'
import { type KeyCodec, keys, keyValueStore, type WindowedKey, windowStore } from '../state/index.ts'
import { partitionFor, processor, shape, type Topology, topology } from '../streams/index.ts'

export interface BestSellerOptions {
  /** IANA zone in which days and weeks begin; UTC unless told. Part of the stores' names: sums of two zones never mix. */
  readonly timeZone?: string
  /** Stream time beyond a window's end at which it closes, milliseconds; an hour unless told. */
  readonly graceMs?: number
  /** What closes windows; `streamTime` unless told. `wallClock`: also the wall clock, in tasks without input. */
  readonly closing?: 'streamTime' | 'wallClock'
  /** Stream time beyond a window's end at which it is deleted, milliseconds; 400 days unless told. `Infinity`: never. */
  readonly retentionMs?: number
  /** Entries of a board, 1 to 1,000; 1,000 unless told. */
  readonly depth?: number
}

/** The topology with the stores that queries read; a board's routing key is `boardRoute(board)`. */
export interface BestSellers extends Topology {
  readonly stores: ReturnType<typeof storesFor>
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** The longest window, a week whose clocks go back, and some. */
const LONGEST_WINDOW_MS = 8 * DAY_MS

/** Declares the ranking. Throws a `RangeError` for options that cannot be. */
export function bestSellers(options: BestSellerOptions = {}): BestSellers {
  const rules = rulesOf(options)
  const stores = storesFor(rules)
  const deriver = deriverOf(rules, stores)
  const ranker = rankerOf(rules, stores)
  const merger = mergerOf(rules, stores)
  const built = topology('best-sellers', (t) => {
    const confirmed = t
      .stream(topics.orderConfirmed, { ...fromOrders, eventTime: (order) => order.confirmedAt })
      .mapValues((order): OrderFact => ({ kind: 'SALE', order }), { name: 'confirmed' })
    const cancelled = t
      .stream(topics.orderCancelled, { ...fromOrders, eventTime: (order) => order.at })
      .mapValues((order): OrderFact => ({ kind: 'CANCEL', order }), { name: 'cancelled' })
    const returned = t
      .stream(topics.orderReturned, { ...fromOrders, eventTime: (order) => order.at })
      .mapValues((order): OrderFact => ({ kind: 'RETURN', order }), { name: 'returned' })
    confirmed
      .merge(cancelled, returned)
      .process(deriver, { onError: 'dead-letter' })
      .deltas.to(topics.rankingSalesDelta)

    t.stream(topics.rankingSalesDelta, { eventTime: (delta) => delta.eventTime })
      .process(ranker, { onError: 'dead-letter' })
      .updates.to(topics.rankingPartitionUpdate, {
        partition: ({ value }, partitions) => partitionFor(Buffer.from(boardRoute(value)), partitions),
      })

    // The updates bear the ranker's wall time, which may be ahead of the log's.
    t.stream(topics.rankingPartitionUpdate, { onBadTimestamp: 'accept' })
      .process(merger)
      .snapshots.to(topics.rankingSnapshot)
  })
  return Object.freeze({ ...built, stores })
}

/** A fact that says nothing, or of no order, is a fault of whoever sent it. */
const fromOrders = { onNullKey: 'dead-letter', onNullValue: 'dead-letter' } as const

function rulesOf(options: BestSellerOptions): RankingRules {
  const { timeZone = 'UTC', graceMs = HOUR_MS, closing = 'streamTime' } = options
  const { retentionMs = 400 * DAY_MS, depth = MAX_DEPTH } = options
  if (!Number.isSafeInteger(graceMs) || graceMs < 0) throw new RangeError(`graceMs ${graceMs} is no duration`)
  if (!(retentionMs >= graceMs))
    throw new RangeError(`retentionMs ${retentionMs} is below graceMs ${graceMs}`)
  if (!Number.isSafeInteger(retentionMs) && retentionMs !== Number.POSITIVE_INFINITY) {
    throw new RangeError(`retentionMs ${retentionMs} is no duration`)
  }
  if (!Number.isInteger(depth) || depth < 1 || depth > MAX_DEPTH) {
    throw new RangeError(`depth ${depth} is not 1 to ${MAX_DEPTH}`)
  }
  return Object.freeze({ calendar: calendarOf(timeZone), graceMs, closing, retentionMs, depth })
}

/** Part of a store's name: the zone in small letters, digits and hyphens. */
function zoneSuffix(timeZone: string): string {
  return timeZone
    .toLowerCase()
    .replaceAll('+', '-plus-')
    .replace(/-(?=\d)/, '-minus-')
    .replaceAll(/[^a-z0-9-]/g, '-')
}

function storesFor({ calendar, retentionMs }: RankingRules) {
  const zone = zoneSuffix(calendar.timeZone)
  const sumGroup = ({ window, start }: WindowedKey<string>) => windowKey(window as WindowName, start)
  const routeGroup = (key: string) => boardRoute(parseSnapshotKey(key))
  return Object.freeze({
    /** Orders by orderId. */
    sales: keyValueStore<SaleState>({
      name: 'order-sales',
      value: stateSerde(saleStateSchema),
      version: saleStateSchema.version,
    }),
    /** What was applied of a product in a window and is not in its sum yet. */
    fresh: keyValueStore<WindowSum, readonly [name: WindowName, start: number, productId: string]>({
      name: `fresh-sums-${zone}`,
      key: keys.tuple<readonly [WindowName, number, string]>(windowNameKey, keys.timestamp, keys.string),
      value: stateSerde(windowSumSchema),
      version: windowSumSchema.version,
    }),
    /** A product's sums per window, without what is fresh. */
    sums: windowStore<WindowSum, string, 'byQuantity' | 'byAmount'>({
      name: `product-sums-${zone}`,
      value: stateSerde(windowSumSchema),
      version: windowSumSchema.version,
      retentionMs: retentionMs + LONGEST_WINDOW_MS,
      indexes: {
        byQuantity: { group: sumGroup, score: (_key, { quantity }) => positive(quantity) },
        byAmount: { group: sumGroup, score: (_key, { amount }) => positive(amount) },
      },
    }),
    /** Counts of deltas by the start of their hour. */
    tallies: keyValueStore<HourTally, number>({
      name: `hour-tallies-${zone}`,
      key: keys.timestamp,
      value: stateSerde(hourTallySchema),
      version: hourTallySchema.version,
    }),
    /** Windows by `windowKey`. */
    windows: keyValueStore<WindowMeta, string, 'open'>({
      name: `ranking-windows-${zone}`,
      key: keys.string,
      value: stateSerde(windowMetaSchema),
      version: windowMetaSchema.version,
      indexes: { open: { group: () => OPEN, score: (_key, { closed, end }) => (closed ? undefined : -end) } },
    }),
    /** How far the ranker's task is. */
    rankerProgress: keyValueStore<RankerProgress>({
      name: `ranker-progress-${zone}`,
      value: stateSerde(rankerProgressSchema),
      version: rankerProgressSchema.version,
    }),
    /** How far the ranker's partitions are, by `boardRoute`. */
    mergeProgress: keyValueStore<MergeProgress>({
      name: `merge-progress-${zone}`,
      value: stateSerde(mergeProgressSchema),
      version: mergeProgressSchema.version,
    }),
    /** Each partition's part of each board. */
    parts: keyValueStore<BoardPart, readonly [board: string, partition: number]>({
      name: `board-parts-${zone}`,
      key: keys.tuple<readonly [string, number]>(keys.string, keys.int64),
      value: stateSerde(boardPartSchema),
      version: boardPartSchema.version,
    }),
    /** What was said of each board, by `snapshotKey`. */
    states: keyValueStore<BoardState, string, 'open' | 'oldest'>({
      name: `board-states-${zone}`,
      key: keys.string,
      value: stateSerde(boardStateSchema),
      version: boardStateSchema.version,
      indexes: {
        open: { group: routeGroup, score: (_key, { final, end }) => (final ? undefined : -end) },
        oldest: {
          group: routeGroup,
          score: (_key, { end }) => (retentionMs === Number.POSITIVE_INFINITY ? undefined : -end),
        },
      },
    }),
    /** The last snapshot of each board, by `snapshotKey`. */
    boards: keyValueStore<RankingSnapshot>({
      name: `boards-${zone}`,
      value: stateSerde(rankingSnapshotSchema),
      version: rankingSnapshotSchema.version,
    }),
  })
}

/** Names of windows as parts of keys. */
const windowNameKey = keys.string as KeyCodec<string> as KeyCodec<WindowName>

/** A score of 0 or less is not listed. */
function positive(score: number): number | undefined {
  return score > 0 ? score : undefined
}

type Stores = ReturnType<typeof storesFor>

function deriverOf({ retentionMs }: RankingRules, { sales }: Stores) {
  const deriver = salesDeriver(retentionMs + LONGEST_WINDOW_MS)
  return processor({
    name: 'sales-deriver',
    input: shape<string, OrderFact>(),
    stores: { sales },
    outputs: { deltas: shape<string, RankingSalesDelta>() },
    timers: { forget: 'stream' },
    process: deriver.process,
    onTimer: { forget: deriver.forget },
  })
}

function rankerOf(rules: RankingRules, { fresh, sums, tallies, windows, rankerProgress }: Stores) {
  return processor({
    name: 'ranker',
    input: shape<string, RankingSalesDelta>(),
    stores: { fresh, sums, tallies, windows, progress: rankerProgress },
    outputs: { updates: shape<string, RankingPartitionUpdate>() },
    timers: { send: 'wall', close: 'stream', idle: 'wall', report: 'wall', expire: 'stream', sweep: 'wall' },
    process: (record, context) => applyDelta(rules, record, context),
    onTimer: {
      send: (key, context) => sendChanged(rules, key, context),
      close: (_key, context) => closeByStreamTime(rules, context),
      idle: (key, context, at) => closeWhenIdle(rules, key, context, at),
      report: (_key, context) => reportProgress(rules, context),
      expire: startSweep,
      sweep: (key, context) => sweep(rules, key, context),
    },
  })
}

function mergerOf(rules: RankingRules, { mergeProgress, parts, states, boards }: Stores) {
  return processor({
    name: 'merger',
    input: shape<string, RankingPartitionUpdate>(),
    stores: { progress: mergeProgress, parts, states, boards },
    outputs: { snapshots: shape<string, RankingSnapshot | null>() },
    timers: { snapshot: 'wall', settle: 'wall' },
    process: (record, context) => mergeUpdate(rules, record, context),
    onTimer: {
      snapshot: (key, context) => makeSnapshot(rules, key, context),
      settle: (route, context) => settle(rules, route, context),
    },
  })
}
