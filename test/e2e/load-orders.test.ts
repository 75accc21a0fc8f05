/** `millrace seed` and `millrace load orders` against the real command. */
import { expect, test } from 'vitest'
import type { OrdersReport } from '../../cli/load/orders/report.ts'
import { freshDirectory, getJson, run, startShop } from './command.ts'

test('seed fills a shop that runs, and again changes nothing', async () => {
  const dataDir = freshDirectory()
  const shop = await startShop(dataDir)
  const seed = ['seed', '--products', '3', '--users', '4', '--stock', '50', '--points', '70', '--json']
  const given = { products: 3, units: 150, users: 4, points: 280, campaigns: 2, coupons: 8 }
  const look = async () => ({
    product: await getJson(`${shop.url}/v1/products/product-3`),
    points: (await getJson(`${shop.url}/v1/users/user-4/points`))['balance'],
    coupon: await getJson(`${shop.url}/v1/coupons/ten-percent`),
  })
  const first = await run([...seed, '--data-dir', dataDir])
  expect([first.code, JSON.parse(first.stdout)]).toEqual([0, given])
  const before = await look()
  expect(before).toMatchObject({ product: { stock: { received: 50, available: 50 } }, points: 70 })
  expect(before.coupon).toMatchObject({ status: 'ACTIVE', issued: 4 })

  const again = await run([...seed, '--url', shop.url])
  expect([again.code, JSON.parse(again.stdout)]).toEqual([0, given])
  expect(await look()).toEqual(before)
  // Another seed is another delivery.
  expect((await run([...seed, '--url', shop.url, '--seed', '2'])).code).toBe(0)
  expect((await look()).product).toMatchObject({ stock: { received: 100 } })
}, 300_000)

test('I10 to I21: a shop of its own takes orders of every kind, and all of them add up', async () => {
  const { code, stdout } = await run(['load', 'orders', '--orders', '200', '--rate', '100', '--json'])
  const report = JSON.parse(stdout) as OrdersReport
  expect(report.checks.filter(({ ok }) => !ok)).toEqual([])
  expect([code, report.checks.length, report.unchecked]).toEqual([0, 12, []])
  const { good, declined, late } = report.outcomes
  expect(Object.keys(good ?? {})).toEqual(['COMPLETED'])
  expect(Object.keys(declined ?? {})).toEqual(['FAILED'])
  expect(Object.keys(late ?? {})).toEqual(['FAILED'])
  expect(Object.keys(report.outcomes['wrong-amount'] ?? {})).toEqual(['CANCELLED'])
  expect(report.outcomes['no-stock']).toMatchObject({
    FAILED: expect.any(Number),
    OUT_OF_STOCK: expect.any(Number),
  })
  expect(Object.keys(report.outcomes['no-delivery'] ?? {})).toEqual(['FAILED'])
  // What was paid by mistake went back too.
  const { paid = 0, refunded = 0, sold, returned } = report.money
  expect(refunded).toBeGreaterThan(returned)
  expect(paid - refunded).toBe(sold - returned)
}, 300_000)

test('of a shop that runs it says what only the log tells', async () => {
  const shop = await startShop(freshDirectory())
  const few = ['load', 'orders', '--orders', '40', '--rate', '100', '--products', '4', '--users', '5']
  const { code, stdout } = await run([
    ...few,
    '--url',
    shop.url,
    '--mix',
    'good=3,points=1,coupon=1,return=1',
  ])
  expect(stdout).toMatch(/COMPLETED[\s\S]*all +40 +40\n/)
  expect(stdout).toMatch(/ok +I11 stock adds up[\s\S]*- +I19 [^\n]*only the log tells/)
  expect(code).toBe(0)
}, 300_000)
