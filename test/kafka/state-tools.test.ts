/** Resets on a real cluster: what goes, what stays, what a crash between two steps leaves; and stores made anew. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { groupSpecOf } from '../../streams/index.ts'
import { wallet } from '../../topologies/index.ts'
import { Cluster } from '../../transports/kafka/cluster.ts'
import { Connections } from '../../transports/kafka/connections.ts'
import type { KafkaRequest } from '../../transports/kafka/protocol/request.ts'
import { resetOnCluster } from '../../transports/kafka/reset.ts'
import { freshDirectory, run, type Shop, startShop, stop } from '../e2e/command.ts'
import { ask, openCoupon, walletOf } from '../e2e/coupons.ts'
import { boardWith, sellMug } from '../e2e/orders.ts'
import { eventually } from '../support/kafka/eventually.ts'
import { oneBroker } from '../support/kafka/own-cluster.ts'
import { topicOffsets } from '../support/kafka/topics.ts'

const cluster = oneBroker({ registry: false })
const kafka = (): string[] => ['--kafka', cluster().bootstrap, '--set', 'kafka.leaveOnStop=true']
/** Whole shops start and end, each with 24 topics and their changelogs. */
const TIMEOUT_MS = 600_000
const OWN_TOPIC = 'coupon-wallet-issued-by-user-repartition'
const CHANGELOGS = ['millrace-coupon-wallet-wallet-changelog', 'millrace-coupon-wallet-1-timers-changelog']

interface Report {
  readonly done: boolean
  readonly cluster: {
    readonly group: string
    readonly positions: readonly unknown[]
    readonly changelogs: readonly string[]
    readonly internalTopics: readonly string[]
  }
  readonly databases: readonly unknown[]
}

async function reset(dataDir: string, ...more: readonly string[]): Promise<Report> {
  const { code, stdout, stderr } = await run([
    'reset',
    'coupon-wallet',
    '--json',
    '--data-dir',
    dataDir,
    ...kafka(),
    ...more,
  ])
  expect(stderr).not.toContain('millrace:')
  expect(code).toBe(0)
  return JSON.parse(stdout) as Report
}

async function startReady(dataDir: string): Promise<Shop> {
  const shop = await startShop(dataDir, ...kafka())
  await eventually(async () => (await fetch(`${shop.url}/readyz`)).ok)
  return shop
}

test('a reset is refused while the topology runs, then takes all that is its own and nothing else', {
  timeout: TIMEOUT_MS,
}, async () => {
  const dataDir = freshDirectory()
  const shop = await startReady(dataDir)
  await openCoupon(shop, 'spring', 5)
  await ask(shop, 'spring', 'ann', 'r1')
  const wallet = await walletOf(shop, 'ann')
  const refused = await run(['reset', 'coupon-wallet', '--yes', '--data-dir', freshDirectory(), ...kafka()])
  expect(refused.stderr).toContain('The topology is running: group millrace.coupon-wallet has')
  expect(refused.code).toBe(4)
  await stop(shop)

  const issued = await topicOffsets(cluster().bootstrap, 'coupon.issued')
  const plan = await reset(dataDir)
  expect(plan.cluster.changelogs).toEqual(expect.arrayContaining(CHANGELOGS))
  expect(plan.cluster.internalTopics).toEqual([OWN_TOPIC])
  expect(plan.databases.length).toBeGreaterThan(0)
  expect(await reset(dataDir)).toEqual(plan)
  expect(await reset(dataDir, '--yes')).toEqual({ ...plan, done: true })
  const after = await reset(dataDir)
  expect(after.cluster).toMatchObject({ positions: [], changelogs: [], internalTopics: [] })
  expect(after.databases).toEqual([])
  expect(await topicOffsets(cluster().bootstrap, 'coupon.issued')).toEqual(issued)

  const again = await startReady(dataDir)
  expect(await walletOf(again, 'ann')).toEqual(wallet)
  expect(await ask(again, 'spring', 'bob', 'r2')).toMatchObject({ status: 'ISSUED', sequence: 2 })
  await stop(again)
})

