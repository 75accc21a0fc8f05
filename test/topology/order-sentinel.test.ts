/** Orders that are watched: the shop's topologies with the sentinel's of orders, on the test driver. */
import { describe, expect, test } from 'vitest'
import { ENDED_QUIET_MS, ORDER_QUIET_MS } from '../../processors/index.ts'
import { type OrderCreated, topics } from '../../schemas/index.ts'
import { memoryBackend } from '../../state/index.ts'
import { formatUuid7, NO_HEADERS, redecide, Streams, type Topic, topicsOf } from '../../streams/index.ts'
import { type DriverOptions, TopologyTestDriver } from '../../testing/index.ts'
import {
  deliverySandbox,
  orders,
  orderSentinel,
  orderWatchStore,
  paymentSandbox,
  points,
  shopperOrderStore,
  stock,
} from '../../topologies/index.ts'
import { created, DAY, modes, START } from './orders-driver.ts'

const watching = orderSentinel({ watchOneIn: 1 })

class WatchedDesk {
  readonly driver: TopologyTestDriver
  #forged = 0

  private constructor(driver: TopologyTestDriver) {
    this.driver = driver
  }

  static async open(mode: Partial<DriverOptions> = {}): Promise<WatchedDesk> {
    const shop = [orders({ currency: 'GBP' }), stock({}), points({}), paymentSandbox(), deliverySandbox()]
    const topologies = [...shop, watching]
    const desk = new WatchedDesk(await TopologyTestDriver.open({ topologies, now: START, ...mode }))
    for (const productId of ['tea', 'milk']) {
      const value = { adjustId: 'first', productId, quantity: 9, reason: '' }
      await desk.driver.pipe(topics.stockAdjustRequested, productId, value)
    }
    return desk
  }

  /** An order that is reserved, paid, and on its way. */
  async order(changes: Partial<OrderCreated> = {}): Promise<void> {
    const order = created({ payBy: this.driver.clock.now() + DAY, ...changes })
    await this.driver.pipe(topics.orderCreated, order.orderId, order)
    await this.driver.advanceWallTime(3_000)
  }

