import { describe, expect, test } from 'vitest'
import { type StockLevel, topics } from '../../schemas/index.ts'
import type { DriverOptions } from '../../testing/index.ts'
import { orderStockStore, stock, stockAdjustmentStore, stockLevelStore } from '../../topologies/index.ts'
import { DAY, modes, Service } from '../support/services.ts'
import { adjust, commit, linesOf, reserve, restore } from '../unit/stock/given.ts'

class Warehouse {
  readonly service: Service

  private constructor(service: Service) {
    this.service = service
  }

  /** With 5 pieces of tea. */
  static async open(options: Partial<DriverOptions> = {}): Promise<Warehouse> {
    const warehouse = new Warehouse(await Service.open(stock({ keepMs: DAY, keepDoneMs: 2 * DAY }), options))
    await warehouse.service.send(topics.stockAdjustRequested, adjust(5))
    return warehouse
  }

  async reserve(first: Parameters<typeof reserve>[0] = {}, ...more: Parameters<typeof reserve>[0][]) {
    await this.service.send(topics.stockReserveRequested, ...[first, ...more].map(reserve))
  }

  async restore(first: Parameters<typeof restore>[0] = {}, ...more: Parameters<typeof restore>[0][]) {
    await this.service.send(topics.stockRestoreRequested, ...[first, ...more].map(restore))
  }

  async commit(changes: Parameters<typeof commit>[0] = {}) {
    await this.service.send(topics.stockCommitRequested, commit(changes))
  }

  /** `o1 RESERVED 3`, `o2 REJECTED OUT_OF_STOCK 1`. */
  get reserved(): string[] {
    return this.service
      .read(topics.stockReserveResult)
      .map(({ orderId, status, reason, available }) =>
        [orderId, status, reason, available].filter((part) => part !== null).join(' '),
      )
  }

  /** `o1/1 RESTORED`, with the return: `o1/1 r1 FAILED EXCEEDS_SOLD`. */
  get restored(): string[] {
    return this.service
      .read(topics.restoreResult)
      .map(({ orderId, lineNo, returnId, status, reason }) =>
        [`${orderId}/${lineNo}`, returnId, status, reason].filter((part) => part !== null).join(' '),
      )
  }

  /** `available/reserved/sold of received`. */
  get level(): string {
    const level = this.service.driver.store(this.service.topology, stockLevelStore).get('tea').value
    const { received, available, reserved, sold } = level as StockLevel
    return `${available}/${reserved}/${sold} of ${received}`
  }

  adjustment(adjustId: string) {
    return this.service.driver
      .store(this.service.topology, stockAdjustmentStore)
      .get(['tea', adjustId], 'tea').value
  }

  order(orderId: string) {
    return this.service.driver.store(this.service.topology, orderStockStore).get(['tea', orderId], 'tea')
      .value
  }
}

describe.each(modes)('I11 I12 stock, %s', (_, mode) => {
  test('holds all lines of an order or none, and never more than there is', async () => {
    const tea = await Warehouse.open(mode)
    await tea.reserve({ lines: linesOf('1x2 2x1') }, { orderId: 'o2', lines: linesOf('1x1 2x2') })
    await tea.reserve({ orderId: 'o3', lines: linesOf('7x2') })
    expect(tea.reserved).toEqual(['o1 RESERVED 2', 'o2 REJECTED OUT_OF_STOCK 2', 'o3 RESERVED 0'])
    expect(tea.level).toBe('0/5/0 of 5')
    await tea.service.close()
  })

  test('a product that nobody received is unknown', async () => {
    const tea = await Warehouse.open(mode)
    await tea.reserve({ productId: 'gold' })
    expect(tea.reserved).toEqual(['o1 REJECTED UNKNOWN_PRODUCT 0'])
    await tea.service.close()
  })

  test('the same command again gets the same answer again, and does nothing', async () => {
    const tea = await Warehouse.open(mode)
    await tea.reserve(
      {},
      { orderId: 'o2', lines: linesOf('1x9') },
      {},
      { orderId: 'o2', lines: linesOf('1x9') },
    )
    expect(tea.reserved).toEqual([
      'o1 RESERVED 3',
      'o2 REJECTED OUT_OF_STOCK 3',
      'o1 RESERVED 3',
      'o2 REJECTED OUT_OF_STOCK 3',
    ])
    await tea.restore({}, {})
    expect(tea.restored).toEqual(['o1/1 RESTORED', 'o1/1 ALREADY'])
    expect(tea.level).toBe('5/0/0 of 5')
    await tea.service.close()
  })

  test('an undo before its reservation cancels it', async () => {
    const tea = await Warehouse.open(mode)
    await tea.restore()
    await tea.reserve()
    expect(tea.restored).toEqual(['o1/1 RESTORED'])
    expect(tea.reserved).toEqual(['o1 CANCELLED'])
    expect(tea.level).toBe('5/0/0 of 5')
    await tea.service.close()
  })

  test('a higher epoch is decided anew, takes over what is held, and outlives an older undo', async () => {
    const tea = await Warehouse.open(mode)
    await tea.restore()
    await tea.reserve({ epoch: 1 }, { epoch: 2 }, { epoch: 1 })
    await tea.restore({ epoch: 1 })
    expect(tea.reserved).toEqual(['o1 RESERVED 3', 'o1 RESERVED 3', 'o1 CANCELLED'])
    expect(tea.restored).toEqual(['o1/1 RESTORED', 'o1/1 ALREADY'])
    expect(tea.level).toBe('3/2/0 of 5')
    await tea.restore({ epoch: 2 })
    expect(tea.level).toBe('5/0/0 of 5')
    await tea.service.close()
  })

  test('what leaves the house is sold, once, and an order that ends is undone from there too', async () => {
    const tea = await Warehouse.open(mode)
    await tea.reserve()
    await tea.commit()
    await tea.commit()
    expect(tea.level).toBe('3/0/2 of 5')
    expect(tea.service.dropped).toEqual(['RepeatedCommit'])
    await tea.restore({ lines: linesOf('1x1') })
    expect(tea.level).toBe('5/0/0 of 5')
    await tea.commit()
    await tea.commit({ orderId: 'o9' })
    expect(tea.service.deadLetters(topics.stockCommitRequested as never)).toEqual([
      'NOT_HELD: the order holds nothing of the product',
      'NOT_HELD: the order holds nothing of the product',
    ])
    await tea.service.close()
  })

  test('a return brings back its lines once each, and never more than is left of them', async () => {
    const tea = await Warehouse.open(mode)
    await tea.reserve({ lines: linesOf('1x2 2x1') })
    await tea.commit()
    await tea.restore(
      { returnId: 'r1', lines: linesOf('1x1') },
      { returnId: 'r1', lines: linesOf('1x1 2x1') },
      { returnId: 'r2', lines: linesOf('1x2 3x1') },
      { returnId: 'r2', lines: linesOf('1x1') },
    )
    expect(tea.restored).toEqual([
      'o1/1 r1 RESTORED',
      'o1/1 r1 ALREADY',
      'o1/2 r1 RESTORED',
      'o1/1 r2 FAILED EXCEEDS_SOLD',
      'o1/3 r2 FAILED NOT_HELD',
      'o1/1 r2 RESTORED',
    ])
    expect(tea.level).toBe('5/0/0 of 5')
    await tea.service.close()
  })

  test('a return that comes before the commit leaves the rest to be sold', async () => {
    const tea = await Warehouse.open(mode)
    await tea.reserve()
    await tea.restore({ returnId: 'r1', lines: linesOf('1x1') })
    await tea.commit()
    expect(tea.level).toBe('4/0/1 of 5')
    await tea.service.close()
  })

  test('an adjustment counts once, and takes away only what is available', async () => {
    const tea = await Warehouse.open(mode)
    await tea.reserve()
    const { stockAdjustRequested } = topics
    await tea.service.send(stockAdjustRequested, adjust(5), adjust(-4), adjust(-3), adjust(-3))
    expect(tea.adjustment('a-4')).toEqual({ amount: -4, balance: 3, reason: 'BELOW_ZERO' })
    expect(tea.adjustment('a-3')).toEqual({ amount: -3, balance: 0, reason: null })
    expect(tea.level).toBe('0/2/0 of 2')
    expect(tea.service.dropped).toEqual(['RepeatedAdjustment', 'RepeatedAdjustment'])
    await tea.service.close()
  })
})

