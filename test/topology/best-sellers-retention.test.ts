import { describe, expect, test } from 'vitest'
import { SWEEP_ROWS } from '../../processors/ranking/expire-windows.ts'
import { topics } from '../../schemas/index.ts'
import { DAY, HOUR, MINUTE, MONDAY } from '../unit/ranking/given.ts'
import { modes, productIn, RankedShop } from './best-sellers-driver.ts'

const [TEA, MILK, SALT] = [productIn(0), productIn(1), productIn(2)] as [string, string, string]
const kept = { retentionMs: 3 * HOUR } as const

/** Rows of the ranker's and merger's stores, by store. */
async function rows(shop: RankedShop): Promise<Record<string, number>> {
  const { fresh, sums, tallies, windows, parts, states, boards } = shop.topology.stores
  const counts: Record<string, number> = {}
  for (const spec of [fresh, sums, tallies, windows, parts, states, boards]) {
    const found = await shop.driver.store(shop.topology, spec as typeof boards).pageAll({ limit: 100_000 })
    counts[spec.name.replace('-utc', '')] = found.length
  }
  return counts
}

describe.each(modes)('%s', (_, mode) => {
  test('what is beyond retention goes: rows, boards, and the boards on the topic', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 }, kept)
    await shop.sell(`1 ${TEA}, 1 ${MILK}`, MONDAY)
    await shop.flush()
    const before = await rows(shop)
    expect(before).toMatchObject({
      'product-sums': 6,
      'hour-tallies': 2,
      'ranking-windows': 6,
      'board-parts': 12,
      boards: 6,
    })
    await shop.sell(`1 ${TEA}, 1 ${MILK}`, MONDAY + 14 * DAY, { orderId: 'o2' })
    await shop.flush()
    await shop.flush()
    expect(await rows(shop)).toEqual({ ...before, 'fresh-sums': 0 })
    expect(shop.snapshot('week', MONDAY)).toBeUndefined()
    expect(shop.stored('week', MONDAY)).toBeUndefined()
    expect(shop.board('week', MONDAY + 14 * DAY)).toHaveLength(2)
    const tombstones = shop.driver.read(topics.rankingSnapshot).filter(({ value }) => value === null)
    expect(new Set(tombstones.map(({ key }) => key)).size).toBe(6)
    await shop.close()
  })

  test('each window goes at its own time', async () => {
    const shop = await RankedShop.open(mode, kept)
    await shop.sell('1 tea', MONDAY)
    await shop.sell('1 tea', MONDAY + 4 * HOUR - 1, { orderId: 'o2' })
    await shop.flush()
    expect(shop.snapshot('hour', MONDAY)).toMatchObject({ final: true, revision: 1 })
    await shop.sell('1 tea', MONDAY + 4 * HOUR, { orderId: 'o3' })
    await shop.flush()
    expect(shop.snapshot('hour', MONDAY)).toBeUndefined()
    expect(shop.board('day', MONDAY)).toEqual(['1 tea 3'])
    await shop.close()
  })

  test('a delta for a window that is gone is dropped there and counts elsewhere', async () => {
    const shop = await RankedShop.open(mode, kept)
    await shop.sell('5 tea', MONDAY)
    await shop.sell('1 tea', MONDAY + 4 * HOUR, { orderId: 'o2' })
    await shop.takeBack('1x2', MONDAY + 4 * HOUR)
    await shop.sell('9 milk', MONDAY + MINUTE, { orderId: 'o3' })
    await shop.flush()
    expect(shop.dropped.get('WindowExpired')).toBe(2)
    expect(shop.snapshot('hour', MONDAY)).toBeUndefined()
    expect(shop.board('day', MONDAY)).toEqual(['1 milk 9', '2 tea 4'])
    expect(shop.snapshot('day', MONDAY)?.revision).toBe(4)
    // Two products of the day and the week, one of the hour that is there.
    expect(await rows(shop)).toMatchObject({ 'product-sums': 5, 'fresh-sums': 0 })
    await shop.sell('1 tea', MONDAY + 7 * DAY + 4 * HOUR, { orderId: 'o4' })
    await shop.takeBack('1x1', MONDAY + 7 * DAY + 4 * HOUR, { returnId: 'r2' })
    await shop.flush()
    expect(shop.dropped.get('WindowExpired')).toBe(2 + 3)
    await shop.close()
  })

  test('what was not in the sums yet goes with its week', async () => {
    const shop = await RankedShop.open(mode, kept)
    await shop.sell('1 tea', MONDAY)
    await shop.sell('1 tea', MONDAY + 7 * DAY + 2 * HOUR, { orderId: 'o2' })
    await shop.sell('1 milk', MONDAY, { orderId: 'o3' })
    await shop.sell('1 tea', MONDAY + 7 * DAY + 3 * HOUR, { orderId: 'o4' })
    await shop.flush()
    // Two hours, one day and one week of tea.
    expect(await rows(shop)).toMatchObject({ 'fresh-sums': 0, 'product-sums': 4, 'hour-tallies': 2 })
    await shop.close()
  })

  test('a board lives as long as the slowest partition is not past it', async () => {
    const shop = await RankedShop.open({ ...mode, partitions: 3 }, kept)
    await shop.sell(`1 ${TEA}, 2 ${MILK}`, MONDAY)
    await shop.sell(`1 ${TEA}`, MONDAY + 9 * HOUR, { orderId: 'o2' })
    await shop.flush()
    expect(shop.board('hour', MONDAY)).toEqual([`1 ${MILK} 2`, `2 ${TEA} 1`])
    await shop.sell(`3 ${MILK}`, MONDAY + MINUTE, { orderId: 'o3' })
    await shop.flush()
    expect(shop.board('hour', MONDAY)).toEqual([`1 ${MILK} 5`, `2 ${TEA} 1`])
    await shop.sell(`1 ${MILK}`, MONDAY + 9 * HOUR, { orderId: 'o4' })
    await shop.flush()
    expect(shop.board('hour', MONDAY)).toBeUndefined()
    // A partition without input so far still takes it; the board does not come back for it.
    await shop.sell(`1 ${SALT}`, MONDAY + MINUTE, { orderId: 'o5' })
    await shop.flush()
    expect(shop.board('hour', MONDAY)).toBeUndefined()
    expect(shop.board('day', MONDAY)).toContain(`3 ${SALT} 1`)
    await shop.close()
  })
})

