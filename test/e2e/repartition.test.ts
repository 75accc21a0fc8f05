import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../support/kafka/eventually.ts'
import { freshDirectory, getJson, run, sendJson, type Shop, start, startShop, stop } from './command.ts'
import { ask, openCoupon, walletOf } from './coupons.ts'
import { killAtChange } from './kill-at-change.ts'
import { boardWith, sellMug } from './orders.ts'

/** A command started a dozen times, on a busy machine. */
const KILLS_MS = 600_000
/** All that the sentinel reads of coupons. */
const WATCHED = ['campaign', 'campaign.requested', 'issue.requested', 'issued', 'issue.rejected', 'quota']
const COUPONS = ['--topic', 'coupon.issue.requested', '--topic', 'coupon-wallet-issued-by-user-repartition']
/** These, and what the same tasks read. */
const TOGETHER = [
  'coupon-wallet-issued-by-user-repartition',
  'coupon.campaign.requested',
  'coupon.issue.requested',
  'coupon.restore.requested',
  'coupon.revoke.requested',
  'coupon.use.requested',
]
const USERS = Array.from({ length: 24 }, (_, index) => `u${index}`)

interface Report {
  readonly topics: readonly { readonly topic: string; readonly from: number; readonly to: number }[]
  readonly rows: number
  readonly moved: number
  readonly records: number
  readonly overrides: object
}

function repartition(dataDir: string, to: string, ...more: readonly string[]) {
  return run(['repartition', '--data-dir', dataDir, '--partitions', '11', '--to', to, '--json', ...more])
}

async function done(dataDir: string, to: string, ...topics: readonly string[]): Promise<Report> {
  const { code, stdout, stderr } = await repartition(dataDir, to, ...topics)
  expect(stderr).toContain('is as it was')
  expect(code).toBe(0)
  return JSON.parse(stdout) as Report
}

function startWith(dataDir: string, { overrides }: Pick<Report, 'overrides'>): Promise<Shop> {
  return startShop(dataDir, '--set', `topics.overrides=${JSON.stringify(overrides)}`)
}

/** What each user was told, of one coupon each of many. */
async function verdicts(shop: Shop, couponOf: (user: string) => string): Promise<readonly object[]> {
  const all: object[] = []
  for (const user of USERS) all.push(await ask(shop, couponOf(user), user, `r-${user}`))
  return all
}

/** A shop's directory with many coupons, each of which is gone after two of its three users. */
async function usedDirectory() {
  const dataDir = freshDirectory()
  const shop = await startShop(dataDir)
  const couponOf = (user: string): string => `coupon-${Number(user.slice(1)) % 8}`
  for (const coupon of new Set(USERS.map(couponOf))) await openCoupon(shop, coupon, 2)
  const said = await verdicts(shop, couponOf)
  const wallet = await walletOf(shop, 'u0')
  for (let i = 0; i < 12; i++) await sellMug(shop, `o-${i}`)
  const board = await boardWith(shop, 12)
  await stop(shop)
  return { dataDir, couponOf, said, wallet, board }
}