test('what ended is forgotten after a while, what was sold later, what is held never', async () => {
  const tea = await Warehouse.open()
  await tea.reserve({}, { orderId: 'o2', lines: linesOf('1x1') }, { orderId: 'o3', lines: linesOf('1x1') })
  await tea.restore({})
  await tea.commit({ orderId: 'o2' })
  await tea.service.driver.advanceWallTime(DAY, DAY)
  expect([tea.order('o1'), tea.adjustment('a5')]).toEqual([undefined, undefined])
  expect(tea.order('o2')?.sold).toBe(true)
  await tea.service.driver.advanceWallTime(3 * DAY, DAY)
  expect(tea.order('o2')).toBeUndefined()
  expect(tea.order('o3')?.lines).toHaveLength(1)
  expect(tea.level).toBe('3/1/1 of 5')
  await tea.service.close()
})

test('a command from before what is known is a dead letter', async () => {
  const late = await Service.open(stock({ keepMs: 1_000 }))
  const bytes = topics.stockReserveRequested.value.serialize(reserve())
  const lineage = { eventId: '019b7600-0000-7000-8000-000000000000' }
  const record = { topic: 'stock.reserve.requested', key: Buffer.from('tea'), value: bytes, timestamp: 1 }
  await late.driver.log.append([{ ...record, lineage, headers: [] }])
  late.driver.clock.advance(1_000)
  await late.driver.settle()
  expect(late.deadLetters(topics.stockReserveRequested as never)).toEqual([
    'TooOld: 1000 ms old, and what was done is known for 1000 ms',
  ])
  await late.close()
})

test.each([
  ['under another key', 'milk', reserve(), 'KeyMismatch'],
  ['of an order without a name', 'tea', reserve({ orderId: '' }), 'InvalidId'],
  ['without lines', 'tea', reserve({ lines: [] }), 'InvalidLine'],
  ['with a line twice', 'tea', reserve({ lines: linesOf('1x1 1x2') }), 'InvalidLine'],
  ['with a line of nothing', 'tea', reserve({ lines: linesOf('1x0') }), 'InvalidLine'],
  ['of more than can be counted', 'tea', reserve({ lines: linesOf(`1x${2 ** 53 - 1} 2x1`) }), 'InvalidLine'],
])('a reservation %s is a dead letter', async (_name, key, command, reason) => {
  const tea = await Warehouse.open()
  await tea.service.driver.pipe(topics.stockReserveRequested, key, command)
  expect(tea.service.deadLetters(topics.stockReserveRequested as never)[0]).toMatch(`${reason}: `)
  expect(tea.reserved).toEqual([])
  await tea.service.close()
})

test.each([{ keepMs: 0 }, { keepMs: 1.5 }, { keepMs: 10, keepDoneMs: 9 }])('%o is refused', (options) => {
  expect(() => stock(options)).toThrow(RangeError)
})
