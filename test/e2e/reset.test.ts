import { describe, expect, test } from 'vitest'
import { freshDirectory, run, start, startShop, stop } from './command.ts'
import { ask, openCoupon, walletOf } from './coupons.ts'
import { killAtChange } from './kill-at-change.ts'
import { boardWith, sellMug } from './orders.ts'

/** A command started a dozen times, on a busy machine. */
const KILLS_MS = 600_000

interface Report {
  readonly done: boolean
  readonly tasks: readonly { readonly sequence: number }[]
  readonly topics: readonly { readonly topic: string; readonly start: number; readonly end: number }[]
}

/** A shop's directory in which ann and bob have a coupon each, and nobody else. */
async function usedDirectory(): Promise<string> {
  const dataDir = freshDirectory()
  const shop = await startShop(dataDir)
  await openCoupon(shop, 'spring', 2)
  await ask(shop, 'spring', 'ann', 'r1')
  await ask(shop, 'spring', 'bob', 'r2')
  await walletOf(shop, 'ann')
  await walletOf(shop, 'bob')
  await stop(shop)
  return dataDir
}

async function sums(dataDir: string): Promise<readonly string[]> {
  const { stdout } = await run(['state', 'dump', 'best-sellers', 'product-sums-utc', '--data-dir', dataDir])
  return stdout.split('\n').filter((line) => line !== '')
}

async function planned(dataDir: string, topology: string): Promise<Report> {
  const { code, stdout, stderr } = await run(['reset', topology, '--json', '--data-dir', dataDir])
  expect(stderr).toContain('Nothing was changed')
  expect(code).toBe(0)
  return JSON.parse(stdout) as Report
}

describe('millrace reset', () => {
  test('says what would go, and takes nothing before it is told to', async () => {
    const dataDir = await usedDirectory()
    const plan = await planned(dataDir, 'coupon-wallet')
    expect(plan.done).toBe(false)
    expect(plan.tasks.length).toBeGreaterThan(0)
    expect(plan.topics.reduce((sum, { start: first, end }) => sum + end - first, 0)).toBe(2)
    expect(await planned(dataDir, 'coupon-wallet')).toEqual(plan)
  })

  test('lets a topology begin anew from what its inputs have, and comes to the same answers', async () => {
    const dataDir = await usedDirectory()
    const before = await startShop(dataDir)
    const wallet = await walletOf(before, 'ann')
    const refused = await run(['reset', 'coupon-wallet', '--yes', '--data-dir', dataDir])
    expect(refused.stderr).toContain(`locked by pid ${before.pid}`)
    expect(refused.code).toBe(4)
    await stop(before)

    const done = await run(['reset', 'coupon-wallet', '--yes', '--data-dir', dataDir])
    expect(done.stdout).toMatch(/task +coupon-wallet\.0_0/)
    expect(done.code).toBe(0)
    const after = await planned(dataDir, 'coupon-wallet')
    expect(after.tasks).toEqual([])
    expect(after.topics.every(({ start: first, end }) => first === end)).toBe(true)

    const shop = await startShop(dataDir)
    expect(await walletOf(shop, 'ann')).toEqual(wallet)
    // What was not reset goes on where it was.
    expect(await ask(shop, 'spring', 'eve', 'r3')).toMatchObject({ status: 'REJECTED' })
    await stop(shop)
  })

  test('that is killed at whatever moment is completed by running it again', {
    timeout: KILLS_MS,
  }, async () => {
    const dataDir = await usedDirectory()
    const reset = () => start(['reset', 'coupon-wallet', '--yes', '--data-dir', dataDir])
    let kills = 0
    // Later each time: twice as much is done.
    while ((await killAtChange(reset(), dataDir, 2 ** (kills + 1))) !== 0) kills++
    expect(kills).toBeGreaterThan(2)
    const shop = await startShop(dataDir)
    expect(await walletOf(shop, 'bob')).toHaveLength(1)
    await stop(shop)
  })

  test('counts nothing twice where a topology reads what it wrote itself', async () => {
    const dataDir = freshDirectory()
    const first = await startShop(dataDir)
    for (let i = 0; i < 20; i++) await sellMug(first, `o-${i}`)
    const board = await boardWith(first, 20)
    await stop(first)
    const before = await sums(dataDir)
    const done = await run(['reset', 'best-sellers', '--yes', '--data-dir', dataDir])
    expect(done.code).toBe(0)
    expect(await sums(dataDir)).toEqual([])
    const second = await startShop(dataDir)
    expect(await boardWith(second, 20)).toEqual(board)
    await sellMug(second, 'o-20')
    await boardWith(second, 21)
    await stop(second)
    expect(await sums(dataDir)).toHaveLength(before.length)
  })

  test('knows the topologies', async () => {
    const { code, stderr } = await run(['reset', 'coupon-walet', '--data-dir', await usedDirectory()])
    expect(stderr).toContain('did you mean coupon-wallet?')
    expect(code).toBe(2)
  })
})
