import { describe, expect, test } from 'vitest'
import { MAX_FRESH } from '../../processors/ranking/sums.ts'
import { topics } from '../../schemas/index.ts'
import { bestSellers } from '../../topologies/index.ts'
import { DAY, HOUR, MINUTE, MONDAY } from '../unit/ranking/given.ts'
import { modes, productIn, RankedShop, regressions } from './best-sellers-driver.ts'

const WINDOWS = ['hour', 'day', 'week'] as const

describe.each(modes)('%s', (_, mode) => {
  test('ranks what was sold, by quantity and by amount, in every window, over partitions', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.sell('2 tea 300, 5 milk 90, 1 bread 250', MONDAY + MINUTE)
    await shop.sell('3 tea 300, 1 salt 10', MONDAY + 2 * MINUTE, { orderId: 'o2' })
    await shop.flush()
    for (const window of WINDOWS) {
      expect(shop.board(window, MONDAY)).toEqual(['1 milk 5', '1 tea 5', '3 bread 1', '3 salt 1'])
      expect(shop.board(window, MONDAY, { metric: 'amount' })).toEqual([
        '1 tea 1500',
        '2 milk 450',
        '3 bread 250',
        '4 salt 10',
      ])
    }
    await shop.close()
  })

  test('says which window it is and how much it knows', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.sell('2 tea 300, 5 milk 90', MONDAY + DAY + MINUTE)
    await shop.sell('2 tea 300', MONDAY + DAY + 2 * MINUTE, { orderId: 'o2' })
    await shop.flush()
    const { entries, watermark, ...board } = shop.snapshot('day', MONDAY + DAY) ?? { entries: [] }
    expect(board).toEqual({
      window: 'day',
      metric: 'quantity',
      category: null,
      start: MONDAY + DAY,
      end: MONDAY + 2 * DAY,
      timeZone: 'UTC',
      depth: 1_000,
      revision: 3,
      final: false,
      corrected: false,
      lateCount: 0,
    })
    expect(watermark).toBeGreaterThanOrEqual(MONDAY + DAY + MINUTE)
    expect(entries[0]).toEqual({
      rank: 1,
      productId: 'milk',
      score: 5,
      quantity: 5,
      amount: 450,
      previousRank: null,
    })
    await shop.close()
  })

  test('a return lowers the window of its sale, not the one it falls into', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.sell('5 tea, 4 milk', MONDAY)
    await shop.sell('9 salt', MONDAY + DAY, { orderId: 'o2' })
    await shop.takeBack('1x2', MONDAY + DAY + MINUTE)
    await shop.flush()
    expect(shop.board('day', MONDAY)).toEqual(['1 milk 4', '2 tea 3'])
    expect(shop.board('hour', MONDAY)).toEqual(['1 milk 4', '2 tea 3'])
    expect(shop.board('day', MONDAY + DAY)).toEqual(['1 salt 9'])
    expect(shop.board('week', MONDAY)).toEqual(['1 salt 9', '2 milk 4', '3 tea 3'])
    await shop.close()
  })

  test('what came back as a whole is not listed', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.sell('5 tea, 4 milk, 3 gift 0', MONDAY)
    await shop.takeBack('1x2', MONDAY + MINUTE)
    await shop.cancel('1x3', MONDAY + MINUTE)
    await shop.flush()
    expect(shop.board('day', MONDAY)).toEqual(['1 milk 4', '2 gift 3'])
    expect(shop.board('day', MONDAY, { metric: 'amount' })).toEqual(['1 milk 400'])
    expect(shop.snapshot('day', MONDAY)?.revision).toBe(5)
    await shop.close()
  })

  test('knows the rank in the window before', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.sell('5 tea, 5 milk, 2 salt', MONDAY)
    await shop.flush()
    await shop.sell('5 salt, 3 milk, 1 bread', MONDAY + HOUR, { orderId: 'o2' })
    await shop.flush()
    const ranks = shop
      .snapshot('hour', MONDAY + HOUR)
      ?.entries.map((e) => [e.productId, e.rank, e.previousRank])
    expect(ranks).toEqual([
      ['salt', 1, 3],
      ['milk', 2, 1],
      ['bread', 3, null],
    ])
    await shop.sell('1 tea', MONDAY + 3 * HOUR, { orderId: 'o3' })
    await shop.flush()
    expect(shop.snapshot('hour', MONDAY + 3 * HOUR)?.entries[0]?.previousRank).toBeNull()
    await shop.close()
  })

  test('lists no more than its depth, whatever partition it comes from', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 }, { depth: 3 })
    await shop.sell('1 a, 2 b, 3 c, 4 d, 5 e, 6 f', MONDAY)
    await shop.flush()
    expect(shop.board('day', MONDAY)).toEqual(['1 f 6', '2 e 5', '3 d 4'])
    await shop.takeBack('6x6, 5x3', MONDAY + MINUTE)
    await shop.flush()
    expect(shop.board('day', MONDAY)).toEqual(['1 d 4', '2 c 3', '3 b 2'])
    await shop.close()
  })

  test('sends a board at most once a second, the last time with everything', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    const from = shop.driver.clock.now()
    for (let i = 0; i < 30; i++) {
      await shop.sell(`1 ${productIn(i % 3)}`, MONDAY + MINUTE, { orderId: `o${i}` })
      await shop.driver.advanceWallTime(100, 100)
    }
    await shop.flush()
    const key = `day|quantity||${MONDAY}`
    const snapshots = shop.snapshots.filter((snapshot) => snapshot.key === key)
    expect(snapshots.length).toBeGreaterThan(2)
    expect(snapshots[0]?.timestamp).toBe(from + 1_000)
    expect(tooSoon(snapshots)).toEqual([])
    const parts = shop.driver.read(topics.rankingPartitionUpdate)
    for (const partition of [0, 1, 2]) {
      const ofDay = parts.filter(
        ({ key: route, value }) => route === 'day|quantity|' && value?.partition === partition,
      )
      expect(ofDay.length).toBeGreaterThan(2)
      expect(tooSoon(ofDay)).toEqual([])
    }
    expect(shop.snapshot('day', MONDAY)).toMatchObject({ revision: 30 })
    expect(regressions(shop.snapshots)).toEqual([])
    await shop.close()
  })

  test('parts that come again, and late, change nothing', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.sell('5 tea, 4 milk', MONDAY)
    await shop.flush()
    await shop.sell('1 tea, 4 milk', MONDAY + 5 * HOUR, { orderId: 'o2' })
    await shop.flush()
    const before = shop.snapshots.map(({ record }) => record.value?.toString('hex'))
    for (const { record } of shop.driver.read(topics.rankingPartitionUpdate).toReversed()) {
      const { topic, partition, key, value, timestamp } = record
      await shop.driver.pipeBytes(topic, key, value, { partition, timestamp })
    }
    await shop.flush()
    expect(shop.snapshots.map(({ record }) => record.value?.toString('hex'))).toEqual(before)
    await shop.sell('1 salt', MONDAY + 5 * HOUR, { orderId: 'o3' })
    await shop.flush()
    expect(shop.snapshot('day', MONDAY)?.revision).toBe(5)
    expect(shop.board('day', MONDAY)).toEqual(['1 milk 8', '2 tea 6', '3 salt 1'])
    await shop.close()
  })

  test('queries see the last snapshot of every board', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.sell('2 tea 300, 5 milk 90', MONDAY)
    await shop.sell('2 salt', MONDAY + 3 * HOUR, { orderId: 'o2' })
    await shop.flush()
    const boards = shop.snapshots.map(({ value }) => value)
    expect(new Set(boards.map((board) => `${board?.window} ${board?.metric}`)).size).toBe(6)
    for (const board of boards) {
      if (board === null) throw new Error('a board was deleted')
      const last = shop.snapshot(board.window as 'day', board.start, { metric: board.metric as 'amount' })
      expect(shop.stored(board.window as 'day', board.start, board.metric)).toEqual(last)
    }
    await shop.close()
  })

  test('days and weeks begin when the clocks of the time zone say so', async () => {
    const shop = await RankedShop.open({ ...mode, now: Date.UTC(2026, 9, 27) }, { timeZone: 'Europe/Berlin' })
    const midnight = Date.UTC(2026, 9, 24, 22)
    await shop.sell('1 before', midnight - 1)
    await shop.sell('1 first', midnight, { orderId: 'o2' })
    await shop.sell('1 last', midnight + 25 * HOUR - 1, { orderId: 'o3' })
    await shop.sell('1 after', midnight + 25 * HOUR, { orderId: 'o4' })
    await shop.flush()
    expect(shop.board('day', midnight)).toEqual(['1 first 1', '1 last 1'])
    expect(shop.snapshot('day', midnight)).toMatchObject({ start: midnight, end: midnight + 25 * HOUR })
    expect(shop.snapshot('day', midnight)?.timeZone).toBe('Europe/Berlin')
    expect(shop.board('week', midnight)).toEqual(['1 before 1', '1 first 1', '1 last 1'])
    expect(shop.board('week', midnight + 26 * HOUR)).toEqual(['1 after 1'])
    await shop.sell('2 first', midnight + 26 * HOUR, { orderId: 'o5' })
    await shop.flush()
    const next = shop.snapshot('day', midnight + 26 * HOUR)
    expect(next?.entries[0]).toMatchObject({ productId: 'first', previousRank: 1 })
    await shop.close()
  })
})

