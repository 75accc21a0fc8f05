/** An embedded shop goes on on a cluster: the same verdicts, quotas, wallets and boards, whatever ended on the way. */
import { join } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import type { MigrationStep } from '../../cli/pipeline/migration/migrate.ts'
import { freshDirectory, getJson, ROOT, run, sendJson, type Shop, startShop, stop } from '../e2e/command.ts'
import { ask, openCoupon, walletOf } from '../e2e/coupons.ts'
import { boardWith, sellMug } from '../e2e/orders.ts'
import { Child } from '../support/child.ts'
import { eventually } from '../support/kafka/eventually.ts'
import { readCommitted } from '../support/kafka/oracle.ts'
import { oneBroker } from '../support/kafka/own-cluster.ts'
import { type Accepted, judgeCoupons } from './faults/coupon-judge.ts'

/** Whole shops start and end, each with 24 topics and their changelogs. */
const TIMEOUT_MS = 600_000
const PROCESS = join(ROOT, 'test/kafka/faults/migration-process.ts')
const QUOTA = 40
const CAMPAIGN = { couponId: 'rush', quota: QUOTA, perUserLimit: 1 }

/** Where the migration dies, one process after the other; and which time it gets there. */
const DEATHS: readonly (readonly [MigrationStep, number])[] = [
  ['directory marked', 1],
  ['topics made', 1],
  ['positions marked', 1],
  ['slice copied', 1],
  ['slice copied', 30],
  ['copied', 1],
  ['compared', 1],
  ['committing', 1],
  ['group committed', 1],
  ['group committed', 2],
  ['topics opened', 1],
]

function migrate(dataDir: string, bootstrap: string, ...more: readonly string[]) {
  return run(['migrate', '--to', 'kafka', '--data-dir', dataDir, '--kafka', bootstrap, ...more])
}

async function abandon(dataDir: string): Promise<number | null> {
  return (await run(['migrate', '--abandon', '--data-dir', dataDir])).code
}

async function startOn(bootstrap: string, ...more: readonly string[]): Promise<Shop> {
  const flags = ['--kafka', bootstrap, '--set', 'kafka.leaveOnStop=true', ...more]
  const shop = await startShop(freshDirectory(), ...flags)
  await eventually(async () => (await fetch(`${shop.url}/readyz`)).ok)
  return shop
}

/** Requests of users `from` to before `to`, sent at once; what was acknowledged. */
async function rush({ url }: Shop, from: number, to: number): Promise<readonly Accepted[]> {
  const asks = Array.from({ length: to - from }, (_, index) => {
    const user = from + index
    return { couponId: CAMPAIGN.couponId, userId: `u${user}`, requestId: `r${user}` }
  })
  return Promise.all(
    asks.map(async (one) => {
      const path = `${url}/v1/coupons/${one.couponId}/requests`
      const { ticket } = await sendJson('POST', path, { userId: one.userId, requestId: one.requestId })
      return { ask: one, ...(ticket as { partition: number; offset: number }) }
    }),
  )
}

/** The last of them is decided, and with it all of the partition. */
async function decided({ url }: Shop, accepted: readonly Accepted[]): Promise<void> {
  const last = accepted.reduce((one, other) => (other.offset > one.offset ? other : one))
  const path = `${url}/v1/coupons/${CAMPAIGN.couponId}/requests/${last.ask.requestId}`
  const { status } = await getJson(`${path}?ticket=${last.partition}.${last.offset}&wait=30s`)
  expect(['ISSUED', 'REJECTED']).toContain(status)
}

