/** What the data platform is told of orders: the topology on the test driver. */
import { describe, expect, test } from 'vitest'
import { topics } from '../../schemas/index.ts'
import { type DriverOptions, TopologyTestDriver } from '../../testing/index.ts'
import { orderLines } from '../../topologies/index.ts'
import { modes } from '../support/services.ts'
import { cancelled, DAY, HOUR, MINUTE, MONDAY, returned, sale } from '../unit/ranking/given.ts'

const KEEP_MS = 30 * DAY

class Reporting {
  readonly driver: TopologyTestDriver
  readonly dropped: string[]

  private constructor(driver: TopologyTestDriver, dropped: string[]) {
    this.driver = driver
    this.dropped = dropped
  }

  static async open(options: Partial<DriverOptions>): Promise<Reporting> {
    const dropped: string[] = []
    const hooks = { onDropped: (_task: unknown, reason: string) => void dropped.push(reason) }
    const topologies = [orderLines(KEEP_MS)]
    const now = MONDAY + 60 * DAY
    return new Reporting(await TopologyTestDriver.open({ topologies, now, hooks, ...options }), dropped)
  }

  async sell(lines: string, changes: Parameters<typeof sale>[1] = {}): Promise<void> {
    const order = sale(lines, changes)
    await this.driver.pipe(topics.orderConfirmed, order.orderId, order, { timestamp: order.confirmedAt })
  }

  async takeBack(lines: string, changes: Parameters<typeof returned>[1] = {}): Promise<void> {
    const order = returned(lines, changes)
    await this.driver.pipe(topics.orderReturned, order.orderId, order, { timestamp: order.at })
  }

  async cancel(lines: string, changes: Parameters<typeof cancelled>[1] = {}): Promise<void> {
    const order = cancelled(lines, changes)
    await this.driver.pipe(topics.orderCancelled, order.orderId, order, { timestamp: order.at })
  }

  /** As `SALE 1 +5 tea 500`. */
  get lines(): string[] {
    return this.driver.read(topics.dataplatformOrder).map(({ value }) => {
      if (value === null) return 'nothing'
      const { kind, lineNo, quantity, productId, amount } = value
      return `${kind} ${lineNo} ${quantity > 0 ? '+' : ''}${quantity} ${productId} ${amount}`
    })
  }

  get values() {
    return this.driver.read(topics.dataplatformOrder).map(({ value }) => ({ ...value }))
  }
}

describe.each(modes)('%s', (_, mode) => {
  test('each line of a sale is a record, and what comes back is a negative one at its own time', async () => {
    const shop = await Reporting.open(mode)
    await shop.sell('5 tea 300, 1 milk 90')
    await shop.takeBack('1x2', { at: MONDAY + DAY })
    const line = { orderId: 'o1', userId: 'ann', categoryId: null, currency: 'GBP', soldAt: MONDAY + HOUR }
    const tea = { ...line, lineNo: 1, productId: 'tea', unitPrice: 300 }
    const milk = { ...line, lineNo: 2, productId: 'milk', unitPrice: 90 }
    const sold = { kind: 'SALE', returnId: null, at: MONDAY + HOUR }
    expect(shop.values).toEqual([
      { ...tea, ...sold, quantity: 5, amount: 1500 },
      { ...milk, ...sold, quantity: 1, amount: 90 },
      { ...tea, kind: 'RETURN', returnId: 'r1', at: MONDAY + DAY, quantity: -2, amount: -600 },
    ])
    await shop.driver.close()
  })

  test('a return waits for its sale and keeps its own time', async () => {
    const shop = await Reporting.open(mode)
    await shop.takeBack('1x2', { returnId: 'r7', at: MONDAY + 2 * HOUR })
    expect(shop.lines).toEqual([])
    await shop.sell('5 tea', { userId: 'ben' })
    expect(shop.lines).toEqual(['SALE 1 +5 tea 500', 'RETURN 1 -2 tea -200'])
    expect(shop.values[1]).toMatchObject({ userId: 'ben', returnId: 'r7', at: MONDAY + 2 * HOUR })
    await shop.driver.close()
  })

  test('what comes again is told once', async () => {
    const shop = await Reporting.open(mode)
    for (let i = 0; i < 2; i++) {
      await shop.sell('5 tea')
      await shop.takeBack('1x1')
      await shop.cancel('1x4')
    }
    expect(shop.lines).toEqual(['SALE 1 +5 tea 500', 'RETURN 1 -1 tea -100', 'CANCEL 1 -4 tea -400'])
    expect(shop.values.map(({ returnId }) => returnId)).toEqual([null, 'r1', null])
    expect(shop.dropped).toEqual(['RepeatedSale', 'RepeatedReturn', 'RepeatedReturn'])
    await shop.driver.close()
  })

  test('a cancel of what was never confirmed is nothing', async () => {
    const shop = await Reporting.open(mode)
    await shop.cancel('1x5', { confirmedAt: null })
    await shop.sell('5 tea')
    expect(shop.lines).toEqual(['SALE 1 +5 tea 500'])
    await shop.driver.close()
  })

  test('no more is taken back than was sold', async () => {
    const shop = await Reporting.open(mode)
    await shop.sell('5 tea')
    await shop.takeBack('1x7')
    expect(shop.lines).toEqual(['SALE 1 +5 tea 500', 'RETURN 1 -5 tea -500'])
    expect(shop.driver.deadLetters(topics.orderReturned)).toHaveLength(1)
    await shop.driver.close()
  })

  test('a returnId that is none is put aside', async () => {
    const shop = await Reporting.open(mode)
    await shop.sell('5 tea 300')
    for (const returnId of ['', 'r'.repeat(201)]) await shop.takeBack('1x1', { returnId })
    await shop.takeBack('1x1', { returnId: 'r'.repeat(200) })
    expect(shop.lines).toHaveLength(2)
    expect(shop.driver.deadLetters(topics.orderReturned)).toHaveLength(2)
    await shop.driver.close()
  })

  test('an order is forgotten after its time, and what comes then is put aside', async () => {
    const shop = await Reporting.open(mode)
    await shop.sell('5 tea')
    await shop.sell('1 milk', { orderId: 'o2', confirmedAt: MONDAY + HOUR + KEEP_MS + MINUTE })
    await shop.takeBack('1x1')
    expect(shop.lines).toEqual(['SALE 1 +5 tea 500', 'SALE 1 +1 milk 100'])
    expect(shop.driver.deadLetters(topics.orderReturned)).toHaveLength(1)
    await shop.driver.close()
  })
})
