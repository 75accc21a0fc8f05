/** A whole shop on the test driver: what its customers do, what is read again, what is late; and how it ends. */
import { type DriverOptions, TopologyTestDriver } from '../../testing/index.ts'
import type { PlainRecord } from '../support/engine-shop.ts'
import { topicNamed } from '../support/engine-shop.ts'
import { type ShopLog, shopLogOf, type ShopRows } from '../support/orders/facts.ts'
import { countStates, isSettled, judgeShop } from '../support/orders/judge.ts'
import { OrderLoad } from '../support/orders/load.ts'
import { type OrderShop, orderShop, RATE_BP, shopRowsOf } from '../support/orders/shop.ts'
import { judgeToldPoints } from '../support/orders/told-points.ts'
import { seededRandom } from '../support/random.ts'

const START = Date.UTC(2026, 0, 1)
const SECOND = 1_000
const PAY_WITHIN_MS = 60 * SECOND
const SPAN_MS = 40 * SECOND
const ROUNDS = 60

/** Answers and commands that a test lets come once more, long after. */
const REPEATABLE = [
  'stock.reserve.requested',
  'stock.restore.requested',
  'stock.commit.requested',
  'point.deduct.requested',
  'point.restore.requested',
  'coupon.use.requested',
  'coupon.restore.requested',
  'payment.requested',
  'payment.refund.requested',
  'delivery.requested',
  'delivery.cancel.requested',
  'stock.reserve.result',
  'point.deduct.result',
  'coupon.use.result',
  'restore.result',
  'payment.result',
  'payment.refund.result',
  'delivery.result',
  'delivery.cancel.result',
  'order.completed',
  'order.cancelled',
  'order.returned',
]
const REPEATED = 'repeated'

export interface ShopHistory {
  readonly seed: number
  readonly orders: number
  readonly completeOn: 'started' | 'delivered'
  /** How long after each record, milliseconds; and which earlier record of all comes again then, none where negative. */
  readonly pauses: readonly (readonly [ms: number, again: number])[]
}

export class PlayedShop {
  readonly shop: OrderShop
  readonly driver: TopologyTestDriver

  private constructor(shop: OrderShop, driver: TopologyTestDriver) {
    this.shop = shop
    this.driver = driver
  }

  /** Plays a history to its end: everything arrives, and time passes until nothing is open. */
  static async play(history: ShopHistory, mode: Partial<DriverOptions> = {}): Promise<PlayedShop> {
    const { seed, orders, completeOn, pauses } = history
    const shop = orderShop({ seed, completeOn, tellEntries: true })
    const { topologies } = shop
    const driver = await TopologyTestDriver.open({ topologies, now: START, partitions: 2, ...mode })
    const played = new PlayedShop(shop, driver)
    const load = new OrderLoad({ orders, spanMs: SPAN_MS, payWithinMs: PAY_WITHIN_MS }, seededRandom(seed))
    for (const record of load.first(START)) await played.#send(record)
    for (let i = 0; ; i++) {
      const records = load.next(driver.clock.now())
      if (records === undefined) break
      for (const record of records) await played.#send(record)
      const [ms, again] = pauses[i % pauses.length] ?? [SECOND, -1]
      if (again >= 0) await played.#repeat(again)
      // Nothing to send yet: only time brings more.
      await driver.advanceWallTime(records.length === 0 ? SECOND : ms, SECOND)
    }
    await played.#settle()
    return played
  }

  /** Without what the test itself let come again. */
  get log(): ShopLog {
    return shopLogOf((topic) =>
      this.driver.log.records(topic).filter(({ headers }) => !headers.some(([name]) => name === REPEATED)),
    )
  }

  async rows(): Promise<ShopRows> {
    const { places } = this.shop
    const read = await Promise.all(
      Object.values(places).map(async (place) => {
        const rows = await this.driver.store(place.topology, place.store as never).pageAll({ limit: 10_000 })
        return [place, rows] as const
      }),
    )
    const all = new Map<object, readonly (readonly [unknown, unknown])[]>(read)
    return shopRowsOf(places, (place) => all.get(place) ?? [])
  }

  async judge(): Promise<string[]> {
    const rows = await this.rows()
    return [
      ...judgeShop(this.log, rows, { rateBp: RATE_BP, graceMs: 0 }),
      ...judgeToldPoints(this.log, rows.accounts),
    ]
  }

  get states(): ReadonlyMap<string, number> {
    return countStates(this.log)
  }

  close(): Promise<void> {
    return this.driver.close()
  }

  async #settle(): Promise<void> {
    await this.driver.advanceWallTime(PAY_WITHIN_MS, SECOND)
    for (let round = 0; round < ROUNDS; round++) {
      await this.driver.advanceWallTime(20 * SECOND, SECOND)
      if (isSettled(this.log)) return
    }
  }

  #send({ topic, key, value }: PlainRecord): Promise<void> {
    const { value: serde } = topicNamed(topic)
    return this.driver.pipeBytes(topic, Buffer.from(key), serde.serialize(value))
  }

  async #repeat(which: number): Promise<void> {
    const all = REPEATABLE.flatMap((topic) =>
      this.driver.log.records(topic).map((record) => ({ topic, record })),
    )
    const { topic, record } = all[which % Math.max(1, all.length)] ?? {}
    if (topic === undefined || record === undefined) return
    await this.driver.pipeBytes(topic, record.key, record.value, { headers: [[REPEATED, Buffer.of(1)]] })
  }
}
