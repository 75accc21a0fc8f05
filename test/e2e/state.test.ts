import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { freshDirectory, getJson, run, start, startShop, stop } from './command.ts'
import { killAtChange } from './kill-at-change.ts'
import { ask, openCoupon } from './coupons.ts'

/** A command started a dozen times, on a busy machine. */
const KILLS_MS = 600_000

let dataDir: string

/** Ann has a coupon, bob came too late; everything lies in tables. */
beforeAll(async () => {
  dataDir = freshDirectory()
  const shop = await startShop(dataDir)
  await openCoupon(shop, 'spring', 1)
  await ask(shop, 'spring', 'ann', 'r1')
  await ask(shop, 'spring', 'bob', 'r2')
  await stop(shop)
  await run(['state', 'compact', '--data-dir', dataDir])
})

async function dump(directory: string, ...more: readonly string[]): Promise<readonly Row[]> {
  const { code, stdout } = await run(['state', 'dump', 'coupon-issuance', ...more, '--data-dir', directory])
  expect(code).toBe(0)
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row)
}

interface Row {
  readonly task: string
  readonly key: unknown
  readonly value: unknown
}

describe('millrace state', () => {
  test('verify reads all of a directory, and of a backup', async () => {
    const backup = join(freshDirectory(), 'backup')
    expect((await run(['backup', backup, '--data-dir', dataDir])).code).toBe(0)
    for (const directory of [dataDir, backup]) {
      const { code, stdout } = await run(['state', 'verify', '--json', '--data-dir', directory])
      expect(code).toBe(0)
      const { damages, rows } = JSON.parse(stdout) as { damages: string[]; rows: number }
      expect(damages).toEqual([])
      expect(rows).toBeGreaterThan(5)
    }
  })

  test('verify says where damage is, changes nothing, and ends with 3', async () => {
    const copy = join(freshDirectory(), 'copy')
    await run(['backup', copy, '--data-dir', dataDir])
    await run(['state', 'compact', '--data-dir', copy])
    const table = readdirSync(copy).find((name) => name.endsWith('.ldb')) as string
    const bytes = readFileSync(join(copy, table))
    bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100)
    writeFileSync(join(copy, table), bytes)
    const { code, stdout, stderr } = await run(['state', 'verify', '--data-dir', copy])
    expect(stdout).toContain(table)
    expect(stderr).toContain('nothing was changed')
    expect(code).toBe(3)
    expect(readFileSync(join(copy, table))).toEqual(bytes)
  })

  test('dump prints a store, typed, all of it or what begins so', async () => {
    const all = await dump(dataDir, 'requests')
    expect(all.map(({ key }) => key)).toEqual(
      expect.arrayContaining([
        ['spring', 'r1'],
        ['spring', 'r2'],
      ]),
    )
    expect(await dump(dataDir, 'requests', '--limit', '1')).toHaveLength(1)
    expect(await dump(dataDir, 'requests', '--prefix', '["winter"]')).toEqual([])
    const wrong = await run(['state', 'dump', 'coupon-issuance', 'request', '--data-dir', dataDir])
    expect(wrong.stderr).toContain('it has ')
    expect(wrong.code).toBe(2)
  })

  test('rebuild makes the same stores from the log; a kill on the way leaves nothing that looks whole', {
    timeout: KILLS_MS,
  }, async () => {
    const target = join(freshDirectory(), 'rebuilt')
    const args = ['state', 'rebuild', 'coupon-issuance', '--to', target, '--data-dir', dataDir]
    let kills = 0
    // A kill may come after the last step.
    for (; !existsSync(target); kills++) await killAtChange(start(args), dirname(target), 2 ** (kills + 1))
    expect(kills).toBeGreaterThan(2)
    for (const store of ['requests', 'claims', 'campaigns'])
      expect(await dump(target, store)).toEqual(await dump(dataDir, store))
    const shop = await startShop(target)
    expect(await getJson(`${shop.url}/v1/coupons/spring/requests/r1`)).toMatchObject({ status: 'ISSUED' })
    expect(await ask(shop, 'spring', 'eve', 'r3')).toMatchObject({ status: 'REJECTED' })
    const busy = await run(['state', 'verify', '--data-dir', target])
    expect(busy.stderr).toContain(`locked by pid ${shop.pid}`)
    expect(busy.code).toBe(4)
    await stop(shop)
  })
})
