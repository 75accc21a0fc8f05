import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DECEMBER, freshDirectory, getJson, run, start, startShop, stop } from './command.ts'
import { ask, openCoupon } from './coupons.ts'

describe('a shop', () => {
  test('that is ended and started again knows what it decided', async () => {
    const dataDir = freshDirectory()
    const first = await startShop(dataDir)
    await openCoupon(first, 'spring', 2)
    const before = await ask(first, 'spring', 'ann', 'r1')
    expect(before).toMatchObject({ status: 'ISSUED', sequence: 1 })
    expect((await stop(first)).code).toBe(0)
    expect(readdirSync(dataDir)).not.toContain('millrace.sock')
    expect(readdirSync(dataDir)).not.toContain('millrace.run.json')

    const second = await startShop(dataDir)
    expect(await getJson(`${second.url}/v1/coupons/spring`)).toMatchObject({ quota: 2, issued: 1 })
    expect(await ask(second, 'spring', 'ann', 'r1')).toEqual(before)
    expect(await ask(second, 'spring', 'ann', 'r2')).toMatchObject({
      status: 'REJECTED',
      reason: 'DUPLICATE',
    })
    expect(await ask(second, 'spring', 'bob', 'r3')).toMatchObject({ status: 'ISSUED', sequence: 2 })
    expect((await stop(second)).code).toBe(0)
  })

  test('has its directory to itself: a second process says who has it, and ends with 4', async () => {
    const dataDir = freshDirectory()
    const shop = await startShop(dataDir)
    const { code, stdout, stderr } = await run(['start', '--port', '0', '--data-dir', dataDir])
    expect(stderr).toContain(`locked by pid ${shop.pid}`)
    expect(stderr).toContain('--data-dir')
    expect(stdout).toBe('')
    expect(code).toBe(4)
    expect(await getJson(`${shop.url}/readyz`)).toBeDefined()
    await stop(shop)
  })

  test('refuses the directory of another application, and a port that is taken', async () => {
    const dataDir = freshDirectory()
    const shop = await startShop(dataDir)
    const taken = await run(['start', '--port', new URL(shop.url).port, '--data-dir', freshDirectory()])
    expect(taken.stderr).toContain('another --port')
    expect(taken.code).toBe(1)
    await stop(shop)
    const other = await run(['start', '--port', '0', '--data-dir', dataDir, '--set', 'application=other'])
    expect(other.stderr).toContain('not for this program')
    expect(other.code).toBe(4)
  })

  test('is backed up while it runs, and restored into an empty directory', async () => {
    const dataDir = freshDirectory()
    const backup = join(freshDirectory(), 'copy')
    const restored = join(freshDirectory(), 'restored')
    const shop = await startShop(dataDir)
    await openCoupon(shop, 'spring', 10)
    const verdict = await ask(shop, 'spring', 'ann', 'r1')

    const copied = await run(['backup', backup, '--data-dir', dataDir, '--json'])
    expect(JSON.parse(copied.stdout)).toMatchObject({ directory: backup })
    expect(copied.code).toBe(0)
    const again = await run(['backup', backup, '--data-dir', dataDir])
    expect(again.stderr).toContain('not empty')
    expect(again.code).toBe(4)
    // The copy does not know what came after it.
    await ask(shop, 'spring', 'bob', 'r2')

    const onto = await run(['restore', backup, '--data-dir', dataDir])
    expect(onto.stderr).toContain('not empty')
    expect(onto.code).toBe(4)
    const back = await run(['restore', backup, '--data-dir', restored, '--json'])
    expect(back.code).toBe(0)
    expect((JSON.parse(back.stdout) as { records: number }).records).toBeGreaterThan(3)
    await stop(shop)

    const second = await startShop(restored)
    expect(await getJson(`${second.url}/v1/coupons/spring`)).toMatchObject({ quota: 10, issued: 1 })
    expect(await ask(second, 'spring', 'ann', 'r1')).toEqual(verdict)
    await stop(second)
  })

  test('that does not run is backed up too, also after it was killed', async () => {
    const dataDir = freshDirectory()
    const backup = join(freshDirectory(), 'copy')
    const shop = await startShop(dataDir)
    await openCoupon(shop, 'spring', 10)
    shop.kill('SIGKILL')
    await shop.finished
    const { code, stderr } = await run(['backup', backup, '--data-dir', dataDir])
    expect(stderr).toContain('by this command')
    expect(code).toBe(0)
    expect(existsSync(join(backup, 'CURRENT'))).toBe(true)
  })

  test('that there is not cannot be backed up, nor restored from', async () => {
    const nowhere = join(freshDirectory(), 'none')
    expect(await run(['backup', `${nowhere}-copy`, '--data-dir', nowhere])).toMatchObject({ code: 4 })
    expect(await run(['restore', nowhere, '--data-dir', `${nowhere}-new`])).toMatchObject({ code: 4 })
  })

  test('exposes its metrics under the names that are documented', async () => {
    const shop = await startShop(freshDirectory())
    await openCoupon(shop, 'spring', 10)
    await ask(shop, 'spring', 'ann', 'r1')
    const text = await (await fetch(`${shop.url}/metrics`)).text()
    expect(text).toContain('millrace_coupon_decisions_total{coupon="spring",decision="issued"} 1')
    expect(text).toContain('millrace_coupon_quota_remaining{coupon="spring"} 9')
    expect(text).toMatch(
      /millrace_http_requests_total\{route="\/v1\/coupons\/:couponId",method="PUT",status="200"\} 1/,
    )
    expect(text).toContain('millrace_topology_state{topology="coupon-issuance",state="running"} 1')
    await stop(shop)
  })

  test('under load takes, decides and adds up every request', async () => {
    const flags = ['--users', '500', '--quota', '50', '--rate', '500', '--warmup', '0', '--json']
    const { code, stdout, stderr } = await run(['load', 'coupons', ...flags])
    expect(stderr).not.toContain('failed')
    const report = JSON.parse(stdout) as { verdicts: unknown; checks: readonly { ok: boolean }[] }
    expect(report.verdicts).toEqual({ ISSUED: 50, SOLD_OUT: 450 })
    expect(report.checks.every(({ ok }) => ok)).toBe(true)
    expect(code).toBe(0)
  })
})

