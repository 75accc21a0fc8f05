import { describe, expect, test } from 'vitest'
import { topics } from '../../schemas/index.ts'
import { HOUR, MINUTE, MONDAY } from '../unit/ranking/given.ts'
import { modes, productIn, RankedShop, regressions } from './best-sellers-driver.ts'

/** A product in each of three partitions. */
const [TEA, MILK, SALT] = [productIn(0), productIn(1), productIn(2)] as [string, string, string]

describe.each(modes)('by stream time: %s', (_, mode) => {
  test('a window is final once stream time has passed its end and grace', async () => {
    const shop = await RankedShop.open(mode)
    await shop.sell('1 tea', MONDAY)
    await shop.sell('1 tea', MONDAY + 2 * HOUR - 1, { orderId: 'o2' })
    await shop.flush()
    expect(shop.snapshot('hour', MONDAY)?.final).toBe(false)
    await shop.sell('1 tea', MONDAY + 2 * HOUR, { orderId: 'o3' })
    await shop.flush()
    expect(shop.snapshot('hour', MONDAY)).toMatchObject({ final: true, revision: 1, lateCount: 0 })
    expect(shop.snapshot('hour', MONDAY)?.watermark).toBe(MONDAY + 2 * HOUR)
    expect(shop.snapshot('hour', MONDAY + HOUR)?.final).toBe(false)
    expect(shop.snapshot('day', MONDAY)?.final).toBe(false)
    expect(regressions(shop.snapshots)).toEqual([])
    await shop.close()
  })

  test('closing does not wait for the second to be over', async () => {
    const shop = await RankedShop.open(mode)
    await shop.sell('1 tea', MONDAY)
    await shop.sell('2 tea', MONDAY, { orderId: 'o2' })
    await shop.sell('1 tea', MONDAY + 9 * HOUR, { orderId: 'o3' })
    expect(shop.board('hour', MONDAY)).toEqual(['1 tea 3'])
    expect(shop.snapshot('hour', MONDAY)?.final).toBe(true)
    await shop.flush()
    expect([...shop.dropped]).toEqual([])
    await shop.close()
  })

  test('a day and a week close where they end', async () => {
    const shop = await RankedShop.open(mode)
    await shop.sell('1 tea', MONDAY)
    await shop.sell('1 tea', MONDAY + 25 * HOUR - 1, { orderId: 'o2' })
    await shop.flush()
    expect(shop.snapshot('day', MONDAY)?.final).toBe(false)
    await shop.sell('1 tea', MONDAY + 25 * HOUR, { orderId: 'o3' })
    await shop.flush()
    expect(shop.snapshot('day', MONDAY)?.final).toBe(true)
    await shop.sell('1 tea', MONDAY + 7 * 24 * HOUR + HOUR, { orderId: 'o4' })
    await shop.flush()
    expect(shop.snapshot('week', MONDAY)).toMatchObject({ final: true, revision: 3 })
    await shop.close()
  })

  test('a board is final when every partition that ever had input has closed it', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.sell(`1 ${TEA}, 2 ${MILK}`, MONDAY)
    await shop.sell(`1 ${TEA}`, MONDAY + 5 * HOUR, { orderId: 'o2' })
    await shop.flush()
    expect(shop.snapshot('hour', MONDAY)).toMatchObject({ final: false, watermark: MONDAY })
    await shop.sell(`1 ${MILK}`, MONDAY + 2 * HOUR, { orderId: 'o3' })
    await shop.flush()
    // The partition of SALT never had input: nobody waits for it.
    expect(shop.snapshot('hour', MONDAY)).toMatchObject({ final: true, watermark: MONDAY + 2 * HOUR })
    expect(shop.snapshot('hour', MONDAY + 2 * HOUR)?.final).toBe(false)
    await shop.close()
  })

  test('a partition that has nothing of a window says that it is past it', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.sell(`1 ${TEA}, 1 ${MILK}`, MONDAY)
    await shop.sell(`1 ${TEA}`, MONDAY + 3 * HOUR, { orderId: 'o2' })
    await shop.sell(`1 ${TEA}`, MONDAY + 8 * HOUR, { orderId: 'o3' })
    await shop.flush()
    expect(shop.snapshot('hour', MONDAY + 3 * HOUR)?.final).toBe(false)
    await shop.sell(`1 ${MILK}`, MONDAY + 8 * HOUR, { orderId: 'o4' })
    await shop.flush()
    expect(shop.snapshot('hour', MONDAY + 3 * HOUR)?.final).toBe(true)
    await shop.close()
  })

  test('a partition that begins later takes its boards back until it has closed them too', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.sell(`1 ${TEA}`, MONDAY)
    await shop.sell(`1 ${TEA}`, MONDAY + 5 * HOUR, { orderId: 'o2' })
    await shop.flush()
    expect(shop.snapshot('hour', MONDAY)?.final).toBe(true)
    await shop.sell(`2 ${SALT}`, MONDAY + MINUTE, { orderId: 'o3' })
    await shop.flush()
    expect(shop.snapshot('hour', MONDAY)).toMatchObject({ final: false, revision: 2, lateCount: 0 })
    await shop.sell(`2 ${SALT}`, MONDAY + 5 * HOUR, { orderId: 'o4' })
    await shop.flush()
    expect(shop.snapshot('hour', MONDAY)).toMatchObject({ final: true, revision: 2, lateCount: 0 })
    expect(regressions(shop.snapshots)).toEqual([])
    await shop.close()
  })

  test('a late sale counts and is told', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.sell(`1 ${TEA}, 1 ${MILK}`, MONDAY)
    await shop.sell(`1 ${TEA}, 1 ${MILK}`, MONDAY + 2 * HOUR, { orderId: 'o2' })
    await shop.flush()
    await shop.sell(`3 ${MILK}`, MONDAY + MINUTE, { orderId: 'o3' })
    await shop.flush()
    expect(shop.board('hour', MONDAY)).toEqual([`1 ${MILK} 4`, `2 ${TEA} 1`])
    expect(shop.snapshot('hour', MONDAY)).toMatchObject({
      final: true,
      revision: 3,
      lateCount: 1,
      corrected: false,
    })
    expect(shop.snapshot('day', MONDAY)).toMatchObject({ final: false, revision: 5, lateCount: 0 })
    expect(regressions(shop.snapshots)).toEqual([])
    await shop.close()
  })

  test('a sale into a window that closed before anybody had it is late', async () => {
    const shop = await RankedShop.open(mode)
    await shop.sell('1 tea', MONDAY + 9 * HOUR)
    await shop.sell('1 tea', MONDAY, { orderId: 'o2' })
    await shop.flush()
    expect(shop.snapshot('hour', MONDAY)).toMatchObject({ final: true, revision: 1, lateCount: 1 })
    const parts = shop.driver.read(topics.rankingPartitionUpdate).flatMap(({ value }) => value?.board ?? [])
    const late = parts.filter(({ window, start }) => window === 'hour' && start === MONDAY)
    expect(late.map(({ closed }) => closed)).toEqual([true, true])
    await shop.close()
  })

  test('many windows close at once', async () => {
    const shop = await RankedShop.open(mode, { graceMs: 100 * HOUR })
    for (let i = 0; i < 70; i++) await shop.sell('1 tea', MONDAY + i * HOUR, { orderId: `o${i}` })
    await shop.sell('1 tea', MONDAY + 300 * HOUR, { orderId: 'last' })
    for (let i = 0; i < 70; i++) expect(shop.snapshot('hour', MONDAY + i * HOUR)?.final).toBe(true)
    await shop.flush()
    expect(shop.snapshot('hour', MONDAY + 300 * HOUR)?.final).toBe(false)
    await shop.close()
  })

  test('a return after a board was final corrects it; one before does not', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 })
    await shop.sell(`5 ${TEA}, 5 ${MILK}`, MONDAY)
    await shop.sell(`1 ${TEA}`, MONDAY + 2 * HOUR, { orderId: 'o2' })
    await shop.flush()
    // Closed where TEA is, but MILK's partition is not there yet: no final board has been said.
    await shop.takeBack('1x1', MONDAY + 2 * HOUR)
    await shop.flush()
    await shop.sell(`1 ${MILK}`, MONDAY + 2 * HOUR, { orderId: 'o3' })
    await shop.flush()
    expect(shop.snapshot('hour', MONDAY)).toMatchObject({ final: true, revision: 3, corrected: false })
    await shop.takeBack('2x2', MONDAY + 2 * HOUR, { returnId: 'r2' })
    await shop.flush()
    expect(shop.snapshot('hour', MONDAY)).toMatchObject({
      final: true,
      revision: 4,
      corrected: true,
      lateCount: 0,
    })
    expect(shop.board('hour', MONDAY)).toEqual([`1 ${TEA} 4`, `2 ${MILK} 3`])
    expect(shop.snapshot('day', MONDAY)?.corrected).toBe(false)
    expect(regressions(shop.snapshots)).toEqual([])
    await shop.close()
  })
})