describe('millrace repartition', () => {
  test('I1, I4: gives coupons more partitions; verdicts, quotas, wallets and boards stay', async () => {
    const { dataDir, couponOf, said, wallet, board } = await usedDirectory()
    const to = join(freshDirectory(), 'more')
    const report = await done(dataDir, to, ...COUPONS)
    expect(report.topics.map(({ topic }) => topic).toSorted()).toEqual(TOGETHER)
    expect(report.moved).toBeGreaterThan(0)
    expect(report.moved).toBeLessThan(report.rows)
    expect((await run(['state', 'verify', '--data-dir', to])).code).toBe(0)

    const shop = await startWith(to, report)
    expect(await verdicts(shop, couponOf)).toEqual(said)
    expect(await walletOf(shop, 'u0')).toEqual(wallet)
    expect(await boardWith(shop, 12)).toEqual(board)
    for (const coupon of new Set(USERS.map(couponOf))) {
      expect(await ask(shop, coupon, 'late', `late-${coupon}`)).toMatchObject({ reason: 'SOLD_OUT' })
      await openCoupon(shop, `new-${coupon}`, 1)
      expect(await ask(shop, `new-${coupon}`, 'late', 'r')).toMatchObject({ status: 'ISSUED' })
    }
    await eventually(async () => (await walletOf(shop, 'late')).length === 8)
    await stop(shop)
    expect((await run(['state', 'verify', '--data-dir', to])).code).toBe(0)
    // Its rows came about elsewhere: no journal tells how.
    const rebuilt = await run(['state', 'rebuild', 'coupon-issuance', '--data-dir', to, '--to', `${to}-2`])
    expect(rebuilt.code).not.toBe(0)
    // The one at hand goes on as it was.
    const old = await startShop(dataDir)
    expect(await verdicts(old, couponOf)).toEqual(said)
    await stop(old)
  })

  test('lets the sentinel begin anew on topics that have as many, and find nothing', async () => {
    const { dataDir, couponOf, said } = await usedDirectory()
    const to = join(freshDirectory(), 'more')
    const report = await done(dataDir, to, ...WATCHED.flatMap((name) => ['--topic', `coupon.${name}`]))
    expect(report.topics).toHaveLength(WATCHED.length)
    expect(report.records).toBeGreaterThanOrEqual(16)
    const overrides = `topics.overrides=${JSON.stringify(report.overrides)}`
    const watched = ['--set', 'sentinel.enabled=true', '--set', 'sentinel.watchOneIn=1']
    const shop = await startShop(to, '--set', overrides, ...watched)
    expect(await verdicts(shop, couponOf)).toEqual(said)
    await openCoupon(shop, 'new', 2)
    for (const user of ['a', 'b', 'c']) await ask(shop, 'new', user, user)
    await eventually(async () => {
      const metrics = await (await fetch(`${shop.url}/metrics`)).text()
      const lags = metrics.match(/^millrace_task_lag_records\{topology="sentinel".* (\d+)$/gm) ?? []
      return lags.length > 0 && lags.every((line) => line.endsWith(' 0'))
    })
    expect(await getJson(`${shop.url}/v1/ops/incidents`)).toEqual({ incidents: [] })
    await stop(shop)
  })

  test('I16: takes orders and their timers along, and products of a compacted topic', async () => {
    const dataDir = freshDirectory()
    const before = await startShop(dataDir)
    for (let i = 0; i < 12; i++) await sellMug(before, `o-${i}`)
    for (const productId of ['mug', 'cup', 'jug', 'pot', 'pan']) {
      const product = { productId, title: productId, categoryId: null, price: 600, currency: 'GBP' }
      await sendJson('POST', `${before.url}/v1/events/product.catalog`, product)
      await eventually(async () => (await fetch(`${before.url}/v1/products/${productId}`)).ok)
    }
    await boardWith(before, 12)
    await stop(before)
    const to = join(freshDirectory(), 'more')
    const report = await done(dataDir, to, '--topic', 'order.confirmed', '--topic', 'product.catalog')
    expect(report.topics).toHaveLength(4)
    expect(report.records).toBe(5)
    const shop = await startWith(to, report)
    for (const productId of ['mug', 'cup', 'jug', 'pot', 'pan'])
      expect(await getJson(`${shop.url}/v1/products/${productId}`)).toMatchObject({ productId })
    // Sold before and again: the same orders. Cancelled: what they had, wherever they lie now.
    for (let i = 0; i < 12; i++) await sellMug(shop, `o-${i}`)
    for (let i = 0; i < 5; i++) {
      const items = [{ lineNo: 1, productId: 'mug', quantity: 1, amount: 600 }]
      const at = Date.now()
      const order = { orderId: `o-${i}`, userId: 'ann', items, confirmedAt: at, at }
      await sendJson('POST', `${shop.url}/v1/events/order.cancelled`, order)
    }
    await boardWith(shop, 7)
    await stop(shop)
  })

  test('says what cannot be, and leaves nothing', async () => {
    const { dataDir } = await usedDirectory()
    const to = join(freshDirectory(), 'more')
    const refused: readonly (readonly [topic: string, why: RegExp, code: number])[] = [
      ['ranking.sales.delta', /keys of fresh-sums-utc.* do not tell their partition/, 3],
      ['ranking.partition.update', /keys of .*board-parts-utc.* do not tell their partition/, 3],
      ['coupon.isued', /the directory has no topic coupon.isued/, 2],
    ]
    for (const [topic, why, code] of refused) {
      const found = await repartition(dataDir, to, '--topic', topic)
      expect(found.stderr).toMatch(why)
      expect(found.code).toBe(code)
    }
    const fewer = await repartition(dataDir, to, ...COUPONS, '--partitions', '6')
    expect(fewer.stderr).toContain('has 6 partitions already')
    const there = await repartition(dataDir, freshDirectory(), ...COUPONS)
    expect(there.stderr).toContain('is there already')
    expect(there.code).toBe(4)
    const shop = await startShop(dataDir, '--topologies', 'catalog')
    await sendJson('POST', `${shop.url}/v1/coupons/coupon-0/requests`, { userId: 'w', requestId: 'w' })
    await stop(shop)
    const waiting = await repartition(dataDir, to, ...COUPONS)
    expect(waiting.stderr).toMatch(/coupon-issuance.0_\d has not processed 1 records/)
    expect(waiting.code).toBe(3)
    expect(existsSync(to)).toBe(false)
  })

  test('that is killed at whatever moment leaves nothing that looks whole, and is run again', {
    timeout: KILLS_MS,
  }, async () => {
    const { dataDir, couponOf, said } = await usedDirectory()
    const to = join(freshDirectory(), 'more')
    const more = ['--partitions', '11', '--to', to, '--json', ...COUPONS]
    const again = () => start(['repartition', '--data-dir', dataDir, ...more])
    let kills = 0
    for (; !existsSync(to); kills++) {
      const code = await killAtChange(again(), dirname(to), 2 ** (kills + 1))
      // A kill may come after the last step; whatever else ends it is no kill.
      expect([null, 0]).toContain(code)
    }
    expect(kills).toBeGreaterThan(2)
    const overrides = Object.fromEntries(TOGETHER.map((topic) => [topic, { partitions: 11 }]))
    const shop = await startWith(to, { overrides })
    expect(await verdicts(shop, couponOf)).toEqual(said)
    await stop(shop)
  })
})
