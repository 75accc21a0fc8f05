import { describe, expect, test } from 'vitest'
import { topics } from '../../schemas/index.ts'
import { DAY, HOUR, MINUTE, MONDAY, returned, sale } from '../unit/ranking/given.ts'
import { modes, RankedShop } from './best-sellers-driver.ts'

describe.each(modes)('%s', (_, mode) => {
  test('a delta bears the time of the sale, also that of a return', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.sell('5 tea 300', MONDAY + MINUTE)
    await shop.takeBack('1x2', MONDAY + 3 * DAY)
    const deltas = shop.driver.read(topics.rankingSalesDelta)
    expect(deltas.map(({ key, timestamp }) => [key, timestamp])).toEqual([
      ['tea', MONDAY + MINUTE],
      ['tea', MONDAY + MINUTE],
    ])
    expect(deltas[1]?.value).toEqual({
      orderId: 'o1',
      lineNo: 1,
      returnId: 'r1',
      productId: 'tea',
      categoryId: null,
      quantity: -2,
      amount: -600,
      kind: 'RETURN',
      eventTime: MONDAY + MINUTE,
    })
    await shop.close()
  })

  test('a return waits for its sale', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.takeBack('1x2', MONDAY + HOUR)
    expect(shop.deltas).toEqual([])
    await shop.sell('5 tea', MONDAY)
    expect(shop.deltas).toEqual(['+5 tea 500 SALE', '-2 tea -200 RETURN'])
    await shop.close()
  })

  test('what comes again is counted once', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    for (let i = 0; i < 2; i++) {
      await shop.sell('5 tea', MONDAY)
      await shop.takeBack('1x1', MONDAY + HOUR)
      await shop.cancel('1x4', MONDAY + HOUR)
    }
    expect(shop.deltas).toEqual(['+5 tea 500 SALE', '-1 tea -100 RETURN', '-4 tea -400 CANCEL'])
    expect(Object.fromEntries(shop.dropped)).toEqual({ RepeatedSale: 1, RepeatedReturn: 2 })
    expect(shop.deadLetters('orderReturned')).toEqual([])
    await shop.close()
  })

  test('a cancel of what was never confirmed is nothing', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.cancel('1x5', MONDAY + HOUR, { confirmedAt: null })
    await shop.sell('5 tea', MONDAY)
    expect(shop.deltas).toEqual(['+5 tea 500 SALE'])
    await shop.close()
  })

  test('a return without confirmedAt is one of a sale all the same', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.sell('5 tea', MONDAY)
    await shop.takeBack('1x2', MONDAY + HOUR, { confirmedAt: null })
    expect(shop.deltas).toEqual(['+5 tea 500 SALE', '-2 tea -200 RETURN'])
    await shop.close()
  })

  test('what exceeds the sale is not counted and goes to the dead letters', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.sell('5 tea, 1 milk', MONDAY)
    await shop.takeBack('1x7, 2x1, 3x1', MONDAY + HOUR)
    await shop.flush()
    expect(shop.deltas).toEqual(expect.arrayContaining(['-5 tea -500 RETURN', '-1 milk -100 RETURN']))
    expect(shop.deltas).toHaveLength(4)
    expect(shop.deadLetters('orderReturned')).toEqual([
      'ReturnExceedsSale: line 1: 7 came back, 5 were left; line 3: 1 came back, 0 were left',
    ])
    expect(shop.board('day', MONDAY)).toEqual([])
    await shop.close()
  })

  test('what exceeded while it waited goes to the dead letters of the sale', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.takeBack('1x7', MONDAY + HOUR)
    await shop.sell('5 tea', MONDAY)
    expect(shop.deltas).toEqual(['+5 tea 500 SALE', '-5 tea -500 RETURN'])
    expect(shop.deadLetters('orderConfirmed')).toEqual([
      'ReturnExceedsSale: line 1: 7 came back, 5 were left',
    ])
    await shop.close()
  })

  test('an order under a wrong key, and a line that cannot be, go to the dead letters', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.driver.pipe(topics.orderConfirmed, 'o2', sale('5 tea'), { timestamp: MONDAY })
    await shop.driver.pipe(topics.orderReturned, 'o2', returned('1x1'), { timestamp: MONDAY })
    expect(shop.deadLetters('orderConfirmed')).toEqual([`KeyMismatch: the key is not the value's orderId`])
    expect(shop.deadLetters('orderReturned')).toEqual([`KeyMismatch: the key is not the value's orderId`])
    await shop.sell('0 tea, 2 milk', MONDAY)
    expect(shop.deltas).toEqual(['+2 milk 200 SALE'])
    expect(shop.deadLetters('orderConfirmed')).toContain('InvalidLine: line 1: quantity 0')
    await shop.close()
  })

  test('a sum that nobody can have sold stops where integers are exact', async () => {
    const shop = await RankedShop.open(mode)
    const huge = Number.MAX_SAFE_INTEGER
    await shop.sell(`1 tea ${huge}`, MONDAY)
    await shop.flush()
    await shop.sell('1 tea 1', MONDAY, { orderId: 'o2' })
    await shop.flush()
    expect(shop.board('day', MONDAY, { metric: 'amount' })).toEqual([`1 tea ${huge}`])
    expect(shop.board('day', MONDAY)).toEqual(['1 tea 2'])
    expect(shop.dropped.get('SumOverflow')).toBeGreaterThan(0)
    await shop.close()
  })

  test('orders are forgotten after retention; what comes for them later goes to the dead letters', async () => {
    const shop = await RankedShop.open(mode, { retentionMs: 2 * DAY })
    const { sales } = shop.topology.stores
    const known = (orderId: string) => shop.driver.store(shop.topology, sales).get(orderId).value
    await shop.sell('5 tea', MONDAY)
    await shop.takeBack('1x1', MONDAY + HOUR, { orderId: 'o2' })
    await shop.sell('5 tea', MONDAY + 10 * DAY - 1, { orderId: 'o3' })
    expect(known('o1')).toBeDefined()
    await shop.sell('5 tea', MONDAY + 10 * DAY + HOUR, { orderId: 'o4' })
    expect([known('o1'), known('o2')]).toEqual([undefined, undefined])
    expect(known('o3')).toBeDefined()
    expect(shop.dropped.get('ReturnWithoutSale')).toBe(1)

    await shop.sell('5 tea', MONDAY)
    await shop.takeBack('1x1', MONDAY + 10 * DAY + HOUR)
    const tooOld = expect.stringContaining(`TooOld: of ${MONDAY + HOUR}`)
    expect(shop.deadLetters('orderConfirmed')).toEqual([expect.stringContaining(`TooOld: of ${MONDAY}`)])
    expect(shop.deadLetters('orderReturned')).toEqual([tooOld])
    await shop.close()
  })
})
