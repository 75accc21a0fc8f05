/** A coupon shop that is watched: its topologies with the sentinel, on the test driver. */
import type { Incident, RankingSnapshot } from '../../schemas/index.ts'
import { topics } from '../../schemas/index.ts'
import { formatUuid7, type Lineage, NO_HEADERS, type Topic } from '../../streams/index.ts'
import { type DriverOptions, TopologyTestDriver } from '../../testing/index.ts'
import { couponIssuance, sentinel, type SentinelOptions } from '../../topologies/index.ts'
import { CouponShop, START } from './coupon-driver.ts'

export class WatchedShop extends CouponShop {
  #forged = 0

  static override async open(
    options: Partial<DriverOptions> = {},
    rules: SentinelOptions = {},
  ): Promise<WatchedShop> {
    const topologies = [couponIssuance, sentinel({ watchOneIn: 1, ...rules })]
    return new WatchedShop(await TopologyTestDriver.open({ topologies, now: START, ...options }))
  }

  /** Each incident as it was told last: `I6|spring OPEN 1`. */
  get incidents(): string[] {
    return [...this.driver.latest(topics.opsIncident)].map(([key, { status, occurrences }]) => {
      return `${key} ${status} ${occurrences}`
    })
  }

  /** Everything that was told, in the order of the topic. */
  get told(): Incident[] {
    return this.driver.read(topics.opsIncident).flatMap(({ value }) => (value === null ? [] : [value]))
  }

  /** The same as a record that the shop wrote, but for what is changed: what a faulty shop would write. */
  async forge<V>(topic: Topic<string, V>, index: number, changes: Partial<V>): Promise<void> {
    const { key, value, record } = this.driver.read(topic)[index]!
    const eventId = formatUuid7(this.driver.clock.now(), this.#forged++, 7, 7)
    const lineage: Lineage = { ...record.lineage, eventId }
    const bytes = topic.value.serialize({ ...(value as V), ...changes })
    await this.driver.log.append([
      {
        topic: topic.name,
        partition: record.partition,
        key: Buffer.from(key),
        value: bytes,
        timestamp: record.timestamp,
        lineage,
        headers: NO_HEADERS,
      },
    ])
    await this.driver.settle()
  }

  async snapshot(changes: Partial<RankingSnapshot>): Promise<void> {
    const entries = [{ rank: 1, productId: 'tea', score: 5, quantity: 5, amount: 50, previousRank: null }]
    const board = { window: 'day', metric: 'quantity', category: null, start: START, end: START + 86_400_000 }
    const made = { timeZone: 'UTC', depth: 1_000, watermark: START, corrected: false, lateCount: 0 }
    const value = { ...board, ...made, entries, revision: 1, final: false, ...changes }
    await this.driver.pipe(topics.rankingSnapshot, topics.rankingSnapshot.keyOf(value), value)
  }
}