  /** The last record of a topic again, but for what is changed: what a faulty shop would write. */
  async forge<V>(topic: Topic<string, V>, changes: Partial<V>): Promise<void> {
    const { value, record } = this.driver.read(topic).at(-1)!
    const { partition, timestamp, key } = record
    const eventId = formatUuid7(this.driver.clock.now(), this.#forged++, 7, 7)
    const lineage = { ...record.lineage, eventId }
    const bytes = topic.value.serialize({ ...(value as V), ...changes })
    const name = topic.name
    await this.driver.log.append([
      { topic: name, partition, key, value: bytes, timestamp, lineage, headers: NO_HEADERS },
    ])
    await this.driver.settle()
  }

  /** `I14|orders-0 OPEN 1`. */
  get incidents(): string[] {
    return [...this.driver.latest(topics.opsIncident)].map(([key, { status, occurrences }]) => {
      return `${key} ${status} ${occurrences}`
    })
  }
}

describe.each(modes)('orders that are watched: %s', (_, mode) => {
  test('raise no alarm while the shop does everything right', async () => {
    const desk = await WatchedDesk.open(mode)
    await desk.order()
    await desk.order({ orderId: 'o2' })
    await desk.order({ orderId: 'o3', items: created().items.map((item) => ({ ...item, quantity: 50 })) })
    const back = { orderId: 'o1', returnId: 'r1', items: [{ lineNo: 1, quantity: 1 }], reason: '', actor: '' }
    await desk.driver.pipe(topics.orderReturnRequested, 'o1', back)
    expect(desk.driver.read(topics.orderReturned)).toHaveLength(1)
    expect(desk.incidents).toEqual([])
    await desk.driver.close()
  })

  test('I14, I17, I20, I21: what a faulty shop says is one incident each, that names the order', async () => {
    const desk = await WatchedDesk.open(mode)
    await desk.order()
    await desk.forge(topics.orderStatus, { state: 'SHIPPED', revision: 99 })
    await desk.forge(topics.orderStatus, { state: 'PAID', revision: 100 })
    await desk.forge(topics.orderConfirmed, { finalAmount: 1 })
    await desk.forge(topics.pointEarned, {})
    await desk.driver.pipe(topics.paymentRefundRequested, 'o1', {
      refundId: 'forged',
      orderId: 'o1',
      paymentKey: desk.driver.read(topics.paymentResult)[0]!.value!.paymentKey,
      amount: 701,
    })
    expect(desk.incidents.toSorted()).toEqual([
      'I14|orders-0 OPEN 1',
      'I17|orders-0 OPEN 1',
      'I20|orders-0 OPEN 1',
      'I21|orders-0 OPEN 1',
    ])
    await desk.driver.advanceWallTime(60_000, 20_000)
    expect(desk.incidents).toContain('I14|orders-0 OPEN 2')
    const details = desk.driver.read(topics.opsIncident).map(({ value }) => value?.detail ?? '')
    expect(details.every((detail) => detail.startsWith('order o1: '))).toBe(true)
    expect(details.join()).not.toContain('ann')
    await desk.driver.close()
  })
})

test('an order that is quiet is forgotten, and what is said of it later is no alarm', async () => {
  const desk = await WatchedDesk.open()
  await desk.order()
  const watched = () => desk.driver.store(watching, orderWatchStore).get('o1').value
  const shopper = () => desk.driver.store(watching, shopperOrderStore).get(['ann', 'o1']).value
  expect(watched()?.ends.map(({ end }) => end)).toEqual(['COMPLETED'])
  expect(shopper()).toMatchObject({ completed: true })
  await desk.driver.advanceWallTime(ENDED_QUIET_MS + DAY, DAY / 2)
  expect(watched()).toBeUndefined()
  const back = { orderId: 'o1', returnId: 'r1', items: [{ lineNo: 1, quantity: 1 }], reason: '', actor: '' }
  await desk.driver.pipe(topics.orderReturnRequested, 'o1', back)
  expect(watched()?.given).toHaveLength(1)
  await desk.driver.advanceWallTime(ORDER_QUIET_MS + DAY, DAY)
  expect([watched(), shopper()]).toEqual([undefined, undefined])
  expect(desk.incidents).toEqual([])
  await desk.driver.close()
})

test('it asks nobody for anything: no campaign is paused for an order', () => {
  const sinks = topicsOf(orderSentinel({ pauseCampaigns: true })).filter(({ role }) => role === 'sink')
  expect(sinks.map(({ name }) => name)).toEqual(['ops.incident'])
})

test('one that joins late, in a shop that runs, begins with what is there', async () => {
  const desk = await WatchedDesk.open()
  await desk.order()
  await desk.forge(topics.orderStatus, { state: 'SHIPPED', revision: 99 })
  const late = new Streams({
    application: 'late',
    topologies: [orderSentinel({ watchOneIn: 1 })],
    log: desk.driver.log,
    clock: desk.driver.clock,
    topicSpec: (use) => ({ ...use, partitions: 1, retentionMs: Infinity, retentionBytes: Infinity }),
  })
  await desk.driver.restart([orders({ currency: 'GBP' })])
  await late.open()
  await late.ready()
  for (const runner of late.runners) {
    while (await runner.step()) await runner.commitNow()
    await runner.commitNow()
  }
  await late.close()
  expect([...new Set(desk.incidents.map((text) => text.split(' ')[0]))]).toEqual(['I14|orders-0'])
  await desk.driver.close()
})

test('I24 watching the retained facts again tells the same incidents', async () => {
  const desk = await WatchedDesk.open()
  await desk.order()
  await desk.forge(topics.orderStatus, { state: 'SHIPPED', revision: 99 })
  await desk.driver.advanceWallTime(2 * DAY, DAY / 4)
  for (const subTopology of [0, 1]) {
    const task = { topology: watching.name, subTopology, partition: 0 }
    const journal = desk.driver.journal(task)
    const backend = memoryBackend()
    const result = await redecide({ topology: watching, task, log: desk.driver.log, journal, backend })
    expect(result).toMatchObject({ batches: journal.length, firstDifference: undefined })
  }
  await desk.driver.close()
})