test('a large window goes some rows at a time', async () => {
  const shop = await RankedShop.open({}, kept)
  const lines = Array.from({ length: SWEEP_ROWS + 500 }, (_, i) => `1 p${i}`)
  for (let i = 0; i < 5; i++) {
    await shop.sell(lines.slice(i * 300, (i + 1) * 300).join(', '), MONDAY, { orderId: `o${i}` })
  }
  await shop.flush()
  const before = (await rows(shop))['product-sums']
  await shop.sell('1 tea', MONDAY + 4 * HOUR, { orderId: 'last' })
  const between = (await rows(shop))['product-sums']
  await shop.flush()
  const after = (await rows(shop))['product-sums']
  expect([before, between, after]).toEqual([3 * 1_500, 3 * 1_500 + 3 - SWEEP_ROWS, 2 * 1_500 + 3])
  await shop.close()
})

test('with unlimited retention everything stays', async () => {
  const shop = await RankedShop.open({}, { retentionMs: Number.POSITIVE_INFINITY })
  await shop.sell('1 tea', MONDAY)
  await shop.sell('1 tea', MONDAY + 29 * DAY, { orderId: 'o2' })
  await shop.takeBack('1x1', MONDAY + 29 * DAY)
  await shop.flush()
  expect(shop.board('hour', MONDAY)).toEqual([])
  expect(shop.snapshot('hour', MONDAY)).toMatchObject({ final: true, corrected: true, revision: 2 })
  expect([...shop.dropped]).toEqual([])
  await shop.close()
})