describe('a replay', () => {
  test('as recorded: its directory answers for every window later, and for nothing else', async () => {
    const dataDir = join(freshDirectory(), 'december')
    const args = [
      'replay',
      DECEMBER,
      '--as-recorded',
      '--exit',
      '--json',
      '--port',
      '0',
      '--data-dir',
      dataDir,
    ]
    const { code, stdout } = await run(args)
    expect(JSON.parse(stdout.trim().split('\n').at(-1) as string)).toMatchObject({
      orders: 1_559,
      lines: 41_480,
      adjustments: 273,
      returnedUnits: 3_241,
      unmatched: 12_801,
    })
    expect(code).toBe(0)

    const shop = await startShop(dataDir)
    const first = await getJson(`${shop.url}/v1/rankings/day?at=2010-12-01T12:00:00Z&limit=2`)
    expect(first).toMatchObject({ final: true, start: Date.parse('2010-12-01T00:00:00Z') })
    expect((first['entries'] as readonly { rank: number }[])[0]).toMatchObject({ rank: 1 })
    await stop(shop)

    const live = await run(['replay', DECEMBER, '--end-now', '--exit', '--port', '0', '--data-dir', dataDir])
    expect(live.stderr).toContain('made by replay --as-recorded')
    expect(live.code).toBe(4)
  })

  test('that is interrupted ends in order, and says so', async () => {
    const dataDir = join(freshDirectory(), 'slow')
    const args = ['replay', DECEMBER, '--as-recorded', '--speed', '1', '--port', '0', '--data-dir', dataDir]
    const replay = start(args)
    await replay.said(/"msg":"ready"/)
    replay.kill('SIGTERM')
    const { code, stderr } = await replay.finished
    expect(stderr).toContain('ended by SIGTERM')
    expect(code).toBe(143)
    expect(readdirSync(dataDir)).not.toContain('millrace.run.json')
  })
})