describe('with requests that were accepted and not decided', () => {
  const cluster = oneBroker({ registry: false })

  test('I1, I4, I6, I16: a migration killed at every step goes on, and the shop where it stopped', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const { bootstrap } = cluster()
    const dataDir = freshDirectory()
    const before = await startShop(dataDir)
    await openCoupon(before, CAMPAIGN.couponId, QUOTA)
    for (let i = 0; i < 10; i++) await sellMug(before, `o-${i}`)
    const board = await boardWith(before, 10)
    const accepted = [...(await rush(before, 0, 30))]
    const known = await ask(before, CAMPAIGN.couponId, 'u0', 'r0')
    await stop(before)
    // Takes requests, and decides none.
    const waiting = await startShop(dataDir, '--topologies', 'catalog')
    accepted.push(...(await rush(waiting, 30, 60)))
    waiting.kill('SIGKILL')
    await waiting.finished

    for (const [step, times] of DEATHS) {
      const exit = await new Child(PROCESS, [step, String(times), dataDir, bootstrap]).exited
      expect(exit, `${step}, time ${times}`).toMatchObject({ signal: 'SIGKILL' })
      const here = await run(['start', '--data-dir', dataDir, '--port', '0'])
      expect(here.stderr).toContain('was begun and not finished')
      expect(here.code).toBe(4)
      if (step === 'slice copied' || step === 'group committed') {
        const there = await run([
          'start',
          '--data-dir',
          freshDirectory(),
          '--port',
          '0',
          '--kafka',
          bootstrap,
        ])
        expect(there.stderr).toContain('a migration that is not finished leaves topics so')
        expect(there.code).toBe(2)
      }
      const givenUp = step === 'topics made' || step === 'committing' ? await abandon(dataDir) : undefined
      expect(givenUp).toBe({ 'topics made': 0, committing: 4 }[String(step)])
      if (givenUp === 0) await stop(await startShop(dataDir, '--topologies', 'catalog'))
    }
    const last = await migrate(dataDir, bootstrap)
    expect(last.stderr).toContain('goes on where this shop stopped')
    expect(last.code).toBe(0)
    expect((await migrate(dataDir, bootstrap)).stderr).toContain('before')
    const here = await run(['start', '--data-dir', dataDir, '--port', '0'])
    expect(here.stderr).toContain(`was migrated to ${bootstrap}`)

    expect(await readCommitted(bootstrap, 'coupon.issue.requested')).toHaveLength(61)
    expect(await readCommitted(bootstrap, 'coupon.issued')).toHaveLength(31)
    const after = await startOn(bootstrap)
    expect(await ask(after, CAMPAIGN.couponId, 'u0', 'r0')).toEqual(known)
    expect(await boardWith(after, 10)).toEqual(board)
    accepted.push(...(await rush(after, 60, 90)), ...(await rush(after, 20, 70)))
    await decided(after, accepted)
    await sellMug(after, 'o-3')
    await sellMug(after, 'o-10')
    await boardWith(after, 11)
    await eventually(async () => (await judge(bootstrap, accepted)).complaints.length === 0, {
      describe: () => judge(bootstrap, accepted),
    })
    const { outcomes } = await judge(bootstrap, accepted)
    expect(outcomes.get('ISSUED')).toBeGreaterThanOrEqual(QUOTA)
    expect(outcomes.get('SOLD_OUT')).toBeGreaterThanOrEqual(90 - QUOTA)
    await stop(after)
  })
})

function judge(bootstrap: string, accepted: readonly Accepted[]) {
  return judgeCoupons({ bootstrap, application: 'millrace', campaigns: [CAMPAIGN], accepted })
}

describe('with a schema registry', () => {
  const cluster = oneBroker({ registry: false })
  const { registryUrl } = inject('kafka')

  test('records get the ids of the registry, and mean what they meant; after a repartition too', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const { bootstrap } = cluster()
    const flags = ['--registry', registryUrl, '--set', 'registry.register=true']
    const dataDir = freshDirectory()
    const before = await startShop(dataDir)
    await openCoupon(before, 'spring', 3)
    const ann = await ask(before, 'spring', 'ann', 'r1')
    const wallet = await walletOf(before, 'ann')
    await sellMug(before, 'o-1')
    const board = await boardWith(before, 1)
    const busy = await migrate(dataDir, bootstrap, ...flags)
    expect(busy.stderr).toContain(`locked by pid ${before.pid}`)
    expect(busy.code).toBe(4)
    await stop(before)

    const plan = await migrate(dataDir, bootstrap, '--dry-run', '--json')
    expect(JSON.parse(plan.stdout)).toMatchObject({ stage: 'copying', left: [] })
    await stop(await startShop(dataDir))
    const wider = join(freshDirectory(), 'wider')
    const topic = ['--topic', 'coupon.issue.requested', '--partitions', '7']
    const made = await run(['repartition', '--data-dir', dataDir, '--to', wider, '--json', ...topic])
    const { overrides } = JSON.parse(made.stdout) as { overrides: object }
    expect((await migrate(wider, bootstrap, ...flags)).stderr).toContain('has partitions 7, not 6')
    const wide = ['--set', `topics.overrides=${JSON.stringify(overrides)}`]
    flags.push(...wide)
    const migrated = await migrate(wider, bootstrap, ...flags)
    expect(migrated.stderr).toContain('goes on where this shop stopped')
    expect(migrated.code).toBe(0)

    const after = await startOn(bootstrap, ...flags)
    expect(await ask(after, 'spring', 'ann', 'r1')).toEqual(ann)
    expect(await ask(after, 'spring', 'bob', 'r2')).toMatchObject({ status: 'ISSUED', sequence: 2 })
    expect(await walletOf(after, 'ann')).toEqual(wallet)
    expect(await boardWith(after, 1)).toEqual(board)

    const other = freshDirectory()
    await stop(await startShop(other, ...wide))
    const running = await migrate(other, bootstrap, ...flags)
    expect(running.stderr).toContain('The topology is running')
    expect(running.code).toBe(4)
    await stop(after)
    const taken = await migrate(other, bootstrap, ...flags)
    expect(taken.stderr).toContain('has been on this cluster')
    expect(taken.code).toBe(4)
    await stop(await startShop(other, ...wide))
  })
})
