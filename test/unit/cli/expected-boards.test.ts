import { join } from 'node:path'
import { expect, test } from 'vitest'
import { expectedBoards } from '../../../cli/demo/expected-boards.ts'

const DECEMBER = join(import.meta.dirname, '../../../samples/online-retail/2010-12.csv.gz')
const DAY_MS = 86_400_000

test('the plain recomputation lists best first, ties at one rank and by productId', () => {
  const { byQuantity } = expectedBoards(DECEMBER, 0).day(Date.parse('2010-12-23T12:00:00Z'))
  expect(byQuantity.slice(0, 4)).toEqual([
    { rank: 1, productId: '17012C', quantity: 96, amount: 8160 },
    { rank: 1, productId: '17013D', quantity: 96, amount: 4032 },
    { rank: 3, productId: '84050', quantity: 75, amount: 9751 },
    { rank: 4, productId: '82600', quantity: 53, amount: 9162 },
  ])
})

test('it groups days into weeks after the shift, not before', () => {
  const monday = Date.parse('2010-12-20T12:00:00Z')
  const still = expectedBoards(DECEMBER, 0)
  const moved = expectedBoards(DECEMBER, DAY_MS)
  expect(moved.day(monday + DAY_MS)).toEqual(still.day(monday))
  // Sunday's sales are in the week that Monday begins now.
  expect(moved.week(monday).changes).toBe(still.week(monday).changes + still.day(monday - DAY_MS).changes)
})

test('a time without sales has an empty board', () => {
  expect(expectedBoards(DECEMBER, 0).day(0)).toEqual({ changes: 0, byQuantity: [], byAmount: [] })
})