test.each(['DeleteTopics', 'DeleteGroups'])(
  'a reset that ends before %s keeps the topology from starting, and is completed by another one',
  { timeout: TIMEOUT_MS },
  async (last) => {
    const dataDir = freshDirectory()
    const shop = await startReady(dataDir)
    const coupon = `before-${last}`
    await openCoupon(shop, coupon, 5)
    await ask(shop, coupon, last, 'r1')
    await walletOf(shop, last)
    await stop(shop)

    await expect(resetUntil(last)).rejects.toThrow('the process dies here')
    const half = await startShop(dataDir, ...kafka())
    await half.said(/RESET_REQUIRED[^\n]*a reset was begun and not finished/)
    await stop(half)

    expect((await reset(dataDir, '--yes')).done).toBe(true)
    const whole = await startReady(dataDir)
    expect(await walletOf(whole, last)).toHaveLength(1)
    await stop(whole)
  },
)

test('counts nothing twice where a topology reads what it wrote itself', {
  timeout: TIMEOUT_MS,
}, async () => {
  const dataDir = freshDirectory()
  const first = await startReady(dataDir)
  for (let i = 0; i < 10; i++) await sellMug(first, `o-${i}`)
  const board = await boardWith(first, 10)
  await stop(first)
  const done = await run(['reset', 'best-sellers', '--yes', '--data-dir', dataDir, ...kafka()])
  expect(done.code).toBe(0)
  const second = await startReady(dataDir)
  expect(await boardWith(second, 10)).toEqual(board)
  await sellMug(second, 'o-10')
  await boardWith(second, 11)
  await stop(second)
})

test('stores are made anew from the changelogs, beside those that are there', {
  timeout: TIMEOUT_MS,
}, async () => {
  const dataDir = freshDirectory()
  const shop = await startReady(dataDir)
  await openCoupon(shop, 'rebuilt', 5)
  await ask(shop, 'rebuilt', 'zoe', 'r1')
  const wallet = await walletOf(shop, 'zoe')
  await stop(shop)
  const target = join(freshDirectory(), 'rebuilt')
  const rebuild = ['state', 'rebuild', 'coupon-wallet', '--data-dir', dataDir, ...kafka()]
  const { code, stdout } = await run([...rebuild, '--to', target, '--json'])
  expect(code).toBe(0)
  const { restored } = JSON.parse(stdout) as { restored: readonly { rows: number }[] }
  expect(restored.length).toBeGreaterThan(0)
  const verified = await run(['state', 'verify', '--data-dir', target, ...kafka()])
  expect(verified.code).toBe(0)
  expect(await walletRows(target)).toEqual(await walletRows(dataDir))
  const again = await startReady(target)
  expect(await walletOf(again, 'zoe')).toEqual(wallet)
  await stop(again)
})

async function walletRows(dataDir: string): Promise<string> {
  const { stdout } = await run([
    'state',
    'dump',
    'coupon-wallet',
    'wallet',
    '--data-dir',
    dataDir,
    ...kafka(),
  ])
  expect(stdout).toContain('zoe')
  return stdout
}

/** As the command does it, up to the first request of this name. */
async function resetUntil(apiName: string): Promise<void> {
  const options = { brokers: [cluster().bootstrap], clientId: 'half-a-reset' }
  const connections = new Connections(options, 'questions')
  const directory = new Cluster(connections)
  const dying = new Proxy(connections, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      if (name !== 'send' && name !== 'sendToAny') return value.bind(target) as unknown
      return (...args: unknown[]) => {
        if ((args.at(-1) as KafkaRequest<unknown>).apiName === apiName)
          throw new Error('the process dies here')
        return Reflect.apply(value, target, args) as unknown
      }
    },
  })
  try {
    await directory.open()
    const spec = groupSpecOf('millrace', wallet())
    const request = { spec, changelogs: CHANGELOGS, internalTopics: [OWN_TOPIC], intermediateTopics: [] }
    const endOf = () => Promise.reject(new Error('there are no topics that stay'))
    await resetOnCluster({ cluster: directory, connections: dying, endOf }, request)
  } finally {
    directory.close()
    await connections.close()
  }
}
