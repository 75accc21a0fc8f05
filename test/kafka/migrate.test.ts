/** An embedded shop goes on on a cluster: the same verdicts, quotas, wallets and boards, whatever ended on the way. */
import { expect, test } from 'vitest'
import { freshDirectory, run, type Shop, startShop, stop } from '../e2e/command.ts'
import { ask, openCoupon, walletOf } from '../e2e/coupons.ts'
import { boardWith, sellMug } from '../e2e/orders.ts'
import { eventually } from '../support/kafka/eventually.ts'
import { oneBroker } from '../support/kafka/own-cluster.ts'

const cluster = oneBroker({ registry: false })
/** Whole shops start and end, each with 24 topics and their changelogs. */
const TIMEOUT_MS = 600_000

function on(application: string): string[] {
  return [
    '--kafka',
    cluster().bootstrap,
    '--set',
    'kafka.leaveOnStop=true',
    '--set',
    `application=${application}`,
  ]
}

test('a shop goes on where it stopped', { timeout: TIMEOUT_MS }, async () => {
  const dataDir = freshDirectory()
  const before = await startShop(dataDir)
  await openCoupon(before, 'spring', 3)
  const ann = await ask(before, 'spring', 'ann', 'r1')
  const bob = await ask(before, 'spring', 'bob', 'r2')
  const wallet = await walletOf(before, 'ann')
  for (let i = 0; i < 10; i++) await sellMug(before, `o-${i}`)
  const board = await boardWith(before, 10)
  await stop(before)
  const migrated = await run(['migrate', '--to', 'kafka', '--data-dir', dataDir, '--kafka', cluster().bootstrap])
  console.log(migrated.stdout, migrated.stderr)
  expect(migrated.code).toBe(0)
  const after = await startShop(freshDirectory(), '--kafka', cluster().bootstrap)
  await eventually(async () => (await fetch(`${after.url}/readyz`)).ok)
  expect(await ask(after, 'spring', 'ann', 'r1')).toEqual(ann)
  expect(await ask(after, 'spring', 'bob', 'r2')).toEqual(bob)
  expect(await walletOf(after, 'ann')).toEqual(wallet)
  expect(await boardWith(after, 10)).toEqual(board)
  await sellMug(after, 'o-10')
  await boardWith(after, 11)
  await stop(after)
})