const live = { closing: 'wallClock', timeZone: 'UTC' } as const

describe.each(modes)('by the wall clock: %s', (_, mode) => {
  test('an idle task closes what is over', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3, now: MONDAY + 30 * MINUTE }, live)
    await shop.sell(`1 ${TEA}, 2 ${MILK}`, MONDAY + 30 * MINUTE)
    await shop.driver.advanceWallTime(89 * MINUTE, 10_000)
    expect(shop.snapshot('hour', MONDAY)?.final).toBe(false)
    await shop.driver.advanceWallTime(2 * MINUTE, 10_000)
    expect(shop.snapshot('hour', MONDAY)).toMatchObject({ final: true, watermark: MONDAY + HOUR })
    expect(shop.snapshot('day', MONDAY)?.final).toBe(false)
    await shop.driver.advanceWallTime(24 * HOUR, 5 * MINUTE)
    expect(shop.snapshot('day', MONDAY)).toMatchObject({ final: true, revision: 2 })
    expect(regressions(shop.snapshots)).toEqual([])
    await shop.close()
  })

  test('what was sold long ago closes after ten seconds', async () => {
    const shop = await RankedShop.open(mode, live)
    await shop.sell('1 tea', MONDAY)
    await shop.driver.advanceWallTime(9_000)
    expect(shop.snapshot('week', MONDAY)?.final).toBe(false)
    await shop.driver.advanceWallTime(2_000)
    for (const window of ['hour', 'day', 'week'] as const) {
      expect(shop.snapshot(window, MONDAY)?.final).toBe(true)
    }
    await shop.close()
  })

  test('never while input is flowing', async () => {
    const shop = await RankedShop.open({ ...mode, now: MONDAY + 30 * MINUTE }, live)
    for (let i = 0; i < 90; i++) {
      await shop.sell('1 tea', MONDAY + 30 * MINUTE, { orderId: `o${i}` })
      await shop.driver.advanceWallTime(i < 3 ? 29 * MINUTE + 55_000 : 5_000, MINUTE)
    }
    // For more than six minutes after its end and grace, and never idle for ten seconds.
    expect(shop.driver.clock.now()).toBeGreaterThan(MONDAY + 2 * HOUR + 5 * MINUTE)
    expect(shop.snapshot('hour', MONDAY)).toMatchObject({ final: false, revision: 90, lateCount: 0 })
    await shop.driver.advanceWallTime(10_000)
    expect(shop.snapshot('hour', MONDAY)).toMatchObject({ final: true, revision: 90, lateCount: 0 })
    await shop.close()
  })

  test('a sale after that is late, also in a window that nobody had', async () => {
    const shop = await RankedShop.open({ ...mode, now: MONDAY + 30 * MINUTE }, live)
    await shop.sell('1 tea', MONDAY + 30 * MINUTE)
    await shop.driver.advanceWallTime(5 * HOUR, MINUTE)
    await shop.sell('1 tea', MONDAY + 31 * MINUTE, { orderId: 'o2' })
    await shop.sell('1 tea', MONDAY + 2 * HOUR, { orderId: 'o3' })
    await shop.flush()
    expect(shop.snapshot('hour', MONDAY)).toMatchObject({ final: true, revision: 2, lateCount: 1 })
    expect(shop.snapshot('hour', MONDAY + 2 * HOUR)).toMatchObject({ final: true, lateCount: 1 })
    expect(shop.snapshot('day', MONDAY)).toMatchObject({ final: false, lateCount: 0 })
    await shop.close()
  })
})

test('a task that was down looks again before it closes: records may be waiting', async () => {
  const shop = await RankedShop.open({ now: MONDAY + 30 * MINUTE }, live)
  await shop.sell('1 tea', MONDAY + 30 * MINUTE)
  // One jump of the clock, as after downtime.
  await shop.driver.advanceWallTime(5 * HOUR, 5 * HOUR)
  expect(shop.snapshot('hour', MONDAY)?.final).toBe(false)
  await shop.sell('1 tea', MONDAY + 40 * MINUTE, { orderId: 'o2' })
  await shop.driver.advanceWallTime(9_000)
  expect(shop.snapshot('hour', MONDAY)).toMatchObject({ final: false, revision: 2, lateCount: 0 })
  await shop.driver.advanceWallTime(12_000)
  expect(shop.snapshot('hour', MONDAY)).toMatchObject({ final: true, revision: 2, lateCount: 0 })
  await shop.close()
})

test('without the wall clock an idle task closes nothing', async () => {
  const shop = await RankedShop.open({ now: MONDAY })
  await shop.sell('1 tea', MONDAY)
  await shop.driver.advanceWallTime(60 * HOUR, HOUR)
  expect(shop.snapshot('hour', MONDAY)?.final).toBe(false)
  await shop.close()
})
