/** A shop that is ranked: the topology on the test driver, and words for what happens in it. */
import { boardRoute, snapshotKey, watchBoard, type WindowName } from '../../processors/index.ts'
import type {
  BoardWatch,
  OrderCancelled,
  OrderConfirmed,
  OrderReturned,
  RankingSnapshot,
} from '../../schemas/index.ts'
import { topics } from '../../schemas/index.ts'
import { partitionFor } from '../../streams/index.ts'
import { type DriverOptions, type ReadRecord, TopologyTestDriver } from '../../testing/index.ts'
import { type BestSellerOptions, bestSellers, type BestSellers } from '../../topologies/index.ts'
import { cancelled, DAY, MONDAY, returned, sale } from '../unit/ranking/given.ts'

/** A topology must not notice a restart, wherever its state comes back from. */
export const modes: [string, Partial<DriverOptions>][] = [
  ['steady', {}],
  ['restarted after every record', { restartAfterEachRecord: true }],
  ['rebuilt from changelogs after every record', { restartAfterEachRecord: true, stateHome: 'task' }],
]

/** The system time at which shops open: what happens may lie weeks after MONDAY. */
export const NOW = MONDAY + 30 * DAY

export interface BoardOptions {
  readonly metric?: 'quantity' | 'amount'
}

export class RankedShop {
  readonly driver: TopologyTestDriver
  readonly topology: BestSellers
  /** Reasons of what was passed over, counted. */
  readonly dropped = new Map<string, number>()

  private constructor(topology: BestSellers, driver: TopologyTestDriver, dropped: Map<string, number>) {
    this.topology = topology
    this.driver = driver
    this.dropped = dropped
  }

  static async open(
    mode: Partial<DriverOptions> = {},
    options: BestSellerOptions = {},
    topology = bestSellers(options),
  ): Promise<RankedShop> {
    const dropped = new Map<string, number>()
    const hooks = {
      onDropped: (_task: unknown, reason: string) => void dropped.set(reason, (dropped.get(reason) ?? 0) + 1),
    }
    const driver = await TopologyTestDriver.open({ topologies: [topology], now: NOW, hooks, ...mode })
    return new RankedShop(topology, driver, dropped)
  }

  /** An order of `2 tea 300, 1 milk`, confirmed at a time; its id is `o1` unless told. */
  async sell(lines: string, confirmedAt: number, changes: Partial<OrderConfirmed> = {}): Promise<void> {
    const order = sale(lines, { confirmedAt, ...changes })
    await this.driver.pipe(topics.orderConfirmed, order.orderId, order, { timestamp: confirmedAt })
  }

  /** `1x2` of an order comes back at a time; return `r1` of `o1` unless told. */
  async takeBack(lines: string, at: number, changes: Partial<OrderReturned> = {}): Promise<void> {
    const order = returned(lines, { at, ...changes })
    await this.driver.pipe(topics.orderReturned, order.orderId, order, { timestamp: at })
  }

  async cancel(lines: string, at: number, changes: Partial<OrderCancelled> = {}): Promise<void> {
    const order = cancelled(lines, { at, ...changes })
    await this.driver.pipe(topics.orderCancelled, order.orderId, order, { timestamp: at })
  }

  /** Lets everything that may be sent once a second be sent. */
  async flush(): Promise<void> {
    await this.driver.advanceWallTime(3_000)
  }

  /** Deltas in the order of their topic: `+2 tea +600 SALE`. */
  get deltas(): string[] {
    return this.driver.read(topics.rankingSalesDelta).map(({ value }) => {
      if (value === null) return 'nothing'
      const { quantity, productId, amount, kind } = value
      return `${quantity > 0 ? '+' : ''}${quantity} ${productId} ${amount} ${kind}`
    })
  }

  get snapshots(): ReadRecord<string, RankingSnapshot>[] {
    return this.driver.read(topics.rankingSnapshot)
  }

  /** The last snapshot of the window that a time lies in. */
  snapshot(window: WindowName, time: number, { metric = 'quantity' }: BoardOptions = {}) {
    const found = [...this.driver.latest(topics.rankingSnapshot).values()].filter(
      (board) =>
        board.window === window && board.metric === metric && board.start <= time && time < board.end,
    )
    return found[0]
  }

  /** Its entries as `1 tea 5`. */
  board(window: WindowName, time: number, options?: BoardOptions): string[] | undefined {
    return this.snapshot(window, time, options)?.entries.map(
      ({ rank, productId, score }) => `${rank} ${productId} ${score}`,
    )
  }

  /** What queries see of a board. */
  stored(window: WindowName, start: number, metric = 'quantity') {
    const name = { window, metric, category: null }
    return this.driver
      .store(this.topology, this.topology.stores.boards)
      .get(snapshotKey(name, start), boardRoute(name)).value
  }

  /** Dead letters as `reason: message`. */
  deadLetters(topic: keyof typeof topics): string[] {
    return this.driver.deadLetters(topics[topic] as never).map((record) => {
      const header = (name: string) =>
        record.headers.find(([key]) => key === `__streams.errors.${name}`)?.[1].toString()
      return `${header('exception')}: ${header('message')}`
    })
  }

  close(): Promise<void> {
    return this.driver.close()
  }
}

/** A product that lives in this of 3 partitions. */
export function productIn(partition: number, partitions = 3): string {
  for (let i = 0; ; i++) if (partitionFor(Buffer.from(`p${i}`), partitions) === partition) return `p${i}`
}

/** I15, I23, by the rules that the sentinel runs: what is wrong, in words. */
export function regressions(snapshots: readonly ReadRecord<string, RankingSnapshot>[]): string[] {
  const last = new Map<string, BoardWatch>()
  return snapshots.flatMap(({ key, value, offset }) => {
    if (value === null) {
      last.delete(key)
      return []
    }
    const { watch, found } = watchBoard(last.get(key), key, value, offset)
    last.set(key, watch)
    return found.map(({ invariant, detail }) => `${invariant} ${key}: ${detail}`)
  })
}