test('more products in an hour than are kept fresh', async () => {
  const shop = await RankedShop.open()
  const count = MAX_FRESH + 500
  for (let i = 0; i < count; i += 500) {
    const lines = Array.from(
      { length: 500 },
      (_, line) => `${i + line >= MAX_FRESH - 1 ? 2 : 1} p${i + line}`,
    )
    await shop.sell(lines.join(', '), MONDAY, { orderId: `o${i}` })
  }
  await shop.sell(`3 p${count - 1}, 1 p0`, MONDAY, { orderId: 'last' })
  await shop.flush()
  for (const window of WINDOWS) {
    expect(shop.snapshot(window, MONDAY)?.revision).toBe(count + 2)
    expect(shop.board(window, MONDAY)?.slice(0, 2)).toEqual([`1 p${count - 1} 5`, '2 p0 2'])
    expect(shop.board(window, MONDAY)?.filter((entry) => entry.endsWith(' 2'))).toHaveLength(501)
  }
  await shop.close()
}, 30_000)

/** Times between one sending and the next that are less than a second. */
function tooSoon(records: readonly { readonly timestamp: number }[]): number[] {
  const times = records.map(({ timestamp }) => timestamp)
  return times
    .slice(1)
    .map((time, i) => time - (times[i] ?? 0))
    .filter((gap) => gap < 1_000)
}

describe('options', () => {
  test.each([
    { timeZone: 'Mars/Olympus' },
    { graceMs: -1 },
    { graceMs: 0.5 },
    { retentionMs: 1_000 },
    { retentionMs: Number.NaN },
    { depth: 0 },
    { depth: 1_001 },
  ])('%o cannot be', (options) => {
    expect(() => bestSellers(options)).toThrow(RangeError)
  })

  test('of another time zone have other stores', () => {
    const names = (timeZone: string) =>
      Object.values(bestSellers({ timeZone }).stores)
        .map(({ name }) => name)
        .filter((name) => name !== 'order-sales')
    const zones = ['UTC', 'Europe/Berlin', 'Etc/GMT+5', 'Etc/GMT-5', 'America/Port-au-Prince']
    const all = zones.flatMap(names)
    expect(new Set(all).size).toBe(all.length)
  })
})
